import { describe, expect, test, vi } from 'vitest'
import type { LocalCache as Cache, PreparedKey } from '../../src/index.js'
import { ENGINES } from '../support/engines.js'

describe.each(ENGINES)('on the %s engine', (_, LocalCache) => {
  type Removal = [key: unknown, value: number, reason: string]

  function listening(options: { maxEntries?: number; policy?: 'xg' | 'lru'; ttl?: number } = {}) {
    const removals: Removal[] = []
    const clock = { ms: 0, now: () => clock.ms }
    const cache = new LocalCache<number>({
      clock,
      ...options,
      onRemoval: (key, value, reason) => removals.push([key, value, reason]),
    })
    return { cache, removals, clock }
  }

  describe('the removal listener hears of', () => {
    test('a deleted entry', () => {
      const { cache, removals } = listening()
      cache.set('a', 1).delete('a')
      cache.delete('a')
      expect(removals).toEqual([['a', 1, 'deleted']])
    })

    test('a replaced value, once, and not of the first', () => {
      const { cache, removals } = listening()
      cache.set(5, 1).set(5, 2).set(5, 2)
      expect(removals).toEqual([
        [5, 1, 'replaced'],
        [5, 2, 'replaced'],
      ])
    })

    test('an evicted entry', () => {
      const { cache, removals } = listening({ maxEntries: 2, policy: 'lru' })
      cache.set('a', 1).set('b', 2).get('a')
      cache.set('c', 3)
      expect(removals).toEqual([['b', 2, 'evicted']])
    })

    // The engine tells of 8,064 removals at a time.
    test.each([8063, 8064, 8065, 16_128, 20_000])('each of %d that one call removed, once', (count) => {
      for (const remove of ['clear', 'invalidateTag'] as const) {
        const { cache, removals } = listening({ maxEntries: count })
        for (let i = 0; i < count; i++) cache.set(i, i, { tags: ['all'] })
        cache[remove]('all')
        expect(removals).toHaveLength(count)
        expect(new Set(removals.map(([key]) => key)).size).toBe(count)
        cache.set('next', 1).delete('next')
        expect(removals.slice(count)).toEqual([['next', 1, 'deleted']])
      }
    })

    test('an expired entry, when it is met', () => {
      const { cache, removals, clock } = listening({ ttl: 10 })
      cache.set('a', 1).set('b', 2)
      clock.ms = 11
      expect([cache.peek('a'), removals.length]).toEqual([undefined, 0])
      expect(cache.get('a')).toBeUndefined()
      expect(removals).toEqual([['a', 1, 'expired']])
      expect(cache.delete('b')).toBe(false)
      expect(removals[1]).toEqual(['b', 2, 'expired'])
    })

    test('an expired entry under whose key something new is stored', () => {
      const { cache, removals, clock } = listening({ ttl: 10 })
      cache.set('a', 1)
      clock.ms = 11
      cache.set('a', 2)
      expect(removals).toEqual([['a', 1, 'expired']])
      expect(cache.get('a')).toBe(2)
    })

    test('every entry of a cleared cache, though there are more than one batch holds', () => {
      const { cache, removals } = listening({ maxEntries: 30_000 })
      for (let i = 0; i < 25_000; i++) cache.set(`key${i}`, i)
      cache.clear()
      expect(removals).toHaveLength(25_000)
      expect(new Set(removals.map(([key]) => key)).size).toBe(25_000)
      expect(removals.every(([key, value, reason]) => key === `key${value}` && reason === 'cleared')).toBe(
        true,
      )
    })

    test('what a tag or a pattern takes, long keys included', () => {
      const { cache, removals } = listening()
      const long = 'x'.repeat(100)
      cache
        .set('a', 1, { tags: ['t'] })
        .set(long, 2)
        .set('xb', 3)
      cache.invalidateTag('t')
      cache.invalidatePattern('x*')
      expect(removals.sort((a, b) => a[1] - b[1])).toEqual([
        ['a', 1, 'invalidated'],
        [long, 2, 'invalidated'],
        ['xb', 3, 'invalidated'],
      ])
    })

    test('25,000 entries that expire together', () => {
      const { cache, removals, clock } = listening({ maxEntries: 30_000, ttl: 10 })
      for (let i = 0; i < 25_000; i++) cache.set(i, i)
      clock.ms = 5000
      while (cache.size > 0);
      expect(removals).toHaveLength(25_000)
      expect(removals.every(([key, value, reason]) => key === value && reason === 'expired')).toBe(true)
    })

    test('keys of every kind: an array comes as a prepared key that finds it again', () => {
      const { cache, removals } = listening()
      const array = Float32Array.of(1, 2)
      const long = 'long'.repeat(50)
      cache.set('s', 1).set(7, 2).set(array, 3).set(long, 4).set(cache.key('p'), 5)
      cache.set({ data: array, shape: [2, 1] }, 6)
      cache.clear()
      const keys = removals.sort((a, b) => a[1] - b[1]).map(([key]) => key)
      expect([keys[0], keys[1], keys[3], keys[4]]).toEqual(['s', 7, long, 'p'])
      const [prepared, column] = [keys[2], keys[5]] as PreparedKey[]
      cache.set(prepared!, 30).set(column!, 60)
      expect([cache.get(array), cache.get({ data: array, shape: [2, 1] })]).toEqual([30, 60])
    })
  })

  describe('a removal listener', () => {
    test('may use the cache: it sees the call complete', () => {
      const seen: unknown[] = []
      const cache: Cache<number> = new LocalCache<number>({
        maxEntries: 3,
        policy: 'lru',
        onRemoval: (key, value, reason) => {
          seen.push([key, value, reason, cache.get('new'), cache.has(key)])
          if (reason === 'evicted' && seen.length < 3) cache.set(`again:${String(key)}`, value)
        },
      })
      cache.set('a', 1).set('b', 2).set('c', 3).set('new', 4)
      expect(seen).toEqual([
        ['a', 1, 'evicted', 4, false],
        ['b', 2, 'evicted', 4, false],
        ['c', 3, 'evicted', 4, false],
      ])
      expect([cache.size, cache.get('again:a'), cache.get('again:b')]).toEqual([3, 1, 2])
      cache.validate()
    })

    test('may delete, clear, or close the cache while many leave', () => {
      let calls = 0
      const cache: Cache<number> = new LocalCache<number>({
        onRemoval: () => {
          calls++
          if (calls === 2) cache.set('x', 1)
          if (calls === 3) cache.clear()
          if (calls === 4) cache.close()
        },
      })
      for (let i = 0; i < 10; i++) cache.set(i, i)
      cache.clear()
      expect(calls).toBe(11)
      expect(() => cache.get(1)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    })

    test('that throws costs a warning, not the call', async () => {
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const cache = new LocalCache<number>({
        onRemoval: () => {
          throw new Error('listener')
        },
      })
      expect(cache.set('a', 1).delete('a')).toBe(true)
      expect(warned).toHaveBeenCalledOnce()
      warned.mockRestore()
      expect(cache.set('a', 2).get('a')).toBe(2)
    })

    test('is not called by close()', () => {
      const { cache, removals } = listening()
      cache.set('a', 1).close()
      expect(removals).toEqual([])
    })
  })
})
