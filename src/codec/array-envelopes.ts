/**
 * The envelopes that batches of feature vectors are made of, read in place: no tags, not compressed, at most 4 KB, one array as the value.
 *
 * Such an envelope is copied whole, by one call, to an address that is a multiple of 8: its head is then read through arrays of doubles
 * and words that exist already, and the value is a view. To make a Buffer, a DataView and memory for each value costs five times as much.
 *
 *   slab, 16 KB:  | head 48 | ext, padding | elements .. | to 8 | head 48 | ..
 *
 * Always true: whatever is not exactly of this form is `undefined` here and left to `readHeader` and `decodePayload`, and what is read here
 * they would read alike.
 */
import type { NdArray, TypedArray } from '../key/ndarray.js'
import { readArrayPayload } from './array-payload.js'
import { ENVELOPE_MAGIC, isDeadline, isVersion } from './envelope.js'
import { SLAB_BYTES, Slab } from './slab.js'
import { soleArrayAt } from './value.js'

const MAX_ENVELOPE_BYTES = SLAB_BYTES / 4
const HEAD_BYTES = 48

/** Words 0 and 9 of a head without flags and tags; envelope.ts draws it. */
const [PLAIN, NO_TAGS] = new Uint32Array(
  Uint8Array.of(...ENVELOPE_MAGIC, 0, 0, 0, 8, 0).buffer,
) as unknown as [number, number]

const float = new Float32Array(1)
const floatBits = new Uint32Array(float.buffer)

/** Reads one envelope after the other. The fields are those of the head that was read last. */
export class ArrayEnvelopes {
  freshUntil = 0
  deadAt = 0
  version = 0
  epoch = 0
  factoryMs = 0
  #slab: Slab | undefined

  /**
   * The array of an envelope of this form; undefined for any other bytes. Never throws.
   *
   * @param own whether the array has memory of its own, for what may live long; else it may share a slab
   */
  read(bytes: Uint8Array, own: boolean): TypedArray | NdArray | undefined {
    const { length } = bytes
    if (length <= HEAD_BYTES || length > MAX_ENVELOPE_BYTES) return undefined
    const slab = Slab.withRoom(this.#slab, length)
    this.#slab = slab
    const at = slab.used
    slab.bytes.set(bytes, at)
    if (!this.#readHead(slab, at, length)) return undefined
    const end = at + length
    const payload = soleArrayAt(slab.bytes, at + HEAD_BYTES, end)
    if (payload === -1) return undefined
    try {
      const value = readArrayPayload(slab.bytes, own, payload, end)
      if (value instanceof ArrayBuffer || value instanceof DataView) return undefined
      if (!own) slab.take(end)
      return value
    } catch {
      return undefined // INVALID_VALUE
    }
  }

  #readHead({ words, doubles }: Slab, at: number, length: number): boolean {
    const word = at >> 2
    const double = at >> 3
    if (words[word] !== PLAIN || words[word + 9] !== NO_TAGS || words[word + 1] !== length - HEAD_BYTES)
      return false
    this.freshUntil = doubles[double + 1] as number
    this.deadAt = doubles[double + 2] as number
    this.version = doubles[double + 3] as number
    this.epoch = doubles[double + 5] as number
    floatBits[0] = words[word + 8] as number
    this.factoryMs = float[0] as number
    return (
      isDeadline(this.freshUntil) &&
      this.deadAt >= this.freshUntil &&
      isVersion(this.version) &&
      isVersion(this.epoch) &&
      this.factoryMs >= 0 &&
      this.factoryMs < Infinity
    )
  }
}
