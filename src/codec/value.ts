/**
 * Values to bytes and back, in msgpack; the stored form is drawn in wire.ts.
 *
 * Always true: a value that is encoded comes back equal, or is refused by name when it is encoded. What is
 * decoded is a value or a HitpathError, whatever the bytes are. Bytes are self-contained: no state is shared
 * between messages.
 * Cost: msgpackr's, plus a walk over the value when encoding and one over the tokens when decoding.
 */
import { types } from 'node:util'
import { describe, HitpathError } from '../errors.js'
import { readArrayPayload } from './array-payload.js'
import { lower } from './lower.js'
import { msgpack } from './msgpack.js'
import { raise } from './raise.js'
import { scanMessage } from './scan.js'
import { EXTENSION } from './wire.js'

export interface DecodeOptions {
  /**
   * Whether arrays and Buffers own their memory. Default true. With false they are views of the bytes where
   * these are aligned to 8, so they change when the bytes do, and keep them alive.
   */
  readonly copy?: boolean
}

const WORKING_BYTES = 8192
/** A message larger than this does not leave its working buffer behind. */
const MAX_KEPT_BYTES = 1024 * 1024

/**
 * The stored form of `value`, in memory of its own.
 *
 * Class instances become plain dictionaries of their own enumerable string keys, holes of arrays `undefined`, and
 * strided ndarrays C order. Repeated references and cycles are kept.
 *
 * @throws HitpathError UNSUPPORTED_VALUE with the path of what has no stored form (a function, a symbol, a
 *   promise), TOO_LARGE beyond 500 levels or 4 GiB, DETACHED when an array has lost its memory
 */
export function encodeValue(value: unknown): Buffer {
  return encodeValueAfter(0, value)
}

/**
 * As `encodeValue`, but the stored form begins at `headBytes`, for the caller to write a head before it. With a multiple of
 * 8 its arrays stay aligned. The head is not cleared.
 */
export function encodeValueAfter(headBytes: number, value: unknown): Buffer {
  const tree = lower(value)
  const { packr, resetBufferMode } = msgpack()
  let message: Buffer
  try {
    message = packr.pack(tree, resetBufferMode)
  } catch (cause) {
    throw new HitpathError('UNSUPPORTED_VALUE', `value cannot be encoded: ${describe(value)}`, { cause })
  }
  const bytes = Buffer.allocUnsafeSlow(headBytes + message.length)
  bytes.set(message, headBytes)
  if (message.length > MAX_KEPT_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(WORKING_BYTES))
  return bytes
}

/**
 * The value of bytes that `encodeValue` wrote, or of any msgpack without foreign extensions.
 *
 * ndarrays come back as `NdArray`, bin as `Buffer`, integers of 64 bits as BigInt.
 *
 * @throws HitpathError INVALID_VALUE when the bytes are truncated, corrupt or foreign; INVALID_ARGUMENT when
 *   `bytes` is no `Uint8Array`
 */
export function decodeValue(bytes: Uint8Array, options: DecodeOptions = {}): unknown {
  if (!types.isUint8Array(bytes)) {
    throw new HitpathError('INVALID_ARGUMENT', `bytes must be a Uint8Array; got ${describe(bytes)}`)
  }
  const copy = options.copy ?? true
  const array = soleArrayAt(bytes, 0, bytes.length)
  if (array !== -1) return readArrayPayload(bytes, copy, array)
  const { hasTags, hasProtoKey } = scanMessage(bytes)
  const unpackr = msgpack().reader(copy, hasProtoKey)
  try {
    // msgpackr leaves a property on the array that it reads, and makes Buffers of bin only when it is one
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const tree = unpackr.unpack(message)
    return hasTags || hasProtoKey ? raise(tree) : tree
  } catch (cause) {
    if (cause instanceof HitpathError) throw cause
    throw new HitpathError('INVALID_VALUE', 'a stored value cannot be decoded', { cause })
  }
}

/**
 * Where the payload begins of a message from `from` to `end` that is one array and nothing else, which needs no msgpack; -1 for any
 * other.
 */
export function soleArrayAt(bytes: Uint8Array, from: number, end: number): number {
  const first = bytes[from] as number
  if (!(first >= 0xc7 && first <= 0xc9)) return -1 // ext 8, 16, 32
  const lengthBytes = 1 << (first - 0xc7)
  const start = from + 2 + lengthBytes
  if (end < start || bytes[start - 1] !== EXTENSION.array) return -1
  let length = 0
  for (let at = 1; at <= lengthBytes; at++) length = length * 256 + (bytes[from + at] as number)
  return start + length === end ? start : -1 // what is wrong is said by the scan
}
