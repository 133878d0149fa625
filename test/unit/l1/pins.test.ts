import { describe, expect, test } from 'vitest'
import { NdArray, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

function filled(value: number, length = 600): Float64Array {
  return new Float64Array(length).fill(value)
}

function isView(cache: SharedCache, array: unknown): boolean {
  return (array as Float64Array).buffer === (cache.handle.region as unknown)
}

/** Writes until every byte that may be reused has been. */
function churn(cache: SharedCache): void {
  for (let i = 0; i < 500; i++) cache.set(`churn${i % 60}`, filled(-1, 100 + ((i * 37) % 900)))
}

describe('the view that a read gives', () => {
  test.each([
    ['overwritten', (cache: SharedCache) => cache.set('a', filled(2))],
    ['overwritten by a number', (cache: SharedCache) => cache.set('a', 2)],
    ['deleted', (cache: SharedCache) => cache.delete('a')],
    ['evicted', () => undefined],
    ['cleared', (cache: SharedCache) => cache.clear()],
    ['invalidated by its tag', (cache: SharedCache) => cache.invalidateTag('t')],
    ['invalidated by a pattern', (cache: SharedCache) => cache.invalidatePattern('*')],
  ])('stays whole while the entry is %s', (_name, leave) => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    cache.set('a', filled(1), { tags: ['t'] })
    const view = cache.get('a') as Float64Array
    const nd = new NdArray(filled(3), [60, 10])
    cache.set('nd', nd)
    const ndView = cache.get('nd') as NdArray
    expect([isView(cache, view), isView(cache, ndView.data)]).toEqual([true, true])
    leave(cache)
    churn(cache)
    expect(view).toEqual(filled(1))
    expect(ndView).toStrictEqual(nd)
    cache.validate()
  })

  test('stays whole when the entry expires', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = SharedCache.create({ maxBytes: 2 ** 18, clock })
    cache.set('a', filled(1), { ttl: 10 })
    const view = cache.get('a')
    clock.ms = 100
    expect(cache.get('a')).toBeUndefined()
    churn(cache)
    expect(view).toEqual(filled(1))
  })

  test('stays whole after close(), here and everywhere', () => {
    for (const everywhere of [false, true]) {
      const cache = SharedCache.create({ maxBytes: 2 ** 18 })
      const other = SharedCache.attach(cache.handle)
      cache.set('a', filled(1))
      const view = cache.get('a')
      const pin = cache.pin('a')!
      cache.close({ everywhere })
      if (!everywhere) churn(other)
      expect(view).toEqual(filled(1))
      expect(pin.value).toEqual(filled(1))
      pin.release()
      if (!everywhere) other.validate()
    }
  })

  test('is the same object to every reader of a version', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    cache.set('a', filled(1))
    expect(cache.get('a')).toBe(cache.get('a'))
    expect(cache.get('a')).toBe(cache.peek('a'))
    const first = cache.get('a')
    cache.set('a', filled(1))
    expect(cache.get('a')).not.toBe(first)
  })
})

describe('pin()', () => {
  test('holds its bytes until release(), which may come twice', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    cache.set('a', filled(1))
    const pin = cache.pin('a')!
    expect([isView(cache, pin.value), cache.stats().pinnedBytes > 4800]).toEqual([true, true])
    cache.delete('a')
    churn(cache)
    expect(pin.value).toEqual(filled(1))
    pin.release()
    pin.release()
    expect(cache.stats().pinnedBytes).toBe(0)
    cache.validate()
  })

  test('ends with its block', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    cache.set('a', filled(1))
    {
      using pin = cache.pin('a')!
      expect(pin.value).toEqual(filled(1))
      expect(cache.stats().pinnedBytes).toBeGreaterThan(0)
    }
    expect(cache.stats().pinnedBytes).toBe(0)
  })

  test('counts: each of three pins of one entry is given back', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    cache.set('a', filled(1))
    const pins = [cache.pin('a')!, cache.pin('a')!, cache.pin('a')!]
    expect(pins[0]!.value).not.toBe(pins[1]!.value)
    cache.delete('a')
    pins[0]!.release()
    pins[0]!.release()
    pins[1]!.release()
    churn(cache)
    expect(pins[2]!.value).toEqual(filled(1))
    pins[2]!.release()
    expect(cache.stats().pinnedBytes).toBe(0)
    cache.validate()
  })

  test('of a missing entry is undefined; of what has no bytes, the value', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    expect(cache.pin('a')).toBeUndefined()
    for (const value of [
      5,
      'text',
      null,
      [1, { a: 2 }],
      new Float64Array(0),
      new NdArray(new Float32Array(0), [0]),
    ]) {
      cache.set('a', value)
      using pin = cache.pin('a')!
      expect(pin.value).toStrictEqual(value)
    }
    expect(cache.stats().pinnedBytes).toBe(0)
  })

  test('works for small arrays, Buffers and ndarrays', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    for (const value of [Uint8Array.of(1), Buffer.from('xyz'), new NdArray(Float64Array.of(1, 2), [2, 1])]) {
      cache.set('a', value)
      const pin = cache.pin('a')!
      cache.set('a', 'gone')
      churn(cache)
      expect(pin.value).toStrictEqual(value)
      pin.release()
      cache.validate()
    }
  })

  test('with keys of every kind', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 18 })
    for (const key of ['a', 5, Float64Array.of(1), cache.key('b')]) {
      cache.set(key, filled(4))
      using pin = cache.pin(key)!
      expect(pin.value).toEqual(filled(4))
    }
    expect(() => cache.pin(null as unknown as string)).toThrow(code('INVALID_KEY'))
  })
})

describe('the bound on pinned bytes', () => {
  test('beyond it reads give copies, and writes still succeed', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 20, maxEntries: 1000, maxPinned: 0.25, shards: 1 })
    const held: Float64Array[] = []
    for (let i = 0; i < 2000; i++) {
      cache.set(`k${i}`, filled(i))
      held.push(cache.get(`k${i}`) as Float64Array)
    }
    const views = held.filter((array) => isView(cache, array)).length
    expect(views).toBeGreaterThan(30)
    expect(views * 4800).toBeLessThanOrEqual(2 ** 18)
    expect(cache.stats().pinnedBytes).toBeLessThanOrEqual(2 ** 18)
    for (const [i, array] of held.entries()) expect(array.every((item) => item === i)).toBe(true)
    cache.validate()
  })

  test('with all bytes allowed, a full cache says what holds them', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 17, maxEntries: 1000, maxPinned: 1, shards: 1 })
    const pins = []
    let refused: unknown
    for (let i = 0; i < 100 && refused === undefined; i++) {
      try {
        cache.set(`k${i}`, filled(i))
        pins.push(cache.pin(`k${i}`)!)
      } catch (error) {
        refused = error
      }
    }
    expect(refused).toMatchObject({ code: 'OUT_OF_MEMORY' })
    for (const [i, pin] of pins.entries()) expect(pin.value).toEqual(filled(i))
    cache.validate()
    for (const pin of pins) pin.release()
    expect(cache.set('new', filled(1)).get('new')).toEqual(filled(1))
    expect(cache.stats().pinnedBytes).toBeLessThan(2 * 4900)
    cache.validate()
  })

  test('0: never a view, in any way of reading', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 20, maxPinned: 0 })
    for (const length of [10, 600, 20_000]) {
      cache.set('a', filled(1, length))
      for (const array of [cache.get('a'), cache.peek('a'), cache.pin('a')!.value, cache.getMany(['a'])[0]]) {
        expect(isView(cache, array)).toBe(false)
        expect((array as Float64Array).every((item) => item === 1)).toBe(true)
      }
    }
  })
})
