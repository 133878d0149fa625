/**
 * A key made once and used often: it remembers where its entry lies.
 *
 * A hit through a prepared key compares one sequence word and the tick in JavaScript and does not cross to native code.
 * It belongs to the cache that made it (`cache.key(k)`); another cache refuses it. It names one entry, so a scope of that
 * cache takes it as it is, whichever scope made it.
 */

import { shared } from '../shared.js'
import { type DigestBytes, digestText } from './digest-text.js'

class PreparedKey {
  /** The string or number, or the digest of an array. */
  readonly key: string | number | DigestBytes
  /** @internal Who made it. */
  readonly owner: object
  /** @internal Where the entry was found. */
  slot = 0
  /** @internal Index of the slot's first 32-bit word in the region. */
  word = 0
  /** @internal The slot's sequence word then; odd, as that of no living entry, while the entry was never found. */
  seq = -1
  /** @internal A hit is trusted while the tick has not passed this. */
  safeUntil = Number.NEGATIVE_INFINITY

  /** @internal */
  constructor(owner: object, key: string | number | DigestBytes) {
    this.owner = owner
    this.key = key
  }

  /** The key itself, or the digest of an array as `digest()` gives it. */
  toString(): string {
    return typeof this.key === 'object' ? digestText(this.key) : String(this.key)
  }
}

/** One class for all copies of the package, so that each knows the keys of the others. */
const SharedPreparedKey = shared('PreparedKey', () => PreparedKey)
type SharedPreparedKey = PreparedKey

export { SharedPreparedKey as PreparedKey }
