/**
 * The digest of an array as bytes, as text, and as a name in the second tier, of either engine.
 *
 * Native digests are sixteen bytes; those of the portable engine, which come from another function, have a mark behind them. Always true: no
 * two engines share a digest, in memory or in the second tier.
 */

import { DIGEST_BYTES as BYTES, MARK } from '../native/portable/digest.js'

/** The identity of an array as a key: its digest, and the mark of the portable engine behind it. */
export type DigestBytes = Uint8Array

const NAME = /^([dx])([0-9a-f]{32})$/

/** 32 hexadecimal digits, with an `x` before those of the portable engine. */
export function digestText(digest: DigestBytes): string {
  return digest.length === BYTES ? hexOf(digest) : `x${hexOf(digest)}`
}

/** `d` and 32 hexadecimal digits, or `x` and those of the portable engine. */
export function digestName(digest: DigestBytes): string {
  return (digest.length === BYTES ? 'd' : 'x') + hexOf(digest)
}

/** The digest of a name that digestName() gave; undefined when it is another. */
export function parseDigestName(name: string): DigestBytes | undefined {
  const [, kind, hex] = NAME.exec(name) ?? []
  if (hex === undefined) return undefined
  const digest = new Uint8Array(kind === 'd' ? BYTES : BYTES + 1)
  digest.set(Buffer.from(hex, 'hex'))
  if (kind === 'x') digest[BYTES] = MARK
  return digest
}

function hexOf(digest: DigestBytes): string {
  return Buffer.from(digest.buffer, digest.byteOffset, BYTES).toString('hex')
}
