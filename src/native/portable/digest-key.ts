/** The digest of an array as the key of a Map: eight units, which hash faster than a BigInt does. */
import { DIGEST_BYTES, MARK } from './digest.js'

/** Of the first sixteen bytes. */
export function digestKey(bytes: Uint8Array): string {
  return String.fromCharCode(
    (bytes[0] as number) | ((bytes[1] as number) << 8),
    (bytes[2] as number) | ((bytes[3] as number) << 8),
    (bytes[4] as number) | ((bytes[5] as number) << 8),
    (bytes[6] as number) | ((bytes[7] as number) << 8),
    (bytes[8] as number) | ((bytes[9] as number) << 8),
    (bytes[10] as number) | ((bytes[11] as number) << 8),
    (bytes[12] as number) | ((bytes[13] as number) << 8),
    (bytes[14] as number) | ((bytes[15] as number) << 8),
  )
}

/** The digest of a key of digestKey(), with its mark. */
export function digestOfKey(key: string): Uint8Array {
  const bytes = new Uint8Array(DIGEST_BYTES + 1)
  for (let i = 0; i < 8; i++) {
    bytes[2 * i] = key.charCodeAt(i) & 0xff
    bytes[2 * i + 1] = key.charCodeAt(i) >>> 8
  }
  bytes[DIGEST_BYTES] = MARK
  return bytes
}
