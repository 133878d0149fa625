import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest'
import { LocalCache, SharedCache, TieredCache, TRADING_TYPES, TypedCaches } from '../../../src/index.js'
import { MemoryServer, MemoryStore } from '../../support/memory-store.js'

/** A store that serves many namespaces, each on a server of its own. */
class Stores extends MemoryStore {
  readonly servers = new Map<string, MemoryServer>()
  forNamespace(namespace: string): MemoryStore {
    const server = this.servers.get(namespace) ?? new MemoryServer()
    this.servers.set(namespace, server)
    return new MemoryStore(server, namespace)
  }
}

function clockAt(ms = 0) {
  const clock = { ms, now: () => clock.ms }
  return clock
}

describe('TypedCaches', () => {
  it('begins with the types of a trading service', async () => {
    const clock = clockAt()
    await using caches = new TypedCaches({ clock, jitter: 0 })
    expect(caches.types).toEqual(Object.keys(TRADING_TYPES))
    expectTypeOf(caches.of)
      .parameter(0)
      .toEqualTypeOf<'marketFeatures' | 'cnnLstmFeatures' | 'predictions' | 'models'>()
    const lives = { marketFeatures: 60_000, cnnLstmFeatures: 60_000, predictions: 30_000, models: 3_600_000 }
    for (const [type, cache] of caches) {
      await cache.set('k', type)
      expect(await cache.remainingTtl('k')).toBe(lives[type])
      expect(cache.namespaceName).toBe(`default:${type}`)
    }
    const values = [...caches].map(([, cache]) => cache.getSync('k'))
    expect(values).toEqual(Object.keys(lives))
  })

  it('a flood of one type evicts nothing of another', async () => {
    await using caches = new TypedCaches({ maxEntries: 4_000, types: { a: {}, b: {}, c: { shared: {} } } })
    const [a, b, c] = [caches.of<number>('a'), caches.of<number>('b'), caches.of<number>('c')]
    const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}`)
    await a.setMany(keys.map((key, i) => [key, i]))
    await c.setMany(keys.map((key, i) => [key, -i]))
    for (let i = 0; i < 100_000; i += 5_000)
      await b.setMany(Array.from({ length: 5_000 }, (_, j) => [`flood${i + j}`, j] as const))
    expect(keys.map((key) => a.getSync(key))).toEqual(keys.map((_, i) => i))
    expect(keys.map((key) => c.getSync(key))).toEqual(keys.map((_, i) => -i))
    expect(caches.stats().b.l1.evictions).toBeGreaterThanOrEqual(98_000)
    expect(caches.stats().a.l1).toMatchObject({ evictions: 0 })
    await b.clear()
    expect(a.getSync('k7')).toBe(7)
  })

  it('divides its entries by share', async () => {
    await using caches = new TypedCaches({
      maxEntries: 1_000,
      types: { big: { share: 3 }, small: {}, own: { shared: { maxBytes: 2 ** 20 } } },
    })
    for (const [, cache] of caches)
      await cache.setMany(Array.from({ length: 2_000 }, (_, i) => [`k${i}`, i] as const))
    const { big, small, own } = caches.stats()
    expect([big.l1.maxEntries, small.l1.maxEntries]).toEqual([750, 250])
    expect([big.l1.entries, small.l1.entries]).toEqual([750, 250])
    expect(own.l1.entries).toBeGreaterThan(1_000)
    expect(caches.of('own').threads).toBeInstanceOf(SharedArrayBuffer)
    expect(caches.of('big').threads).toBeUndefined()
  })

  it('takes each policy of a type before that of all', async () => {
    const clock = clockAt()
    await using caches = new TypedCaches({
      clock,
      jitter: 0,
      ttl: '10s',
      l2Ttl: '20s',
      grace: '1m',
      types: { plain: {}, own: { ttl: '5s', grace: false } },
    })
    const served = async (type: 'plain' | 'own', ms: number) => {
      clock.ms = 0
      await caches.of(type).set('k', 'old')
      clock.ms = ms
      return await caches.of(type).getOrSet('k', () => {
        throw new Error('down')
      })
    }
    expect(
      await caches
        .of('own')
        .set('k', 1)
        .then(() => caches.of('own').remainingTtl('k')),
    ).toBe(5_000)
    expect(await served('plain', 25_000)).toBe('old')
    await expect(served('own', 6_000)).rejects.toThrow('down')
  })

  it('gives each type a namespace of one store, which stays open', async () => {
    const store = new Stores(new MemoryServer(), 'desk')
    const types = { features: {}, models: { tier: 'l1' } } as const
    const [one, two] = [new TypedCaches({ types, l2: store }), new TypedCaches({ types, l2: store })]
    await one.ready()
    await one.of('features').set('k', 'f')
    await one.of('models').set('k', 'm')
    expect([...store.servers.keys()].sort()).toEqual(['desk:features', 'desk:models'])
    expect(await two.of('features').get('k')).toBe('f')
    expect(await two.of('models').get('k')).toBeUndefined()
    await Promise.all([one.close(), two.close()])
    expect(store.failing).toBeUndefined()
    await expect(one.of('features').get('k')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('invalidates by tag and by pattern in every type', async () => {
    await using caches = new TypedCaches({ types: { features: {}, predictions: {} } })
    for (const [, cache] of caches) {
      await cache.set('x:BTC', 1, { tags: ['symbol:BTC'] })
      await cache.set('x:ETH', 2)
    }
    await caches.invalidateTag('symbol:BTC')
    expect([...caches].map(([, cache]) => cache.getSync('x:BTC'))).toEqual([undefined, undefined])
    expect(await caches.invalidatePattern('x:*')).toMatchObject({
      features: { removed: 2 },
      predictions: { removed: 2 },
    })
  })

  it('closes what it made and nothing else', async () => {
    const l1 = SharedCache.create({ maxBytes: 2 ** 16 })
    const caches = new TypedCaches({ types: { theirs: { l1 }, ours: {} } })
    await caches.of('theirs').set('k', 1)
    expect(caches.close()).toBe(caches.close())
    await caches.close()
    expect(l1.size).toBe(1)
    l1.close()
  })

  it('lets a thread attach to a type', async () => {
    await using caches = new TypedCaches({ types: { features: { shared: { maxBytes: 2 ** 20 } } } })
    const l1 = SharedCache.create({ maxBytes: 2 ** 20 })
    await using first = new TypedCaches({ types: { features: { l1 } } })
    const { threads } = first.of('features')
    await using second = new TypedCaches({
      types: { features: { l1: SharedCache.attach(l1.handle), threads: threads! } },
    })
    await first.of('features').set('k', { rsi: 61 })
    expect(await second.of('features').get('k')).toEqual({ rsi: 61 })
    expect(await caches.of('features').get('k')).toBeUndefined()
  })

  it.each<[string, unknown, string]>([
    ['types', {}, 'TypedCaches.types'],
    ['types', [], 'TypedCaches.types'],
    ['types', { 'a:b': {} }, 'colons'],
    ['types', { predictions: { ttl: '30 s' } }, 'TypedCaches.types.predictions.ttl'],
    ['types', { predictions: { tttl: '30s' } }, `TypedCaches.types.predictions has no option "tttl"`],
    ['types', { predictions: { tier: 'l3' } }, 'TypedCaches.types.predictions.tier'],
    ['types', { predictions: { jitter: 2 } }, 'TypedCaches.types.predictions.jitter'],
    ['types', { predictions: { share: 0 } }, 'TypedCaches.types.predictions.share'],
    [
      'types',
      { predictions: { share: 1, shared: {} } },
      'TypedCaches.types.predictions must be given one of',
    ],
    ['types', { predictions: { shared: { ttl: 1 } } }, 'TypedCaches.types.predictions.shared'],
    ['types', { predictions: 30 }, 'TypedCaches.types.predictions'],
    ['maxEntries', 1, 'TypedCaches.maxEntries'],
    ['bus', {}, 'TypedCaches.bus'],
    ['l1', new LocalCache(), 'TypedCaches has no option "l1"'],
    ['maxSize', 1, 'TypedCaches has no option "maxSize"'],
  ])('refuses a wrong %s with its path: %#', (option, value, text) => {
    expect(() => new TypedCaches({ [option]: value })).toThrow(
      expect.objectContaining({ name: 'HitpathError', message: expect.stringContaining(text) }),
    )
  })

  it('refuses a type that is not there', async () => {
    await using caches = new TypedCaches()
    expect(() => caches.of('prediction' as 'predictions')).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('predictions, models'),
      }),
    )
    expectTypeOf(caches.of<number>('models')).toEqualTypeOf<TieredCache<number>>()
  })
})

describe('TypedCaches.fromConfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hitpath-types-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const written = (text: string): string => {
    const path = join(directory, 'types.yaml')
    writeFileSync(path, text)
    return path
  }

  it('makes the caches that a file describes', async () => {
    await using caches = TypedCaches.fromConfig(
      written(
        'l1: {maxEntries: 400, ttl: 10s}\nnamespace: desk\njitter: 0\n' +
          'types: {features: {ttl: 60s, share: 3}, models: {tier: l1}, rows: {shared: {maxBytes: 1MiB}}}\n',
      ),
    )
    expect(caches.types).toEqual(['features', 'models', 'rows'])
    const { features, models, rows } = caches.stats()
    expect([features?.l1.maxEntries, models?.l1.maxEntries]).toEqual([300, 100])
    expect(rows?.l1.arenaBytes).toBeGreaterThan(900_000)
    for (const [, cache] of caches) await cache.set('k', 1)
    expect(await caches.of('features').remainingTtl('k')).toBeGreaterThan(59_000)
    expect(await caches.of('models').remainingTtl('k')).toBeLessThanOrEqual(10_000)
    expect(caches.of('rows').namespaceName).toBe('desk:rows')
  })

  it('takes the types of a trading service when the file names none', async () => {
    await using caches = TypedCaches.fromConfig(written('l1: {maxEntries: 40}\n'))
    expect(caches.types).toEqual(Object.keys(TRADING_TYPES))
  })

  it.each([
    ['types: {a: {tttl: 60s}}', 'types.a.tttl is unknown; did you mean ttl?'],
    ['types: {a: {share: 0}}', 'types.a.share must be'],
    ['types: {a: {shared: {ttl: 1s}}}', 'types.a.shared.ttl is unknown'],
    ['policies: {a: {ttl: 1s}}', 'policies is for TieredCache.fromConfig'],
    ['l1: {type: shared}', 'l1.type must be local'],
    ['l1: {policy: lru}', 'l1.policy is for TieredCache.fromConfig'],
  ])('refuses %s', (text, message) => {
    expect(() => TypedCaches.fromConfig(written(text))).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(message) }),
    )
  })

  it('is what a file with types is for', () => {
    expect(() => TieredCache.fromConfig(written('types: {a: {ttl: 1s}}'))).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIG',
        message: expect.stringContaining('TypedCaches.fromConfig'),
      }),
    )
  })
})
