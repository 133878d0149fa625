/**
 * Describes an array key to the binding, in the staging area.
 *
 * Identity is dtype, shape and elements in C order; where the elements lie does not matter. Nothing is copied but arrays
 * of up to 64 bytes: V8 keeps those inside its heap and would move them out if native code asked for their bytes.
 */

import { describe, HitpathError } from '../errors.js'
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
import { codeOf, DTYPE, type DTypeCode, dtypeRow } from './dtype.js'
import { isNdArrayLike, type NdArrayLike, type TypedArray, viewOf } from './ndarray.js'
import { copySmall, SMALL_BYTES, smallViews } from './small.js'

const SHAPE = STAGING_SHAPE / 8
const STRIDES = STAGING_STRIDES / 8

const smallKeys = smallViews(0)
/** Bytes an element, by dtype. */
const WIDTHS: readonly number[] = [0, ...Object.values(DTYPE).map((code) => dtypeRow(code).bytesPerElement)]

/**
 * As codeOf, which it asks in doubt. An object that lies about its constructor gets no further than the binding, which
 * takes only real views.
 */
function typedCodeOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const maker: unknown = value.constructor
  if (maker === Float64Array) return DTYPE.float64
  if (maker === Float32Array) return DTYPE.float32
  return codeOf(value)
}

// The array key that readArray() read last. Its getters may be the user's code, which may use a cache: so they all
// run before anything is staged, and stageArray() runs none.
let array: TypedArray = new Uint8Array(0)
let form = 0
let offset = 0
let keyBits = 0

function found(
  data: TypedArray,
  dtype: number,
  ndim: number,
  length: number,
  first: number,
  strided: boolean,
): true {
  array = data
  form = FORM_ARRAY | (dtype << 8) | (ndim << 16)
  offset = first
  const small = !strided && length * (WIDTHS[dtype] as number) <= SMALL_BYTES ? BIT_SMALL_KEY : 0
  keyBits = small | (strided ? BIT_STRIDED : 0) | (first === 0 ? 0 : BIT_OFFSET)
  return true
}

/** Reads `{ data, shape }` that is plainly in C order, the usual case; false when it takes a closer look. */
function readPlain(value: {
  readonly data?: unknown
  readonly shape?: unknown
  readonly dtype?: unknown
  readonly offset?: unknown
  readonly stride?: unknown
  readonly strides?: unknown
}): boolean {
  const { data, shape, dtype: name, stride, offset: first = 0 } = value
  if (!Array.isArray(shape) || value.strides !== undefined || typeof first !== 'number') return false
  const code = typedCodeOf(data)
  if (code === undefined || (name !== undefined && name !== dtypeRow(code as DTypeCode).name)) return false
  const dimensions = shape.length
  if (dimensions > MAX_DIMS) return false
  if (stride !== undefined && (!Array.isArray(stride) || stride.length !== dimensions)) return false
  let size = 1
  for (let axis = dimensions - 1; axis >= 0; axis--) {
    const extent: unknown = shape[axis]
    if (typeof extent !== 'number' || extent <= 0 || !Number.isInteger(extent)) return false
    if (stride !== undefined && stride[axis] !== size) return false
    doubles[SHAPE + axis] = extent
    size *= extent
  }
  const { length } = data as TypedArray
  if (!Number.isInteger(first) || first < 0 || first + size > length) return false
  return found(data as TypedArray, code, dimensions, length, first, false)
}

function readView(value: NdArrayLike): void {
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
  found(data, code, shape.length, data.length, first, !contiguous)
}

/**
 * Reads an array that is the key of the next call.
 *
 * @throws HitpathError INVALID_KEY, DTYPE_MISMATCH, SHAPE_MISMATCH, DETACHED when it is no array that can be read
 */
export function readArray(value: NdArrayLike): void {
  if (typeof value !== 'object' || value === null) throw invalidKey(value)
  if ((value as { readonly data?: unknown }).data !== undefined) {
    if (!readPlain(value as object)) readView(value)
    return
  }
  const code = typedCodeOf(value)
  const length = (value as { readonly length?: unknown }).length
  if (code === undefined || length === 0) {
    readView(value) // which refuses a detached one
    return
  }
  doubles[SHAPE] = length as number
  found(value as TypedArray, code, 1, length as number, 0, false)
}

/** What the bits of the call must say about the array that was read. */
export function arrayBits(scope: number): number {
  return scope === 0 ? keyBits : keyBits | BIT_SCOPE
}

/** Stages the array that was read, and returns it, to be handed over. */
export function stageArray(scope: number): TypedArray {
  words[STAGING_FORM / 4] = form
  if (offset !== 0) doubles[STAGING_KEY_OFFSET / 8] = offset
  if (scope !== 0) doubles[STAGING_SCOPE / 8] = scope
  if ((keyBits & BIT_SMALL_KEY) !== 0) copySmall(smallKeys, (form >> 8) & 0xff, array)
  return array
}

/** The canonical bytes of an array's digest, newly allocated. */
export function digestBytes(value: NdArrayLike, scope = 0): Uint8Array {
  readArray(value)
  words[STAGING_BITS / 4] = arrayBits(scope)
  native.digestStaged(stageArray(scope))
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
