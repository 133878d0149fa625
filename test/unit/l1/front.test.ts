import { describe, expect, test } from 'vitest'
import { LocalCache, SharedCache } from '../../../src/index.js'

type AnyCache = LocalCache<unknown> | SharedCache<unknown>
type Make = (options?: { maxEntries?: number; ttl?: number }) => AnyCache

const KINDS: readonly (readonly [string, Make])[] = [
  ['LocalCache', (options) => new LocalCache(options)],
  ['portable LocalCache', (options) => new LocalCache({ ...options, engine: 'portable' })],
  ['SharedCache', (options) => SharedCache.create({ maxBytes: 2 ** 22, ...options })],
]

/** Hits a key so often that it is answered in JavaScript. */
function heat(cache: AnyCache, key: string, expected: unknown): void {
  for (let i = 0; i < 3000; i++)
    if (cache.get(key) !== expected) throw new Error(`hit ${i} gave ${String(cache.get(key))}`)
}

describe.each(KINDS)('a key that a %s answers from memory of its place', (_, make) => {
  test('gives the new value once it is replaced', () => {
    const cache = make()
    for (let round = 0; round < 20; round++) {
      cache.set('features:BTC', round)
      heat(cache, 'features:BTC', round)
    }
  })

  test.each([1.5, -0, Number.NaN, Number.NEGATIVE_INFINITY, true, false, null])(
    'keeps %s as it is',
    (value) => {
      const cache = make()
      const prepared = cache.key('features:BTC')
      cache.set('features:BTC', value)
      for (let i = 0; i < 3000; i++)
        for (const key of ['features:BTC', prepared])
          if (!Object.is(cache.get(key), value)) throw new Error(`hit ${i} gave ${String(cache.get(key))}`)
      const [first, , last] = cache.getMany(['features:BTC', 'features:ETH', prepared])
      expect([first, last]).toEqual([value, value])
    },
  )

  test('is missed once it is deleted, cleared or invalidated', () => {
    const cache = make()
    const ways = [
      () => cache.delete('features:BTC'),
      () => cache.clear(),
      () => cache.invalidateTag('t'),
      () => cache.invalidatePattern('*BTC'),
    ]
    for (const leave of ways) {
      cache.set('features:BTC', 1, { tags: ['t'] })
      heat(cache, 'features:BTC', 1)
      leave()
      expect(cache.get('features:BTC')).toBeUndefined()
    }
  })

  test('is missed once it is evicted, though its slot serves another', () => {
    const cache = make({ maxEntries: 4 })
    for (let round = 0; round < 200; round++) {
      cache.set('features:BTC', `v${round}`)
      for (let i = 0; i < 5; i++) cache.get('features:BTC')
      for (let i = 0; i < 12; i++) cache.set(`features:${round}:${i}`, 'other')
      expect([undefined, `v${round}`]).toContain(cache.get('features:BTC'))
    }
    cache.validate()
  })

  test('dies at its deadline by the clock of the machine, to a tenth of a millisecond', () => {
    const cache = make()
    let reads = 0
    for (const ttl of [5, 60, 150, 320]) {
      const before = performance.now()
      cache.set('features:BTC', ttl, { ttl })
      const after = performance.now()
      let last = 0
      for (;;) {
        const asked = performance.now()
        if (cache.get('features:BTC') === undefined) {
          expect(performance.now() - before).toBeGreaterThan(ttl)
          break
        }
        reads++
        last = asked
      }
      expect(last - after).toBeLessThanOrEqual(ttl + 0.1)
    }
    expect(reads).toBeGreaterThan(1000)
  })

  test('keys with equal tails share a place and never each other’s value', () => {
    const cache = make({ maxEntries: 5000 })
    const keys = Array.from({ length: 1000 }, (_, i) => `${String(i).padStart(6, '0')}:TAIL`)
    for (const [i, key] of keys.entries()) cache.set(key, i)
    for (let round = 0; round < 20; round++) {
      for (const [i, key] of keys.entries()) expect(cache.get(key) === i && cache.get(key) === i).toBe(true)
    }
  })

  test('an equal string made anew is the same key', () => {
    const cache = make()
    cache.set('features:BTC', 1)
    for (let i = 0; i < 5000; i++) expect(cache.get(`features:${['B', 'T', 'C'].join('')}`) === 1).toBe(true)
    expect(cache.get('features:BTc')).toBeUndefined()
  })

  test('many more keys than there are places, again and again', () => {
    const cache = make({ maxEntries: 30_000 })
    const keys = Array.from({ length: 30_000 }, (_, i) => `features:${i}`)
    const values = new Map(keys.map((key, i) => [key, i] as const))
    cache.setMany(values)
    let wrong = 0
    for (let i = 0; i < 200_000; i++) {
      const key = keys[(i * 7919) % (i % 3 === 0 ? 30_000 : 50)]!
      if (i % 11 === 0) {
        values.set(key, -i)
        cache.set(key, -i)
      }
      const value = cache.get(key)
      if (value !== undefined && value !== values.get(key)) wrong++
    }
    expect(wrong).toBe(0)
    cache.validate()
  })
})

test('a number that another handle of a SharedCache replaces is never given again', () => {
  const cache = SharedCache.create<unknown>({ maxBytes: 2 ** 20 })
  const other = SharedCache.attach<unknown>(cache.handle)
  const prepared = cache.key('price:ETHUSDT')
  for (const next of [1, 2.5, null, true, 'text', 3, Float64Array.of(4), 5]) {
    other.set('price:BTCUSDT', next)
    other.set('price:ETHUSDT', next)
    for (let i = 0; i < 100; i++) {
      expect(cache.get('price:BTCUSDT')).toEqual(next)
      expect(cache.get(prepared)).toEqual(next)
    }
  }
  other.delete('price:BTCUSDT')
  expect(cache.get('price:BTCUSDT')).toBeUndefined()
  expect(cache.stats().hits).toBe(1600)
  cache.validate()
})

test('numbers of a SharedCache that is read at random, and of one with many slots, come back right', () => {
  for (const maxEntries of [60_000, 400_000]) {
    const cache = SharedCache.create<number>({ maxBytes: 2 ** 24, maxEntries })
    const keys = Array.from({ length: 20_000 }, (_, i) => `features:${i}:w060`)
    for (const [i, key] of keys.entries()) cache.set(key, i)
    for (let round = 0; round < 3; round++)
      for (const [i, key] of keys.entries())
        if (cache.get(key) !== i) throw new Error(`${key} gave ${String(cache.get(key))}`)
    expect(cache.stats().hits).toBe(60_000)
    cache.close()
  }
})

test('what a thread remembers is not pushed out by new versions of another entry', () => {
  const cache = SharedCache.create<unknown>({ maxBytes: 2 ** 22 })
  cache.set('model:weights', new Float64Array(300).fill(1))
  const view = cache.get('model:weights')
  const key = cache.key('price:BTCUSDT')
  for (let price = 0; price < 20_000; price++) {
    cache.set(key, price)
    if (cache.get(key) !== price) throw new Error(`${price} gave ${String(cache.get(key))}`)
  }
  expect(cache.get('model:weights')).toBe(view)
})
