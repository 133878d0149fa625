/** What the adapters do beyond Keyv's own suite. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { Keyv, type KeyvStoreAdapter } from 'keyv'
import { Keyv as Keyv6, type KeyvStorageAdapter, type KeyvStoreAdapter as StoreAdapterOf6 } from 'keyv6'
import { describe, expect, test } from 'vitest'
import { HitpathStorageAdapter, HitpathStore, type StoreCache } from '../../../src/compat/keyv/index.js'
import { LocalCache, SharedCache, TieredCache } from '../../../src/index.js'
import { MemoryServer, MemoryStore } from '../../support/memory-store.js'

let now = 0
const clock = { now: () => now }
const CACHES: Readonly<Record<string, () => LocalCache | SharedCache | TieredCache>> = {
  LocalCache: () => new LocalCache({ clock }),
  SharedCache: () => SharedCache.create({ maxBytes: 2 ** 20, clock }),
  TieredCache: () => new TieredCache({ clock, l1: new LocalCache({ clock }), random: () => 1 }),
}

async function keysOf(store: HitpathStore | HitpathStorageAdapter): Promise<unknown[]> {
  const keys: unknown[] = []
  for await (const [key] of store.iterator()) keys.push(key)
  return keys.sort()
}

describe.each(Object.entries(CACHES))('over a %s', (_, make) => {
  test('clear and iteration keep to their namespace, and to the store', async () => {
    const cache = make()
    const stores = ['one', 'two', undefined].map((namespace) => {
      const store = new HitpathStore({ cache })
      store.namespace = namespace
      return store
    })
    await cache.set('mine', 'not of Keyv')
    for (const store of stores) await store.set('key', `of ${store.namespace}`)
    const [one, two, none] = stores as [HitpathStore, HitpathStore, HitpathStore]
    expect(await one.get('key')).toBe('of one')
    expect(await none.get('key')).toBe('of undefined')
    expect(await keysOf(two)).toEqual(['key'])
    await one.clear()
    expect(await keysOf(one)).toEqual([])
    expect(await keysOf(two)).toEqual(['key'])
    await none.clear()
    expect(await none.has('key')).toBe(false)
    expect(await two.get('key')).toBe('of two')
    expect(await cache.get('mine')).toBe('not of Keyv')
  })

  test('a ttl ends to the millisecond', async () => {
    const store = new HitpathStore(make())
    await store.setMany([{ key: 'a', value: 1, ttl: 100 }])
    await store.set('b', 2, 100)
    now += 100
    expect(await store.getMany(['a', 'b'])).toEqual([1, 2])
    now += 1
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
    expect(await store.hasMany(['a', 'b'])).toEqual([false, false])
    expect(await keysOf(store)).toEqual([])
  })

  test('what ends at once, or is undefined, is gone', async () => {
    const store = new HitpathStore(make())
    for (const [value, ttl] of [
      [1, 0],
      [1, -5],
      [undefined, 1000],
    ] as const) {
      await store.set('key', 'before')
      expect(await store.set('key', value, ttl)).toBe(true)
      expect(await store.has('key')).toBe(false)
    }
    await store.setMany([
      { key: 'a', value: undefined },
      { key: 'a', value: 2 },
      { key: 'b', value: 1 },
      { key: 'b', value: 1, ttl: 0 },
    ])
    expect(await store.getMany(['a', 'b'])).toEqual([2, undefined])
  })

  test('Keyv 5 hears of each entry whether it is set, and of all whether they were there', async () => {
    const keyv = new Keyv({ store: new HitpathStore(make()) })
    const entries = [
      { key: 'a', value: 1 },
      { key: 'b', value: null },
    ]
    expect(await keyv.setMany(entries)).toEqual([true, true])
    expect(await keyv.get(['a', 'b', 'c'])).toEqual([1, null, undefined])
    expect(await keyv.has(['a', 'b', 'c'])).toEqual([true, true, false])
    expect(await keyv.delete(['a', 'c'])).toBe(false)
    expect(await keyv.delete(['b'])).toBe(true)
  })

  test('Keyv 6 hears of each key', async () => {
    const keyv = new Keyv6({ store: new HitpathStorageAdapter(make()), namespace: 'six' })
    const entries = [
      { key: 'a', value: 1, ttl: 60_000 },
      { key: 'b', value: null },
    ]
    expect(await keyv.setMany(entries)).toEqual([true, true])
    expect(await keyv.getMany(['a', 'b', 'c'])).toEqual([1, null, undefined])
    expect(await keyv.hasMany(['a', 'b', 'c'])).toEqual([true, true, false])
    expect(await keyv.deleteMany(['a', 'c'])).toEqual([true, false])
  })

  test('values go uncoded where Keyv does not serialise', async () => {
    const value = { price: Float64Array.of(1, 2), at: new Date(5) }
    const keyv = new Keyv({ store: new HitpathStore(make()) })
    keyv.serialize = undefined
    keyv.deserialize = undefined
    await keyv.set('key', value, 60_000)
    expect(await keyv.get('key')).toEqual(value)
    const six = new Keyv6({ store: new HitpathStorageAdapter(make()), serialization: false })
    await six.set('key', value)
    expect(await six.get('key')).toEqual(value)
  })

  test('compressed values come back', async () => {
    const compression = {
      compress: async (text: string) => gzipSync(text).toString('base64'),
      decompress: async (text: string) => gunzipSync(Buffer.from(text, 'base64')).toString(),
    }
    const store = new HitpathStore(make())
    const keyv = new Keyv({ store, compression })
    await keyv.set('key', 'text '.repeat(100))
    expect(await keyv.get('key')).toBe('text '.repeat(100))
    expect((await store.get<string>('keyv:key'))?.length).toBeLessThan(200)
    const six = new Keyv6({ store: new HitpathStorageAdapter(make()), compression })
    await six.set('key', { text: 'text' })
    expect(await six.get('key')).toEqual({ text: 'text' })
  })

  test('a cache that was handed in outlives the store', async () => {
    const cache = make()
    const keyv = new Keyv({ store: new HitpathStore({ cache }) })
    await keyv.set('key', 1)
    await keyv.disconnect()
    expect(await new Keyv({ store: new HitpathStore(cache) }).get('key')).toBe(1)
    await cache.close()
    const errors: unknown[] = []
    keyv.on('error', (error) => errors.push(error))
    expect(await keyv.set('key', 2)).toBe(false)
    expect(errors).toEqual([expect.objectContaining({ code: 'CLOSED' })])
  })
})

test('the types fit what Keyv 5 and 6 declare, whatever the cache holds', () => {
  const caches: readonly StoreCache[] = [
    new LocalCache<string>(),
    SharedCache.create<Float64Array>({ maxBytes: 2 ** 16 }),
    new TieredCache<number>(),
  ]
  for (const cache of caches) {
    const five: KeyvStoreAdapter = new HitpathStore(cache)
    const six: KeyvStorageAdapter & StoreAdapterOf6 = new HitpathStorageAdapter({ cache })
    expect([five, six]).toEqual([expect.objectContaining({ cache }), expect.objectContaining({ cache })])
  }
})

test('options are those of a LocalCache, which belongs to the store', async () => {
  const gone: unknown[] = []
  const store = new HitpathStore({
    maxEntries: 2,
    policy: 'lru',
    ttl: '60s',
    onRemoval: (_, value) => gone.push(value),
  })
  for (const key of ['a', 'b', 'c']) await store.set(key, key)
  expect(gone).toEqual(['a'])
  expect(store.cache).toBeInstanceOf(LocalCache)
  expect((store.cache as LocalCache).remainingTtl('keyv\u0001b')).toBeGreaterThan(0)
  await store.disconnect()
  await expect(store.get('b')).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

test('namespaces of one store with a cache of its own keep apart too', async () => {
  const gone: unknown[] = []
  const store = new HitpathStore({ onRemoval: (key, _, reason) => gone.push([key, reason]) })
  await store.set('a', 1)
  await store.clear()
  store.namespace = 'other'
  await store.set('b', 2)
  store.namespace = undefined
  await store.setMany([{ key: 'c', value: 3, ttl: 60_000 }])
  await store.clear()
  expect(await store.has('c')).toBe(false)
  store.namespace = 'other'
  expect(await keysOf(store)).toEqual(['b'])
  expect(gone).toEqual([
    ['keyv\u0001a', 'cleared'],
    ['keyv\u0001c', 'deleted'],
  ])
})

test('an entry of Keyv 6 that has ended is not stored', async () => {
  const store = new HitpathStorageAdapter()
  await store.set('key', 1)
  expect(await store.set('key', 2, Date.now() - 1)).toBe(true)
  expect(await store.has('key')).toBe(false)
})

test('Keyv 6 uses its adapter as it is, and the one for 5 through its bridge', () => {
  const store = new HitpathStorageAdapter()
  expect(new Keyv6({ store }).store).toBe(store)
  expect(new Keyv6({ store: new HitpathStore() }).store.constructor.name).toBe('KeyvBridgeAdapter')
})

test.each([
  [{ cache: {} }, /HitpathStore\.cache must be a LocalCache, a SharedCache or a TieredCache/],
  [{ cache: new LocalCache(), maxEntries: 5 }, /HitpathStore over a cache has no option "maxEntries"/],
  [{ maxEntires: 5 }, /LocalCache has no option "maxEntires"/],
])('%o is refused', (options, message) => {
  expect(() => new HitpathStore(options as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) }),
  )
})

test('a namespace that no scope can have is refused by the first call', async () => {
  const store = new HitpathStore()
  store.namespace = 'a\u0001b'
  await expect(store.get('key')).rejects.toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

test('errors that reach no caller come to the listeners of the namespace in use', async () => {
  const server = new MemoryServer()
  const stores: MemoryStore[] = []
  class Store extends MemoryStore {
    forNamespace(namespace: string): MemoryStore {
      const store = new Store(server, namespace)
      stores.push(store)
      return store
    }
  }
  await using cache = new TieredCache({ l2: new Store(server) })
  const keyv = new Keyv({ store: new HitpathStore(cache) })
  const errors: unknown[] = []
  keyv.on('error', (error) => errors.push(error))
  await keyv.set('key', 1)
  for (const store of stores) store.down()
  expect(await keyv.get('other')).toBeUndefined()
  expect(errors).toContainEqual(expect.objectContaining({ code: 'L2_UNAVAILABLE' }))
})
