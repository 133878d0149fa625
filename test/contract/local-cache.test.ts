import { describe, expect, test } from 'vitest'
import { ENGINES } from '../support/engines.js'

describe.each(ENGINES)('on the %s engine', (_, LocalCache) => {
  function code(expected: string): unknown {
    return expect.objectContaining({ name: 'HitpathError', code: expected })
  }

  /** A clock that stands until it is moved. */
  function fakeClock(start = 1000): { now: () => number; ms: number } {
    const clock = { ms: start, now: () => clock.ms }
    return clock
  }

  describe('a LocalCache', () => {
    test('gives back the value itself, and set() the cache', () => {
      const cache = new LocalCache<object>()
      const value = { price: 1 }
      expect(cache.set('BTCUSDT', value)).toBe(cache)
      expect(cache.get('BTCUSDT')).toBe(value)
      expect(cache.peek('BTCUSDT')).toBe(value)
      expect(cache.has('BTCUSDT')).toBe(true)
      expect(cache.size).toBe(1)
    })

    test('misses what was never stored, deleted or cleared', () => {
      const cache = new LocalCache<number>()
      cache.set('a', 1).set('b', 2)
      expect(cache.get('c')).toBeUndefined()
      expect([cache.delete('a'), cache.delete('a')]).toEqual([true, false])
      expect([cache.get('a'), cache.has('a'), cache.peek('a')]).toEqual([undefined, false, undefined])
      cache.clear()
      expect([cache.get('b'), cache.size]).toEqual([undefined, 0])
    })

    test.each([0, -0, '', false, null, Number.NaN, 0n])('%s is a value like any other', (value) => {
      const cache = new LocalCache<unknown>()
      cache.set('falsy', value)
      expect(cache.get('falsy')).toBe(value)
      expect(cache.has('falsy')).toBe(true)
      expect(cache.getMany(['falsy'])).toEqual([value])
      expect(cache.getOrCompute('falsy', () => 'computed')).toBe(value)
    })

    test('undefined is refused and the old value stays', () => {
      const cache = new LocalCache<number | undefined>()
      cache.set('a', 1)
      expect(() => cache.set('a', undefined)).toThrow(code('INVALID_VALUE'))
      expect(cache.get('a')).toBe(1)
    })

    test('a newer value takes the place of the old one', () => {
      const cache = new LocalCache<number>({ maxEntries: 2 })
      cache.set('a', 1).set('b', 2).set('a', 3)
      expect([cache.get('a'), cache.get('b'), cache.size]).toEqual([3, 2, 2])
      cache.validate()
    })

    test.each([
      '',
      'a',
      'abc',
      'x'.repeat(64),
      'x'.repeat(65),
      'é'.repeat(64),
      'ж'.repeat(32),
      'ж'.repeat(33),
      'ж'.repeat(300),
    ])('a string key of any length and alphabet: %s', (key) => {
      const cache = new LocalCache<number>()
      cache.set(key, 1).set(`${key}!`, 2)
      expect([cache.get(key), cache.get(`${key}!`), cache.get(`?${key}`)]).toEqual([1, 2, undefined])
      expect([...cache.keys()].sort()).toEqual([key, `${key}!`].sort())
      expect([cache.delete(key), cache.get(key), cache.get(`${key}!`)]).toEqual([true, undefined, 2])
    })

    test('lone surrogates are units, not replacement characters', () => {
      const cache = new LocalCache<string>()
      for (const pad of ['', 'x'.repeat(100)]) {
        cache.set(`\ud800${pad}`, 'high').set(`\udc00${pad}`, 'low').set(`\ufffd${pad}`, 'replacement')
        expect([cache.get(`\ud800${pad}`), cache.get(`\udc00${pad}`), cache.get(`\ufffd${pad}`)]).toEqual([
          'high',
          'low',
          'replacement',
        ])
      }
    })

    test('Latin-1 and UTF-16 strings of the same bytes are two keys', () => {
      const cache = new LocalCache<number>()
      for (const count of [1, 40, 200]) {
        cache.set('\u0141'.repeat(count), 1).set('A\u0001'.repeat(count), 2)
        expect(cache.get('\u0141'.repeat(count))).toBe(1)
      }
    })
  })

  describe('the ttl', () => {
    test('an entry lives while now <= deadline, and is dead one moment later', () => {
      const clock = fakeClock(1000)
      const cache = new LocalCache<number>({ ttl: 100, clock })
      cache.set('a', 1)
      clock.ms = 1100
      expect([cache.get('a'), cache.has('a'), cache.peek('a'), cache.remainingTtl('a')]).toEqual([
        1,
        true,
        1,
        0,
      ])
      clock.ms = 1100.001
      expect([cache.peek('a'), cache.has('a'), cache.remainingTtl('a'), cache.get('a')]).toEqual([
        undefined,
        false,
        undefined,
        undefined,
      ])
      expect(cache.size).toBe(0)
    })

    test('each entry may have its own, and Infinity is one', () => {
      const clock = fakeClock(0)
      const cache = new LocalCache<number>({ ttl: '1s', clock })
      cache.set('default', 1).set('long', 2, { ttl: '5m' }).set('forever', 3, { ttl: Infinity })
      expect(cache.remainingTtl('default')).toBe(1000)
      expect(cache.remainingTtl('long')).toBe(300_000)
      expect(cache.remainingTtl('forever')).toBe(Infinity)
      clock.ms = 300_000
      expect(cache.getMany(['default', 'long', 'forever'])).toEqual([undefined, 2, 3])
      clock.ms = 1e15
      expect(cache.getMany(['default', 'long', 'forever'])).toEqual([undefined, undefined, 3])
    })

    test('a newer value brings a new deadline', () => {
      const clock = fakeClock(0)
      const cache = new LocalCache<number>({ ttl: 100, clock })
      cache.set('a', 1)
      clock.ms = 60
      cache.set('a', 2)
      clock.ms = 160
      expect(cache.get('a')).toBe(2)
      cache.set('a', 3, { ttl: Infinity }).set('a', 4, { ttl: 10 })
      clock.ms = 171
      expect(cache.get('a')).toBeUndefined()
    })

    test.each([0, -1, Number.NaN, '5', '5 m', '', null, {}, 5n, true])('%s is no ttl', (ttl) => {
      const cache = new LocalCache<number>()
      cache.set('a', 1)
      expect(() => cache.set('a', 2, { ttl: ttl as number })).toThrow(code('INVALID_TTL'))
      expect(cache.get('a')).toBe(1)
    })

    test('a clock may go back, jump by centuries and stand before zero', () => {
      const clock = fakeClock(-1e300)
      const cache = new LocalCache<number>({ ttl: 5, clock })
      for (const ms of [-1e300, 0, 1e12, 5, -7, 1e300, 3]) {
        clock.ms = ms
        cache.set('a', 1, { ttl: Infinity }).set('b', 2)
        expect(cache.get('a')).toBe(1)
        cache.validate()
      }
    })

    test.each([Number.MIN_VALUE, 0.5, 2 ** 32, 2 ** 53, Number.MAX_VALUE])('a ttl of %s ms', (ttl) => {
      const cache = new LocalCache<number>({ clock: fakeClock(1e9) })
      expect(cache.set('a', 1, { ttl }).get('a')).toBe(1)
      cache.validate()
    })
  })

  describe('a clock that is none', () => {
    test.each([Number.NaN, Infinity, '5', 5n, undefined, null, {}])(
      '%s is refused when a cache is made',
      (reading) => {
        const clock = { now: () => reading as number }
        expect(() => new LocalCache({ clock })).toThrow(code('INVALID_CLOCK'))
      },
    )

    test('is refused in any call, and the cache works when it is mended', () => {
      let reading: unknown = 0
      const cache = new LocalCache<number>({ clock: { now: () => reading as number } })
      cache.set('a', 1)
      for (reading of [Number.NaN, 'noon', undefined]) {
        expect(() => cache.get('a')).toThrow(code('INVALID_CLOCK'))
        expect(() => cache.set('a', 2)).toThrow(code('INVALID_CLOCK'))
        expect(() => cache.size).toThrow(code('INVALID_CLOCK'))
      }
      reading = 1
      expect(cache.get('a')).toBe(1)
    })

    test('what it throws comes through', () => {
      let broken = false
      const clock = {
        now: () => {
          if (broken) throw new RangeError('no time')
          return 1
        },
      }
      const cache = new LocalCache<number>({ clock })
      broken = true
      expect(() => cache.get('a')).toThrow(RangeError)
    })
  })

  describe('getOrCompute', () => {
    test('computes once', () => {
      const cache = new LocalCache<string>()
      let calls = 0
      const compute = (key: string): string => `${key}${++calls}`
      expect([cache.getOrCompute('a', compute), cache.getOrCompute('a', compute)]).toEqual(['a1', 'a1'])
    })

    test('an undefined result is given and not stored', () => {
      const cache = new LocalCache<number | undefined>()
      expect(cache.getOrCompute('a', () => undefined)).toBeUndefined()
      expect(cache.has('a')).toBe(false)
    })

    test('what compute throws comes through, and nothing is stored', () => {
      const cache = new LocalCache<number>()
      const compute = (): number => {
        throw new RangeError('no data')
      }
      expect(() => cache.getOrCompute('a', compute)).toThrow('no data')
      expect(cache.has('a')).toBe(false)
    })

    test('compute may use the cache, and clear it', () => {
      const cache = new LocalCache<number>()
      const value = cache.getOrCompute('a', () => {
        cache.set('b', 2)
        cache.clear()
        return cache.getOrCompute('c', () => 3)
      })
      expect([value, cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([3, 3, undefined, 3])
    })

    test('the ttl and tags of the options hold for what was computed', () => {
      const clock = fakeClock(0)
      const cache = new LocalCache<number>({ clock })
      cache.getOrCompute('a', () => 1, { ttl: 10, tags: ['t'] })
      expect(cache.remainingTtl('a')).toBe(10)
      expect(cache.invalidateTag('t')).toBe(1)
    })
  })

  describe('many keys at once', () => {
    const wide = 'キー'.repeat(40)
    const long = 'long'.repeat(100)

    test('getMany is aligned with its keys, whatever their kinds', () => {
      const cache = new LocalCache<number>()
      const array = Float64Array.of(1, 2, 3)
      cache.setMany([
        ['a', 1],
        [5, 2],
        [array, 3],
        [wide, 4],
        [long, 5],
        ['', 6],
      ])
      const keys = ['a', 'no', 5, array, wide, long, '', 'a', Float64Array.of(1, 2, 3), 6, cache.key('a')]
      expect(cache.getMany(keys)).toEqual([1, undefined, 2, 3, 4, 5, 6, 1, 3, undefined, 1])
      expect(cache.getMany([])).toEqual([])
    })

    test('getMany of more keys than one batch takes', () => {
      const cache = new LocalCache<number>({ maxEntries: 20_000 })
      const keys = Array.from({ length: 20_000 }, (_, i) => `key${i}`)
      for (let i = 0; i < keys.length; i += 2) cache.set(keys[i]!, i)
      expect(cache.getMany(keys)).toEqual(keys.map((_, i) => (i % 2 === 0 ? i : undefined)))
    })

    test('setMany takes the options of each, from any iterable', () => {
      const cache = new LocalCache<number>({ clock: fakeClock(0) })
      cache.setMany(new Map([['a', 1]]))
      cache.setMany([['b', 2, { ttl: 5 }]])
      expect([cache.remainingTtl('a'), cache.remainingTtl('b')]).toEqual([Infinity, 5])
    })

    test('deleteMany says for each whether it was there', () => {
      const cache = new LocalCache<number>()
      cache.set('a', 1).set(2, 2)
      expect(cache.deleteMany(['a', 'b', 2, 'a'])).toEqual([true, false, true, false])
    })

    test.each([null, undefined, 5, 'abc', {}, { length: -1 }, { length: 3 }, new Set(['a'])])(
      '%s is no list of keys',
      (keys) => {
        const cache = new LocalCache<number>()
        expect(() => cache.getMany(keys as unknown as string[])).toThrow(code('INVALID_ARGUMENT'))
        expect(() => cache.deleteMany(keys as unknown as string[])).toThrow(code('INVALID_ARGUMENT'))
      },
    )
  })
})
