import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { type CacheKey, digest, LocalCache, SharedCache, type TypedArray } from '../../../src/index.js'
import { knownArray } from '../../../src/key/known.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

function counting(length: number, first = 0): Float64Array {
  return Float64Array.from({ length }, (_, i) => first + i)
}

/** What worker.postMessage does to what is on its list of transfers. */
function transfer({ buffer }: TypedArray): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
}

interface Asked {
  get(key: CacheKey): unknown
}

/** Asks for a key until its array is known. */
function learn(key: CacheKey, data: TypedArray, cache: Asked = new LocalCache<unknown>()): void {
  for (let asked = 0; asked < 2_048; asked++) {
    cache.get(key)
    if (asked % 64 === 0 && knownArray(data) !== undefined) return
  }
  expect(knownArray(data)).toBeDefined()
}

const MAKE = {
  LocalCache: () => new LocalCache<unknown>(),
  'LocalCache with a clock': () => new LocalCache<unknown>({ clock: { now: () => 1 } }),
  'LRU LocalCache': () => new LocalCache<unknown>({ policy: 'lru' }),
  SharedCache: () => SharedCache.create<unknown>({ maxBytes: 2 ** 20, shards: 4 }),
}

describe.each(Object.entries(MAKE))('an array that a %s is asked for again and again', (_, make) => {
  test('is not taken for a key without elements', () => {
    const cache = make()
    const data = counting(100)
    cache.set(data, 'the array')
    learn(data, data, cache)
    const none = { data, shape: [100, 0] }
    expect(cache.get(none)).toBeUndefined()
    cache.set(none, 'nothing')
    expect([cache.get(data), cache.get(none)]).toEqual(['the array', 'nothing'])
    cache.delete(none)
    expect(cache.get(data)).toBe('the array')
  })

  test('is found by what is in it now', () => {
    const cache = make()
    const data = counting(300)
    const key = { data, shape: [60, 5] }
    cache.set(key, 'first')
    learn(key, data, cache)
    expect(cache.get(key)).toBe('first')
    data[299] = -1
    expect(cache.get(key)).toBeUndefined()
    cache.set(key, 'second')
    expect(cache.get({ data: data.slice(), shape: [60, 5] })).toBe('second')
    expect(cache.get(key)).toBe('second')
    data[299] = 299
    expect(cache.get(key)).toBe('first')
  })

  test('is the same key in every call', () => {
    const cache = make()
    const data = counting(40)
    learn(data, data, cache)
    cache.set(data, 'value', { tags: ['tag'] })
    expect(cache.peek(data)).toBe('value')
    expect(cache.has(data.slice())).toBe(true)
    expect(cache.remainingTtl(data)).toBe(Infinity)
    expect(cache.get(cache.key(data))).toBe('value')
    expect(cache.getMany([data, data.slice()])).toEqual(['value', 'value'])
    expect(cache.delete(data)).toBe(true)
    expect(cache.get(data)).toBeUndefined()
    cache.set(data, 'again', { tags: ['tag'] })
    expect(cache.invalidateTag('tag')).toBe(1)
    expect(cache.get(data)).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  test('is not found where another entry has taken its place', () => {
    const cache = make()
    const data = counting(40)
    learn(data, data, cache)
    cache.set(data, 'value')
    expect(cache.get(data)).toBe('value')
    for (let round = 0; round < 50; round++) {
      cache.delete(data)
      cache.set(counting(40, round + 1), round)
      expect(cache.get(data)).toBeUndefined()
      cache.clear()
      cache.set(data, round)
      expect(cache.get(data)).toBe(round)
    }
    cache.validate()
  })

  test('is another key under another shape, offset, type or scope', () => {
    const cache = make()
    const data = counting(60)
    const key = { data, shape: [6, 5] }
    cache.set(key, 'key')
    learn(key, data, cache)
    expect(cache.get({ data, shape: [5, 6] })).toBeUndefined()
    expect(cache.get({ data, shape: [30] })).toBeUndefined()
    expect(cache.get({ data, shape: [6, 5], offset: 1 })).toBeUndefined()
    expect(cache.get({ data, shape: [6, 5], stride: [1, 6] })).toBeUndefined()
    expect(cache.get(data)).toBeUndefined()
    expect(cache.scope('other').get(key)).toBeUndefined()
    expect(cache.get({ data, shape: [6, 5], stride: [5, 1], offset: 0, dtype: 'float64' })).toBe('key')
    expect(() => cache.get({ data, shape: [6, 5], dtype: 'float32' })).toThrow(code('DTYPE_MISMATCH'))
    expect(() => cache.get({ data, shape: [61, 1] })).toThrow(code('SHAPE_MISMATCH'))
  })

  test('is refused once its buffer was transferred', () => {
    const cache = make()
    const data = counting(300)
    const key = { data, shape: [60, 5] }
    cache.set(key, 'value')
    learn(key, data, cache)
    transfer(data)
    for (const gone of [key, data]) {
      expect(() => cache.get(gone)).toThrow(code('DETACHED'))
      expect(() => cache.set(gone, 1)).toThrow(code('DETACHED'))
      expect(() => cache.delete(gone)).toThrow(code('DETACHED'))
    }
  })
})

describe('an array that is known', () => {
  test('is refused after a transfer though it claims its old length', () => {
    const cache = new LocalCache<number>()
    const data = counting(300)
    const honest = { data, shape: [300] }
    cache.set(honest, 1)
    learn(honest, data, cache)
    transfer(data)
    Object.defineProperty(data, 'length', { value: 300 })
    for (const key of [data, honest]) expect(() => cache.get(key)).toThrow(code('SHAPE_MISMATCH'))
  })

  test('is refused when a getter of its own transfers it', () => {
    const cache = new LocalCache<number>()
    const data = counting(300)
    learn({ data, shape: [60, 5] }, data, cache)
    const key = {
      data,
      get shape() {
        if (data.length > 0) transfer(data)
        return [60, 5]
      },
    }
    expect(() => cache.get(key)).toThrow(code('DETACHED'))
  })

  test('may lie in shared memory', () => {
    const cache = new LocalCache<number>()
    const data = new Float64Array(new SharedArrayBuffer(2_400))
    learn(data, data, cache)
    cache.set(data, 1)
    expect(cache.get(new Float64Array(300))).toBe(1)
    data[0] = 1
    expect(cache.get(data)).toBeUndefined()
  })

  test('may be a part of a buffer, each part by itself', () => {
    const cache = new LocalCache<number>()
    const all = counting(300)
    const parts = [all.subarray(0, 100), all.subarray(100, 200), all.subarray(200)]
    for (const [i, part] of parts.entries()) {
      cache.set(part, i)
      learn(part, part, cache)
    }
    expect(parts.map((part) => cache.get(part))).toEqual([0, 1, 2])
    expect(parts.map((part) => digest(part))).toEqual(parts.map((part) => digest(part.slice())))
  })

  test('is known to every cache of the thread, and found in each of them', () => {
    const caches = Array.from({ length: 5 }, () => new LocalCache<number>())
    const portable = new LocalCache<number>({ engine: 'portable' })
    const data = counting(300)
    learn(data, data)
    for (const [i, cache] of [...caches, portable].entries()) cache.set(data, i)
    for (let round = 0; round < 3; round++)
      expect([...caches, portable].map((cache) => cache.get(data))).toEqual([0, 1, 2, 3, 4, 5])
    caches[0]!.close()
    expect(() => caches[0]!.get(data)).toThrow(code('CLOSED'))
    expect(caches[1]!.get(data)).toBe(1)
  })

  test('keeps its digest', () => {
    const data = Float64Array.from({ length: 300 }, (_, i) => i / 7)
    const key = { data, shape: [60, 5] }
    for (let asked = 0; asked < 2_048; asked++) digest(key)
    expect(knownArray(data)).toBeDefined()
    expect(digest(key)).toBe('1ec7a2e933654f38b1e72cefd1ffcc61')
  })

  test('is dead past its deadline', () => {
    let now = 0
    const cache = new LocalCache<number>({ ttl: 1_000, clock: { now: () => now } })
    const data = counting(300)
    cache.set(data, 1)
    learn(data, data, cache)
    now = 1_000
    expect(cache.get(data)).toBe(1)
    now = 1_001
    expect(cache.get(data)).toBeUndefined()
  })

  test('counts as a hit or a miss like any other', () => {
    const cache = new LocalCache<number>()
    const data = counting(300)
    learn(data, data)
    cache.get(data)
    cache.set(data, 1).get(data)
    cache.peek(data)
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1 })
  })
})

test('arrays whose buffers can be resized are not remembered, and read as they are', () => {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void }
  const buffer = new Resizable(2_400, { maxByteLength: 4_800 })
  const cache = new LocalCache<string>()
  const tracking = new Float64Array(buffer)
  const fixed = new Float64Array(buffer, 0, 300)
  cache.set(fixed, '300')
  for (let asked = 0; asked < 2_048; asked++) {
    cache.get(tracking)
    cache.get(fixed)
  }
  expect([knownArray(tracking), knownArray(fixed)]).toEqual([undefined, undefined])
  buffer.resize(4_800)
  expect([cache.get(tracking), cache.get(fixed)]).toEqual([undefined, '300'])
  buffer.resize(800)
  expect(cache.get(tracking)).toBeUndefined()
  expect(() => cache.get(fixed)).toThrow(code('DETACHED'))
})

test('more arrays than can be known are found all the same', () => {
  const cache = new LocalCache<number>()
  const arrays = Array.from({ length: 1_500 }, (_, i) => counting(10, i))
  for (const [i, array] of arrays.entries()) cache.set(array, i)
  for (let round = 0; round < 300; round++) for (const array of arrays) cache.get(array)
  expect(arrays.filter((array) => knownArray(array) !== undefined).length).toBeGreaterThan(1_024)
  expect(arrays.map((array) => cache.get(array))).toEqual(arrays.map((_, i) => i))
  for (const [i, array] of arrays.entries()) array[0] = i - 1
  expect(arrays.every((array) => cache.get(array) === undefined)).toBe(true)
})

test('that an array is known does not keep it', async () => {
  const cache = new LocalCache<number>()
  const gone = (() => {
    const data = counting(300)
    learn(data, data, cache)
    return new WeakRef(data)
  })()
  for (let round = 0; round < 20 && gone.deref() !== undefined; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    gc()
  }
  expect(gone.deref()).toBeUndefined()
})
