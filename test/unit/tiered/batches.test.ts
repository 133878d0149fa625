import { expect, test } from 'vitest'
import { HitpathError, LocalCache, TieredCache } from '../../../src/index.js'
import type { OnFound } from '../../../src/l2/store.js'
import { MemoryBus, MemoryStore } from '../../support/memory-store.js'
import { deferred, settled, World } from './world.js'

/** Shows what it has found before all has come, as RedisStore does, and waits for the test before it answers. */
class EarlyStore extends MemoryStore {
  answer = Promise.resolve()
  shown: { readonly show: OnFound; readonly values: (Buffer | null)[] } | undefined
  /** How much of a batch is shown at once. */
  readonly early = 2

  override async getMany(names: readonly string[], onFound?: OnFound): Promise<(Buffer | null)[]> {
    const values = await super.getMany(names)
    if (onFound !== undefined) this.shown = { show: onFound, values }
    onFound?.(values.slice(0, this.early), 0)
    await this.answer
    return values
  }
}

interface Reader {
  readonly cache: TieredCache
  readonly store: EarlyStore
}

/** A process that reads, after another has written three entries. */
async function reader(world: World): Promise<Reader> {
  const { cache: writer } = world.process()
  await writer.setMany([
    ['a', Float64Array.of(1)],
    ['b', 'two'],
    ['c', Float64Array.of(3)],
    ['tagged', Float64Array.of(4), { tags: ['t'] }],
  ])
  const store = new EarlyStore(world.server)
  const cache = new TieredCache({
    l1: new LocalCache({ maxEntries: 100, clock: world.clock }),
    l2: store,
    bus: new MemoryBus(world.server),
    clock: world.clock,
    jitter: 0,
    ttl: 1000,
  })
  await cache.ready()
  return { cache, store }
}

test('what has come is in the first tier before the rest has', async () => {
  await using world = new World()
  const { cache, store } = await reader(world)
  const hold = deferred<void>()
  store.answer = hold.promise
  const reading = cache.getMany(['a', 'b', 'c', 'none', 'tagged'])
  await settled()
  expect(cache.getSync('a')).toEqual(Float64Array.of(1))
  expect(cache.getSync('b')).toBe('two')
  expect(cache.getSync('c')).toBeUndefined()
  hold.resolve()
  expect(await reading).toEqual([
    Float64Array.of(1),
    'two',
    Float64Array.of(3),
    undefined,
    Float64Array.of(4),
  ])
  expect(cache.getSync('c')).toEqual(Float64Array.of(3))
  expect(cache.getSync('tagged')).toEqual(Float64Array.of(4))
  expect(cache.stats()).toMatchObject({ l2Hits: 4, l2Misses: 1, misses: 1 })
  await cache.close()
})

test('what came before the rest failed was found; the rest is a miss', async () => {
  await using world = new World()
  const { cache, store } = await reader(world)
  store.answer = Promise.reject(new HitpathError('L2_TIMEOUT', 'late'))
  expect(await cache.getMany(['a', 'b', 'c'], { tier: 'l2' })).toEqual([Float64Array.of(1), 'two', undefined])
  store.answer = Promise.resolve()
  const asked: unknown[] = []
  const made = await cache.getOrSetMany(['a', 'c'], (missing) => {
    asked.push(...missing)
    return missing.map(() => 'made')
  })
  expect(asked).toEqual([])
  expect(made).toEqual([Float64Array.of(1), Float64Array.of(3)])
  await cache.close()
})

test('what a store tells after the call has ended changes nothing', async () => {
  await using world = new World()
  const { cache, store } = await reader(world)
  store.answer = Promise.reject(new HitpathError('L2_TIMEOUT', 'late'))
  const values = await cache.getMany(['a', 'b', 'c'])
  const before = cache.stats()
  store.shown?.show(store.shown.values, 0)
  expect(values).toEqual([Float64Array.of(1), 'two', undefined])
  expect(cache.getSync('c')).toBeUndefined()
  expect(cache.stats().l2Hits).toBe(before.l2Hits)
  await cache.close()
})

test('a value that came early and is over when the rest has come is a miss', async () => {
  await using world = new World()
  const { cache, store } = await reader(world)
  const hold = deferred<void>()
  store.answer = hold.promise
  const reading = cache.getMany(['a', 'b'], { tier: 'l2' })
  await settled()
  world.advance(1001)
  hold.resolve()
  expect(await reading).toEqual([undefined, undefined])
  await cache.close()
})

test('an entry that is overtaken while the rest is on its way is not kept, and others are', async () => {
  await using world = new World()
  const { cache, store } = await reader(world)
  const hold = deferred<void>()
  store.answer = hold.promise
  const reading = cache.getMany(['a', 'b', 'c', 'tagged'])
  await settled()
  const other = world.process().cache
  await other.delete('a')
  await other.delete('c')
  await settled()
  hold.resolve()
  await reading
  expect(cache.getSync('a')).toBeUndefined()
  expect(cache.getSync('c')).toBeUndefined()
  expect(cache.getSync('b')).toBe('two')
  expect(cache.getSync('tagged')).toEqual(Float64Array.of(4))
  await cache.close()
})

test('of the second tier alone: the first is neither looked into nor filled', async () => {
  await using world = new World()
  const { cache } = await reader(world)
  await cache.set('here', 1, { tier: 'l1' })
  expect(await cache.getMany(['here', 'a', 'tagged'], { tier: 'l2' })).toEqual([
    undefined,
    Float64Array.of(1),
    Float64Array.of(4),
  ])
  expect(cache.getSync('a')).toBeUndefined()
  expect(cache.getSync('here')).toBe(1)
  await cache.close()
})

test('arrays in the first tier have memory of their own; others share 16 KB at most', async () => {
  await using world = new World()
  const { cache } = await reader(world)
  const [shared] = (await cache.getMany(['a'], { tier: 'l2' })) as [Float64Array]
  expect(shared.buffer.byteLength).toBeLessThanOrEqual(16_384)
  const [kept] = (await cache.getMany(['a'])) as [Float64Array]
  expect(kept.buffer.byteLength).toBe(8)
  await cache.close()
})

test('a tag that is invalidated while the batch is on its way leaves a miss', async () => {
  await using world = new World()
  const { cache, store } = await reader(world)
  expect(await cache.getMany(['tagged'], { tier: 'l2' })).toEqual([Float64Array.of(4)])
  const hold = deferred<void>()
  store.answer = hold.promise
  const reading = cache.getMany(['tagged', 'b'])
  await settled()
  await world.process().cache.invalidateTag('t')
  await settled()
  hold.resolve()
  expect(await reading).toEqual([undefined, 'two'])
  expect(cache.getSync('tagged')).toBeUndefined()
  await cache.close()
})
