/** One of everything that a cache may hold, for round trips within Node and through Python. */
import { NdArray, type TypedArray } from '../../src/key/ndarray.js'

export const VALUES: readonly (readonly [name: string, value: unknown])[] = [
  ['0', 0],
  ['-0', -0],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-1', -1],
  ['2^31', 2 ** 31],
  ['2^53', 2 ** 53],
  ['0.1', 0.1],
  ['the smallest float', Number.MIN_VALUE],
  ['an empty string', ''],
  ['a word', 'BTCUSDT'],
  ['an emoji', 'x😀'],
  ['a lone surrogate', 'a\ud800b'],
  ['a byte order mark', '\ufeffx'],
  ['a long string', 'é'.repeat(70_000)],
  ['false', false],
  ['true', true],
  ['null', null],
  ['undefined inside', [undefined, { a: undefined }]],
  ['an empty array', []],
  ['an array', [1, -0, 'x', null, [2.5]]],
  ['an empty dictionary', {}],
  ['a dictionary', { bid: 1.5, ask: 2, nested: { list: [1, 2], '': 0 } }],
  ['the key __proto__', JSON.parse('{"__proto__": {"a": 1}, "b": -0}') as unknown],
  ['a key that UTF-8 would lose', { 'k\ud800': 1, plain: 2 }],
  ['1n', 1n],
  ['-(2^63)', -(2n ** 63n)],
  ['2^64 - 1', 2n ** 64n - 1n],
  ['a BigInt of many bits', -(3n ** 200n)],
  ['the epoch', new Date(0)],
  ['a date with milliseconds', new Date(1_700_000_000_123)],
  ['before the epoch', new Date(-1)],
  ['the last date', new Date(8.64e15)],
  ['an invalid date', new Date(Number.NaN)],
  [
    'a Map',
    new Map<unknown, unknown>([
      [1, 'a'],
      ['1', 'b'],
      [null, new Map([[2n ** 40n, new Set([1])]])],
      [{ k: 1 }, [Float64Array.of(1)]],
    ]),
  ],
  ['a Set', new Set<unknown>([1, '1', null, [2], new Set()])],
  ['an Error', new TypeError('wrong', { cause: { code: 5 } })],
  ['a RegExp', /a\/b\d+/giu],
  ['a Buffer', Buffer.from('bytes')],
  ['an empty Buffer', Buffer.alloc(0)],
  ['an ArrayBuffer', Uint8Array.of(1, 2, 3).buffer],
  ['a DataView', new DataView(Uint8Array.of(1, 2, 3).buffer)],
  ['an Int8Array', Int8Array.of(-1, 2)],
  ['a Uint8Array', Uint8Array.of(1, 255)],
  ['a Uint8ClampedArray', Uint8ClampedArray.of(1, 255)],
  ['an Int16Array', Int16Array.of(-1, 2)],
  ['a Uint16Array', Uint16Array.of(1, 65535)],
  ['an Int32Array', Int32Array.of(-1, 2)],
  ['a Uint32Array', Uint32Array.of(1, 2 ** 31)],
  ['a BigInt64Array', BigInt64Array.of(-1n, 2n)],
  ['a BigUint64Array', BigUint64Array.of(1n, 2n ** 63n)],
  ['a Float32Array', Float32Array.of(1.5, -0, Number.NaN, Infinity)],
  ['a Float64Array', Float64Array.of(0.1, -0, Number.NaN, -Infinity)],
  ['an empty Float64Array', new Float64Array(0)],
  [
    'arrays among others',
    { features: Float32Array.of(1, 2, 3), at: new Date(5), ids: [BigInt64Array.of(9n)] },
  ],
]

const MAKERS: Readonly<Record<string, (size: number) => TypedArray>> = {
  int8: (size) => Int8Array.from({ length: size }, (_, i) => i - 3),
  uint8: (size) => Uint8Array.from({ length: size }, (_, i) => i),
  uint8_clamped: (size) => Uint8ClampedArray.from({ length: size }, (_, i) => i),
  int16: (size) => Int16Array.from({ length: size }, (_, i) => 1000 * i - 3000),
  uint16: (size) => Uint16Array.from({ length: size }, (_, i) => 1000 * i),
  int32: (size) => Int32Array.from({ length: size }, (_, i) => 1e8 * i - 3e8),
  uint32: (size) => Uint32Array.from({ length: size }, (_, i) => 1e8 * i),
  int64: (size) => BigInt64Array.from({ length: size }, (_, i) => BigInt(i) * 10n ** 17n - 1n),
  uint64: (size) => BigUint64Array.from({ length: size }, (_, i) => BigInt(i) * 10n ** 18n),
  float32: (size) => Float32Array.from({ length: size }, (_, i) => i / 3),
  float64: (size) => Float64Array.from({ length: size }, (_, i) => i / 3),
}

const SHAPES: readonly (readonly number[])[] = [[], [1], [7], [0], [2, 3], [3, 0, 2], [2, 1, 2, 3]]

/** ndarrays of each dtype and shape; float16 by its bits, which any Node can hold. */
export const NDARRAYS: readonly (readonly [name: string, value: NdArray])[] = [
  ...Object.entries(MAKERS).flatMap(([dtype, make]) =>
    SHAPES.map((shape) => [`${dtype} [${shape}]`, new NdArray(make(sizeOf(shape)), shape)] as const),
  ),
  ...SHAPES.map((shape) => [`float16 [${shape}]`, halves(shape)] as const),
]

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1)
}

function halves(shape: readonly number[]): NdArray {
  const bits = Uint16Array.from({ length: sizeOf(shape) }, (_, i) => 0x3c00 + i)
  const { Float16Array: Half } = globalThis as {
    readonly Float16Array?: new (buffer: ArrayBufferLike) => TypedArray
  }
  return new NdArray(Half === undefined ? bits : new Half(bits.buffer), shape, 'float16')
}
