/**
 * The front: remembers in which slot a string key was found, by six of its characters, so that a hit hashes no string.
 *
 * A table of places in fours; a place holds a slot and what the bits leave of the hash. A find looks at the four places of the key, and at
 * the key that stands in the slot of one that agrees: equal content is what counts, so a place that is out of date is harmless. V8 hashes
 * and looks for a string that was built for the call in about 200 ns, of which this saves 120; and where the cache is larger than the
 * processor's, one line of memory takes the place of a Map's three.
 *
 * The characters are two runs of three, counted from the end. After 1,024 keys that were there and not remembered, or new and with the hash of
 * another, the front is judged: with fewer than eight times as many hits it takes the two runs by which the most of 256 keys of the cache differ, if by
 * them clearly more differ than by its own, and goes over all keys again, a few at each miss. If not, it keeps its own and is judged the less often, and
 * with fewer hits than misses stands aside for 65,536 finds. Eight to sixteen bytes an entry.
 */

import { RUN, Runs } from '../../key/runs.js'

const JUDGED = 1024
const JUDGED_LAST = 2 ** 20
const ASIDE = 65_536
const SAMPLE = 256
/** Keys gone over at a miss. */
const STRIDE = 16

/** Caches of more slots have no front: its places could not tell them apart. */
export const MOST_SLOTS = 2 ** 24

export class Front {
  readonly #keys: readonly unknown[]
  /** A slot and 1, 0 for none; above it the low bits of the hash. */
  #places = new Int32Array(0)
  /** Bits of a slot and 1. */
  #bits = 0
  /** What is left of a hash when it is shifted by so much is a group of four places. */
  #shift = 0
  readonly #runs = new Runs()
  #aside = 0
  #hits = 0
  #misses = 0
  /** Misses at which it is judged. */
  #due = JUDGED
  /** Slots below this have been gone over with the present runs. */
  #learnt = Number.POSITIVE_INFINITY
  /** Of the last key that was not found: its group, -1 when it is not to be remembered, and tag. */
  #group = -1
  #tag = 0

  /** `keys`: the key in each slot. */
  constructor(keys: readonly unknown[], slots: number) {
    this.#keys = keys
    this.resize(slots)
  }

  /** Room for so many slots; all is forgotten. */
  resize(slots: number): void {
    if (slots > MOST_SLOTS) {
      this.#aside = Number.POSITIVE_INFINITY
      this.#places = new Int32Array(0)
      return
    }
    this.#bits = 32 - Math.clz32(slots)
    const groupBits = Math.max(1, this.#bits - 1)
    this.#shift = 32 - groupBits
    this.#places = new Int32Array(4 << groupBits)
  }

  /** The slot of a key, -1 when that is not known here. */
  find(key: string): number {
    const length = key.length
    if (this.#aside !== 0 || length < RUN) return this.#pass()
    const hash = this.#runs.hash(key, length)
    const bits = this.#bits
    const tag = hash << bits
    const group = (hash >>> this.#shift) << 2
    const places = this.#places
    const keys = this.#keys
    for (let at = group; at < group + 4; at++) {
      const place = (places[at] as number) ^ tag
      if (place !== 0 && place >>> bits === 0 && keys[place - 1] === key) {
        this.#hits++
        return place - 1
      }
    }
    this.#group = group
    this.#tag = tag
    return -1
  }

  /** The key that find() did not know is in this slot, `found` if it was before. */
  remember(slot: number, found: boolean): void {
    const group = this.#group
    if (group < 0) return
    const newest = this.#places[group] as number
    const twin = newest !== 0 && (newest ^ this.#tag) >>> this.#bits === 0
    this.#put(group, this.#tag | (slot + 1))
    if (this.#learnt < this.#keys.length) this.#goOver()
    else if ((found || twin) && ++this.#misses >= this.#due) this.#judge()
  }

  #put(group: number, place: number): void {
    const places = this.#places
    places[group + 3] = places[group + 2] as number
    places[group + 2] = places[group + 1] as number
    places[group + 1] = places[group] as number
    places[group] = place
  }

  #pass(): number {
    if (this.#aside !== 0) this.#aside--
    this.#group = -1
    return -1
  }

  #judge(): void {
    if (this.#hits < 8 * this.#misses) {
      if (this.#runs.learn(sampleKeys(this.#keys, SAMPLE))) {
        this.#learnt = 0
        this.#due = JUDGED
      } else {
        this.#due = Math.min(4 * this.#due, JUDGED_LAST)
        if (this.#hits < this.#misses) this.#aside = ASIDE
      }
    }
    this.#hits = 0
    this.#misses = 0
  }

  #goOver(): void {
    const keys = this.#keys
    const end = Math.min(this.#learnt + STRIDE, keys.length)
    for (let slot = this.#learnt; slot < end; slot++) {
      const key = keys[slot]
      if (typeof key !== 'string' || key.length < RUN) continue
      const hash = this.#runs.hash(key, key.length)
      this.#put((hash >>> this.#shift) << 2, (hash << this.#bits) | (slot + 1))
    }
    this.#learnt = end
    this.#hits = 0
    this.#misses = 0
  }
}

/** At most `count` of the strings that have runs, from all over an array. */
function sampleKeys(keys: readonly unknown[], count: number): string[] {
  const sample: string[] = []
  for (let i = 1, random = 1; i <= count; i++) {
    random = (Math.imul(random, 0x19_660d) + 0x3c6e_f35f) >>> 0
    const key = keys[(random >>> 8) % keys.length]
    if (typeof key === 'string' && key.length >= RUN) sample.push(key)
  }
  return sample
}
