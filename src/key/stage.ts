/**
 * Describes an array key to the binding, in the staging area.
 *
 * Identity is dtype, shape and elements in C order; where the elements lie does not matter. Nothing is copied but arrays
 * of up to 64 bytes: V8 keeps those inside its heap and would move them out if native code asked for their bytes.
 */

import { describe, HitpathError } from '../errors.js'
import { doubles, type Native, native, scratch, words } from '../native/binding.js'
import {
  BIT_OFFSET,
  BIT_SCOPE,
  BIT_SMALL_KEY,
  BIT_STRIDED,
  FORM_ARRAY,
  MAX_DIMS,
  STAGING_BITS,
  STAGING_FORM,
  STAGING_KEY_OFFSET,
  STAGING_SCOPE,
  STAGING_SHAPE,
  STAGING_STATUS,
  STAGING_STRIDES,
} from '../native/layout.js'
import { codeOf, DTYPE, type DTypeCode, dtypeRow } from './dtype.js'
import { knownArray, maybeLearn, stageKnown } from './known.js'
import { isNdArrayLike, type NdArrayLike, type TypedArray, viewOf } from './ndarray.js'
import { copySmall, SMALL_BYTES, smallViews } from './small.js'

const SHAPE = STAGING_SHAPE / 8
const STRIDES = STAGING_STRIDES / 8

const smallKeys = smallViews(0)
/** Bytes an element, by dtype. */
const WIDTHS: readonly number[] = [0, ...Object.values(DTYPE).map((code) => dtypeRow(code).bytesPerElement)]

/** Stages all of an array but its shape and strides. Returns what to hand over. */
function stage(
  data: TypedArray,
  dtype: DTypeCode,
  ndim: number,
  first: number,
  bits: number,
  scope: number,
  known: boolean,
): TypedArray {
  words[STAGING_FORM / 4] = FORM_ARRAY | (dtype << 8) | (ndim << 16)
  let all = bits
  if (first !== 0) {
    doubles[STAGING_KEY_OFFSET / 8] = first
    all |= BIT_OFFSET
  }
  if (scope !== 0) {
    doubles[STAGING_SCOPE / 8] = scope
    all |= BIT_SCOPE
  }
  if (data.length * (WIDTHS[dtype] as number) <= SMALL_BYTES && (bits & BIT_STRIDED) === 0) {
    copySmall(smallKeys, dtype, data)
    all |= BIT_SMALL_KEY
  }
  words[STAGING_BITS / 4] = all
  if (known) maybeLearn(data, dtype, ndim, scope)
  return data
}

/** As stageArray(), of `{ data, shape }` that is plainly in C order, the usual case; null when it takes a closer look. */
function stagePlain(
  value: {
    readonly data?: unknown
    readonly shape?: unknown
    readonly dtype?: unknown
    readonly offset?: unknown
    readonly stride?: unknown
    readonly strides?: unknown
  },
  bits: number,
  scope: number,
  known: boolean,
): TypedArray | undefined | null {
  const { data, shape, dtype, stride, strides, offset = 0 } = value
  if (!Array.isArray(shape) || strides !== undefined) return null
  const ndim = shape.length
  if (ndim === 0 || ndim > 2) return null
  const rows: unknown = shape[0]
  const columns: unknown = ndim === 2 ? shape[1] : 0
  if (ndim === 2 && columns === 0) return null // no elements; of a known array, 0 columns are one dimension
  if (stride !== undefined && !isDense(stride, ndim, columns)) return null
  // None of the user's code runs from here on.
  if (known && isKnown(data, rows, columns, offset, dtype, bits, scope)) return undefined
  return stageChecked(data, ndim, rows, columns, offset, dtype, bits, scope, known)
}

/** Whether an array was learnt as it is described now; it is then staged. */
function isKnown(
  data: unknown,
  rows: unknown,
  columns: unknown,
  first: unknown,
  name: unknown,
  bits: number,
  scope: number,
): boolean {
  const before = knownArray(data)
  return (
    before !== undefined &&
    before.rows === rows &&
    before.columns === columns &&
    before.first === first &&
    before.scope === scope &&
    (name === undefined || name === before.dtype) &&
    stageKnown(before, data, bits)
  )
}

function isDense(stride: unknown, ndim: number, columns: unknown): boolean {
  if (!Array.isArray(stride) || stride.length !== ndim || stride[ndim - 1] !== 1) return false
  return ndim === 1 || stride[0] === columns
}

function stageChecked(
  data: unknown,
  ndim: number,
  rows: unknown,
  columns: unknown,
  first: unknown,
  name: unknown,
  bits: number,
  scope: number,
  known: boolean,
): TypedArray | null {
  const code = codeOf(data)
  if (code === undefined || (name !== undefined && name !== dtypeRow(code).name)) return null
  if (!isExtent(rows) || (ndim === 2 && !isExtent(columns))) return null
  const size = ndim === 2 ? rows * (columns as number) : rows
  const { length } = data as TypedArray
  if (typeof first !== 'number' || !(Number.isInteger(first) && first >= 0 && first + size <= length))
    return null
  doubles[SHAPE] = rows
  doubles[SHAPE + 1] = columns as number
  return stage(data as TypedArray, code, ndim, first, bits, scope, known)
}

function isExtent(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && Number.isInteger(value)
}

function stageView(value: NdArrayLike, bits: number, scope: number): TypedArray {
  if (!isNdArrayLike(value)) throw invalidKey(value)
  const { shape, strides, data, dtype: code, offset: first, contiguous } = viewOf(value)
  if (shape.length > MAX_DIMS) {
    throw new HitpathError(
      'INVALID_KEY',
      `an array key has at most ${MAX_DIMS} dimensions, this one has ${shape.length}`,
    )
  }
  for (let axis = 0; axis < shape.length; axis++) {
    doubles[SHAPE + axis] = shape[axis] as number
    doubles[STRIDES + axis] = strides[axis] as number
  }
  const strided = contiguous ? 0 : BIT_STRIDED
  return stage(data, code, shape.length, first, bits | strided, scope, false)
}

/**
 * Describes an array as the key of the next call, and returns it, to be handed over; undefined when native code knows where it lies. The array's
 * getters may be the user's code, which may use a cache: so they all run before anything is staged.
 *
 * @param known whether the call is one of the process's engine, which may know the array
 * @throws HitpathError INVALID_KEY, DTYPE_MISMATCH, SHAPE_MISMATCH, DETACHED when it is no array that can be read
 */
export function stageArray(
  value: NdArrayLike,
  bits: number,
  scope: number,
  known: boolean,
): TypedArray | undefined {
  if (typeof value !== 'object' || value === null) throw invalidKey(value)
  if (!ArrayBuffer.isView(value)) {
    const staged = stagePlain(value, bits, scope, known)
    return staged === null ? stageView(value, bits, scope) : staged
  }
  const length = (value as { readonly length?: unknown }).length
  if (known && isKnown(value, length, 0, 0, undefined, bits, scope)) return undefined
  const code = codeOf(value)
  if (code === undefined || typeof length !== 'number' || length === 0) return stageView(value, bits, scope) // which refuses a detached one
  doubles[SHAPE] = length
  return stage(value, code, 1, 0, bits, scope, known)
}

/** The canonical bytes of an array's digest, newly allocated; by the process's engine unless another is given. */
export function digestBytes(value: NdArrayLike, scope = 0, engine: Native = native): Uint8Array {
  engine.digestStaged(stageArray(value, 0, scope, engine === native))
  if (words[STAGING_STATUS / 4] !== 0) {
    throw new HitpathError('INVALID_KEY', `${describe(value)} is not an array that can be read`)
  }
  return scratch.slice(0, engine.digestBytes)
}

export function invalidKey(key: unknown): HitpathError {
  return new HitpathError(
    'INVALID_KEY',
    `a key is a string, a number, an ndarray (typed array or { data, shape }) or a prepared key; got ${describe(key)}`,
  )
}
