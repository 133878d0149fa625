/**
 * From JavaScript values to the bytes of a region and back.
 *
 * Numbers, booleans and null stand in the slot; strings are their units; typed arrays and ndarrays their raw elements, the
 * dimensions behind them; everything else is msgpack (src/codec). The tag byte of the entry says which. Always true: a value
 * comes back equal, or is refused when it is stored.
 */
import { Buffer } from 'node:buffer'
import { ndArrayViewOf } from '../codec/lower.js'
import { SLAB_BYTES, Slab } from '../codec/slab.js'
import { decodeValue, encodeValue } from '../codec/value.js'
import { HitpathError } from '../errors.js'
import { codeOf, DTYPE, type DTypeCode, dtypeRow } from '../key/dtype.js'
import { cOrderBytes, dtypeOf, isTypedArray, NdArray, type TypedArray, viewOf } from '../key/ndarray.js'
import { copySmall, SMALL_BYTES, smallViews } from '../key/small.js'
import { doubles, scratch, words } from '../native/binding.js'
import {
  MAX_DIMS,
  SCRATCH_SUFFIX,
  SCRATCH_VALUE,
  STAGING_EXTRA,
  STAGING_LENGTH,
  STAGING_OFFSET,
  STAGING_SUFFIX_LENGTH,
  STAGING_VALUE_FORM,
  STAGING_VALUE_TAG,
  TAG_ARRAY,
  TAG_BUFFER,
  TAG_FALSE,
  TAG_LATIN1,
  TAG_MSGPACK,
  TAG_ND_ARRAY,
  TAG_NULL,
  TAG_NUMBER,
  TAG_TRUE,
  TAG_UTF16,
  VALUE_BYTES,
  VALUE_NONE,
  VALUE_NUMBER,
  VALUE_SCRATCH,
  VALUE_STRING,
} from '../native/layout.js'

/** A bit for each dtype of which this Node has typed arrays. */
export const plainArrayDtypes: number = Object.values(DTYPE).reduce(
  (bits, dtype) => (dtypeRow(dtype).construct === undefined ? bits : bits | (1 << dtype)),
  0,
)

/** Dimensions stand behind the elements as u32; an empty array may have a longer one. */
const MAX_EXTENT = 0xffff_ffff

const FORM = STAGING_VALUE_FORM / 4
const TAG = STAGING_VALUE_TAG / 4

const smallValues = smallViews(SCRATCH_VALUE)
const smallBytes = new Uint8Array(scratch.buffer, scratch.byteOffset + SCRATCH_VALUE, SMALL_BYTES)
const suffix = new Uint32Array(scratch.buffer, scratch.byteOffset + SCRATCH_SUFFIX, MAX_DIMS + 1)

/** A value ready to be staged: all user code has run. */
export interface Encoded {
  readonly tag: number
  readonly form: number
  /** What to hand over with the call: bytes, or a string. */
  readonly payload: unknown
  readonly number: number
  /** Dimensions to write behind the elements. */
  readonly shape: readonly number[] | undefined
}

function encoded(
  tag: number,
  form: number,
  payload?: unknown,
  number = 0,
  shape?: readonly number[],
): Encoded {
  return { tag, form, payload, number, shape }
}

/** @throws HitpathError UNSUPPORTED_VALUE naming what cannot be stored; INVALID_VALUE for undefined */
export function encode(value: unknown): Encoded {
  switch (typeof value) {
    case 'number':
      return encoded(TAG_NUMBER, VALUE_NUMBER, undefined, value)
    case 'string':
      return encoded(TAG_LATIN1, VALUE_STRING, value)
    case 'boolean':
      return encoded(value ? TAG_TRUE : TAG_FALSE, VALUE_NONE)
    case 'undefined':
      throw new HitpathError('INVALID_VALUE', 'undefined cannot be stored: it is how a miss looks')
    case 'object':
      if (value === null) return encoded(TAG_NULL, VALUE_NONE)
      if (Buffer.isBuffer(value)) return encoded(TAG_BUFFER, VALUE_BYTES, value)
      if (isTypedArray(value)) {
        if (value.length === 0) viewOf(value) // refuses a detached one
        return encoded(TAG_ARRAY + dtypeOf(value), VALUE_BYTES, value)
      }
      return encodeObject(value)
  }
  return encoded(TAG_MSGPACK, VALUE_BYTES, encodeValue(value))
}

function encodeObject(value: object): Encoded {
  const view = ndArrayViewOf(value)
  if (view === undefined || view.shape.length > MAX_DIMS || view.shape.some((extent) => extent > MAX_EXTENT))
    return encoded(TAG_MSGPACK, VALUE_BYTES, encodeValue(value))
  return encoded(TAG_ND_ARRAY + view.dtype, VALUE_BYTES, cOrderBytes(view), 0, view.shape)
}

/** The element type of a typed array that stageSmall() takes; undefined for all else. */
export function smallArray(value: unknown): DTypeCode | undefined {
  const dtype = codeOf(value)
  if (dtype === undefined || (dtype === DTYPE.uint8 && Buffer.isBuffer(value))) return undefined
  const bytes = (value as TypedArray).length * dtypeRow(dtype).bytesPerElement
  return bytes !== 0 && bytes <= SMALL_BYTES ? dtype : undefined
}

/** Stages a small array by the shortest way: nothing is allocated, and nothing to be handed over. */
export function stageSmall(array: TypedArray, dtype: DTypeCode): void {
  words[TAG] = TAG_ARRAY + dtype
  words[STAGING_SUFFIX_LENGTH / 4] = 0
  stageCopy(array, dtype, array.length * dtypeRow(dtype).bytesPerElement)
}

function stageCopy(array: TypedArray, dtype: DTypeCode, bytes: number): void {
  copySmall(smallValues, dtype, array)
  words[FORM] = VALUE_SCRATCH
  doubles[STAGING_OFFSET / 8] = SCRATCH_VALUE
  doubles[STAGING_LENGTH / 8] = bytes
}

/** Stages an encoded value; what to hand over with the call. */
export function stage(value: Encoded): unknown {
  words[TAG] = value.tag
  words[FORM] = value.form
  words[STAGING_SUFFIX_LENGTH / 4] = 0
  if (value.form === VALUE_NUMBER) doubles[STAGING_EXTRA / 8 + 1] = value.number
  if (value.form !== VALUE_BYTES) return value.payload
  const { shape } = value
  if (shape !== undefined) {
    for (let i = 0; i < shape.length; i++) suffix[i] = shape[i] as number
    suffix[shape.length] = shape.length
    words[STAGING_SUFFIX_LENGTH / 4] = 4 * (shape.length + 1)
  }
  const bytes = value.payload as TypedArray
  if (bytes.byteLength > SMALL_BYTES) return bytes
  stageCopy(bytes, dtypeOf(bytes), bytes.byteLength)
  return undefined
}

/** The value as bytes, in the form in which a region holds it. @throws as encode() */
export function encodeStored(value: unknown): { readonly tag: number; readonly bytes: Uint8Array } {
  const { tag, form, payload, number, shape } = encode(value)
  switch (form) {
    case VALUE_NUMBER: {
      const bytes = Buffer.allocUnsafe(8)
      bytes.writeDoubleLE(number)
      return { tag, bytes }
    }
    case VALUE_STRING:
      return stringBytes(payload as string)
    case VALUE_BYTES: {
      const { buffer, byteOffset, byteLength } = payload as TypedArray
      const bytes = new Uint8Array(buffer, byteOffset, byteLength)
      if (shape === undefined) return { tag, bytes }
      const dimensions = Uint32Array.of(...shape, shape.length)
      return { tag, bytes: Buffer.concat([bytes, new Uint8Array(dimensions.buffer)]) }
    }
    default:
      return { tag, bytes: new Uint8Array(0) }
  }
}

function stringBytes(text: string): { readonly tag: number; readonly bytes: Uint8Array } {
  for (let i = 0; i < text.length; i++)
    if (text.charCodeAt(i) > 255) return { tag: TAG_UTF16, bytes: Buffer.from(text, 'utf16le') }
  return { tag: TAG_LATIN1, bytes: Buffer.from(text, 'latin1') }
}

/** The value of bytes that encodeStored() gave, with memory of its own. */
export function decodeStored(tag: number, bytes: Buffer): unknown {
  if (tag === TAG_NUMBER) return bytes.readDoubleLE()
  if (tag < TAG_LATIN1) return scalar(tag)
  const dtype = tag - TAG_ARRAY
  // its bits would come as the numbers of a Uint16Array
  const small = dtype === DTYPE.float16 || bytes.length > SMALL_BYTES ? undefined : smallValues[dtype]
  if (small === undefined) return decodeCopy(tag, bytes.buffer, bytes.byteOffset, bytes.length)
  smallBytes.set(bytes)
  // V8 keeps the elements of such an array in its heap, which takes half of what an ArrayBuffer does
  return small.slice(0, bytes.length / small.BYTES_PER_ELEMENT)
}

/** The value of a tag that needs no bytes but a number. */
export function scalar(tag: number): unknown {
  switch (tag) {
    case TAG_NUMBER:
      return doubles[STAGING_EXTRA / 8]
    case TAG_NULL:
      return null
    default:
      return tag === TAG_TRUE
  }
}

/** The value of `length` bytes at `offset` of memory that the result may share (arrays) or not (all else). */
export function decodeView(tag: number, memory: ArrayBufferLike, offset: number, length: number): unknown {
  if (tag === TAG_BUFFER) return Buffer.from(memory as ArrayBuffer, offset, length)
  if (tag >= TAG_ND_ARRAY) {
    const dims = new DataView(memory, offset + length - 4, 4).getUint32(0, true)
    const bytes = length - 4 * (dims + 1)
    if (bytes < 0 || dims > MAX_DIMS) throw damaged(tag)
    const shape = Array.from({ length: dims }, (_, i) =>
      new DataView(memory, offset + bytes + 4 * i, 4).getUint32(0, true),
    )
    const dtype = tag - TAG_ND_ARRAY
    // Without Float16Array the bits stand in a Uint16Array, as they came.
    if (dtype === DTYPE.float16 && dtypeRow(DTYPE.float16).construct === undefined) {
      return new NdArray(arrayOf(DTYPE.uint16, memory, offset, bytes), shape, 'float16')
    }
    return new NdArray(arrayOf(dtype, memory, offset, bytes), shape)
  }
  if (tag >= TAG_ARRAY) return arrayOf(tag - TAG_ARRAY, memory, offset, length)
  const bytes = Buffer.from(memory as ArrayBuffer, offset, length)
  if (tag === TAG_LATIN1) return bytes.toString('latin1')
  if (tag === TAG_UTF16) return bytes.toString('utf16le')
  if (tag === TAG_MSGPACK) return decodeValue(Buffer.from(bytes))
  throw damaged(tag)
}

/** Arrays up to this length that were copied share memory; longer ones have their own. */
const MAX_SHARED_BYTES = SLAB_BYTES / 4
/** Up to here single words are copied; a view for `set` costs more than that. */
const MAX_WORDWISE_BYTES = 128
const scratchWords = new Uint32Array(scratch.buffer, scratch.byteOffset, SLAB_BYTES / 4)
let slab: Slab | undefined

/** The value whose bytes the native side has copied to the start of the scratch. */
export function decodeScratch(tag: number, length: number): unknown {
  if (tag < TAG_BUFFER || length > MAX_SHARED_BYTES)
    return decodeCopy(tag, scratch.buffer, scratch.byteOffset, length)
  slab = Slab.withRoom(slab, length)
  const { used, bytes, words: to } = slab
  if (length > MAX_WORDWISE_BYTES) bytes.set(scratch.subarray(0, length), used)
  else for (let i = 0, at = used >> 2; 4 * i < length; i++, at++) to[at] = scratchWords[i] as number
  slab.take(used + length)
  return decodeView(tag, bytes.buffer, used, length)
}

/** As decodeView, with memory of its own. */
export function decodeCopy(tag: number, memory: ArrayBufferLike, offset: number, length: number): unknown {
  if (tag < TAG_BUFFER) return decodeView(tag, memory, offset, length)
  const own = new ArrayBuffer(length)
  new Uint8Array(own).set(new Uint8Array(memory, offset, length))
  return decodeView(tag, own, 0, length)
}

function arrayOf(dtype: number, memory: ArrayBufferLike, offset: number, bytes: number): TypedArray {
  const row = dtypeRow(dtype)
  if (row?.construct === undefined) throw damaged(dtype)
  return new row.construct(memory, offset, bytes / row.bytesPerElement)
}

function damaged(tag: number): HitpathError {
  return new HitpathError('REGION_CORRUPT', `a value is stored under the unknown tag ${tag}`)
}
