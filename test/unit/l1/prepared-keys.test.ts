import { describe, expect, test } from 'vitest'
import { LocalCache, PreparedKey, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

type Make = (options?: {
  maxEntries?: number
  clock?: { now(): number }
}) => LocalCache<unknown> | SharedCache<unknown>

const KINDS: readonly (readonly [string, Make])[] = [
  ['LocalCache', (options) => new LocalCache(options)],
  ['portable LocalCache', (options) => new LocalCache({ ...options, engine: 'portable' })],
  ['LocalCache, lru', (options) => new LocalCache({ ...options, policy: 'lru' })],
  [
    'portable LocalCache, lru',
    (options) => new LocalCache({ ...options, policy: 'lru', engine: 'portable' }),
  ],
  ['SharedCache', (options) => SharedCache.create({ maxBytes: 2 ** 20, ...options })],
]

const long = 'x'.repeat(300)
const array = { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }

describe.each(KINDS)('a prepared key of a %s', (_, make) => {
  test.each([
    ['a string', 'features:BTCUSDT'],
    ['a short string', 'a'],
    ['a long string', long],
    ['a number', 42],
    ['an array', array],
    ['a small array', Uint8Array.of(1)],
  ])('%s: serves wherever the key does', (_name, key) => {
    const cache = make()
    const hot = cache.key(key)
    expect(hot).toBeInstanceOf(PreparedKey)
    expect([cache.get(hot), cache.has(hot), cache.delete(hot)]).toEqual([undefined, false, false])
    cache.set(hot, [1])
    expect([cache.get(key), cache.get(hot), cache.get(hot), cache.peek(hot)]).toEqual([[1], [1], [1], [1]])
    expect(cache.getMany([hot, key])).toEqual([[1], [1]])
    cache.set(key, [2])
    expect(cache.get(hot)).toEqual([2])
    expect(cache.key(hot)).toBe(hot)
    expect(cache.remainingTtl(hot)).toBe(Infinity)
    expect(cache.delete(hot)).toBe(true)
    expect([cache.get(hot), cache.get(key)]).toEqual([undefined, undefined])
    cache.set(key, [3])
    expect(cache.get(hot)).toEqual([3])
    cache.clear()
    expect(cache.get(hot)).toBeUndefined()
    cache.validate()
  })

  test('sees an entry expire, and come back', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = make({ clock })
    const hot = cache.key('features')
    cache.set('features', 'old', { ttl: 10 })
    for (clock.ms = 0; clock.ms <= 10; clock.ms++) expect(cache.get(hot)).toBe('old')
    expect(cache.get(hot)).toBeUndefined()
    cache.set('features', 'new')
    expect(cache.get(hot)).toBe('new')
  })

  test('sees its entry evicted, and the slot given to another key', () => {
    const cache = make({ maxEntries: 16 })
    const hot = Array.from({ length: 16 }, (_, i) => cache.key(`hot${i}`))
    for (let round = 0; round < 50; round++) {
      for (const [i, key] of hot.entries()) {
        cache.set(key, `value ${i} ${round}`)
        cache.get(key)
        cache.get(key)
      }
      for (let i = 0; i < 40; i++) cache.set(`other${round}:${i}`, 'other')
      for (const [i, key] of hot.entries()) {
        expect([undefined, `value ${i} ${round}`]).toContain(cache.get(key))
        expect(cache.get(key)).toEqual(cache.peek(`hot${i}`))
      }
    }
    cache.validate()
  })

  test('is refused by another cache, in every call', () => {
    const cache = make()
    const foreign = make().key('a')
    cache.set('a', 1)
    for (const call of [
      () => cache.get(foreign),
      () => cache.peek(foreign),
      () => cache.has(foreign),
      () => cache.remainingTtl(foreign),
      () => cache.set(foreign, 2),
      () => cache.delete(foreign),
      () => cache.key(foreign),
      () => cache.getMany(['a', foreign]),
      () => cache.getOrCompute(foreign, () => 1),
    ]) {
      expect(call).toThrow(code('INVALID_KEY'))
    }
    expect(cache.get('a')).toBe(1)
  })

  test('that another cache has used already is refused too', () => {
    const [one, other] = [make(), make()]
    const hot = one.key('features')
    one.set(hot, 'one')
    other.set('features', 'other')
    one.get(hot)
    one.get(hot)
    expect(() => other.get(hot)).toThrow(code('INVALID_KEY'))
  })

  test('after close() says so', () => {
    const cache = make()
    const hot = cache.key('features')
    cache.set(hot, 'x')
    cache.get(hot)
    cache.get(hot)
    cache.close()
    expect(() => cache.get(hot)).toThrow(code('CLOSED'))
  })

  test('an array is read when it is prepared', () => {
    const cache = make()
    const data = Float64Array.of(1, 2, 3)
    const hot = cache.key(data)
    cache.set(data, 'first')
    data[0] = 9
    expect([cache.get(hot), cache.get(data)]).toEqual(['first', undefined])
  })

  test('shows itself', () => {
    const cache = make()
    expect([`${cache.key('a')}`, `${cache.key(5)}`]).toEqual(['a', '5'])
    expect(`${cache.key(array)}`).toMatch(/^x?[0-9a-f]{32}$/)
  })
})
