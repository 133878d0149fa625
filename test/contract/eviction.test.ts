import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENGINES } from '../support/engines.js'

describe.each(ENGINES)('on the %s engine', (_, LocalCache) => {
  describe('policy lru', () => {
    test('evicts exactly what an ordered Map would', () => {
      const step = fc.record({
        op: fc.constantFrom('get', 'get', 'set', 'set', 'peek', 'has', 'delete'),
        key: fc.nat(30),
      })
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 20 }),
          fc.array(step, { maxLength: 300 }),
          fc.constantFrom(3, 30, 100),
          (maxEntries, steps, width) => {
            const evicted: unknown[] = []
            const expected: unknown[] = []
            const cache = new LocalCache<number>({
              maxEntries,
              policy: 'lru',
              onRemoval: (key, _value, reason) => reason === 'evicted' && evicted.push(key),
            })
            const model = new Map<string, number>()
            for (const [i, { op, key: number }] of steps.entries()) {
              const key = String(number).padStart(width, 'k')
              const value = model.get(key)
              if (op === 'get') {
                expect(cache.get(key)).toBe(value)
                if (value !== undefined) {
                  model.delete(key)
                  model.set(key, value)
                }
              } else if (op === 'set') {
                cache.set(key, i)
                model.delete(key)
                if (model.size === maxEntries) {
                  const [oldest] = model.keys()
                  expected.push(oldest)
                  model.delete(oldest!)
                }
                model.set(key, i)
              } else if (op === 'peek') expect(cache.peek(key)).toBe(value)
              else if (op === 'has') expect(cache.has(key)).toBe(value !== undefined)
              else expect(cache.delete(key)).toBe(model.delete(key))
              expect(cache.size).toBe(model.size)
            }
            expect(evicted).toEqual(expected)
            expect(new Map(cache.entries())).toEqual(model)
            cache.validate()
          },
        ),
        { numRuns: 150, seed: 20_240_504 },
      )
    })

    test('getMany renews what it finds, in the order of its keys', () => {
      const cache = new LocalCache<number>({ maxEntries: 3, policy: 'lru' })
      cache.set('aaaa', 1).set('bbbb', 2).set('cccc', 3)
      cache.getMany(['bbbb', 'aaaa'])
      cache.set('dddd', 4)
      expect(cache.has('cccc')).toBe(false)
      cache.set('eeee', 5)
      expect([cache.has('bbbb'), cache.has('aaaa')]).toEqual([false, true])
    })

    test('entries that have expired go before any that live', () => {
      const clock = { ms: 0, now: () => clock.ms }
      const cache = new LocalCache<number>({ maxEntries: 3, policy: 'lru', clock })
      cache.set('old', 1).set('short', 2, { ttl: 5 }).set('new', 3)
      clock.ms = 6
      cache.set('newest', 4)
      expect([cache.has('old'), cache.has('short'), cache.has('new'), cache.has('newest')]).toEqual([
        true,
        false,
        true,
        true,
      ])
    })
  })

  describe('policy xg', () => {
    test('what is hit again and again survives a scan ten times as large as the cache', () => {
      const cache = new LocalCache<number>({ maxEntries: 1000 })
      for (let i = 0; i < 100; i++) cache.set(`hot:${i}`, i)
      for (let i = 0; i < 1000; i++) cache.set(`warm:${i}`, i)
      for (let i = 0; i < 100; i++) cache.set(`hot:${i}`, i)
      for (let round = 0; round < 5; round++) for (let i = 0; i < 100; i++) cache.get(`hot:${i}`)
      for (let i = 0; i < 10_000; i++) {
        cache.set(`scan:${i}`, i)
        if (i % 10 === 0) cache.get(`hot:${(i / 10) % 100}`)
      }
      let alive = 0
      for (let i = 0; i < 100; i++) if (cache.has(`hot:${i}`)) alive++
      expect(alive).toBeGreaterThanOrEqual(95)
      cache.validate()
    })

    test.each([1, 2, 3, 7, 16, 100])(
      'a cache of %i entries never holds more, and always the newest',
      (maxEntries) => {
        const cache = new LocalCache<number>({ maxEntries })
        for (let i = 0; i < 1000; i++) {
          cache.set(i, i)
          expect(cache.get(i)).toBe(i)
          expect(cache.size).toBeLessThanOrEqual(maxEntries)
        }
        expect(cache.size).toBe(maxEntries)
        cache.validate()
      },
    )
  })
})
