/**
 * The element types of arrays: one table of code, name, width and constructor.
 *
 * Always true: a code never changes its meaning. It is part of the public digest of an ndarray and of the
 * stored form of arrays, so Python and C++ read the same numbers.
 * Cost: `dtypeOf` and `isTypedArray` take about 5 ns, whatever realm the array comes from.
 */
import { describe, HitpathError } from '../errors.js'

/** `Float16Array` where the type library knows it, `never` elsewhere. */
type Float16 = typeof globalThis extends { readonly Float16Array: { readonly prototype: infer A } }
  ? A
  : never

/** Any typed array; a Node `Buffer` is a `Uint8Array`. `DataView` and `ArrayBuffer` are not typed arrays. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float16
  | Float32Array
  | Float64Array

/** Code of each element type, by its name. */
export const DTYPE = {
  int8: 1,
  uint8: 2,
  uint8_clamped: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float16: 10,
  float32: 11,
  float64: 12,
} as const

export type DTypeName = keyof typeof DTYPE
export type DTypeCode = (typeof DTYPE)[DTypeName]

/** Makes an array of `length` elements over `buffer`. */
export type TypedArrayConstructor = new (
  buffer: ArrayBufferLike,
  byteOffset?: number,
  length?: number,
) => TypedArray

export interface DTypeRow {
  readonly code: DTypeCode
  readonly name: DTypeName
  readonly bytesPerElement: 1 | 2 | 4 | 8
  /** Undefined only for float16, on a runtime without `Float16Array`. */
  readonly construct: TypedArrayConstructor | undefined
}

const { Float16Array: NativeFloat16Array } = globalThis as { readonly Float16Array?: TypedArrayConstructor }

function row(
  name: DTypeName,
  bytesPerElement: DTypeRow['bytesPerElement'],
  construct: TypedArrayConstructor | undefined,
): DTypeRow {
  return { code: DTYPE[name], name, bytesPerElement, construct }
}

const ROWS: readonly DTypeRow[] = [
  row('int8', 1, Int8Array),
  row('uint8', 1, Uint8Array),
  row('uint8_clamped', 1, Uint8ClampedArray),
  row('int16', 2, Int16Array),
  row('uint16', 2, Uint16Array),
  row('int32', 4, Int32Array),
  row('uint32', 4, Uint32Array),
  row('int64', 8, BigInt64Array),
  row('uint64', 8, BigUint64Array),
  row('float16', 2, NativeFloat16Array),
  row('float32', 4, Float32Array),
  row('float64', 8, Float64Array),
]

const ROW_OF_CODE: readonly (DTypeRow | undefined)[] = [undefined, ...ROWS]

/** The row of a code; undefined for a number that is no code. */
export function dtypeRow(code: DTypeCode): DTypeRow
export function dtypeRow(code: number): DTypeRow | undefined
export function dtypeRow(code: number): DTypeRow | undefined {
  return ROW_OF_CODE[code]
}

/** What other libraries call these types: `ndarray`, stdlib and the BigInt arrays' own names. */
const CODE_OF_NAME: ReadonlyMap<string, DTypeCode> = new Map<string, DTypeCode>([
  ...ROWS.map((r) => [r.name, r.code] as const),
  ['uint8c', DTYPE.uint8_clamped],
  ['buffer', DTYPE.uint8],
  ['bigint64', DTYPE.int64],
  ['biguint64', DTYPE.uint64],
])

/** The code of a dtype's name; undefined for a name that no typed array stands for ('generic', 'string'). */
export function dtypeNamed(name: string): DTypeCode | undefined {
  return CODE_OF_NAME.get(name)
}

const tagOf: (this: unknown) => string | undefined = (() => {
  const descriptor = Object.getOwnPropertyDescriptor(
    Object.getPrototypeOf(Uint8Array.prototype),
    Symbol.toStringTag,
  )
  if (descriptor?.get === undefined) throw new TypeError('%TypedArray%.prototype has no @@toStringTag getter')
  return descriptor.get
})()

/**
 * The code of the elements if `value` is a typed array, else undefined. Reads the internal slot of the array, so that
 * subclasses and other realms answer alike.
 */
export function codeOf(value: unknown): DTypeCode | undefined {
  switch (tagOf.call(value)) {
    case 'Float64Array':
      return DTYPE.float64
    case 'Float32Array':
      return DTYPE.float32
    case 'Uint8Array':
      return DTYPE.uint8
    case 'Int32Array':
      return DTYPE.int32
    case 'Int8Array':
      return DTYPE.int8
    case 'Uint8ClampedArray':
      return DTYPE.uint8_clamped
    case 'Int16Array':
      return DTYPE.int16
    case 'Uint16Array':
      return DTYPE.uint16
    case 'Uint32Array':
      return DTYPE.uint32
    case 'BigInt64Array':
      return DTYPE.int64
    case 'BigUint64Array':
      return DTYPE.uint64
    case 'Float16Array':
      return DTYPE.float16
    default:
      return undefined
  }
}

/** Whether `value` is a typed array, of any realm. False for `DataView`, `ArrayBuffer` and `SharedArrayBuffer`. */
export function isTypedArray(value: unknown): value is TypedArray {
  return codeOf(value) !== undefined
}

/**
 * The code of the elements of a typed array.
 *
 * @throws HitpathError INVALID_ARGUMENT when `array` is none
 */
export function dtypeOf(array: TypedArray): DTypeCode {
  const code = codeOf(array)
  if (code === undefined)
    throw new HitpathError('INVALID_ARGUMENT', `expected a typed array; got ${describe(array)}`)
  return code
}
