/** The stores for cache-manager, under cache-manager itself. */
import { type CacheManagerStore, createCache, KeyvAdapter } from 'cache-manager'
import { Keyv } from 'keyv'
import { describe, expect, test, vi } from 'vitest'
import {
  type CacheStore,
  hitpathCachingStore,
  hitpathStore,
  type RawEntry,
} from '../../../src/compat/cache-manager/index.js'
import { LocalCache, SharedCache, TieredCache } from '../../../src/index.js'

let now = 0
const clock = { now: () => now }
const CACHES: Readonly<Record<string, () => LocalCache | SharedCache | TieredCache>> = {
  LocalCache: () => new LocalCache({ clock }),
  SharedCache: () => SharedCache.create({ maxBytes: 2 ** 20, clock }),
  TieredCache: () => new TieredCache({ clock, l1: new LocalCache({ clock }), ttl: Infinity }),
}

/** Whether a moment that is asked for lies so far after now, to the millisecond that both clocks round away. */
async function endsAfter(ms: number, ask: () => Promise<number | undefined>): Promise<void> {
  const before = Date.now()
  const ends = await ask()
  expect(ends).toBeGreaterThanOrEqual(before + ms - 1)
  expect(ends).toBeLessThanOrEqual(Date.now() + ms + 1)
}

describe.each(Object.entries(CACHES))('cache-manager 7 over a %s', (_, make) => {
  test('get, set, del, mget, mset, mdel, clear', async () => {
    const cache = createCache({ stores: [hitpathStore({ cache: make() })] })
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.set('a', { one: 1 })).toEqual({ one: 1 })
    expect(await cache.get('a')).toEqual({ one: 1 })
    await cache.mset<unknown>([
      { key: 'b', value: null },
      { key: 'c', value: 'text', ttl: 50 },
    ])
    expect(await cache.mget(['a', 'b', 'c', 'd'])).toEqual([{ one: 1 }, null, 'text', undefined])
    now += 51
    expect(await cache.get('c')).toBeUndefined()
    expect(await cache.del('a')).toBe(true)
    expect(await cache.mdel(['b', 'x'])).toBe(true)
    expect(await cache.mget(['a', 'b'])).toEqual([undefined, undefined])
    await cache.set('a', 1)
    expect(await cache.clear()).toBe(true)
    expect(await cache.get('a')).toBeUndefined()
  })

  test('ttl tells when an entry ends', async () => {
    const cache = createCache({ stores: [hitpathStore(make())], ttl: 5000 })
    await cache.set('default', 1)
    await cache.set('own', 1, 60_000)
    await cache.set('endless', 1, Infinity)
    await endsAfter(5000, () => cache.ttl('default'))
    await endsAfter(60_000, () => cache.ttl('own'))
    expect(await cache.ttl('endless')).toBeUndefined()
    expect(await cache.ttl('none')).toBeUndefined()
  })

  test('wrap computes once, by a ttl or a function of the value', async () => {
    const cache = createCache({ stores: [hitpathStore(make())] })
    let computed = 0
    const compute = async (): Promise<number> => ++computed
    const both = [cache.wrap('key', compute, 100), cache.wrap('key', compute, 100)]
    expect(await Promise.all(both)).toEqual([1, 1])
    now += 101
    expect(await cache.wrap('key', compute, (value) => value * 1000)).toBe(2)
    now += 2000
    expect(await cache.wrap('key', compute)).toBe(2)
    now += 1
    expect(await cache.wrap('key', compute)).toBe(3)
    expect(await cache.wrap('key', compute, { raw: true })).toEqual({ value: 3, expires: undefined })
  })

  test('wrap remembers null, and not undefined', async () => {
    const cache = createCache({ stores: [hitpathStore(make())] })
    const compute = vi.fn(async () => null as null | undefined)
    expect(await cache.wrap('key', compute)).toBeNull()
    expect(await cache.wrap('key', compute)).toBeNull()
    expect(compute).toHaveBeenCalledTimes(1)
    compute.mockResolvedValue(undefined)
    await cache.wrap('other', compute)
    await cache.wrap('other', compute)
    expect(compute).toHaveBeenCalledTimes(3)
  })

  test('refreshThreshold refreshes in the background', async () => {
    const cache = createCache({ stores: [hitpathStore(make())], refreshThreshold: 40_000 })
    const refreshed: unknown[] = []
    cache.on('refresh', (event) => refreshed.push(event))
    await cache.wrap('key', async () => 'old', 100_000)
    expect(await cache.wrap('key', async () => 'early', 100_000)).toBe('old')
    now += 70_000
    expect(await cache.wrap('key', async () => 'new', 100_000)).toBe('old')
    await expect.poll(() => refreshed, { timeout: 50_000 }).toEqual([{ key: 'key', value: 'new' }])
    expect(await cache.get('key')).toBe('new')
  })

  test('the layer before is filled from the one behind', async () => {
    const [first, second] = [hitpathStore<Keyv>({ cache: make() }), hitpathStore<Keyv>({ cache: make() })]
    const cache = createCache({ stores: [first, second] })
    await second.set('key', 'behind')
    expect(await first.get('key')).toBeUndefined()
    expect(await cache.wrap('key', async () => 'computed')).toBe('behind')
    expect(await first.get('key')).toBe('behind')
    await cache.set('both', 1)
    expect([await first.get('both'), await second.get('both')]).toEqual([1, 1])
    await cache.del('both')
    expect([await first.get('both'), await second.get('both')]).toEqual([undefined, undefined])
  })

  test('it stands beside a Keyv', async () => {
    const keyv = new Keyv()
    const cache = createCache({ stores: [hitpathStore({ cache: make() }), keyv], nonBlocking: false })
    await keyv.set('key', 'in Keyv')
    expect(await cache.mget(['key'])).toEqual(['in Keyv'])
    expect(await cache.wrap('key', async () => 'computed')).toBe('in Keyv')
    await keyv.delete('key')
    expect(await cache.get('key')).toBe('in Keyv')
  })

  test('events tell of each change', async () => {
    const cache = createCache({ stores: [hitpathStore(make())] })
    const told: unknown[] = []
    for (const event of ['get', 'set', 'del', 'clear'] as const)
      cache.on(event, (...about: unknown[]) => told.push([event, ...about]))
    await cache.set('key', 1)
    await cache.get('key')
    await cache.del('key')
    await cache.clear()
    expect(told).toEqual([
      ['set', { key: 'key', value: 1, store: 'primary' }],
      ['set', { key: 'key', value: 1 }],
      ['get', { key: 'key', value: 1, store: 'primary' }],
      ['del', { key: 'key' }],
      ['clear'],
    ])
  })

  test('namespaces of one cache keep apart; disconnect leaves it open', async () => {
    const shared = make()
    const stores = ['one', 'two', undefined].map((namespace) =>
      hitpathStore<CacheStore>({ cache: shared, namespace }),
    )
    for (const [i, store] of stores.entries()) await store.set('key', i)
    const [one, two, none] = stores as [CacheStore, CacheStore, CacheStore]
    await one.clear()
    expect([await one.has('key'), await two.get('key'), await none.get('key')]).toEqual([false, 1, 2])
    const entries: unknown[] = []
    for await (const entry of two.iterator()) entries.push(entry)
    expect(entries).toEqual([['key', 1]])
    const cache = createCache({ stores: [hitpathStore({ cache: shared, namespace: 'two' })] })
    await cache.disconnect()
    expect(await cache.get('key')).toBe(1)
  })

  test('a write that fails is told to listeners, else thrown', async () => {
    const shared = make()
    const store = hitpathStore<CacheStore>({ cache: shared })
    const cache = createCache({ stores: [store as never] })
    await shared.close()
    await expect(cache.set('key', 1)).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await expect(cache.wrap('key', async () => 1)).rejects.toThrow()
    const errors: unknown[] = []
    store.on('error', (error) => errors.push(error))
    expect(await cache.wrap('key', async () => 1)).toBe(1)
    expect(await store.setMany([{ key: 'key', value: 1 }])).toEqual([false])
    expect(await cache.del('key')).toBe(true)
    await cache.clear()
    expect(errors).toEqual(Array(4).fill(expect.objectContaining({ code: 'CLOSED' })))
  })

  test('the store for caching() answers as its interface says', async () => {
    const store = hitpathCachingStore({ cache: make() })
    await store.mset(
      [
        ['a', 1],
        ['b', null],
      ],
      100,
    )
    await store.set('c', 'endless')
    expect(await store.mget('a', 'b', 'd')).toEqual([1, null, undefined])
    expect((await store.keys()).sort()).toEqual(['a', 'b', 'c'])
    expect([await store.ttl('a'), await store.ttl('c'), await store.ttl('d')]).toEqual([100, Infinity, 0])
    await store.mdel('a', 'd')
    await store.del('b')
    expect(await store.keys()).toEqual(['c'])
    await store.reset()
    expect(await store.get('c')).toBeUndefined()
    await expect(store.set('a', undefined)).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID_VALUE' }),
    )
  })
})

test('the store for caching() serves in the KeyvAdapter of cache-manager 7', async () => {
  const store: CacheManagerStore = hitpathCachingStore({ maxEntries: 10 })
  const cache = createCache({ stores: [new Keyv({ store: new KeyvAdapter(store) })] })
  await cache.mset<unknown>([
    { key: 'a', value: { one: 1 } },
    { key: 'b', value: 2, ttl: 60_000 },
  ])
  expect(await cache.mget(['a', 'b', 'c'])).toEqual([{ one: 1 }, 2, undefined])
  expect(await cache.wrap<unknown>('a', async () => 'computed')).toEqual({ one: 1 })
  await cache.mdel(['a', 'b'])
  expect(await store.keys()).toEqual([])
  await cache.disconnect()
  await expect(store.get('a')).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

test('disconnect closes a cache of its own', async () => {
  const store = hitpathStore<CacheStore>({ maxEntries: 10, ttl: '60s' })
  await endsAfter(60_000, async () => {
    await store.set('key', 1)
    return ((await store.get('key', { raw: true })) as RawEntry).expires
  })
  await store.disconnect()
  await expect(store.get('key')).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

test.each([
  [{ namespace: 5 }, /hitpathStore\.namespace must be a string; got 5/],
  [{ cache: 'redis' }, /hitpathStore\.cache must be a LocalCache/],
  [{ max: 5 }, /LocalCache has no option "max"/],
])('%o is refused', (options, message) => {
  expect(() => hitpathStore(options as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) }),
  )
})

test.each([null, 5, 'x', []])('%j is refused in place of options', (options) => {
  for (const make of [hitpathStore, hitpathCachingStore]) {
    expect(() => make(options as object)).toThrow(
      expect.objectContaining({ name: 'HitpathError', code: 'INVALID_OPTION' }),
    )
  }
})
