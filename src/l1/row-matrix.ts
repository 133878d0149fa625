/**
 * What a matrix whose rows are keys or values looks like in memory.
 *
 * Always true: a row is contiguous, and its bytes and those of all others lie within the data. What is scattered is copied.
 */
import { HitpathError } from '../errors.js'
import { cOrderStrides } from '../key/array-view.js'
import { dtypeRow } from '../key/dtype.js'
import type { ArrayView } from '../key/ndarray.js'
import {
  cOrderBytes,
  dtypeOf,
  isTypedArray,
  type NdArrayLike,
  type TypedArray,
  viewOf,
} from '../key/ndarray.js'
import { MAX_DIMS } from '../native/layout.js'

/** n rows, each contiguous. */
export interface Rows {
  readonly data: TypedArray
  readonly dtype: number
  /** Of one row. */
  readonly shape: readonly number[]
  readonly count: number
  readonly rowBytes: number
  readonly strideBytes: number
  readonly offsetBytes: number
  /** Whether they lie one behind the other in the array that was given. */
  readonly packed: boolean
}

/** Fields of arrays and tensors as they may be. */
interface Fields {
  readonly data?: unknown
  readonly shape?: unknown
  readonly dims?: unknown
  readonly dtype?: unknown
  readonly type?: unknown
  readonly offset?: unknown
  readonly stride?: unknown
  readonly strides?: unknown
}

/** Rows of an array or tensor that is plainly in C order; undefined when it takes a closer look. Its first axis counts the rows. */
function plainRows(value: object): Rows | undefined {
  const { data, shape, dims, dtype, type, offset, stride, strides } = value as Fields
  const extents = shape ?? dims
  if (strides !== undefined || (offset !== undefined && offset !== 0)) return undefined
  if (!Array.isArray(extents) || extents.length < 2 || !isTypedArray(data)) return undefined
  const code = dtypeOf(data)
  const name = dtype ?? (shape === undefined ? type : undefined)
  if (name !== undefined && name !== dtypeRow(code).name) return undefined
  let elements = 1
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    const extent: unknown = extents[axis]
    if (typeof extent !== 'number' || !Number.isInteger(extent) || extent <= 0) return undefined
    if (stride !== undefined && (stride as Partial<ArrayLike<unknown>> | null)?.[axis] !== elements)
      return undefined
    elements *= extent
  }
  if (elements > data.length || extents.length > MAX_DIMS) return undefined
  const count = extents[0] as number
  return packedRows(
    data,
    code,
    count,
    extents.slice(1) as number[],
    (elements / count) * data.BYTES_PER_ELEMENT,
  )
}

/** Rows that lie one behind the other from the start of `data`. */
export function packedRows(
  data: TypedArray,
  dtype: number,
  count: number,
  shape: readonly number[],
  rowBytes: number,
): Rows {
  return { data, dtype, shape, count, rowBytes, strideBytes: rowBytes, offsetBytes: 0, packed: true }
}

/** The rows of a matrix, or of a plain array that is to be cut into `count` of equal length. @throws HitpathError SHAPE_MISMATCH */
export function rowsOf(value: NdArrayLike, name: string, count: number): Rows {
  if (isTypedArray(value)) {
    const row = value.length / count
    if (row > 0 && Number.isInteger(row))
      return packedRows(value, dtypeOf(value), count, [row], row * value.BYTES_PER_ELEMENT)
  } else if (typeof value === 'object' && value !== null) {
    const plain = plainRows(value)
    if (plain?.count === count) return plain
  }
  const view = viewOf(value)
  if (view.shape.length === 1) return cutRows(view, name, count)
  if (view.shape.length === 0 || view.shape[0] !== count || view.shape.length > MAX_DIMS + 1) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `${name} must have ${count} rows, one for each flag; its shape is [${view.shape}]`,
    )
  }
  return matrixRows(view)
}

/** The rows of a batch: its first axis counts them, and a typed array is a batch of numbers. @throws HitpathError SHAPE_MISMATCH */
export function batchRows(value: NdArrayLike, name: string): Rows {
  const plain =
    typeof value === 'object' && value !== null && !isTypedArray(value) ? plainRows(value) : undefined
  if (plain !== undefined) return plain
  const view = viewOf(value)
  if (view.shape.length === 0 || view.shape.length > MAX_DIMS + 1) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `${name} must have 1 to ${MAX_DIMS + 1} axes, the first counting its rows; its shape is [${view.shape}]`,
    )
  }
  return matrixRows(view)
}

/** A plain array, cut into as many rows as there are flags. */
function cutRows(view: ArrayView, name: string, count: number): Rows {
  const width = view.data.BYTES_PER_ELEMENT
  const length = view.shape[0] as number
  const row = count === 0 ? 0 : length / count
  if (!Number.isInteger(row)) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `${name} has ${length} elements, which are not ${count} rows of equal length`,
    )
  }
  const { data, offset } = view.contiguous ? view : dense(view)
  return {
    ...packedRows(data, view.dtype, count, [row], row * width),
    offsetBytes: offset * width,
    packed: view.contiguous,
  }
}

function matrixRows(view: ArrayView): Rows {
  const [count = 0, ...shape] = view.shape
  const width = view.data.BYTES_PER_ELEMENT
  const inner = cOrderStrides(shape)
  const rowIsDense = shape.every((extent, axis) => extent === 1 || view.strides[axis + 1] === inner[axis])
  const { data, offset, strides } = rowIsDense ? view : dense(view)
  const rowElements = shape.reduce((product, extent) => product * extent, 1)
  return {
    data,
    dtype: view.dtype,
    shape,
    count,
    rowBytes: rowElements * width,
    strideBytes: (strides[0] as number) * width,
    offsetBytes: offset * width,
    packed: view.contiguous,
  }
}

/** A copy in C order, for rows that are scattered. */
function dense(view: ArrayView): { data: TypedArray; offset: number; strides: readonly number[] } {
  return { data: cOrderBytes(view), offset: 0, strides: cOrderStrides(view.shape) }
}

/** The bytes of rows that lie one behind the other, as native code takes them. */
export function packed(rows: Rows): Uint8Array | TypedArray {
  const { data, count, rowBytes, strideBytes, offsetBytes } = rows
  if (strideBytes !== rowBytes && count > 1) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const out = new Uint8Array(count * rowBytes)
    for (let i = 0; i < count; i++) {
      const at = offsetBytes + i * strideBytes
      out.set(bytes.subarray(at, at + rowBytes), i * rowBytes)
    }
    return out
  }
  return offsetBytes === 0
    ? data
    : new Uint8Array(data.buffer, data.byteOffset + offsetBytes, count * rowBytes)
}
