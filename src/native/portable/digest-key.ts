/** Sixteen bytes of a digest, of an array or of a tag, as the key of a Map: eight units, which hash faster than a BigInt does. */
import { Buffer } from 'node:buffer'
import { DIGEST_BYTES, MARK } from './digest.js'
import { xxh3Of128 } from './xxh3.js'

/** Of the sixteen bytes at `at`. */
export function digestKey(bytes: Uint8Array, at = 0): string {
  return String.fromCharCode(
    (bytes[at] as number) | ((bytes[at + 1] as number) << 8),
    (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8),
    (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8),
    (bytes[at + 6] as number) | ((bytes[at + 7] as number) << 8),
    (bytes[at + 8] as number) | ((bytes[at + 9] as number) << 8),
    (bytes[at + 10] as number) | ((bytes[at + 11] as number) << 8),
    (bytes[at + 12] as number) | ((bytes[at + 13] as number) << 8),
    (bytes[at + 14] as number) | ((bytes[at + 15] as number) << 8),
  )
}

/** The bytes of a key of digestKey(). */
export function digestBytesOf(key: string): Buffer {
  return Buffer.from(key, 'utf16le')
}

/** The digest of an array with the mark that tells it from the native engine's. */
export function markedDigest(bytes: Uint8Array): Uint8Array {
  const marked = new Uint8Array(DIGEST_BYTES + 1)
  marked.set(bytes)
  marked[DIGEST_BYTES] = MARK
  return marked
}

/** That of a tag, the same on both engines: XXH3-128 of the UTF-16 of its name, the low word first. */
export function tagDigest(name: string): string {
  const { low, high } = xxh3Of128(Buffer.from(name, 'utf16le'))
  const bytes = Buffer.allocUnsafe(DIGEST_BYTES)
  bytes.writeBigUInt64LE(low)
  bytes.writeBigUInt64LE(high, 8)
  return digestKey(bytes)
}
