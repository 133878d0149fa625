/**
 * Extension 110: arrays as raw little-endian bytes, laid out as wire.ts draws it.
 *
 * Always true: a payload is read only when its lengths agree with the bytes that are there, so a forged
 * length allocates nothing. The machine is little endian, as every platform of Node that we build for.
 * Cost: one copy each way; none on reading when the caller shares aligned bytes.
 */
import { HitpathError } from '../errors.js'
import { DTYPE, type DTypeCode, dtypeRow } from '../key/dtype.js'
import { NdArray, type TypedArray } from '../key/ndarray.js'
import { ALIGNMENT_BYTES, ARRAY_HEADER_BYTES, ARRAY_KIND, AXIS_BYTES, EXTENSION } from './wire.js'

const MAX_AXES = 255
const MAX_UINT32 = 0xffff_ffff
const EXT_8_HEADER_BYTES = 3
const EXT_16_HEADER_BYTES = 4
const EXT_32_HEADER_BYTES = 6

/** An array on its way into a message. */
export class ArrayPayload {
  readonly #kind: number
  readonly #dtype: number
  readonly #shape: readonly number[]
  readonly #elements: Uint8Array

  constructor(kind: number, dtype: DTypeCode | 0, shape: readonly number[], elements: Uint8Array) {
    if (shape.length > MAX_AXES || shape.some((length) => length > MAX_UINT32)) {
      throw new HitpathError(
        'TOO_LARGE',
        `an ndarray of shape [${shape}] exceeds ${MAX_AXES} axes of 2^32 - 1`,
      )
    }
    const headerBytes = ARRAY_HEADER_BYTES + AXIS_BYTES * shape.length
    if (headerBytes + ALIGNMENT_BYTES + elements.byteLength > MAX_UINT32) {
      throw new HitpathError(
        'TOO_LARGE',
        `an array of ${elements.byteLength} bytes does not fit in a message`,
      )
    }
    this.#kind = kind
    this.#dtype = dtype
    this.#shape = shape
    this.#elements = elements
  }

  /** Bytes of the whole extension when it begins at `position` of a message. */
  encodedLength(position: number): number {
    return this.#extHeaderBytes() + this.#headerBytes() + this.#padding(position) + this.#elements.byteLength
  }

  /** Writes the extension at `at`, which lies at `position` of its message or a multiple of 8 away from it. */
  writeTo(target: Uint8Array, at: number): void {
    const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
    const padding = this.#padding(at)
    const headerAt = this.#writeExtHeader(view, at, this.#headerBytes() + padding + this.#elements.byteLength)
    target[headerAt] = this.#kind
    target[headerAt + 1] = this.#dtype
    target[headerAt + 2] = this.#shape.length
    target[headerAt + 3] = padding
    let next = headerAt + ARRAY_HEADER_BYTES
    for (const length of this.#shape) {
      view.setUint32(next, length, true)
      next += AXIS_BYTES
    }
    target.fill(0, next, next + padding)
    target.set(this.#elements, next + padding)
  }

  #headerBytes(): number {
    return ARRAY_HEADER_BYTES + AXIS_BYTES * this.#shape.length
  }

  /** Decided for the longest padding, so that padding and header length do not depend on one another. */
  #extHeaderBytes(): number {
    const longest = this.#headerBytes() + ALIGNMENT_BYTES - 1 + this.#elements.byteLength
    if (longest <= 0xff) return EXT_8_HEADER_BYTES
    return longest <= 0xffff ? EXT_16_HEADER_BYTES : EXT_32_HEADER_BYTES
  }

  #padding(position: number): number {
    return -(position + this.#extHeaderBytes() + this.#headerBytes()) & (ALIGNMENT_BYTES - 1)
  }

  #writeExtHeader(view: DataView, at: number, payloadBytes: number): number {
    const headerBytes = this.#extHeaderBytes()
    if (headerBytes === EXT_8_HEADER_BYTES) {
      view.setUint8(at, 0xc7)
      view.setUint8(at + 1, payloadBytes)
    } else if (headerBytes === EXT_16_HEADER_BYTES) {
      view.setUint8(at, 0xc8)
      view.setUint16(at + 1, payloadBytes)
    } else {
      view.setUint8(at, 0xc9)
      view.setUint32(at + 1, payloadBytes)
    }
    view.setUint8(at + headerBytes - 1, EXTENSION.array)
    return at + headerBytes
  }
}

/**
 * The array of a payload that lies from `start` to `end` in `bytes`.
 *
 * @param copy whether the array owns its memory; otherwise it is a view of `bytes` where alignment allows
 * @throws HitpathError INVALID_VALUE when the payload contradicts itself
 */
export function readArrayPayload(
  bytes: Uint8Array,
  copy: boolean,
  start = 0,
  end = bytes.length,
): TypedArray | NdArray | ArrayBuffer | DataView {
  if (end - start < ARRAY_HEADER_BYTES) throw malformed()
  const kind = bytes[start] as number
  const dtype = bytes[start + 1] as number
  const axes = bytes[start + 2] as number
  const padding = bytes[start + 3] as number
  const from = start + ARRAY_HEADER_BYTES + AXIS_BYTES * axes + padding
  if (from > end || padding >= ALIGNMENT_BYTES) throw malformed()
  if (kind === ARRAY_KIND.ndarray) {
    const shape = readShape(bytes, start + ARRAY_HEADER_BYTES, axes)
    return ndarray(dtype, shape, bytes, from, end, copy)
  }
  if (axes !== 0) throw malformed()
  if (kind === ARRAY_KIND.typedArray) return typedArray(dtype, bytes, from, end, copy)
  if (kind === ARRAY_KIND.arrayBuffer) return owned(bytes, from, end).buffer
  if (kind !== ARRAY_KIND.dataView) throw malformed()
  if (copy) return new DataView(owned(bytes, from, end).buffer)
  return new DataView(bytes.buffer, bytes.byteOffset + from, end - from)
}

function readShape(bytes: Uint8Array, at: number, axes: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: axes }, (_, axis) => view.getUint32(at + AXIS_BYTES * axis, true))
}

function ndarray(
  dtype: number,
  shape: readonly number[],
  bytes: Uint8Array,
  from: number,
  end: number,
  copy: boolean,
): NdArray {
  const known = dtypeRow(dtype)
  if (known === undefined) throw malformed()
  // the bits of float16 stay readable where the runtime has no Float16Array
  const stand = known.construct === undefined && known.code === DTYPE.float16 ? DTYPE.uint16 : known.code
  const data = typedArray(stand, bytes, from, end, copy)
  if (shape.reduce((size, length) => size * length, 1) !== data.length) throw malformed()
  return new NdArray(data, shape, known.name)
}

function typedArray(dtype: number, bytes: Uint8Array, from: number, end: number, copy: boolean): TypedArray {
  const known = dtypeRow(dtype)
  if (known === undefined || (end - from) % known.bytesPerElement !== 0) throw malformed()
  const { construct, bytesPerElement } = known
  if (construct === undefined) {
    throw new HitpathError(
      'INVALID_VALUE',
      `a stored ${known.name} array needs a runtime that has Float16Array`,
    )
  }
  const length = (end - from) / bytesPerElement
  const at = bytes.byteOffset + from
  if (copy || at % bytesPerElement !== 0) return new construct(owned(bytes, from, end).buffer, 0, length)
  return new construct(bytes.buffer, at, length)
}

/** A copy in memory of its own. */
function owned(bytes: Uint8Array, from: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Uint8Array(bytes.buffer, bytes.byteOffset + from, end - from))
}

function malformed(): HitpathError {
  return new HitpathError('INVALID_VALUE', 'a stored array contradicts its own header')
}
