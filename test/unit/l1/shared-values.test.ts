import { Buffer } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import { LocalCache, NdArray, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

/** Equal in every bit and type; an invalid Date equals another. */
function same(value: unknown, other: unknown): boolean {
  if (Array.isArray(value) && Array.isArray(other))
    return value.length === other.length && value.every((item, i) => same(item, other[i]))
  if (value instanceof Date && other instanceof Date) return Object.is(value.getTime(), other.getTime())
  return isDeepStrictEqual(value, other)
}

function shared(): SharedCache {
  return SharedCache.create({ maxBytes: 2 ** 22 })
}

const nan = new Float64Array(BigUint64Array.of(0x7ff8_0000_0000_beefn).buffer)

const VALUES: readonly (readonly [string, unknown])[] = [
  ...[0, -0, 1, -1, 0.1, Number.NaN, Infinity, -Infinity, 2 ** 53, 5e-324].map(
    (n) => [`the number ${Object.is(n, -0) ? '-0' : n}`, n] as const,
  ),
  ['true', true],
  ['false', false],
  ['null', null],
  ['an empty string', ''],
  ['a string', 'features'],
  ['a Latin-1 string', 'é'.repeat(300)],
  ['a UTF-16 string', 'ж😀'.repeat(300)],
  ['a lone surrogate', 'a\ud800b'],
  ['a NUL', '\0'],
  ['a long string', 'x'.repeat(200_000)],
  ['a long UTF-16 string', 'ж'.repeat(200_000)],
  ['a BigInt', 5n],
  ['a large BigInt', -(2n ** 200n)],
  ['a Date', new Date(1.6e12)],
  ['an invalid Date', new Date(Number.NaN)],
  [
    'a Map',
    new Map<unknown, unknown>([
      ['a', 1],
      [2, new Map()],
    ]),
  ],
  ['a Set', new Set([1, 'a', null])],
  ['a RegExp', /a+/gi],
  ['an empty array', []],
  ['an empty dictionary', {}],
  ['undefined inside', [undefined, { a: undefined }]],
  ['-0 and NaN inside', [-0, Number.NaN, { z: -0 }]],
  ['nested dictionaries', { a: { b: { c: [1, 'two', { three: 3n }] } } }],
  ['the key __proto__', JSON.parse('{"__proto__": {"x": 1}}')],
  ['an empty Buffer', Buffer.alloc(0)],
  ['a Buffer', Buffer.from('bytes')],
  ['a large Buffer', Buffer.alloc(100_000, 'ab')],
  ['an ArrayBuffer', Uint8Array.of(1, 2, 3).buffer],
  [
    'features',
    {
      sma: Float64Array.of(1, 2),
      mask: Uint8Array.of(1, 0),
      window: new NdArray(Float32Array.of(1, 2, 3, 4), [2, 2]),
    },
  ],
  ['Int8Array', Int8Array.of(-1, 2)],
  ['Uint8Array', Uint8Array.of(1, 255)],
  ['Uint8ClampedArray', Uint8ClampedArray.of(1, 255)],
  ['Int16Array', Int16Array.of(-1, 2)],
  ['Uint16Array', Uint16Array.of(1, 65535)],
  ['Int32Array', Int32Array.of(-1, 2)],
  ['Uint32Array', Uint32Array.of(1, 2 ** 32 - 1)],
  ['BigInt64Array', BigInt64Array.of(-1n, 2n ** 62n)],
  ['BigUint64Array', BigUint64Array.of(1n, 2n ** 64n - 1n)],
  ['Float32Array', Float32Array.of(-0, Number.NaN, 1.5)],
  ['Float64Array', Float64Array.of(-0, Number.NaN, Infinity, 5e-324)],
  ['an empty Float64Array', new Float64Array(0)],
  ['Float64Array(600)', Float64Array.from({ length: 600 }, (_, i) => Math.sin(i))],
  ['a large Float32Array', Float32Array.from({ length: 100_000 }, (_, i) => i)],
  ['an NdArray', new NdArray(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3])],
  ['a scalar NdArray', new NdArray(Int32Array.of(7), [])],
  ['an empty NdArray', new NdArray(new Float32Array(0), [0, 3])],
  [
    'an NdArray of odd bytes',
    new NdArray(
      Uint8Array.from({ length: 333 }, (_, i) => i),
      [3, 111],
    ),
  ],
  ['an NdArray of 32 dimensions', new NdArray(Uint8Array.of(1, 2), [...new Array<number>(31).fill(1), 2])],
  ['an NdArray of 33 dimensions', new NdArray(Uint8Array.of(1), new Array<number>(33).fill(1))],
  ['an NdArray of float16', float16(Uint16Array.of(0x3c00, 0x4000), [2, 1])],
  ['a large NdArray', new NdArray(new Float64Array(20_000).fill(3), [100, 200])],
]

/** As the runtime has it: in a Float16Array, or as bits where there is none. */
function float16(bits: Uint16Array<ArrayBuffer>, shape: readonly number[]): NdArray {
  const own = Reflect.get(globalThis, 'Float16Array') as
    | (new (
        buffer: ArrayBuffer,
      ) => ConstructorParameters<typeof NdArray>[0])
    | undefined
  return own === undefined ? new NdArray(bits, shape, 'float16') : new NdArray(new own(bits.buffer), shape)
}

describe('a SharedCache gives back what it was given', () => {
  test.each(VALUES)('%s', (_name, value) => {
    const cache = shared()
    cache.set('key', value).set(7, value).set(Float64Array.of(1), value)
    for (const key of ['key', 7, Float64Array.of(1), cache.key('key')]) {
      for (const read of [
        cache.get(key),
        cache.get(key),
        cache.peek(key),
        cache.getMany([key])[0],
        cache.getOrCompute(key, () => 'no'),
      ]) {
        expect(same(read, value)).toBe(true)
      }
    }
    expect(same([...cache.values()], [value, value, value])).toBe(true)
    const pin = cache.pin('key')!
    expect(same(pin.value, value)).toBe(true)
    pin.release()
    expect(same(SharedCache.attach(cache.handle).get('key'), value)).toBe(true)
    cache.validate()
  })

  test.each(VALUES)('%s, where no byte may be pinned', (_name, value) => {
    const cache = SharedCache.create({ maxBytes: 2 ** 22, maxPinned: 0 })
    cache.set('key', value)
    expect(same([cache.get('key'), cache.peek('key'), cache.pin('key')?.value], [value, value, value])).toBe(
      true,
    )
    expect(cache.stats().pinnedBytes).toBe(0)
  })

  test('each value over each other, under one key', () => {
    const cache = shared()
    for (let step = 1; step < 6; step++) {
      for (let i = 0; i < VALUES.length; i++) {
        const value = VALUES[(i * step) % VALUES.length]![1]
        cache.set('key', value)
        expect(same(cache.get('key'), value)).toBe(true)
      }
    }
    expect(cache.size).toBe(1)
    cache.validate()
  })

  test('bits of a NaN survive in arrays', () => {
    const cache = shared()
    cache.set('nan', nan)
    expect(Buffer.from((cache.get('nan') as Float64Array).slice().buffer)).toEqual(Buffer.from(nan.buffer))
  })

  test('an array of the ndarray package, strided too, comes as an NdArray in C order', () => {
    const cache = shared()
    const six = Float64Array.of(0, 1, 2, 3, 4, 5)
    cache.set('t', ndarray(six, [2, 3]).transpose(1, 0))
    expect(cache.get('t')).toStrictEqual(new NdArray(Float64Array.of(0, 3, 1, 4, 2, 5), [3, 2]))
    cache.set('d', { data: six, shape: [3, 2] })
    expect(cache.get('d')).toStrictEqual(new NdArray(six, [3, 2]))
  })

  test('an extent beyond 32 bits, of an empty NdArray, is refused rather than cut', () => {
    const cache = shared()
    expect(() => cache.set('a', new NdArray(new Float64Array(0), [0, 2 ** 33]))).toThrow(code('TOO_LARGE'))
    cache.set('a', new NdArray(new Float64Array(0), [0, 2 ** 32 - 1]))
    expect((cache.get('a') as NdArray).shape).toEqual([0, 2 ** 32 - 1])
  })

  test('a value is copied when it is stored', () => {
    const cache = shared()
    for (const length of [2, 600]) {
      const value = new Float64Array(length).fill(1)
      const tree = { a: [1] }
      cache.set('array', value).set('tree', tree)
      value.fill(9)
      tree.a[0] = 9
      expect(cache.get('array')).toEqual(new Float64Array(length).fill(1))
      expect(cache.get('tree')).toEqual({ a: [1] })
    }
  })

  test('a view may be stored again: under its own key, under another, as a key', () => {
    const cache = shared()
    const value = Float64Array.from({ length: 600 }, (_, i) => i)
    cache.set('a', value)
    const view = cache.get('a') as Float64Array
    for (let i = 0; i < 50; i++) {
      cache.set('a', view).set('b', view).set(view, view)
      expect(cache.get('a')).toEqual(value)
      expect(cache.get('b')).toEqual(value)
      expect(cache.get(view)).toEqual(value)
    }
    cache.validate()
  })

  test('a LocalCache keeps every one of them by reference', () => {
    const cache = new LocalCache<unknown>()
    for (const [name, value] of VALUES) expect(Object.is(cache.set(name, value).get(name), value)).toBe(true)
  })
})

describe('a SharedCache refuses', () => {
  test.each([
    ['undefined', undefined, 'INVALID_VALUE'],
    ['a function', () => 1, 'UNSUPPORTED_VALUE'],
    ['a symbol', Symbol('s'), 'UNSUPPORTED_VALUE'],
    ['a promise', Promise.resolve(1), 'UNSUPPORTED_VALUE'],
    ['a WeakMap', new WeakMap(), 'UNSUPPORTED_VALUE'],
    ['a function inside', { a: [{ f: () => 1 }] }, 'UNSUPPORTED_VALUE'],
    ['a symbol inside', [Symbol('s')], 'UNSUPPORTED_VALUE'],
    ['what nests too deep', nested(600), 'TOO_LARGE'],
    ['a value larger than half of a shard', new Float64Array(2 ** 19), 'TOO_LARGE'],
    ['a larger string', 'x'.repeat(2 ** 22), 'TOO_LARGE'],
    ['a larger tree', [new Float64Array(2 ** 19)], 'TOO_LARGE'],
  ])('%s, and keeps what it has', (_name, value, expected) => {
    const cache = shared()
    for (let i = 0; i < 100; i++) cache.set(`key${i}`, i)
    cache.set('key', 'old')
    expect(() => cache.set('key', value)).toThrow(code(expected))
    expect(() => cache.set('new', value)).toThrow(code(expected))
    expect([cache.get('key'), cache.has('new'), cache.size]).toEqual(['old', false, 101])
    cache.validate()
  })

  test.each([4, 400])('an array of %i bytes whose buffer was transferred', (length) => {
    const cache = shared()
    const array = new Uint8Array(length)
    const buffer = Buffer.from(new ArrayBuffer(length))
    cache.set('a', 'old')
    structuredClone([array.buffer, buffer.buffer], { transfer: [array.buffer, buffer.buffer as ArrayBuffer] })
    for (const value of [array, { data: array, shape: [length] }, [array]]) {
      expect(() => cache.set('a', value)).toThrow(code('DETACHED'))
    }
    expect(cache.get('a')).toBe('old')
  })

  test('a key that is too long', () => {
    const cache = shared()
    expect(cache.set('x'.repeat(65_535), 1).get('x'.repeat(65_535))).toBe(1)
    expect(() => cache.set('x'.repeat(65_536), 1)).toThrow(code('TOO_LARGE'))
    expect(() => cache.set('ж'.repeat(40_000), 1)).toThrow(code('TOO_LARGE'))
    expect(cache.size).toBe(1)
  })
})

describe('getInto', () => {
  test('copies, and leaves the rest of out alone', () => {
    const cache = shared()
    const out = new Float64Array(5).fill(9)
    cache.set('a', Float64Array.of(1, 2, 3))
    expect([cache.getInto('a', out), [...out]]).toEqual([true, [1, 2, 3, 9, 9]])
    expect([cache.getInto('none', out), [...out]]).toEqual([false, [1, 2, 3, 9, 9]])
    expect([cache.getInto('a', out.subarray(2)), [...out]]).toEqual([true, [1, 2, 1, 2, 3]])
  })

  test('takes an NdArray without its shape, a Buffer as bytes, any key', () => {
    const cache = shared()
    const out = new Float32Array(6)
    cache.set(5, new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]))
    expect([cache.getInto(cache.key(5), out), [...out]]).toEqual([true, [1, 2, 3, 4, 5, 6]])
    cache.set('b', Buffer.from([1, 2, 3]))
    const bytes = new Uint8Array(3)
    expect([cache.getInto('b', bytes), [...bytes]]).toEqual([true, [1, 2, 3]])
  })

  test.each([
    ['another type', Float64Array.of(1), new Float32Array(8), 'DTYPE_MISMATCH'],
    ['the bytes of a Float64Array', Float64Array.of(1), new Uint8Array(8), 'DTYPE_MISMATCH'],
    ['a number', 5, new Float64Array(8), 'DTYPE_MISMATCH'],
    ['a string', 'text', new Uint8Array(8), 'DTYPE_MISMATCH'],
    ['a tree', [1], new Uint8Array(80), 'DTYPE_MISMATCH'],
    ['less room', Float64Array.of(1, 2), new Float64Array(1), 'OUT_TOO_SMALL'],
    ['no room', Float64Array.of(1, 2), new Float64Array(0), 'OUT_TOO_SMALL'],
    ['no typed array', Float64Array.of(1), [0], 'INVALID_ARGUMENT'],
    ['a DataView', Float64Array.of(1), new DataView(new ArrayBuffer(8)), 'INVALID_ARGUMENT'],
    ['null', Float64Array.of(1), null, 'INVALID_ARGUMENT'],
    ['nothing', Float64Array.of(1), undefined, 'INVALID_ARGUMENT'],
  ])('refuses %s', (_name, value, out, expected) => {
    const cache = shared()
    cache.set('a', value)
    expect(() => cache.getInto('a', out as Float64Array)).toThrow(code(expected))
    expect(cache.get('a')).toEqual(value)
  })

  test('refuses a detached out', () => {
    const cache = shared()
    cache.set('a', Float64Array.of(1))
    for (const length of [1, 100]) {
      const out = new Float64Array(length)
      structuredClone(out.buffer, { transfer: [out.buffer] })
      expect(() => cache.getInto('a', out)).toThrow(code('DETACHED'))
    }
  })
})

function nested(depth: number): unknown {
  let value: unknown = 0
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

test('small arrays of doubles keep every bit, signalling NaNs too, however often they are stored', () => {
  const cache = shared()
  const bits = BigUint64Array.of(0x7ff0_0000_0000_0001n, 0xfff4_dead_beef_0000n, 0x8000_0000_0000_0000n, 1n)
  const value = new Float64Array(bits.buffer)
  const out = new Float64Array(4)
  for (let i = 0; i < 20_000; i++) cache.set('key', value) // long enough to be compiled
  expect(cache.getInto('key', out)).toBe(true)
  expect(new BigUint64Array(out.buffer)).toEqual(bits)
  for (const own of [Float64Array.of(1, 2), new Float64Array(8).fill(0.5), new Float64Array(9).fill(3)]) {
    cache.set('key', own, { ttl: 60_000, tags: ['of one'] })
    expect(cache.get('key')).toEqual(own)
  }
  expect(cache.invalidateTag('of one')).toBe(1)
})
