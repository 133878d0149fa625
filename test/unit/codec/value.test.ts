import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../../../src/codec/value.js'
import { NdArray } from '../../../src/key/ndarray.js'

function roundTrip(value: unknown): unknown {
  return decodeValue(encodeValue(value))
}

function code(expected: string, message?: string): unknown {
  return expect.objectContaining(message === undefined ? { code: expected } : { code: expected, message })
}

const EXACT: readonly (readonly [string, unknown])[] = [
  ['0', 0],
  ['-0', -0],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['2^53', 2 ** 53],
  ['-(2^53)', -(2 ** 53)],
  ['2^31', 2 ** 31],
  ['2^32', 2 ** 32],
  ['the smallest float', Number.MIN_VALUE],
  ['an empty string', ''],
  ['an emoji', 'x😀'],
  ['a lone surrogate', 'a\ud800b'],
  ['a byte order mark', '\ufeffx'],
  ['a byte order mark before a long text', `\ufeff${'y'.repeat(200)}`],
  ['a NUL', '\0'],
  ['false', false],
  ['true', true],
  ['null', null],
  ['undefined', undefined],
  ['an empty array', []],
  ['an empty dictionary', {}],
  ['undefined inside', [undefined, { a: undefined }, new Map([[undefined, undefined]])]],
  ['-0 inside', [-0, { a: -0 }, new Set([1, 'x'])]],
  ['1n', 1n],
  ['2^63', 2n ** 63n],
  ['-(2^63)', -(2n ** 63n)],
  ['2^64', 2n ** 64n],
  ['-(2^64) - 1', -(2n ** 64n) - 1n],
  ['a BigInt of 10,000 bits', 3n ** 6310n],
  ['the epoch', new Date(0)],
  ['before the epoch', new Date(-1)],
  ['a date with milliseconds', new Date(1_700_000_000_123)],
  ['the last date', new Date(8.64e15)],
  ['the first date', new Date(-8.64e15)],
  [
    'a Map with any keys',
    new Map<unknown, unknown>([
      [1, 'a'],
      ['1', 'b'],
      [null, 'c'],
      [{ k: 1 }, [new Map()]],
    ]),
  ],
  ['a Set', new Set<unknown>([1, '1', { a: [1] }, new Set()])],
  ['a RegExp', /a\/b\ud800/giu],
  ['an ArrayBuffer', Uint8Array.of(1, 2, 3).buffer],
  ['an empty ArrayBuffer', new ArrayBuffer(0)],
  ['a Buffer', Buffer.from('bytes')],
  ['an empty Buffer', Buffer.alloc(0)],
  ['a DataView', new DataView(Uint8Array.of(1, 2, 3).buffer)],
  ['an Int8Array', Int8Array.of(-1, 2)],
  ['a Uint8Array', Uint8Array.of(1, 2)],
  ['a Uint8ClampedArray', Uint8ClampedArray.of(1, 255)],
  ['an Int16Array', Int16Array.of(-1, 2)],
  ['a Uint16Array', Uint16Array.of(1, 65535)],
  ['an Int32Array', Int32Array.of(-1, 2)],
  ['a Uint32Array', Uint32Array.of(1, 2 ** 31)],
  ['a BigInt64Array', BigInt64Array.of(-1n, 2n)],
  ['a BigUint64Array', BigUint64Array.of(1n, 2n ** 63n)],
  ['a Float32Array', Float32Array.of(1.5, -0, Number.NaN)],
  ['a Float64Array', Float64Array.of(1.5, -0, Number.NaN)],
  ['an empty Float64Array', new Float64Array(0)],
  ['a matrix', new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])],
  ['a scalar ndarray', new NdArray(Float64Array.of(7), [])],
  ['an empty ndarray', new NdArray(new Int16Array(0), [0, 5])],
  [
    'a dictionary with the keys of Object.prototype',
    { constructor: 1, toString: 'x', hasOwnProperty: null, toJSON: 2 },
  ],
  ['a key that UTF-8 would lose', { 'k\ud800': [1, -0], plain: 2 }],
  ['a dictionary of 70,000 keys', Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))],
  ['an array of 70,000 items', Array.from({ length: 70_000 }, (_, i) => i)],
  ['a long string', 'é'.repeat(100_000)],
]

describe('a value comes back', () => {
  test.each(EXACT)('%s', (_, value) => {
    const back = roundTrip(value)
    expect(back).toStrictEqual(value)
    expect(Object.is(back, -0)).toBe(Object.is(value, -0))
  })

  test('whatever it is made of', () => {
    const values = fc.anything({
      key: fc.string({ unit: 'binary' }),
      values: [
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
        fc.double(),
        fc.integer(),
        fc.bigInt(),
        fc.boolean(),
        fc.constantFrom(null, undefined, -0, Number.NaN),
        fc.date({ noInvalidDate: true }),
        fc.float64Array(),
        fc.float32Array(),
        fc.bigInt64Array(),
        fc.uint8ClampedArray(),
      ],
      withMap: true,
      withSet: true,
      maxDepth: 4,
    })
    fc.assert(
      fc.property(values, (value) => {
        expect(roundTrip(value)).toStrictEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  test('an invalid Date', () => {
    expect((roundTrip({ at: new Date(Number.NaN) }) as { at: Date }).at.getTime()).toBeNaN()
  })

  test('a Buffer as a Buffer, a Uint8Array as a Uint8Array', () => {
    expect(Buffer.isBuffer(roundTrip(Buffer.from('x')))).toBe(true)
    expect(Buffer.isBuffer(roundTrip(Uint8Array.of(1)))).toBe(false)
  })

  test('a view with its own range only', () => {
    const whole = Float64Array.of(0, 1, 2, 3)
    const back = roundTrip(whole.subarray(1, 3)) as Float64Array
    expect(back).toStrictEqual(Float64Array.of(1, 2))
    expect(back.buffer.byteLength).toBe(16)
    expect(encodeValue(new DataView(whole.buffer, 8, 3)).length).toBeLessThan(24)
  })

  test('an array over shared memory, as one over its own', () => {
    const back = roundTrip(new Float64Array(new SharedArrayBuffer(16)).fill(2)) as Float64Array
    expect(back).toStrictEqual(Float64Array.of(2, 2))
  })

  test('an Error with its name, message and cause', () => {
    const cause = new Error('reset', { cause: { attempt: 3 } })
    const back = roundTrip(new TypeError('refused', { cause })) as Error
    expect(back).toBeInstanceOf(TypeError)
    expect(back).toMatchObject({ name: 'TypeError', message: 'refused', stack: 'TypeError: refused' })
    expect(back.cause).toMatchObject({ name: 'Error', message: 'reset', cause: { attempt: 3 } })
    expect(Object.hasOwn(roundTrip(new Error('x')) as Error, 'cause')).toBe(false)
  })

  test('an Error with a name of its own', () => {
    const error = Object.assign(new Error('late'), { name: 'TimeoutError' })
    expect(String(roundTrip(error))).toBe('TimeoutError: late')
  })

  test('the key __proto__, polluting nothing', () => {
    const value = JSON.parse('{"__proto__":{"polluted":1},"a":[{"__proto__":2,"b":"__proto__"}]}') as object
    const back = roundTrip(value) as object
    expect(back).toStrictEqual(value)
    expect(Object.keys(back)).toEqual(['__proto__', 'a'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect((back as { polluted?: unknown }).polluted).toBeUndefined()
    const lowered = { ...value, negativeZero: -0 }
    expect(roundTrip(lowered)).toStrictEqual(lowered)
  })

  test('a class instance as a dictionary of its own fields, and no toJSON is called', () => {
    class Order {
      readonly price = 5
      readonly #secret = 1
      get doubled(): number {
        return this.price * 2 + this.#secret
      }
      toJSON(): string {
        return 'not this'
      }
    }
    expect(roundTrip([new Order()])).toStrictEqual([{ price: 5 }])
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
  })

  test('holes as undefined, boxed primitives as primitives', () => {
    // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
    expect(roundTrip([1, , 3])).toStrictEqual([1, undefined, 3])
    expect(roundTrip([Object(5), Object('x'), Object(false), Object(1n)])).toStrictEqual([5, 'x', false, 1n])
  })

  test('values of another realm', () => {
    const foreign: unknown = runInNewContext(
      '({ a: [1, -0], m: new Map([[1, new Date(5)]]), f: new Float64Array(2), e: new RangeError("x") })',
    )
    const back = roundTrip(foreign) as { e: Error }
    expect(back).toMatchObject({ a: [1, -0], m: new Map([[1, new Date(5)]]), f: new Float64Array(2) })
    expect(back.e).toBeInstanceOf(RangeError)
  })
})

describe('ndarrays', () => {
  test('a strided array comes back in C order', () => {
    const matrix = ndarray(Float64Array.of(0, 1, 2, 3, 4, 5), [2, 3])
    const back = roundTrip(matrix.transpose(1, 0)) as NdArray
    expect(back).toBeInstanceOf(NdArray)
    expect(back).toMatchObject({ shape: [3, 2], stride: [2, 1], dtype: 'float64' })
    expect(Array.from(back.data as Float64Array)).toEqual([0, 3, 1, 4, 2, 5])
  })

  test('a dictionary of the fields of an ndarray is one', () => {
    const back = roundTrip({ data: new Float32Array(4), shape: [2, 2], dtype: 'float32' })
    expect(back).toStrictEqual(new NdArray(new Float32Array(4), [2, 2]))
  })

  test('a tensor of onnxruntime is one', () => {
    class Tensor {
      readonly type = 'int64'
      readonly dims = [1]
      readonly data = BigInt64Array.of(16000n)
      readonly cpuOnly = true
    }
    expect(roundTrip(new Tensor())).toStrictEqual(new NdArray(BigInt64Array.of(16000n), [1]))
  })

  test.each([
    ['a field more', { data: new Float64Array(2), shape: [2], symbol: 'BTCUSDT' }],
    ['a shape that does not fit', { data: new Float64Array(2), shape: [3] }],
    ['a shape that is no list', { data: new Float64Array(2), shape: 'wide' }],
    ['data that is no typed array', { data: [1, 2], shape: [2] }],
    ['no shape', { data: new Float64Array(2) }],
  ])('a dictionary with %s stays the dictionary it is', (_, value) => {
    expect(roundTrip(value)).toStrictEqual(value)
  })

  test('bits of float16 survive where the runtime has no Float16Array', () => {
    const tensor = { data: Uint16Array.of(0x3c00), dims: [1], type: 'float16' }
    const back = roundTrip(tensor) as NdArray
    expect(back.dtype).toBe('float16')
    expect(Array.from(new Uint16Array(back.data.buffer as ArrayBuffer))).toEqual([0x3c00])
  })

  test('elements begin at a multiple of 8, whatever lies before them', () => {
    for (let length = 0; length < 300; length += 1) {
      const bytes = encodeValue([
        'x'.repeat(length),
        Float64Array.of(1),
        new Map([['m', Float32Array.of(2)]]),
      ])
      const [, array, map] = decodeValue(bytes, { copy: false }) as [
        string,
        Float64Array,
        Map<string, Float32Array>,
      ]
      expect(array.buffer).toBe(bytes.buffer)
      expect(array.byteOffset % 8).toBe(0)
      expect((map.get('m') as Float32Array).byteOffset % 8).toBe(0)
      expect(array[0]).toBe(1)
    }
  })
})

describe('identity', () => {
  test('repeated references stay one object', () => {
    const window = Float64Array.of(1)
    const at = new Date(5)
    const back = roundTrip({ a: window, b: [window, at], c: new Map([[at, window]]) }) as {
      a: unknown
      b: unknown[]
      c: Map<unknown, unknown>
    }
    expect(back.b[0]).toBe(back.a)
    expect(back.c.get(back.b[1])).toBe(back.a)
  })

  test('cycles through every container', () => {
    const value: Record<string, unknown> = { 'k\ud800': 1 }
    const error = new Error('x')
    error.cause = value
    value['list'] = [value]
    value['map'] = new Map<unknown, unknown>([['self', value]])
    value['set'] = new Set([value, 'bigint', 2n ** 80n])
    value['error'] = error
    value['buffer'] = Buffer.from('b')
    value['last'] = value['set']
    const back = roundTrip(value) as {
      list: unknown[]
      map: Map<string, unknown>
      set: Set<unknown>
      error: Error
      last: unknown
    }
    expect(back.list[0]).toBe(back)
    expect(back.map.get('self')).toBe(back)
    expect(back.set.has(back)).toBe(true)
    expect(back.error.cause).toBe(back)
    expect(back.last).toBe(back.set)
  })

  test('equal but distinct objects stay distinct', () => {
    const [a, b] = roundTrip([{ x: 1 }, { x: 1 }]) as object[]
    expect(a).not.toBe(b)
  })
})

describe('memory', () => {
  test('encoded bytes are alone in their buffer', () => {
    const bytes = encodeValue({ a: 1 })
    expect(bytes.buffer.byteLength).toBe(bytes.byteLength)
  })

  test('decoded arrays own their memory by default', () => {
    const bytes = encodeValue([Float64Array.of(1), Buffer.from('x'), new NdArray(Float64Array.of(1))])
    const [array, buffer, matrix] = decodeValue(bytes) as [Float64Array, Buffer, NdArray]
    bytes.fill(0)
    expect([array[0], buffer.toString(), matrix.data[0]]).toEqual([1, 'x', 1])
    for (const memory of [array, buffer, matrix.data])
      expect(memory.buffer.byteLength).toBe(memory.byteLength)
  })

  test('with copy: false misaligned bytes are copied, aligned ones viewed', () => {
    const bytes = encodeValue(Float64Array.of(1, 2))
    const shifted = new Uint8Array(bytes.length + 1)
    shifted.set(bytes, 1)
    const viewed = decodeValue(bytes, { copy: false }) as Float64Array
    const copied = decodeValue(shifted.subarray(1), { copy: false }) as Float64Array
    expect(viewed.buffer).toBe(bytes.buffer)
    expect(copied).toStrictEqual(viewed)
    expect(copied.buffer).not.toBe(shifted.buffer)
  })

  test('the bytes are left as they came', () => {
    const bytes = new Uint8Array(encodeValue({ a: [1n] }))
    const before = Array.from(bytes)
    decodeValue(bytes)
    expect(Array.from(bytes)).toEqual(before)
    expect(Object.keys(bytes)).not.toContain('dataView')
  })
})

describe('what has no stored form', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  test.each([
    [() => 1, 'value is a function, which has no stored form'],
    [{ a: [0, 0, 0, { fn: () => 1 }] }, 'value.a[3].fn is a function, which has no stored form'],
    [{ 'a b': Symbol('s') }, 'value["a b"] is Symbol(s), which has no stored form'],
    [
      new Map([['k', Promise.resolve()]]),
      'value.get("k") is an instance of Promise, which has no stored form',
    ],
    [[new Set([new WeakMap()])], 'value[0][0] is an instance of WeakMap, which has no stored form'],
    [{ e: new Error('x', { cause: Symbol('c') }) }, 'value.e.cause is Symbol(c), which has no stored form'],
    [new WeakRef({}), 'value is an instance of WeakRef, which has no stored form'],
    [new SharedArrayBuffer(1), 'value is an instance of SharedArrayBuffer, which has no stored form'],
    [new URL('http://localhost'), 'value is an instance of URL, which has no stored form'],
    [[revoked.proxy], 'value[0] cannot be read'],
  ])('%# is refused with its path', (value, message) => {
    expect(() => encodeValue(value)).toThrow(code('UNSUPPORTED_VALUE', message))
  })

  test('a getter that throws is the cause', () => {
    const broken = {
      get price(): number {
        throw new Error('no price')
      },
    }
    expect(() => encodeValue(broken)).toThrow(expect.objectContaining({ cause: new Error('no price') }))
  })

  test('500 levels pass, more are TOO_LARGE', () => {
    const nested = (levels: number): unknown => (levels === 0 ? -0 : [nested(levels - 1)])
    expect(roundTrip(nested(500))).toStrictEqual(nested(500))
    expect(() => encodeValue(nested(600))).toThrow(code('TOO_LARGE'))
  })

  test('lost memory is DETACHED, wherever it is', () => {
    const buffer = new ArrayBuffer(8)
    const values = [buffer, new Float64Array(buffer), new DataView(buffer), Buffer.from(buffer)]
    const matrix = { data: new Float64Array(buffer), shape: [1] }
    structuredClone(buffer, { transfer: [buffer] })
    for (const value of [...values, matrix]) expect(() => encodeValue([value])).toThrow(code('DETACHED'))
  })

  test('the codec works on after an error', () => {
    expect(() => encodeValue([() => 1])).toThrow()
    expect(roundTrip([1, -0])).toStrictEqual([1, -0])
  })
})
