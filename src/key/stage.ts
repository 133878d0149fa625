/**
 * Describes an array key to the binding, in the staging area.
 *
 * Identity is dtype, shape and elements in C order; where the elements lie does not matter. Nothing is copied but arrays
 * of up to 64 bytes: V8 keeps those inside its heap and would move them out if native code asked for their bytes.
 */
import { doubles, native, scratch, words } from '../native/binding.js'
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
import { describe, HitpathError } from '../errors.js'
import { codeOf, DTYPE, type DTypeCode, dtypeRow } from './dtype.js'
import { isNdArrayLike, type NdArrayLike, type TypedArray, viewOf } from './ndarray.js'
import { copySmall, SMALL_BYTES, smallViews } from './small.js'

const SHAPE = STAGING_SHAPE / 8
const STRIDES = STAGING_STRIDES / 8
const BITS = STAGING_BITS / 4

/** The bits of a call that say how its array key is handed over. */
export const KEY_BITS = BIT_SMALL_KEY | BIT_STRIDED | BIT_OFFSET | BIT_SCOPE

const smallKeys = smallViews(0)
/** Bytes an element, by dtype. */
const WIDTHS: readonly number[] = [0, ...Object.values(DTYPE).map((code) => dtypeRow(code).bytesPerElement)]

/**
 * As codeOf, which it asks in doubt. An object that lies about its constructor gets no further than the binding, which
 * takes only real views.
 */
function typedCodeOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { constructor } = value
  if (constructor === Float64Array) return DTYPE.float64
  if (constructor === Float32Array) return DTYPE.float32
  return codeOf(value)
}

function stageOffset(elements: number): void {
  doubles[STAGING_KEY_OFFSET / 8] = elements
  words[BITS] = (words[BITS] as number) | BIT_OFFSET
}

/** Stages `length` elements of a typed array from `offset` on. */
function stageElements(array: TypedArray, dtype: number, ndim: number, offset: number, length: number): TypedArray {
  words[STAGING_FORM / 4] = FORM_ARRAY | (dtype << 8) | (ndim << 16)
  words[BITS] = (words[BITS] as number) & ~KEY_BITS
  if (offset !== 0) stageOffset(offset)
  if (array.length * (WIDTHS[dtype] as number) <= SMALL_BYTES) {
    if (length === 0) viewOf(array) // refuses a detached one
    copySmall(smallKeys, dtype, array)
    words[BITS] = (words[BITS] as number) | BIT_SMALL_KEY
  }
  return array
}

/** Stages `{ data, shape }` that is plainly in C order, the usual case; undefined when it takes a closer look. */
function stagePlain(value: {
  readonly data?: unknown
  readonly shape?: unknown
  readonly dtype?: unknown
  readonly offset?: unknown
  readonly stride?: unknown
  readonly strides?: unknown
}): TypedArray | undefined {
  const { data, shape, dtype, stride, offset = 0 } = value
  if (!Array.isArray(shape) || value.strides !== undefined || typeof offset !== 'number') return undefined
  const code = typedCodeOf(data)
  if (code === undefined || (dtype !== undefined && dtype !== dtypeRow(code as DTypeCode).name)) return undefined
  if (shape.length > MAX_DIMS) return undefined
  if (stride !== undefined && (!Array.isArray(stride) || stride.length !== shape.length)) return undefined
  let size = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent: unknown = shape[axis]
    if (typeof extent !== 'number' || extent <= 0 || !Number.isInteger(extent)) return undefined
    if (stride !== undefined && stride[axis] !== size) return undefined
    doubles[SHAPE + axis] = extent
    size *= extent
  }
  const array = data as TypedArray
  if (!Number.isInteger(offset) || offset < 0 || offset + size > array.length) return undefined
  return stageElements(array, code, shape.length, offset, size)
}

function stageView(value: NdArrayLike): TypedArray {
  if (!isNdArrayLike(value)) throw invalidKey(value)
  const view = viewOf(value)
  const { shape, strides, data } = view
  if (shape.length > MAX_DIMS) {
    throw new HitpathError('INVALID_KEY', `an array key has at most ${MAX_DIMS} dimensions, this one has ${shape.length}`)
  }
  for (let axis = 0; axis < shape.length; axis++) {
    doubles[SHAPE + axis] = shape[axis] as number
    doubles[STRIDES + axis] = strides[axis] as number
  }
  words[STAGING_FORM / 4] = FORM_ARRAY | (view.dtype << 8) | (shape.length << 16)
  words[BITS] = ((words[BITS] as number) & ~KEY_BITS) | (view.contiguous ? 0 : BIT_STRIDED)
  stageOffset(view.offset)
  return data
}

/**
 * Stages an array as the key of the next call. The caller has set the call's bits.
 *
 * @param scope a key space, 0 for none
 * @returns the typed array to hand over
 * @throws HitpathError INVALID_KEY, DTYPE_MISMATCH, SHAPE_MISMATCH, DETACHED when it is no array that can be read
 */
export function stageArray(value: NdArrayLike, scope: number): TypedArray {
  let array: TypedArray
  if ((value as { readonly data?: unknown }).data === undefined) {
    const code = typedCodeOf(value)
    if (code === undefined) array = stageView(value)
    else {
      array = value as TypedArray
      doubles[SHAPE] = array.length
      stageElements(array, code, 1, 0, array.length)
    }
  } else {
    array = stagePlain(value as object) ?? stageView(value)
  }
  if (scope !== 0) {
    doubles[STAGING_SCOPE / 8] = scope
    words[BITS] = (words[BITS] as number) | BIT_SCOPE
  }
  return array
}

/** The canonical bytes of an array's digest, newly allocated. */
export function digestBytes(value: NdArrayLike, scope = 0): Uint8Array {
  if (typeof value !== 'object' || value === null) throw invalidKey(value)
  words[BITS] = 0
  native.digestStaged(stageArray(value, scope))
  if (words[STAGING_STATUS / 4] !== 0) {
    throw new HitpathError('INVALID_KEY', `${describe(value)} is not an array that can be read`)
  }
  return scratch.slice(0, 16)
}

export function invalidKey(key: unknown): HitpathError {
  return new HitpathError(
    'INVALID_KEY',
    `a key is a string, a number, an ndarray (typed array or { data, shape }) or a prepared key; got ${describe(key)}`,
  )
}
