/**
 * What counts as an ndarray, and how the forms that libraries give it become one `ArrayView`.
 *
 * Always true: a view that leaves `viewOf` is checked, and shares the memory of what came. Nothing is copied.
 * Cost: two small allocations for a typed array.
 */
import { describe, HitpathError } from '../errors.js'
import { type ArrayView, cOrderStrides, elementCount, isCOrder, refuseOutOfData } from './array-view.js'
import {
  DTYPE,
  type DTypeCode,
  dtypeNamed,
  dtypeOf,
  dtypeRow,
  isTypedArray,
  type TypedArray,
} from './dtype.js'

export type { ArrayView } from './array-view.js'
export { NdArray } from './c-order-array.js'
export { type DTypeCode, type DTypeName, dtypeOf, isTypedArray, type TypedArray } from './dtype.js'
export { cOrderBytes } from './gather.js'

/** An array of the `ndarray` package, of stdlib, or a dictionary of the same fields. */
export interface StridedArrayLike {
  /** A typed array; or, in tfjs, a method, and then `dataSync()` gives the typed array. */
  readonly data: object
  readonly shape: ArrayLike<number>
  /** Name of the element type. Default: that of `data`, which it must not contradict. */
  readonly dtype?: unknown
  /** Elements between neighbours along each axis. Default: C order. */
  readonly stride?: ArrayLike<number>
  readonly strides?: ArrayLike<number>
  /** Index in `data` of the first element. Default 0. */
  readonly offset?: number
}

/** A tensor of onnxruntime: C order, its shape in `dims`, its element type in `type`. */
export interface TensorLike {
  readonly data: object
  readonly dims: ArrayLike<number>
  readonly type?: string
}

/** Everything that serves as an ndarray: a typed array is one of one dimension. */
export type NdArrayLike = TypedArray | StridedArrayLike | TensorLike

interface Fields {
  readonly data?: unknown
  readonly dataSync?: unknown
  readonly shape?: unknown
  readonly dims?: unknown
  readonly dtype?: unknown
  readonly type?: unknown
  readonly stride?: unknown
  readonly strides?: unknown
  readonly offset?: unknown
}

const UNIT_STRIDE: readonly number[] = Object.freeze([1])

/**
 * The description of an ndarray.
 *
 * @throws HitpathError INVALID_ARGUMENT when `value` is no ndarray (a `DataView` or `ArrayBuffer` is none),
 *   DTYPE_MISMATCH when its declared dtype contradicts its data, SHAPE_MISMATCH when an index would leave
 *   the data, DETACHED when the memory is gone
 */
export function viewOf(value: NdArrayLike): ArrayView {
  if (!isTypedArray(value)) return viewOfFields(value)
  refuseDetached(value)
  return {
    data: value,
    dtype: dtypeOf(value),
    shape: [value.length],
    strides: UNIT_STRIDE,
    offset: 0,
    contiguous: true,
    size: value.length,
  }
}

/** Whether `value` has the form of an ndarray. Its layout is not checked: `viewOf` may still refuse it. Never throws. */
export function isNdArrayLike(value: unknown): value is NdArrayLike {
  if (typeof value !== 'object' || value === null) return false
  try {
    if (isTypedArray(value)) return true
    const fields: Fields = value
    const shape = fields.shape ?? fields.dims
    if (!isIntegerList(shape, 0)) return false
    const data = fields.data
    return isTypedArray(data) || (typeof data === 'function' && typeof fields.dataSync === 'function')
  } catch {
    return false
  }
}

function viewOfFields(value: unknown): ArrayView {
  if (typeof value !== 'object' || value === null) throw notAnArray(value)
  const fields: Fields = value
  const synchronous = typeof fields.data === 'function'
  const data = readData(fields, value)
  refuseDetached(data)
  const shape = integers(fields.shape ?? fields.dims, 0, 'shape')
  const dense = cOrderStrides(shape)
  // tfjs leaves the last axis out of `strides`, and what dataSync() gives is in C order
  const given = synchronous ? undefined : (fields.stride ?? fields.strides)
  const strides = given === undefined ? dense : integers(given, Number.MIN_SAFE_INTEGER, 'strides')
  const [offset = 0] = integers([synchronous ? 0 : (fields.offset ?? 0)], 0, 'offset')
  const view: ArrayView = {
    data,
    dtype: resolvedDtype(fields.dtype ?? (fields.shape === undefined ? fields.type : undefined), data),
    shape,
    strides,
    offset,
    contiguous: strides === dense || isCOrder(shape, strides),
    size: elementCount(shape),
  }
  refuseOutOfData(view)
  return view
}

function readData(fields: Fields, value: unknown): TypedArray {
  const data =
    typeof fields.data === 'function' && typeof fields.dataSync === 'function'
      ? fields.dataSync()
      : fields.data
  if (!isTypedArray(data)) throw notAnArray(value)
  return data
}

function notAnArray(value: unknown): HitpathError {
  return new HitpathError(
    'INVALID_ARGUMENT',
    `expected a typed array or an ndarray { data: typed array, shape: number[] }; got ${describe(value)}`,
  )
}

function resolvedDtype(declared: unknown, data: TypedArray): DTypeCode {
  const actual = dtypeOf(data)
  if (declared === undefined || declared === null) return actual
  // newer stdlib arrays declare an object whose toString is the name
  const name = typeof declared === 'string' ? declared : String(declared)
  const code = dtypeNamed(name)
  if (code === actual) return code
  if (name === 'bool' && actual === DTYPE.uint8) return DTYPE.uint8
  // onnxruntime keeps the bits of float16 in a Uint16Array where there is no Float16Array
  if (code === DTYPE.float16 && actual === DTYPE.uint16) return DTYPE.float16
  throw new HitpathError(
    'DTYPE_MISMATCH',
    `dtype ${describe(name)} does not describe data of ${dtypeRow(actual).name}; leave it out to use that of the data`,
  )
}

function refuseDetached(data: TypedArray): void {
  if (data.length > 0) return
  try {
    // a method that checks the buffer and does nothing else
    Uint8Array.prototype.keys.call(data)
  } catch (cause) {
    throw new HitpathError(
      'DETACHED',
      'the buffer of this array was transferred or shrunk: its data is gone',
      { cause },
    )
  }
}

function isIntegerList(value: unknown, min: number): value is ArrayLike<number> {
  if (!Array.isArray(value) && !isTypedArray(value)) return false
  for (let i = 0; i < value.length; i++) {
    const entry: unknown = value[i]
    if (!Number.isSafeInteger(entry) || (entry as number) < min) return false
  }
  return true
}

function integers(value: unknown, min: number, name: string): number[] {
  if (isIntegerList(value, min)) return Array.from(value)
  const expected = min === 0 ? 'non-negative integers' : 'integers'
  throw new HitpathError('SHAPE_MISMATCH', `${name} must be ${expected}; got ${described(value)}`)
}

function described(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.slice(0, 8).map(describe)}${value.length > 8 ? ',…' : ''}]`
    : describe(value)
}
