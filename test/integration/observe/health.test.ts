/** Each finding of health(), provoked for real: caches that are too small, keys that are hot, a server that is slow, cut off or fouled. */
import { expect, test } from 'vitest'
import {
  type FindingCode,
  LocalCache,
  Monitor,
  type Monitored,
  SharedCache,
  TieredCache,
} from '../../../src/index.js'
import { command, waitFor } from '../../support/redis.js'
import { World as Unlinked } from '../../unit/tiered/world.js'
import { World } from '../tiered/world.js'

function codes(monitor: Monitor): FindingCode[] {
  return monitor.health().findings.map(({ code }) => code)
}

function watching(
  cache: Monitored,
  options: { readonly clock?: { now(): number }; sample?: number } = {},
): Monitor {
  return new Monitor({ caches: { cache }, ...options })
}

const failing = (): never => {
  throw new Error('the source is down')
}

test('a cache that does its work has nothing to tell', async () => {
  await using world = await World.start()
  const { cache } = await world.client()
  using monitor = watching(cache)
  await waitFor('the link', () => cache.stats().linked)
  for (let i = 0; i < 200; i++) await cache.getOrSet(`k${i % 20}`, () => i)
  expect(monitor.health()).toEqual({ status: 'ok', findings: [] })
})

test('TOO_SMALL: living entries are evicted and asked for again', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache({ maxEntries: 50 }), ttl: '1h' })
  using monitor = watching(cache)
  for (let round = 0; round < 5; round++) for (let i = 0; i < 200; i++) await cache.getOrSet(`k${i}`, () => i)
  const { status, findings } = monitor.health()
  expect(status).toBe('degraded')
  expect(findings).toMatchObject([{ cache: 'cache', code: 'TOO_SMALL', severity: 'warning' }])
  expect(findings[0]?.advice).toMatch(/raise maxEntries \(now 50\)/)
  expect(monitor.stats().caches['cache']?.counts.sampled?.absent.evicted).toBeGreaterThan(400)
})

test('TOO_SMALL of a LocalCache alone, and not of one whose entries are read once', () => {
  using local = new LocalCache<number>({ maxEntries: 50 })
  using monitor = watching(local)
  for (let round = 0; round < 5; round++) for (let i = 0; i < 200; i++) local.getOrCompute(`k${i}`, () => i)
  expect(codes(monitor)).toEqual(['TOO_SMALL'])
})

test('misses of keys that are new are not the fault of the size', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache({ maxEntries: 50 }), ttl: '1h' })
  using monitor = watching(cache)
  for (let i = 0; i < 1000; i++) await cache.getOrSet(`k${i}`, () => i)
  expect(cache.stats().l1.evictions).toBeGreaterThan(500)
  expect(codes(monitor)).toEqual([])
})

test('TTL_TOO_SHORT: what expires is computed again, and comes out the same', async () => {
  await using world = new Unlinked()
  const cache = world.alone({ ttl: 1000 })
  using monitor = watching(cache, { clock: world.clock })
  const read = async (value: (i: number) => unknown): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 10; i++) await cache.getOrSet(`k${i}`, () => value(i))
      world.advance(1100)
    }
  }
  await read((i) => ({ features: [i, i + 1] }))
  expect(codes(monitor)).toEqual(['TTL_TOO_SHORT'])
  // Where the values change the ttl is not too short.
  const changing = world.alone({ ttl: 1000 })
  using other = watching(changing, { clock: world.clock })
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 10; i++) await changing.getOrSet(`k${i}`, () => [round, i])
    world.advance(1100)
  }
  expect(codes(other)).toEqual([])
})

test('HOT_KEY', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache() })
  for (let i = 0; i < 10; i++) await cache.set(`k${i}`, i)
  using monitor = watching(cache, { sample: 4 })
  for (let i = 0; i < 4000; i++) cache.getSync(`k${i % 2 === 0 ? 0 : i % 10}`)
  const { status, findings } = monitor.health()
  expect([status, findings.map(({ code }) => code)]).toEqual(['ok', ['HOT_KEY']])
  expect(findings[0]?.message).toMatch(/[45]\d % of the reads are of "sk0"/)
})

test('LINK_DOWN, CIRCUIT_OPEN, REPLAY_FILLING and NOTHING_ANSWERS: the server is out of reach', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const { cache } = await world.client({
    port: proxy.port,
    l2Timeout: '250ms',
    breaker: { failures: 3, resetAfter: '1m' },
    replay: { maxEntries: 10 },
  })
  using monitor = watching(cache)
  await waitFor('the link', () => cache.stats().linked)
  expect(codes(monitor)).toEqual([])
  proxy.refuse()
  proxy.cut()
  await waitFor('the link to fall', () => codes(monitor).includes('LINK_DOWN'))
  for (let i = 0; i < 6; i++) await cache.set(`k${i}`, i)
  await waitFor('the circuit to open', () => cache.stats().circuit === 'open')
  expect(codes(monitor)).toEqual(expect.arrayContaining(['LINK_DOWN', 'CIRCUIT_OPEN', 'REPLAY_FILLING']))
  expect(monitor.health().status).toBe('degraded')
  for (let i = 0; i < 12; i++) await cache.getOrSet(`none${i}`, failing).catch(() => {})
  expect(codes(monitor)).toEqual(expect.arrayContaining(['FACTORY_FAILING', 'NOTHING_ANSWERS']))
  expect(monitor.health().status).toBe('down')
  expect(monitor.stats().caches['cache']?.counts.l2?.misses.circuit).toBeGreaterThan(5)
})

test('REPLAY_DROPPED: more sets than the queue holds', async () => {
  await using world = new Unlinked()
  const { cache, store } = world.process({ replay: { maxEntries: 3 } })
  using monitor = watching(cache, { clock: world.clock })
  await cache.set('key', 1)
  store.down()
  for (let i = 0; i < 8; i++) await cache.set(`k${i}`, i)
  expect(codes(monitor)).toContain('REPLAY_DROPPED')
})

test('L2_SLOW: a slow network', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const { cache } = await world.client({ port: proxy.port })
  using monitor = watching(cache)
  await waitFor('the link', () => cache.stats().linked)
  await cache.set('key', 1)
  proxy.delay(30)
  for (let i = 0; i < 12; i++) await cache.get(`none${i}`)
  const finding = monitor.health().findings.find(({ code }) => code === 'L2_SLOW')
  expect(finding?.message).toMatch(/a tenth of the calls of the second tier take \d+\.\d ms or more/)
})

test('FOREIGN_BYTES: another program writes under the same names', async () => {
  await using world = await World.start()
  const { cache } = await world.client()
  using monitor = watching(cache)
  await waitFor('the link', () => cache.stats().linked)
  await cache.set('k0', 'x', { tier: 'l2' })
  const [key] = (await command(world.server.port, 'KEYS', '*:e:sk0')) as [string]
  await command(world.server.port, 'SET', key, '{"json":true}')
  for (let i = 0; i < 12; i++) expect(await cache.get('k0', { tier: 'l2' })).toBeUndefined()
  expect(codes(monitor)).toContain('FOREIGN_BYTES')
})

test('STALE_HIGH and FACTORY_FAILING: the source is down, the grace serves', async () => {
  await using world = new Unlinked()
  const cache = world.alone({ ttl: 100, grace: '1h', graceRetry: 1 })
  using monitor = watching(cache, { clock: world.clock })
  await cache.set('key', 1)
  world.advance(200)
  for (let i = 0; i < 60; i++) {
    world.advance(2)
    expect(await cache.getOrSet('key', failing)).toBe(1)
  }
  expect(codes(monitor)).toEqual(expect.arrayContaining(['STALE_HIGH', 'FACTORY_FAILING']))
})

test('NEGATIVE_HIGH: most are asked for what is known not to be', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache(), negativeTtl: '1m' })
  using monitor = watching(cache)
  for (let i = 0; i < 100; i++) await cache.getOrSet(`none${i % 5}`, () => undefined)
  expect(codes(monitor)).toEqual(['NEGATIVE_HIGH'])
  expect(monitor.health().status).toBe('ok')
})

test('PINNED_HIGH: views are held', () => {
  using shared = SharedCache.create<Float64Array>({ maxBytes: 2 ** 20, maxEntries: 64 })
  using monitor = watching(shared)
  for (let i = 0; i < 8; i++) shared.set(`k${i}`, new Float64Array(4000))
  expect(codes(monitor)).toEqual([])
  const pins = Array.from({ length: 8 }, (_, i) => shared.pin(`k${i}`))
  expect(codes(monitor)).toEqual(['PINNED_HIGH'])
  for (const pin of pins) pin?.release()
  expect(codes(monitor)).toEqual([])
})

test('a finding ends with its minute', async () => {
  await using world = new Unlinked()
  const cache = world.alone({ ttl: '1h', grace: '1h' })
  using monitor = watching(cache, { clock: world.clock })
  for (let i = 0; i < 20; i++) await cache.getOrSet(`k${i}`, failing).catch(() => {})
  expect(codes(monitor)).toEqual(['FACTORY_FAILING'])
  for (let i = 0; i < 14; i++) {
    world.advance(5000)
    monitor.stats()
  }
  expect(codes(monitor)).toEqual([])
})
