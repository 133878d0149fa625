/**
 * The front: remembers in which slot a string key was found, by a few of its characters, so that a hit hashes no string.
 *
 * A table of places in fours; a place holds a slot and what the bits leave of the hash. A find looks at the four places of the key, and at
 * the key that stands in the slot of one that agrees: equal content is what counts, so a place that is out of date is harmless. V8 hashes
 * and looks for a string that was built for the call in about 200 ns, of which this saves 120; and where the cache is larger than the
 * processor's, one line of memory takes the place of a Map's three.
 *
 * Six characters are looked at, two runs of three. Each 2,048 keys that were there and not remembered, the front is judged: with fewer hits than
 * that it looks elsewhere in the keys, and when nowhere is better it stands aside for 65,536 finds. Eight to sixteen bytes an entry.
 */

/** Where the two runs begin, in eighths of what the key is longer than a run: ends of keys differ most. */
const RUNS = [
  [8, 4],
  [7, 5],
  [6, 4],
  [7, 6],
  [5, 2],
] as const

const SHORTEST = 4
const JUDGED = 2048
const ASIDE = 65_536

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
  #first: number = RUNS[0][0]
  #second: number = RUNS[0][1]
  #runs = 0
  #aside = 0
  #hits = 0
  #misses = 0
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
    const groups = Math.max(1, this.#bits - 1)
    this.#shift = 32 - groups
    this.#places = new Int32Array(4 << groups)
  }

  /** The slot of a key, -1 when that is not known here. */
  find(key: string): number {
    const length = key.length
    if (this.#aside !== 0 || length < SHORTEST) {
      if (this.#aside !== 0) this.#aside--
      this.#group = -1
      return -1
    }
    const last = length - 3
    const hash = hashOf(key, length, (last * this.#first) >> 3, (last * this.#second) >> 3)
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
    if (this.#group < 0) return
    if (found && ++this.#misses === JUDGED) this.#judge()
    const places = this.#places
    const group = this.#group
    places[group + 3] = places[group + 2] as number
    places[group + 2] = places[group + 1] as number
    places[group + 1] = places[group] as number
    places[group] = this.#tag | (slot + 1)
  }

  #judge(): void {
    if (this.#hits < this.#misses) {
      this.#runs = (this.#runs + 1) % RUNS.length
      ;[this.#first, this.#second] = RUNS[this.#runs] as (typeof RUNS)[number]
      if (this.#runs === 0) this.#aside = ASIDE
    }
    this.#hits = 0
    this.#misses = 0
  }
}

function hashOf(key: string, length: number, first: number, second: number): number {
  const a = key.charCodeAt(first) + (key.charCodeAt(first + 1) << 8) + (key.charCodeAt(first + 2) << 16)
  const b = key.charCodeAt(second) + (key.charCodeAt(second + 1) << 8) + (key.charCodeAt(second + 2) << 16)
  const hash = Math.imul(Math.imul(a + length, 0x9e37_79b1) ^ b, 0x85eb_ca6b)
  return hash ^ (hash >>> 15)
}
