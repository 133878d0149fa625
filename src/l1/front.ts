/**
 * The front: remembers in JavaScript where string keys were found, so that a repeated hit does not cross to native code.
 *
 * A record holds a key, its slot, the slot's sequence word and the time until which the hit may be trusted. It is found by four places, a group, chosen
 * by six characters of the key; a place holds the record's number and what the bits leave of the hash, and equal content is what
 * counts, not the same string object. Records are taken one after the other, so that those in use lie side by side.
 * Always true: a hit is given only while the slot's sequence word is unchanged and the tick leaves TICK_SLACK_MS until the deadline; nearer to it
 * the exact clock of the native side decides.
 *
 * There are a quarter more records than live entries, and twice as many places as records: 36 bytes a record, made when the first string is found. A
 * cache of more than 104,857 entries has 4,095 records, for those that are read most. A front that misses costs more than it saves, so it is
 * judged after as many misses as it has places, in a large cache after 2,048. With fewer than four times as many hits it fits its size
 * to the cache and looks for characters by which the keys differ more; when neither changes and it has fewer hits than misses it stands aside, for
 * longer each time. bench/README.md has the figures.
 */
import { RUN, Runs } from '../key/runs.js'
import { doubles } from '../native/binding.js'
import { SLOT_FREQ, STAGING_TICK } from '../native/layout.js'
import type { Engine } from './engine.js'

/** How late the tick may be, in milliseconds; the ticker writes it every ten. */
export const TICK_SLACK_MS = 100

const TICK = STAGING_TICK / 8
/** Bits of a record's number and 1: at least, at most, and where the cache has more entries. */
const LEAST_BITS = 11
const MOST_BITS = 17
const LARGE_BITS = 12
/** Misses that are judged in a large cache. */
const JUDGED = 2048
/** Records for each entry: in a table that is full to the last, keys push each other out. */
const ROOM = 1.25
const ASIDE = 2 ** 16
const ASIDE_LAST = 2 ** 20
/** Keys to learn from: of those that missed, every sixteenth. */
const SAMPLE = 128
const SAMPLED = 16
/** Two empty groups, for a front that has no places yet. */
const NO_PLACES = new Int32Array(8)

export class Front {
  readonly #engine: Engine
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** Of more entries than these only those that are read most are remembered. */
  readonly #most: number
  readonly #runs = new Runs()
  /** By record: the key, the empty string where there is none, so that comparisons see strings only. */
  #keys: string[] = []
  /** By record: slot, sequence word, index of the slot's first word. */
  #found = new Int32Array(0)
  /** By record: until when a hit is trusted. */
  #safe = new Float64Array(0)
  /** The record that is taken next. */
  #next = 0
  /** A record and 1, 0 for none; above it the low bits of the key's hash. */
  #places = NO_PLACES
  /** Bits of a record and 1. */
  #bits = LEAST_BITS
  /** Whether the cache has more entries than are remembered. */
  #large = false
  /** What is left of a hash when it is shifted by so much is a group. */
  #shift = 31
  #aside: number
  #hits = 0
  #misses = 0
  /** Misses at which it is judged, and how often it was since it learnt something. */
  #due = JUDGED
  #judged = 0
  /** Lookups for which it stands aside next. */
  #rest = ASIDE
  #sample: string[] = []
  /** The place of a full group that is taken next, of four. */
  #victim = 0
  /** What the hits were when it was judged, and when the native side was told of them. */
  #judgedHits = 0
  #toldHits = 0

  /** `most`: of so many entries values are at hand; `quick`: whether hits may be judged here. */
  constructor(engine: Engine, most = Number.POSITIVE_INFINITY, quick = engine.quick) {
    this.#engine = engine
    this.#most = Math.min(most, Math.floor(2 ** MOST_BITS / ROOM))
    this.#words = engine.words
    this.#bytes = engine.bytes
    this.#aside = quick ? 0 : Number.POSITIVE_INFINITY
  }

  /** Whether it looks and remembers: a front that misses too much stands aside for a while. */
  get isAwake(): boolean {
    return this.#aside === 0
  }

  /** The slot of a key's living entry, -1 when that is not known here. */
  lookup(key: string): number {
    const n = key.length
    if (this.#aside !== 0 || n < RUN) {
      if (this.#aside !== 0) this.#aside--
      return -1
    }
    const hash = this.#runs.hash(key, n)
    const bits = this.#bits
    const tag = hash << bits
    const group = (hash >>> this.#shift) << 2
    const places = this.#places
    const keys = this.#keys
    for (let i = group; i < group + 4; i++) {
      const place = (places[i] as number) ^ tag
      if (place !== 0 && place >>> bits === 0 && keys[place - 1] === key) {
        const record = place - 1
        const found = this.#found
        const word = found[3 * record + 2] as number
        if (
          this.#words[word] !== found[3 * record + 1] ||
          (doubles[TICK] as number) > (this.#safe[record] as number)
        )
          return -1
        if ((this.#bytes[4 * word + SLOT_FREQ] as number) < 3) this.#engine.touch(word)
        this.#hits++
        return found[3 * record] as number
      }
    }
    return -1
  }

  /** The hit that lookup() has just given is of no use: the caller has forgotten the value. */
  retract(): void {
    this.#hits--
  }

  /** After lookup() gave -1, or retract(): the native side found the entry. */
  remember(key: string, slot: number, seq: number, deadline: number): void {
    if (this.#aside !== 0 || key.length < RUN) return
    if (this.#keys.length === 0) this.#allocate()
    if (++this.#misses % SAMPLED === 0) this.#sample[(this.#misses / SAMPLED) % SAMPLE] = key
    const record = this.#recordOf(key)
    const found = this.#found
    found[3 * record] = slot
    found[3 * record + 1] = seq
    found[3 * record + 2] = this.#engine.wordOf(slot)
    this.#safe[record] = deadline - TICK_SLACK_MS
    if (this.#misses === this.#due) this.#judge()
  }

  /** The key's own record, else the next in turn; that of another key of the group where the group is full. */
  #recordOf(key: string): number {
    const hash = this.#runs.hash(key, key.length)
    const tag = hash << this.#bits
    const group = (hash >>> this.#shift) << 2
    let free = -1
    for (let at = group; at < group + 4; at++) {
      const place = (this.#places[at] as number) ^ tag
      if (this.#places[at] === 0) free = free < 0 ? at : free
      else if (place >>> this.#bits === 0 && this.#keys[place - 1] === key) return place - 1
    }
    const record = free < 0 ? this.#takeOver(group) : this.#takeNext()
    const at = free < 0 ? group + this.#victim : free
    this.#keys[record] = key
    this.#places[at] = tag | (record + 1)
    return record
  }

  /** The record that was taken longest ago, without its key. */
  #takeNext(): number {
    const record = this.#next
    this.#next = (record + 1) % this.#keys.length
    const key = this.#keys[record] as string
    if (key === '') return record
    const group = (this.#runs.hash(key, key.length) >>> this.#shift) << 2
    for (let at = group; at < group + 4; at++)
      if (((this.#places[at] as number) & (2 ** this.#bits - 1)) === record + 1) this.#places[at] = 0
    return record
  }

  /** The record of a place of this group, one after the other. */
  #takeOver(group: number): number {
    this.#victim = (this.#victim + 1) & 3
    return ((this.#places[group + this.#victim] as number) & (2 ** this.#bits - 1)) - 1
  }

  /** The cache was emptied: no key is kept. */
  clear(): void {
    this.#empty()
    this.#bits = LEAST_BITS
    this.#large = false
    this.#judgedHits = this.#hits
    this.#misses = 0
  }

  /** The cache is closed: every lookup is left to the native side, which says so. */
  forget(): void {
    this.#aside = Number.POSITIVE_INFINITY
    this.#empty()
  }

  /** Hits that the native side has not been told of. */
  takeHits(): number {
    const hits = this.#hits - this.#toldHits
    this.#toldHits = this.#hits
    return hits
  }

  #judge(): void {
    const hits = this.#hits - this.#judgedHits
    if (hits >= 4 * this.#misses) {
      this.#rest = ASIDE
    } else if (this.#improve()) {
      this.#empty()
    } else if (hits < this.#misses) {
      this.#aside = this.#rest
      this.#rest = Math.min(2 * this.#rest, ASIDE_LAST)
    }
    this.#judgedHits = this.#hits
    this.#misses = 0
  }

  /** Whether the size or the characters are others now. To learn takes a millisecond, so in vain it is tried ever more seldom. */
  #improve(): boolean {
    const n = this.#judged++
    const learnt = (n & (n - 1)) === 0 && this.#runs.learn(this.#sample)
    if (learnt) this.#judged = 1
    return this.#fit(this.#engine.count()) || learnt
  }

  /** Whether so many entries take another size: a much smaller one, or a larger one. */
  #fit(entries: number): boolean {
    this.#large = entries > this.#most
    const bits = this.#large ? LARGE_BITS : Math.max(LEAST_BITS, Math.ceil(Math.log2(ROOM * entries)))
    if (bits === this.#bits || bits === this.#bits - 1) return false
    this.#bits = bits
    return true
  }

  #empty(): void {
    this.#keys = []
    this.#found = new Int32Array(0)
    this.#safe = new Float64Array(0)
    this.#sample = []
    this.#places = NO_PLACES
    this.#shift = 31
  }

  #allocate(): void {
    const records = 2 ** this.#bits - 1
    this.#due = this.#large ? JUDGED : 2 * records
    this.#shift = 33 - this.#bits
    this.#next = 0
    this.#keys = new Array<string>(records).fill('')
    this.#found = new Int32Array(3 * records)
    this.#safe = new Float64Array(records)
    this.#places = new Int32Array(2 ** (this.#bits + 1))
  }
}
