import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import { type CacheKey, LocalCache, NdArray, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

type AnyCache = LocalCache<unknown> | SharedCache<unknown>

const KINDS: readonly (readonly [string, () => AnyCache])[] = [
  ['LocalCache', () => new LocalCache()],
  ['portable LocalCache', () => new LocalCache({ engine: 'portable' })],
  ['LocalCache with a clock', () => new LocalCache({ clock: { now: () => 1 } })],
  ['SharedCache', () => SharedCache.create({ maxBytes: 2 ** 20, shards: 2 })],
]

const SIX = Float64Array.of(0, 1, 2, 3, 4, 5)

function counting(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => i)
}

describe.each(KINDS)('a number as key of a %s', (_, make) => {
  test('is not the string that it looks like', () => {
    const cache = make()
    cache.set(1, 'number').set('1', 'string')
    expect([cache.get(1), cache.get('1')]).toEqual(['number', 'string'])
    expect(new Set(cache.keys())).toEqual(new Set([1, '1']))
  })

  test('-0 is 0, and NaN is itself, whatever its bits', () => {
    const cache = make()
    cache.set(-0, 'zero').set(Number.NaN, 'nan')
    const otherNaN = new Float64Array(BigUint64Array.of(0xfff8_0000_dead_beefn).buffer)[0]!
    expect([cache.get(0), cache.get(-0), cache.get(Number.NaN), cache.get(otherNaN)]).toEqual([
      'zero',
      'zero',
      'nan',
      'nan',
    ])
    expect(cache.size).toBe(2)
  })

  test.each([
    Infinity,
    -Infinity,
    Number.MAX_SAFE_INTEGER,
    0.1,
    -1,
    2 ** 31,
    2 ** 32,
    5e-324,
    Number.MAX_VALUE,
  ])('%s', (key) => {
    const cache = make()
    cache.set(key, 'here')
    expect([cache.get(key), [...cache.keys()], cache.has(-key), cache.delete(key)]).toEqual([
      'here',
      [key],
      false,
      true,
    ])
  })

  test('is not an array of it, nor the digest of one', () => {
    const cache = make()
    cache.set(5, 'number')
    expect([cache.get(Float64Array.of(5)), cache.get(Uint8Array.of(5))]).toEqual([undefined, undefined])
  })
})

describe.each(KINDS)('an array as key of a %s', (_, make) => {
  test.each([
    ['Int8Array', new Int8Array(SIX)],
    ['Uint8Array', new Uint8Array(SIX)],
    ['Uint8ClampedArray', new Uint8ClampedArray(SIX)],
    ['Int16Array', new Int16Array(SIX)],
    ['Uint16Array', new Uint16Array(SIX)],
    ['Int32Array', new Int32Array(SIX)],
    ['Uint32Array', new Uint32Array(SIX)],
    ['BigInt64Array', BigInt64Array.of(0n, 1n, 2n)],
    ['BigUint64Array', BigUint64Array.of(0n, 1n, 2n)],
    ['Float32Array', new Float32Array(SIX)],
    ['Float64Array', SIX],
  ])('%s: equal elements are an equal key, of one type only', (_name, array) => {
    const cache = make()
    cache.set(array, 'here')
    expect(cache.get(array.slice())).toBe('here')
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    expect(cache.get(bytes)).toBe(array instanceof Uint8Array ? 'here' : undefined)
    expect(cache.get(array.subarray(1))).toBeUndefined()
    expect(cache.get({ data: array, shape: [array.length] })).toBe('here')
    expect(cache.get({ data: array, shape: [1, array.length] })).toBeUndefined()
  })

  test('[2, 3] and [3, 2] of the same elements are two keys', () => {
    const cache = make()
    cache
      .set({ data: SIX, shape: [2, 3] }, '2x3')
      .set({ data: SIX, shape: [3, 2] }, '3x2')
      .set(SIX, '6')
    expect(cache.get(ndarray(SIX, [2, 3]))).toBe('2x3')
    expect(cache.get(new NdArray(SIX, [3, 2]))).toBe('3x2')
    expect(cache.get({ data: SIX, dims: [2, 3], type: 'float64' })).toBe('2x3')
    expect(cache.get({ data: () => SIX, dataSync: () => SIX, shape: [3, 2] } as unknown as CacheKey)).toBe(
      '3x2',
    )
    expect(cache.get(SIX)).toBe('6')
  })

  test.each([
    ['transposed', ndarray(SIX, [2, 3]).transpose(1, 0), Float64Array.of(0, 3, 1, 4, 2, 5), [3, 2]],
    ['reversed', ndarray(SIX, [2, 3]).step(-1, -1), Float64Array.of(5, 4, 3, 2, 1, 0), [2, 3]],
    ['every other', ndarray(SIX, [6]).step(2), Float64Array.of(0, 2, 4), [3]],
    ['one column', ndarray(SIX, [2, 3]).pick(null, 1), Float64Array.of(1, 4), [2]],
    ['from an offset', ndarray(SIX, [2, 3]).lo(1, 1), Float64Array.of(4, 5), [1, 2]],
    ['a scalar', ndarray(SIX, [2, 3]).pick(1, 1), Float64Array.of(4), []],
    [
      'repeated, stride 0',
      { data: SIX, shape: [2, 2], strides: [0, 1], offset: 4 },
      Float64Array.of(4, 5, 4, 5),
      [2, 2],
    ],
    [
      'large and transposed',
      ndarray(counting(6000), [60, 100]).transpose(1, 0),
      transposed(60, 100),
      [100, 60],
    ],
    ['of three dimensions', ndarray(counting(24), [2, 3, 4]).transpose(2, 0, 1), permuted(), [4, 2, 3]],
  ])('a strided array equals its copy in C order: %s', (_name, strided, dense, shape) => {
    const cache = make()
    cache.set(strided as CacheKey, 'here')
    expect(cache.get({ data: dense, shape })).toBe('here')
    expect(cache.key(strided as CacheKey).toString()).toBe(cache.key({ data: dense, shape }).toString())
  })

  test('a Buffer is the Uint8Array of its bytes, wherever they lie', () => {
    const cache = make()
    const room = new SharedArrayBuffer(64)
    const shared = new Uint8Array(room, 7, 3)
    shared.set([1, 2, 3])
    cache.set(Buffer.from([1, 2, 3]), 'here')
    expect(cache.get(Uint8Array.of(0, 1, 2, 3).subarray(1))).toBe('here')
    expect(cache.get(shared)).toBe('here')
  })

  test.each([0, 1, 8, 63, 64, 65, 128, 1024, 65_536, 1_000_000])('%i bytes', (length) => {
    const cache = make()
    const bytes = Uint8Array.from({ length }, (_, i) => i * 31)
    cache.set(bytes, 'here')
    expect(cache.get(bytes.slice())).toBe('here')
    if (length === 0) return
    bytes[length - 1]!++
    expect(cache.get(bytes)).toBeUndefined()
    bytes[length - 1]!--
    expect(cache.get(bytes)).toBe('here')
  })

  test('empty arrays differ by type and shape', () => {
    const cache = make()
    const keys = [
      new Float64Array(0),
      new Uint8Array(0),
      { data: new Float64Array(0), shape: [0, 3] },
      { data: new Float64Array(0), shape: [3, 0] },
      { data: new Float64Array(0), shape: [0, 0] },
    ]
    for (const [i, key] of keys.entries()) cache.set(key, i)
    expect(cache.getMany(keys)).toEqual([0, 1, 2, 3, 4])
  })

  test('float16, as bits, is not uint16', () => {
    const cache = make()
    const data = Uint16Array.of(1, 2)
    cache.set({ data, shape: [2], dtype: 'float16' }, 'float16').set(data, 'uint16')
    expect([cache.get({ data, dims: [2], type: 'float16' }), cache.get(data)]).toEqual(['float16', 'uint16'])
  })

  test('a proxy of an array is an error, JavaScript’s own perhaps, and nothing is lost', () => {
    const cache = make()
    expect(() => cache.set(new Proxy(SIX, {}), 1)).toThrow()
    const { proxy, revoke } = Proxy.revocable(SIX, {})
    cache.set('kept', 1)
    revoke()
    expect(() => cache.get(proxy)).toThrow()
    expect(() => cache.set(proxy, 1)).toThrow()
    expect([cache.get('kept'), cache.size]).toEqual([1, 1])
  })

  test('up to 32 dimensions', () => {
    const cache = make()
    const deep = { data: SIX, shape: [...new Array<number>(31).fill(1), 6] }
    cache.set(deep, 1)
    expect(cache.get(deep)).toBe(1)
    expect(() => cache.get({ data: SIX, shape: [1, ...deep.shape] })).toThrow(code('INVALID_KEY'))
  })
})

describe.each(KINDS)('what is no key of a %s', (_, make) => {
  function calls(cache: AnyCache, key: CacheKey): (() => unknown)[] {
    return [
      () => cache.get(key),
      () => cache.peek(key),
      () => cache.has(key),
      () => cache.remainingTtl(key),
      () => cache.set(key, 1),
      () => cache.delete(key),
      () => cache.key(key),
      () => cache.getMany(['kept', key]),
      () => cache.deleteMany([key]),
      () => cache.getOrCompute(key, () => 1),
      () => cache.scope('s').get(key),
      () => cache.scope('s').set(key, 1),
      () => cache.scope('s').has(key),
    ]
  }

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a symbol', Symbol('key')],
    ['a function', () => 1],
    ['a dictionary', {}],
    ['a list of numbers', [1, 2, 3]],
    ['a DataView', new DataView(new ArrayBuffer(8))],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['a BigInt', 5n],
    ['a boolean', true],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a String object', Object('s')],
    ['data without shape', { data: SIX }],
    ['shape without data', { shape: [2] }],
    ['a list as data', { data: [1, 2], shape: [2] }],
    ['a negative extent', { data: SIX, shape: [-1] }],
    ['a fraction of an extent', { data: SIX, shape: [1.5] }],
  ])('%s', (_name, key) => {
    const cache = make()
    cache.set('kept', 'kept')
    for (const call of calls(cache, key as CacheKey)) expect(call).toThrow(code('INVALID_KEY'))
    expect([cache.get('kept'), cache.size]).toEqual(['kept', 1])
    cache.validate()
  })

  test.each([
    ['more elements than data', { data: SIX, shape: [7] }],
    ['an offset out of the data', { data: SIX, shape: [2], offset: 5 }],
    ['a stride out of the data', { data: SIX, shape: [2], stride: [6] }],
    ['a negative reach', { data: SIX, shape: [2], stride: [-1] }],
    ['strides of another length', { data: SIX, shape: [2], stride: [1, 1] }],
    ['an enormous shape', { data: SIX, shape: [2 ** 53 - 1, 2 ** 53 - 1] }],
    ['strides that are no integers', { data: SIX, shape: [2], stride: [Number.NaN] }],
    ['an infinite offset', { data: SIX, shape: [2], offset: Infinity }],
  ])('%s', (_name, key) => {
    const cache = make()
    cache.set('kept', 'kept')
    for (const call of calls(cache, key as CacheKey)) expect(call).toThrow(code('SHAPE_MISMATCH'))
    expect(cache.get('kept')).toBe('kept')
  })

  test('a dtype that contradicts the data', () => {
    const cache = make()
    for (const call of calls(cache, { data: SIX, shape: [6], dtype: 'float32' }))
      expect(call).toThrow(code('DTYPE_MISMATCH'))
  })

  test.each([4, 400])('an array of %i bytes whose buffer was transferred', (length) => {
    const cache = make()
    const array = new Uint8Array(length).fill(7)
    cache.set(array, 'here')
    const copy = array.slice()
    structuredClone(array.buffer, { transfer: [array.buffer] })
    for (const call of calls(cache, array)) expect(call).toThrow(code('DETACHED'))
    for (const call of calls(cache, { data: array, shape: [length] })) expect(call).toThrow(code('DETACHED'))
    expect([cache.get(copy), cache.size]).toEqual(['here', 1])
  })

  test.each([8, 400])('an array of %i bytes whose resizable buffer shrank', (length) => {
    const cache = make()
    const Resizable = ArrayBuffer as unknown as new (
      bytes: number,
      options: object,
    ) => ArrayBuffer & { resize(to: number): void }
    const buffer = new Resizable(length, { maxByteLength: length })
    const array = new Uint8Array(buffer, 0, length).fill(7)
    cache.set(array, 'here')
    const copy = array.slice()
    buffer.resize(length / 2)
    for (const call of calls(cache, array)) expect(call).toThrow(code('DETACHED'))
    expect([cache.get(copy), cache.size]).toEqual(['here', 1])
  })
})

describe.each(KINDS)(
  'the getters of an array in an object, which are the user’s code, with a %s',
  (_, make) => {
    /** An ndarray whose data is read through `during`. */
    function keyWith(during: () => unknown): CacheKey {
      return {
        get data() {
          during()
          return SIX
        },
        shape: [6],
      }
    }

    test('may use another cache, or this one', () => {
      const [cache, other] = [make(), make()]
      cache.set(SIX, 'mine')
      other.set(SIX, 'theirs').set('string', 'theirs')
      const busy = keyWith(() => {
        other.get('string')
        other.peek(SIX)
        other.set('string', 1, { ttl: 1 })
        cache.peek('string')
        cache.get(ndarray(SIX, [3, 2]).transpose(1, 0))
        cache.get(Uint8Array.of(1))
      })
      expect([cache.get(busy), cache.peek(busy), cache.has(busy)]).toEqual(['mine', 'mine', true])
      cache.set(busy, 'new')
      expect([cache.get(SIX), cache.remainingTtl(SIX), other.get(SIX)]).toEqual(['new', Infinity, 'theirs'])
      expect([cache.delete(busy), cache.has(SIX), other.has(SIX)]).toEqual([true, false, true])
    })

    test('may close the cache', () => {
      const cache = make()
      expect(() => cache.get(keyWith(() => cache.close()))).toThrow(code('CLOSED'))
      const another = make()
      expect(() => another.getMany(['a', 'b', keyWith(() => another.close())])).toThrow(code('CLOSED'))
    })

    test('may throw', () => {
      const cache = make()
      const broken = keyWith(() => {
        throw new RangeError('mine')
      })
      cache.set(SIX, 'here')
      expect(() => cache.get(broken)).toThrow()
      expect(cache.get(SIX)).toBe('here')
    })
  },
)

function transposed(rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => (i % rows) * columns + Math.floor(i / rows))
}

/** [2, 3, 4] with its axes moved to [4, 2, 3]. */
function permuted(): Float64Array {
  const out = new Float64Array(24)
  for (let k = 0, at = 0; k < 4; k++)
    for (let i = 0; i < 2; i++) for (let j = 0; j < 3; j++) out[at++] = 12 * i + 4 * j + k
  return out
}
