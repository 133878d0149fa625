/**
 * Describes an array key to the binding, in the staging area.
 *
 * Identity is dtype, shape and elements in C order; where the elements lie does not matter. Nothing is copied but arrays
 * of up to 64 bytes: V8 keeps those inside its heap and would move them out if native code asked for their bytes.
 */
import { doubles, native, scratch, words } from '../native/binding.js'
import {
  BIT_SMALL_KEY,
  BIT_STRIDED,
  FORM_ARRAY,
  MAX_DIMS,
  STAGING_BITS,
  STAGING_COUNT,
  STAGING_DTYPE,
  STAGING_FORM,
  STAGING_KEY_OFFSET,
  STAGING_NDIM,
  STAGING_SCOPE,
  STAGING_SHAPE,
  STAGING_STATUS,
  STAGING_STRIDES,
} from '../native/layout.js'
import { describe, HitpathError } from '../errors.js'
import { codeOf, dtypeRow } from './dtype.js'
import { isNdArrayLike, type NdArrayLike, type TypedArray, viewOf } from './ndarray.js'
import { copySmall, SMALL_BYTES, smallViews } from './small.js'

const SHAPE = STAGING_SHAPE / 8
const STRIDES = STAGING_STRIDES / 8
const BITS = STAGING_BITS / 4

const smallKeys = smallViews(0)

/** Stages the elements of a typed array from `offset` on; `bytes` of them count. */
function stageElements(array: TypedArray, dtype: number, ndim: number, offset: number, bytes: number): TypedArray {
  words[STAGING_FORM / 4] = FORM_ARRAY
  words[STAGING_DTYPE / 4] = dtype
  words[STAGING_NDIM / 4] = ndim
  words[STAGING_COUNT / 4] = array.BYTES_PER_ELEMENT
  doubles[STAGING_KEY_OFFSET / 8] = offset
  if (array.byteLength <= SMALL_BYTES) {
    if (bytes === 0) viewOf(array) // refuses a detached one
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
  const code = codeOf(data)
  if (code === undefined || (dtype !== undefined && dtype !== dtypeRow(code).name)) return undefined
  if (shape.length > MAX_DIMS || (stride !== undefined && !Array.isArray(stride))) return undefined
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
  return stageElements(array, code, shape.length, offset, size * array.BYTES_PER_ELEMENT)
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
  words[STAGING_FORM / 4] = FORM_ARRAY
  words[STAGING_DTYPE / 4] = view.dtype
  words[STAGING_NDIM / 4] = shape.length
  words[STAGING_COUNT / 4] = data.BYTES_PER_ELEMENT
  words[BITS] = (words[BITS] as number) | (view.contiguous ? 0 : BIT_STRIDED)
  doubles[STAGING_KEY_OFFSET / 8] = view.offset
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
  const code = codeOf(value)
  let array: TypedArray
  if (code === undefined) array = stagePlain(value as object) ?? stageView(value)
  else {
    array = value as TypedArray
    doubles[SHAPE] = array.length
    stageElements(array, code, 1, 0, array.byteLength)
  }
  doubles[STAGING_SCOPE / 8] = scope
  return array
}

/** The canonical bytes of an array's digest, newly allocated. */
export function digestBytes(value: NdArrayLike, scope = 0): Uint8Array {
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
