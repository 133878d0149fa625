import { describe, expect, it, test } from 'vitest'
import { AdaptiveTtl, type AdaptiveTtlOptions, NdArray } from '../../../src/index.js'
import { World } from '../tiered/world.js'

function setUp(options: Partial<AdaptiveTtlOptions> = {}) {
  const clock = { ms: 0, now: () => clock.ms }
  return { clock, ttls: new AdaptiveTtl({ min: '1s', max: '1h', clock, ...options }) }
}

describe('AdaptiveTtl', () => {
  it('begins with the shortest ttl, lengthens it while the value stays, and shortens it when it changes', () => {
    const { clock, ttls } = setUp()
    let ttl = ttls.observe('books', 'BTC', { bid: 1 })
    expect([ttl, ttls.ttl('books'), ttls.ttl('other')]).toEqual([1000, 1000, 1000])
    for (let i = 0; i < 50; i++) {
      clock.ms += ttl
      const next = ttls.observe('books', 'BTC', { bid: 1 })
      expect(next).toBeGreaterThanOrEqual(ttl)
      ttl = next
    }
    expect(ttl).toBeGreaterThan(60_000)
    expect(ttls.ttl('books', 'BTC')).toBe(ttl)
    for (let i = 0; i < 20; i++) {
      clock.ms += ttl
      ttl = ttls.observe('books', 'BTC', { bid: 2 + i })
    }
    expect(ttl).toBeLessThan(30_000)
    expect(ttls.stats()['books']).toMatchObject({ observations: 70, changes: 20 })
  })

  it('keeps groups apart, and keys within a group', () => {
    const { clock, ttls } = setUp()
    for (let i = 0; i < 60; i++) {
      clock.ms += 5000
      ttls.observe('quick', 'a', i)
      ttls.observe('slow', 'a', 0)
      // The same letters, split elsewhere: a string is known as s and its letters.
      ttls.observe('slo', 'a', -i)
      ttls.observe('slos', 'a', 0)
      ttls.observe('slo', 'sa', -i)
    }
    expect(ttls.ttl('slow')).toBeGreaterThan(10 * ttls.ttl('quick'))
    expect(ttls.stats()['slow']).toMatchObject({ changes: 0 })
    expect(ttls.stats()['slo']).toMatchObject({ changes: 118 })
    expect(ttls.stats()['slos']).toMatchObject({ changes: 0 })
  })

  it('knows arrays by what they hold, as keys and as values', () => {
    const { clock, ttls } = setUp()
    const window = () => ({ data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] })
    ttls.observe('g', window(), { rsi: Float64Array.of(1, 2) })
    clock.ms = 1000
    ttls.observe('g', window(), { rsi: Float64Array.of(1, 2) })
    clock.ms = 2000
    ttls.observe('g', window(), { rsi: Float64Array.of(1, 3) })
    clock.ms = 3000
    ttls.observe('g', window(), new NdArray(Float64Array.of(1, 3), [2]))
    ttls.observe('g', { data: Float64Array.of(1, 2, 3, 4), shape: [4] }, 1)
    expect(ttls.stats()['g']).toMatchObject({ observations: 3, changes: 2 })
  })

  it('takes the age that it is told', () => {
    const { ttls } = setUp()
    ttls.observe('g', 'k', 1, 10)
    for (let i = 0; i < 20; i++) ttls.observe('g', 'k', 1, 60_000)
    expect(ttls.ttl('g', 'k')).toBeGreaterThan(60_000)
  })

  it('learns nothing from two computations of one moment', () => {
    const { ttls } = setUp()
    ttls.observe('g', 'k', 1)
    expect(ttls.observe('g', 'k', 2)).toBe(1000)
    expect(ttls.stats()['g']).toMatchObject({ observations: 0, changesPerSecond: 0 })
  })

  it('forgets the keys and groups that were used least recently', () => {
    const { clock, ttls } = setUp({ maxKeys: 2, maxGroups: 2 })
    for (const key of ['a', 'b', 'a', 'c']) {
      clock.ms += 1000
      ttls.observe('g', key, 1)
    }
    ttls.observe('g', 'b', 1)
    expect(ttls.stats()['g']?.observations).toBe(1)
    ttls.observe('h', 'x', 1)
    ttls.observe('i', 'x', 1)
    expect(Object.keys(ttls.stats())).toEqual(['h', 'i'])
  })

  it('compares by a digest of the caller where values have no stored form', () => {
    const { ttls } = setUp()
    expect(() => ttls.observe('g', 'k', () => 1)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_VALUE' }),
    )
    const { clock, ttls: own } = setUp({ digest: (value) => String((value as { v: number }).v) })
    for (const v of [1, 1, 2]) {
      own.observe('g', 'k', { v, call: () => v })
      clock.ms += 1000
    }
    expect(own.stats()['g']).toMatchObject({ observations: 2, changes: 1 })
  })

  it.each<[string, Partial<Record<keyof AdaptiveTtlOptions, unknown>>, string]>([
    ['min', { min: 0 }, 'INVALID_TTL'],
    ['max', { max: 'long' }, 'INVALID_TTL'],
    ['min', { min: '2h' }, 'INVALID_OPTION'],
    ['staleness', { staleness: 0 }, 'INVALID_OPTION'],
    ['staleness', { staleness: 0.6 }, 'INVALID_OPTION'],
    ['staleness', { staleness: Number.NaN }, 'INVALID_OPTION'],
    ['maxKeys', { maxKeys: 0 }, 'INVALID_OPTION'],
    ['maxGroups', { maxGroups: 1.5 }, 'INVALID_OPTION'],
    ['digest', { digest: 'md5' }, 'INVALID_OPTION'],
    ['clock', { clock: Date.now }, 'INVALID_OPTION'],
    ['minimum', { minimum: 1 } as object, 'INVALID_OPTION'],
  ])('refuses a wrong %s by name', (option, wrong, code) => {
    expect(() => setUp(wrong as Partial<AdaptiveTtlOptions>)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(`AdaptiveTtl`) }),
    )
    expect(() => setUp(wrong as Partial<AdaptiveTtlOptions>)).toThrow(option)
  })

  it('refuses a wrong group, key or age', () => {
    const { ttls } = setUp()
    expect(() => ttls.ttl('')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => ttls.factory(1 as unknown as string, () => 1)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    expect(() => ttls.observe('g', {} as never, 1)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
    expect(() => ttls.observe('g', 'k', 1, -1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

describe('AdaptiveTtl.factory', () => {
  test('gives the entries of a TieredCache the ttl that was learned, refreshes included', async () => {
    await using world = new World()
    const { cache } = world.process({ grace: '1h' })
    const ttls = new AdaptiveTtl({ min: 1000, max: '1h', clock: world.clock })
    let [price, computed] = [1, 0]
    const read = () =>
      cache.getOrSet(
        'price',
        ttls.factory('prices', (context) => {
          computed++
          return context.stale === price ? context.keep() : price
        }),
      )
    const until = async (count: number) => {
      for (const goal = computed + count; computed < goal; world.advance(500)) await read()
      return (await cache.remainingTtl('price')) as number
    }
    expect(await until(1)).toBe(500)
    const calm = await until(40)
    expect(calm).toBeGreaterThan(20_000)
    for (let i = 0; i < 20; i++) {
      price++
      await until(1)
    }
    expect(await until(1)).toBeLessThan(calm / 3)
    expect(ttls.stats()['prices']).toMatchObject({ observations: 61, changes: 20 })
  })

  test('leaves what throws and what there is not as it is', async () => {
    await using world = new World()
    const { cache } = world.process()
    const ttls = new AdaptiveTtl({ min: 1000, max: '1h', clock: world.clock })
    const failure = new Error('source down')
    await expect(
      cache.getOrSet(
        'k',
        ttls.factory<unknown>('g', () => Promise.reject(failure)),
      ),
    ).rejects.toBe(failure)
    expect(
      await cache.getOrSet(
        'k',
        ttls.factory<unknown>('g', (context) => context.negative('5s')),
      ),
    ).toBeUndefined()
    expect(ttls.stats()).toEqual({})
    expect(await cache.getOrSet('k', () => 'not asked: known to be absent')).toBeUndefined()
  })
})
