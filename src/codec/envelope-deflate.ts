/**
 * Compression of payloads: raw deflate at its fastest level, and back within a bound.
 *
 * Always true: inflating never gives nor holds more bytes than were declared.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'

const MIN_SAVING = 0.1
/** The most that raw deflate makes of a byte: 258 bytes from two bits. */
export const MAX_DEFLATE_RATIO = 1032
const MAX_CHUNK_BYTES = 2 ** 20

/** Undefined when it saves less than a tenth. */
export function deflate(payload: Uint8Array): Buffer | undefined {
  const maxOutputLength = Math.floor(payload.length * (1 - MIN_SAVING))
  if (maxOutputLength === 0) return undefined
  try {
    return deflateRawSync(payload, { level: 1, maxOutputLength })
  } catch {
    return undefined // the output reached the bound
  }
}

/** Undefined when it is not `byteLength` long. @throws Error of zlib, when it is longer or no deflate */
export function inflate(deflated: Uint8Array, byteLength: number): Buffer | undefined {
  // room for one byte more, or zlib begins a second chunk and joins the two
  const chunkSize = Math.max(64, Math.min(byteLength + 1, MAX_CHUNK_BYTES))
  const inflated = inflateRawSync(deflated, { maxOutputLength: byteLength, chunkSize })
  return inflated.length === byteLength ? inflated : undefined
}
