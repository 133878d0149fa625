import { describe, expect, test } from 'vitest'
import { LocalCache, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

type AnyCache = LocalCache<number> | SharedCache<number>

const KINDS: readonly (readonly [string, () => AnyCache])[] = [
  ['LocalCache', () => new LocalCache<number>()],
  ['portable LocalCache', () => new LocalCache<number>({ engine: 'portable' })],
  ['LocalCache, lru', () => new LocalCache<number>({ policy: 'lru' })],
  ['SharedCache', () => SharedCache.create<number>({ maxBytes: 2 ** 20 })],
  ['SharedCache of several shards', () => SharedCache.create<number>({ maxBytes: 2 ** 20, shards: 5 })],
]

describe.each(KINDS)('%s', (_, make) => {
  test('a tag takes along every entry that carries it, and no other', () => {
    const cache = make()
    for (let i = 0; i < 1000; i++) cache.set(`k${i}`, i, { tags: [`mod${i % 7}`, 'all', 'all'] })
    cache.set('free', -1)
    expect(cache.invalidateTag('mod3')).toBe(143)
    expect(cache.invalidateTag('mod3')).toBe(0)
    expect([cache.get('k3'), cache.get('k4'), cache.size]).toEqual([undefined, 4, 858])
    cache.validate()
    expect(cache.invalidateTag('all')).toBe(857)
    expect([cache.size, cache.get('free'), cache.stats().tags]).toEqual([1, -1, 0])
    cache.validate()
  })

  test('a newer value has the tags of its own set() only', () => {
    const cache = make()
    cache
      .set('a', 1, { tags: ['old'] })
      .set('a', 2, { tags: ['new'] })
      .set('b', 1, { tags: ['old'] })
      .set('b', 2)
    expect([cache.invalidateTag('old'), cache.get('a'), cache.get('b')]).toEqual([0, 2, 2])
    expect([cache.invalidateTag('new'), cache.get('a')]).toEqual([1, undefined])
    cache.validate()
  })

  test('a tag is any string: long, UTF-16, a lone surrogate, the empty one', () => {
    const cache = make()
    const tags = ['', 'ж', '\ud800', 't'.repeat(254), 't'.repeat(255), 't'.repeat(256), 't'.repeat(5000)]
    for (const [i, tag] of tags.entries()) cache.set(i, i, { tags: [tag] })
    for (const tag of tags) expect(cache.invalidateTag(tag)).toBe(1)
    expect(cache.size).toBe(0)
  })

  test('an entry may have 64 tags, and not 65', () => {
    const cache = make()
    const tags = Array.from({ length: 65 }, (_, i) => `t${i}`)
    cache.set('a', 1, { tags: tags.slice(1) })
    expect(() => cache.set('a', 2, { tags })).toThrow(code('TOO_LARGE'))
    expect(cache.get('a')).toBe(1)
    expect(cache.invalidateTag('t64')).toBe(1)
    cache.validate()
  })

  test('tags are read once, whatever list they come in', () => {
    const cache = make()
    cache.set('a', 1, { tags: new Proxy(['t'], {}) })
    let reads = 0
    const accessor: string[] = []
    Object.defineProperty(accessor, 0, { get: () => (reads++ === 0 ? 't' : 5), enumerable: true })
    cache.set('b', 1, { tags: accessor })
    expect(cache.invalidateTag('t')).toBe(2)
  })

  test.each(['t', 5, {}, [5], [undefined], new Set(['t']), [undefined, 't']])(
    '%j is no list of tags',
    (tags) => {
      const cache = make()
      expect(() => cache.set('a', 1, { tags: tags as string[] })).toThrow(code('INVALID_ARGUMENT'))
      expect(cache.has('a')).toBe(false)
    },
  )

  test.each([
    ['features:*BTC*', ['features:1:BTCUSDT', 'features:BTC']],
    ['*', ['features:1:BTCUSDT', 'features:BTC', 'features:ETH', 'prices:ETH', '']],
    ['prices:???', ['prices:ETH']],
    ['[fp]*:ETH', ['features:ETH', 'prices:ETH']],
    ['[^p]*:ETH', ['features:ETH']],
    ['', ['']],
    ['features', []],
  ])('the pattern %s', (glob, expected) => {
    const cache = make()
    const keys = ['features:1:BTCUSDT', 'features:BTC', 'features:ETH', 'prices:ETH', '']
    for (const key of keys) cache.set(key, 1)
    cache.set(5, 5).set(Uint8Array.of(42), 6)
    expect(cache.invalidatePattern(glob)).toBe(expected.length)
    for (const key of keys) expect(cache.has(key)).toBe(!expected.includes(key))
    expect([cache.get(5), cache.get(Uint8Array.of(42))]).toEqual([5, 6])
    cache.validate()
  })

  test('a pattern meets keys of any length and alphabet', () => {
    const cache = make()
    const keys = [
      'x'.repeat(64),
      'x'.repeat(65),
      'x'.repeat(900),
      `x${'ж'.repeat(20)}`,
      `x${'ж'.repeat(200)}`,
      'x\ud800',
    ]
    for (const key of keys) cache.set(key, 1).set(`no${key}`, 2)
    expect(cache.invalidatePattern('x*')).toBe(keys.length)
    expect(cache.size).toBe(keys.length)
    expect(cache.invalidatePattern('noxж*')).toBe(2)
    expect(cache.invalidatePattern('*\ud800')).toBe(1)
    expect(cache.stats()).toMatchObject({ invalidations: keys.length + 3, deletes: 0 })
    cache.validate()
  })

  test.each([5, null, undefined, {}, Symbol('*'), /x/])('%s is neither a tag nor a pattern', (value) => {
    const cache = make()
    cache.set('a', 1)
    expect(() => cache.invalidateTag(value as string)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => cache.invalidatePattern(value as string)).toThrow(code('INVALID_ARGUMENT'))
    expect(cache.get('a')).toBe(1)
  })
})

test('a pattern that backtracks is not exponential', () => {
  const cache = new LocalCache<number>()
  cache.set('a'.repeat(60), 1).set('a'.repeat(5000), 2)
  const start = performance.now()
  expect(cache.invalidatePattern(`${'*a'.repeat(25)}*b`)).toBe(0)
  expect(performance.now() - start).toBeLessThan(1000)
})

test('the smallest LocalCache takes an entry with 64 tags', () => {
  const cache = new LocalCache<number>({ maxEntries: 1 })
  for (let round = 0; round < 50; round++) {
    cache.set(`k${round}`, round, { tags: Array.from({ length: 64 }, (_, i) => `t${round}:${i}`) })
    expect(cache.get(`k${round}`)).toBe(round)
    cache.validate()
  }
})

describe('many different tags', () => {
  test('beside them a value of nearly half a shard is accepted, and they are no pins', () => {
    const cache = SharedCache.create<string>({ maxBytes: 2 ** 20, maxEntries: 10_000, shards: 1 })
    for (const length of [20_000, 200_000, 500_000]) {
      for (let i = 0; i < 20_000; i++)
        cache.set(`k${i}`, 'v'.repeat(i % 300), { tags: [`of ${length}:${i}`] })
      expect(cache.set('large', 'x'.repeat(length), { tags: ['large'] }).get('large')).toHaveLength(length)
    }
    expect(cache.stats()).toMatchObject({ pinnedBytes: 0, rejections: 0 })
    cache.validate()
  })

  test('two of its own for each entry of a LocalCache, or six of a hundred, evict nothing early', () => {
    const own = new LocalCache<number>({ maxEntries: 1000 })
    const some = new LocalCache<number>({ maxEntries: 1000 })
    for (let i = 0; i < 1000; i++) {
      own.set(`k${i}`, i, { tags: [`a${i}`, `b${i}`] })
      some.set(`k${i}`, i, { tags: Array.from({ length: 6 }, (_, t) => `t${(i * 7 + t * 13) % 100}`) })
    }
    expect([own.size, some.size]).toEqual([1000, 1000])
    own.validate()
    some.validate()
  })

  test('more of them evict entries, and nothing is refused', () => {
    const cache = new LocalCache<number>({ maxEntries: 500 })
    for (let i = 0; i < 3000; i++) {
      cache.set(`k${i}`, i, { tags: Array.from({ length: 20 }, (_, t) => `${i}:${t}`) })
      expect(cache.get(`k${i}`)).toBe(i)
    }
    expect(cache.size).toBeGreaterThan(40)
    cache.validate()
  })
})
