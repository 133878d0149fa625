import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import { DTYPE } from '../../../src/key/dtype.js'
import { isNdArrayLike, NdArray, type NdArrayLike, viewOf } from '../../../src/key/ndarray.js'

const SIX = Float64Array.of(0, 1, 2, 3, 4, 5)

function code(expected: string): unknown {
  return expect.objectContaining({ code: expected })
}

describe('viewOf', () => {
  test('a typed array has one dimension', () => {
    expect(viewOf(SIX)).toEqual({
      data: SIX,
      dtype: DTYPE.float64,
      shape: [6],
      strides: [1],
      offset: 0,
      contiguous: true,
      size: 6,
    })
  })

  test('a dictionary without strides is in C order', () => {
    expect(viewOf({ data: SIX, shape: [2, 3] })).toMatchObject({ strides: [3, 1], contiguous: true, size: 6 })
  })

  test('an array of the ndarray package, transposed and reversed', () => {
    const transposed = ndarray(SIX, [2, 3]).transpose(1, 0)
    expect(viewOf(transposed)).toMatchObject({ shape: [3, 2], strides: [1, 3], offset: 0, contiguous: false })
    expect(viewOf(transposed.step(-1, 1))).toMatchObject({ strides: [-1, 3], offset: 2, contiguous: false })
    expect(viewOf(ndarray(SIX, [2, 3]).lo(1, 0))).toMatchObject({
      shape: [1, 3],
      offset: 3,
      contiguous: true,
    })
  })

  test('an array of stdlib: getters, and a dtype that is an object', () => {
    class StdlibArray {
      get data(): Float64Array {
        return SIX
      }
      get shape(): number[] {
        return [3, 2]
      }
      get strides(): number[] {
        return [1, 3]
      }
      get offset(): number {
        return 0
      }
      get dtype(): { toString(): string } {
        return { toString: () => 'float64' }
      }
    }
    expect(viewOf(new StdlibArray())).toMatchObject({
      strides: [1, 3],
      contiguous: false,
      dtype: DTYPE.float64,
    })
  })

  test('a tensor of onnxruntime', () => {
    const tensor = { type: 'float32', dims: [1, 4], data: new Float32Array(4), location: 'cpu', size: 4 }
    expect(viewOf(tensor)).toMatchObject({ dtype: DTYPE.float32, shape: [1, 4], contiguous: true })
  })

  test('a float16 tensor of onnxruntime keeps its bits in a Uint16Array', () => {
    expect(viewOf({ type: 'float16', dims: [2], data: new Uint16Array(2) }).dtype).toBe(DTYPE.float16)
  })

  test('a tensor of tfjs: data is a method, strides leave out the last axis', () => {
    const tensor = {
      dtype: 'bool',
      shape: [2, 2],
      strides: [2],
      data: async () => Uint8Array.of(1, 0, 0, 1),
      dataSync: () => Uint8Array.of(1, 0, 0, 1),
    }
    expect(viewOf(tensor)).toMatchObject({ dtype: DTYPE.uint8, shape: [2, 2], strides: [2, 1], size: 4 })
  })

  test('scalars and empty arrays', () => {
    expect(viewOf({ data: SIX, shape: [], offset: 5 })).toMatchObject({
      size: 1,
      strides: [],
      contiguous: true,
    })
    expect(viewOf({ data: SIX, shape: [0, 7], stride: [9, 9] })).toMatchObject({ size: 0, contiguous: true })
    expect(viewOf(new Int8Array(0)).size).toBe(0)
  })

  test('zero strides repeat an element', () => {
    expect(viewOf({ data: SIX, shape: [4, 6], stride: [0, 1] })).toMatchObject({
      size: 24,
      contiguous: false,
    })
  })

  test('strides of axes of length 1 do not matter', () => {
    expect(viewOf({ data: SIX, shape: [1, 6, 1], stride: [-99, 1, 7] }).contiguous).toBe(true)
  })

  test.each([
    ['float32', Float64Array, 'DTYPE_MISMATCH'],
    ['generic', Float64Array, 'DTYPE_MISMATCH'],
    ['array', Float64Array, 'DTYPE_MISMATCH'],
    ['bool', Int8Array, 'DTYPE_MISMATCH'],
    ['complex64', Float32Array, 'DTYPE_MISMATCH'],
  ])('dtype %s over %o is refused', (dtype, Data, expected) => {
    expect(() => viewOf({ data: new Data(2), shape: [2], dtype })).toThrow(code(expected))
  })

  test.each([
    ['uint8c', new Uint8ClampedArray(2), DTYPE.uint8_clamped],
    ['uint8_clamped', new Uint8ClampedArray(2), DTYPE.uint8_clamped],
    ['bool', new Uint8Array(2), DTYPE.uint8],
    ['bigint64', new BigInt64Array(2), DTYPE.int64],
  ])('dtype %s is understood', (dtype, data, expected) => {
    expect(viewOf({ data, shape: [2], dtype }).dtype).toBe(expected)
  })

  test.each<[string, NdArrayLike]>([
    ['too many elements', { data: SIX, shape: [7] }],
    ['a negative index', { data: SIX, shape: [2], stride: [-1] }],
    ['an offset beyond the end', { data: SIX, shape: [1], offset: 6 }],
    ['a scalar of no data', { data: new Float64Array(0), shape: [] }],
    ['strides of another length', { data: SIX, shape: [2, 3], stride: [1] }],
    ['a fractional length', { data: SIX, shape: [1.5] }],
    ['a negative length', { data: SIX, shape: [-1] }],
    ['a fractional offset', { data: SIX, shape: [1], offset: 0.5 }],
    ['a stride that is no integer', { data: SIX, shape: [1], stride: [Number.NaN] }],
    ['a product beyond all memory', { data: SIX, shape: [2 ** 30, 2 ** 30] }],
  ])('%s is refused', (_, value) => {
    expect(() => viewOf(value)).toThrow(code('SHAPE_MISMATCH'))
  })

  test.each([
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(8),
    new SharedArrayBuffer(8),
    [1, 2],
    { data: [1, 2], shape: [2] },
    { data: new DataView(new ArrayBuffer(8)), shape: [1] },
    null,
    5,
    'float64',
  ])('%# is no ndarray', (value) => {
    expect(isNdArrayLike(value)).toBe(false)
    expect(() => viewOf(value as unknown as NdArrayLike)).toThrow(code('INVALID_ARGUMENT'))
  })

  test('transferred and shrunk memory is DETACHED, not empty', () => {
    const transferred = new Float64Array(4)
    structuredClone(transferred.buffer, { transfer: [transferred.buffer] })
    const buffer = new (ArrayBuffer as new (n: number, o: { maxByteLength: number }) => ArrayBuffer)(64, {
      maxByteLength: 64,
    })
    const shrunk = new Float64Array(buffer, 32, 4)
    ;(buffer as ArrayBuffer & { resize(byteLength: number): void }).resize(16)
    expect(() => viewOf(transferred)).toThrow(code('DETACHED'))
    expect(() => viewOf({ data: transferred, shape: [4] })).toThrow(code('DETACHED'))
    expect(() => viewOf(shrunk)).toThrow(code('DETACHED'))
  })
})

describe('isNdArrayLike', () => {
  test('judges the form only, and survives getters that throw', () => {
    const gpuTensor = {
      dims: [1],
      get data(): never {
        throw new Error('the data is not on CPU')
      },
    }
    expect(isNdArrayLike(SIX)).toBe(true)
    expect(isNdArrayLike({ data: SIX, shape: [99] })).toBe(true)
    expect(isNdArrayLike({ data: SIX, shape: 'wide' })).toBe(false)
    expect(isNdArrayLike({ data: SIX })).toBe(false)
    expect(isNdArrayLike(gpuTensor)).toBe(false)
  })
})

describe('NdArray', () => {
  test('has the fields of the ndarray package', () => {
    const array = new NdArray(SIX, [2, 3])
    expect(array).toMatchObject({
      data: SIX,
      shape: [2, 3],
      stride: [3, 1],
      offset: 0,
      dtype: 'float64',
      size: 6,
    })
    expect(viewOf(array)).toMatchObject({ shape: [2, 3], contiguous: true })
    expect(ndarray(array.data, [...array.shape], [...array.stride], array.offset).get(1, 2)).toBe(5)
  })

  test('refuses data of another size', () => {
    expect(() => new NdArray(SIX, [7])).toThrow(code('SHAPE_MISMATCH'))
  })
})
