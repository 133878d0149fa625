/**
 * Rows of a matrix as keys: one crossing for a whole batch.
 *
 * A row is the same key as that row given alone, as a typed array or an ndarray of its shape.
 */
import { describe, HitpathError } from '../errors.js'
import { cOrderStrides } from '../key/array-view.js'
import type { ArrayView } from '../key/ndarray.js'
import {
  cOrderBytes,
  dtypeOf,
  isTypedArray,
  type NdArrayLike,
  type StridedArrayLike,
  type TypedArray,
  viewOf,
} from '../key/ndarray.js'
import { doubles, native, words } from '../native/binding.js'
import {
  FORM_ARRAY,
  MAX_DIMS,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_KEY_OFFSET,
  STAGING_LENGTH,
  STAGING_SHAPE,
  STAGING_STATUS,
  STAGING_STRIDES,
  STAGING_TTL,
  STAGING_VALUE_TAG,
  TAG_ARRAY,
} from '../native/layout.js'
import type { Engine } from './engine.js'

/** n rows, each contiguous. */
interface Rows {
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

/** Rows of a typed array, or of `{ data, shape: [rows, columns] }` plainly in C order; undefined when it takes a closer look. */
function plainRows(value: NdArrayLike, count: number): Rows | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (isTypedArray(value)) {
    const row = value.length / count
    return row > 0 && Number.isInteger(row) ? contiguousRows(value, count, row) : undefined
  }
  const { data, shape, dtype, offset, stride, strides } = value as Partial<StridedArrayLike>
  if (dtype !== undefined || stride !== undefined || strides !== undefined) return undefined
  if (offset !== undefined && offset !== 0) return undefined
  if (!Array.isArray(shape) || shape.length !== 2 || shape[0] !== count || !isTypedArray(data))
    return undefined
  const row: unknown = shape[1]
  if (typeof row !== 'number' || !Number.isInteger(row) || row <= 0 || count * row > data.length)
    return undefined
  return contiguousRows(data, count, row)
}

function contiguousRows(data: TypedArray, count: number, row: number): Rows {
  const rowBytes = row * data.BYTES_PER_ELEMENT
  return {
    data,
    dtype: dtypeOf(data),
    shape: [row],
    count,
    rowBytes,
    strideBytes: rowBytes,
    offsetBytes: 0,
    packed: true,
  }
}

function rowsOf(value: NdArrayLike, name: string, count: number): Rows {
  return plainRows(value, count) ?? anyRows(value, name, count)
}

function anyRows(value: NdArrayLike, name: string, count: number): Rows {
  const view = viewOf(value)
  const width = view.data.BYTES_PER_ELEMENT
  if (view.shape.length === 1) {
    // A plain array: as many rows as there are flags.
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
      data,
      dtype: view.dtype,
      shape: [row],
      count,
      rowBytes: row * width,
      strideBytes: row * width,
      offsetBytes: offset * width,
      packed: view.contiguous,
    }
  }
  const [rows = 0, ...shape] = view.shape
  if (view.shape.length === 0 || rows !== count || shape.length > MAX_DIMS) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `${name} must have ${count} rows, one for each flag; its shape is [${view.shape}]`,
    )
  }
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

function flagsOf(found: unknown): Uint8Array {
  if (!(found instanceof Uint8Array)) {
    throw new HitpathError('INVALID_ARGUMENT', `found must be a Uint8Array; got ${describe(found)}`)
  }
  return found
}

function stageRows(engine: Engine, keys: Rows, values: Rows): void {
  engine.begin(0)
  words[STAGING_FORM / 4] = FORM_ARRAY | (keys.dtype << 8) | (keys.shape.length << 16)
  for (let axis = 0; axis < keys.shape.length; axis++)
    doubles[STAGING_SHAPE / 8 + axis] = keys.shape[axis] as number
  doubles[STAGING_STRIDES / 8] = keys.strideBytes
  doubles[STAGING_KEY_OFFSET / 8] = keys.offsetBytes
  doubles[STAGING_LENGTH / 8] = keys.rowBytes
  doubles[STAGING_EXTRA / 8] = keys.count
  doubles[STAGING_EXTRA / 8 + 1] = values.rowBytes
  words[STAGING_VALUE_TAG / 4] = TAG_ARRAY + values.dtype
}

/** The bytes of rows that lie one behind the other, as native code takes them. */
function packed(rows: Rows): Uint8Array | TypedArray {
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

function refuse(values: Rows, name: string): never {
  const status = words[STAGING_STATUS / 4] as number
  const row = doubles[STAGING_EXTRA / 8 + 1]
  if (status === 5) {
    throw new HitpathError(
      'DTYPE_MISMATCH',
      `row ${row} is stored with another type than that of ${name} (tag ${words[STAGING_VALUE_TAG / 4]})`,
    )
  }
  const stored = doubles[STAGING_LENGTH / 8]
  throw new HitpathError(
    'SHAPE_MISMATCH',
    `row ${row} is stored with ${stored} bytes; a row of ${name} has ${values.rowBytes}`,
  )
}

export function getRows(engine: Engine, matrix: NdArrayLike, out: NdArrayLike, found: Uint8Array): number {
  const flags = flagsOf(found)
  const keys = rowsOf(matrix, 'matrix', flags.length)
  const values = rowsOf(out, 'out', flags.length)
  if (!values.packed) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      'out must be in C order, its rows one behind the other: it is written in place',
    )
  }
  const target = packed(values)
  stageRows(engine, keys, values)
  native.getRows(keys.data, target, flags)
  const status = words[STAGING_STATUS / 4]
  if (status === 5 || status === 6) refuse(values, 'out')
  engine.check()
  return doubles[STAGING_EXTRA / 8] as number
}

export function setRows(
  engine: Engine,
  matrix: NdArrayLike,
  rows: NdArrayLike,
  found: Uint8Array,
  ttl: number,
): number {
  const flags = flagsOf(found)
  const keys = rowsOf(matrix, 'matrix', flags.length)
  const values = rowsOf(rows, 'values', flags.length)
  const source = packed(values)
  stageRows(engine, keys, values)
  doubles[STAGING_TTL / 8] = ttl
  native.setRows(keys.data, source, flags)
  engine.check()
  return doubles[STAGING_EXTRA / 8] as number
}
