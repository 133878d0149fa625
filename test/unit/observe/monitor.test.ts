import { expect, test } from 'vitest'
import { LocalCache, Monitor, SharedCache, TieredCache } from '../../../src/index.js'
import { settled, World } from '../tiered/world.js'

test('counts by tier and reason, as plain data', async () => {
  await using world = new World()
  const [a, b] = [world.process({ negativeTtl: 500 }), world.process()]
  using monitor = new Monitor({ caches: { a: a.cache, b: b.cache }, sample: 1, clock: world.clock })
  await b.cache.setMany([
    ['there', 1],
    ['tagged', 2, { tags: ['t'] }],
  ])
  await a.cache.getOrSet('there', () => 0) // found in the second tier
  a.cache.getSync('there') // fresh
  a.cache.getSync('nowhere') // no miss
  await a.cache.getOrSet('none', () => undefined) // a factory
  await a.cache.get('none') // negative
  await a.cache.getMany(['there', 'tagged', 'nowhere']) // fresh, found, absent
  await b.cache.invalidateTag('t')
  await a.cache.get('tagged') // tag, in both tiers
  await b.cache.clear()
  await a.cache.get('there') // invalidated

  const report = monitor.stats().caches['a']
  expect(report?.counts).toMatchObject({
    hits: 5,
    misses: 4,
    l1: {
      hits: { fresh: 2, early: 0, negative: 1 },
      misses: { absent: 4, expired: 0, tag: 1, invalidated: 1, unlinked: 0 },
    },
    l2: { hits: 2 },
    factory: { calls: 1, errors: 0 },
    invalidations: { set: 2, tag: 1, clear: 1 },
  })
  const l2 = report?.counts.l2?.misses
  expect(l2).toMatchObject({ tag: 1, foreign: 0, timeout: 0 })
  // A fresh read looks once more when it takes its fence: so `none` is absent twice at most.
  expect(l2?.absent).toBeGreaterThanOrEqual(2)
  expect(report?.hitRatio).toBeCloseTo(5 / 9)
  expect(report?.latency.l2?.count).toBeGreaterThan(3)
  expect(report?.latency.factory?.count).toBe(1)
  expect(report?.latency.l1?.count).toBeGreaterThan(0)
  expect(report?.levels).toMatchObject({
    linked: true,
    circuit: 'closed',
    replayEntries: 0,
    maxEntries: 1000,
  })
  const stats = monitor.stats()
  expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
})

test('every read is counted once, whoever answered it', async () => {
  await using world = new World()
  const { cache } = world.process()
  const other = world.process()
  using monitor = new Monitor({ caches: { cache } })
  await other.cache.set('key', 1)
  // Eight who wait for one read.
  await Promise.all(Array.from({ length: 8 }, () => cache.getOrSet('key', () => 0)))
  const { counts } = monitor.stats().caches['cache'] as never as { counts: { hits: number; misses: number } }
  expect(counts).toMatchObject({ hits: 8, misses: 0, l2: { hits: 8 } })
})

test('why a read is stale, and what was expired', async () => {
  await using world = new World()
  const cache = world.alone({ grace: 10_000, graceRetry: 100, staleWhileRevalidate: 50 })
  using monitor = new Monitor({ caches: { cache }, clock: world.clock })
  await cache.set('key', 1)
  world.advance(1020)
  await cache.getOrSet('key', () => 2) // revalidate
  await settled()
  expect(await cache.getOrSet('key', () => 3)).toBe(2)
  world.advance(1100)
  const failing = (): never => {
    throw new Error('no')
  }
  expect(await cache.getOrSet('key', failing)).toBe(2)
  expect(await cache.getOrSet('key', failing)).toBe(2) // retry
  expect(await cache.get('key')).toBeUndefined()
  expect(monitor.stats().caches['cache']?.counts).toMatchObject({
    stale: { revalidate: 1, error: 1, retry: 1 },
    l1: { misses: { expired: 2, absent: 0 } },
    factory: { errors: 1 },
  })
})

test('the sliding minute', async () => {
  await using world = new World()
  const cache = world.alone()
  using monitor = new Monitor({ caches: { cache }, clock: world.clock })
  await cache.set('key', 1, { ttl: '1h' })
  for (let i = 0; i < 10; i++) await cache.get('none')
  expect(monitor.stats().caches['cache']).toMatchObject({ hitRatioLastMinute: 0, readsLastMinute: 10 })
  // Each stats() may keep a reading, as the timer does every five seconds.
  for (let i = 0; i < 13; i++) {
    world.advance(5000)
    cache.getSync('key')
    monitor.stats()
  }
  expect(monitor.stats().caches['cache']).toMatchObject({ hitRatioLastMinute: 1, readsLastMinute: 12 })
  expect(monitor.stats().caches['cache']?.hitRatio).toBeCloseTo(13 / 23)
})

test('first tiers alone, and anything with hits and misses', () => {
  const local = new LocalCache<number>({ maxEntries: 10 })
  const shared = SharedCache.create<number>({ maxBytes: 2 ** 20, maxEntries: 100 })
  const other = { stats: () => ({ hits: 3, misses: 1 }) }
  using monitor = new Monitor({ caches: { local, shared, other } })
  for (let i = 0; i < 20; i++) local.set(`k${i}`, i)
  local.get('k19')
  local.get('nothing')
  shared.set('key', 1)
  shared.get('key')
  const { caches } = monitor.stats()
  expect(caches['local']).toMatchObject({
    kind: 'l1',
    hitRatio: 0.5,
    counts: { hits: 1, misses: 1, l1: { sets: 20, evictions: 10 } },
    levels: { entries: 10, maxEntries: 10 },
  })
  expect(caches['shared']?.levels.maxPinnedBytes).toBeGreaterThan(0)
  expect(caches['shared']?.counts.hits).toBe(1)
  expect(caches['other']).toMatchObject({ kind: 'other', hitRatio: 0.75, hitRatioLastMinute: null })
  shared.close()
  local.close()
})

test('hot keys', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache() })
  for (const key of ['hot', 'cold', 'cool']) await cache.set(key, 1)
  using monitor = new Monitor({ caches: { cache }, sample: 4 })
  for (let i = 0; i < 4000; i++) cache.getSync(i % 10 === 0 ? 'cold' : i % 10 === 1 ? 'cool' : 'hot')
  const [hot] = monitor.hotKeys('cache')
  expect(hot?.key).toBe('shot')
  expect(hot?.share).toBeGreaterThan(0.7)
  expect(hot?.share).toBeLessThan(0.9)
  const { latency } = monitor.stats().caches['cache'] as never as { latency: { l1: { count: number } } }
  expect(latency.l1.count).toBeGreaterThan(800)
  expect(latency.l1.count).toBeLessThan(1200)
  expect(() => monitor.hotKeys('none')).toThrowError(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

test('all three calls are sampled, and none after close', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache() })
  await cache.set('key', 1)
  const monitor = new Monitor({ caches: { cache }, sample: 1 })
  const timed = (): number => monitor.stats().caches['cache']?.latency.l1?.count ?? 0
  for (const read of [
    () => cache.getSync('key'),
    () => cache.get('key'),
    () => cache.getOrSet('key', () => 2),
    () => cache.getOrSet('key', () => 2, { ttl: 5 }),
  ]) {
    const before = timed()
    for (let i = 0; i < 10; i++) expect(await read()).toBe(1)
    expect(timed()).toBe(before + 10)
  }
  monitor.close()
  const before = timed()
  cache.getSync('key')
  expect(timed()).toBe(before)
  expect(monitor.hotKeys('cache')).toEqual([])
})

test('watching, until the signal or close', async () => {
  const local = new LocalCache()
  const monitor = new Monitor({ caches: { local } })
  const controller = new AbortController()
  const seen: string[] = []
  for await (const { caches, health } of monitor.watch({ every: 5, signal: controller.signal })) {
    seen.push(`${Object.keys(caches)} ${health.status}`)
    if (seen.length === 2) controller.abort()
  }
  expect(seen).toEqual(['local ok', 'local ok'])
  setTimeout(() => monitor.close(), 5)
  for await (const _ of monitor.watch({ every: '1h' })) expect.unreachable()
  local.close()
})

test('wrong use', async () => {
  const code = (make: () => unknown, expected: string, message: RegExp): void => {
    expect(make).toThrowError(
      expect.objectContaining({ code: expected, message: expect.stringMatching(message) }),
    )
  }
  const local = new LocalCache()
  code(
    () => new Monitor({ caches: { a: {} as never } }),
    'INVALID_OPTION',
    /Monitor\.caches\.a must be a cache/,
  )
  code(() => new Monitor({ caches: { a: { stats: () => ({}) } } }), 'INVALID_OPTION', /hits and misses/)
  code(() => new Monitor({ caches: null as never }), 'INVALID_OPTION', /Monitor\.caches must be/)
  code(() => new Monitor({ caches: { local }, sample: 0 }), 'INVALID_OPTION', /Monitor\.sample/)
  code(() => new Monitor({ caches: { local }, sampel: 1 } as never), 'INVALID_OPTION', /sampel/)
  code(() => new Monitor({ caches: { local }, slowL2: 'x' as never }), 'INVALID_TTL', /slowL2/)
  const closed = new TieredCache()
  using monitor = new Monitor({ caches: { closed, local } })
  await closed.close()
  expect(monitor.health()).toMatchObject({
    status: 'down',
    findings: [{ cache: 'closed', code: 'CLOSED', severity: 'critical' }],
  })
  expect(monitor.stats().caches['closed']?.kind).toBe('tiered')
  local.close()
})
