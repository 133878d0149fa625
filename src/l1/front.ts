/**
 * The front: remembers in JavaScript where string keys were found, so that a repeated hit does not cross to native code.
 *
 * A place holds a key, its slot, the slot's sequence word and the time until which the hit may be trusted. A key has four places, a group, chosen by
 * six of its characters; of those in the group the one is looked at whose tag agrees, and equal content is what counts, not the same string object.
 * Always true: a hit is given only while the slot's sequence word is unchanged and the tick leaves TICK_SLACK_MS until the deadline; nearer to it
 * the exact clock of the native side decides.
 *
 * There are twice as many places as live entries, at most 2^18 of 32 bytes each, made when the first string is found; a cache of more than 2^17 entries
 * has 2^13, for those that are read most. A front that misses costs more than it saves, so it is judged after as many misses as it has
 * places. With fewer than four times as many hits it fits its places to the cache and looks for characters by which the keys differ more; when
 * neither changes and it has fewer hits than misses it stands aside, for longer each time. bench/README.md has the figures.
 */
import { RUN, Runs } from '../key/runs.js'
import { doubles } from '../native/binding.js'
import { SLOT_FREQ, STAGING_TICK } from '../native/layout.js'
import type { Engine } from './engine.js'

/** How late the tick may be, in milliseconds; the ticker writes it every ten. */
export const TICK_SLACK_MS = 100

const TICK = STAGING_TICK / 8
/** Places, as powers of two: at least, at most, and where the cache has more entries than half the most. */
const LEAST_BITS = 12
const MOST_BITS = 18
const LARGE_BITS = 13
/** Misses that are judged in a large cache. */
const JUDGED = 2048
const ASIDE = 2 ** 16
const ASIDE_LAST = 2 ** 20
/** Keys to learn from: of those that missed, every sixteenth. */
const SAMPLE = 128
const SAMPLED = 16
/** Two empty groups, for a front that has no places yet. */
const NO_TAGS = new Int32Array(8)

export class Front {
  readonly #engine: Engine
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** Of more entries than these only those that are read most are remembered. */
  readonly #most: number
  readonly #runs = new Runs()
  /** The empty string where there is none, so that comparisons see strings only. */
  #keys: string[] = []
  /** What the place's key hashes to, odd; 0 where there is none. */
  #tags: Int32Array = NO_TAGS
  /** Three a place: slot, sequence word, index of the slot's first word. */
  #found: Int32Array = new Int32Array(0)
  #safe: Float64Array = new Float64Array(0)
  #bits = LEAST_BITS
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
  #uncounted = 0

  /** `most`: of so many entries values are at hand; `quick`: whether hits may be judged here. */
  constructor(engine: Engine, most = Number.POSITIVE_INFINITY, quick = engine.quick) {
    this.#engine = engine
    this.#most = Math.min(most, 2 ** (MOST_BITS - 1))
    this.#words = engine.words
    this.#bytes = engine.bytes
    this.#aside = quick ? 0 : Number.POSITIVE_INFINITY
  }

  /** The slot of a key's living entry, -1 when that is not known here. */
  lookup(key: string): number {
    const n = key.length
    if (this.#aside !== 0 || n < RUN) {
      if (this.#aside !== 0) this.#aside--
      return -1
    }
    const hash = this.#runs.hash(key, n)
    const tag = hash | 1
    const group = (hash >>> this.#shift) << 2
    const tags = this.#tags
    const keys = this.#keys
    for (let i = group; i < group + 4; i++) {
      if (tags[i] === tag && keys[i] === key) {
        const found = this.#found
        const word = found[3 * i + 2] as number
        if (this.#words[word] !== found[3 * i + 1] || (doubles[TICK] as number) > (this.#safe[i] as number))
          return -1
        if ((this.#bytes[4 * word + SLOT_FREQ] as number) < 3) this.#engine.touch(word)
        this.#hits++
        this.#uncounted++
        return found[3 * i] as number
      }
    }
    return -1
  }

  /** The hit that lookup() has just given is of no use: the caller has forgotten the value. */
  retract(): void {
    this.#hits--
    this.#uncounted--
  }

  /** After lookup() gave -1, or retract(): the native side found the entry. */
  remember(key: string, slot: number, seq: number, deadline: number): void {
    if (this.#aside !== 0 || key.length < RUN) return
    if (this.#keys.length === 0) this.#allocate()
    if (++this.#misses % SAMPLED === 0) this.#sample[(this.#misses / SAMPLED) % SAMPLE] = key
    const hash = this.#runs.hash(key, key.length)
    const i = this.#placeFor(key, hash)
    const found = this.#found
    this.#keys[i] = key
    this.#tags[i] = hash | 1
    found[3 * i] = slot
    found[3 * i + 1] = seq
    found[3 * i + 2] = this.#engine.wordOf(slot)
    this.#safe[i] = deadline - TICK_SLACK_MS
    if (this.#misses === this.#due) this.#judge()
  }

  /** The key's own place, else a free one of its group, else one in turn. */
  #placeFor(key: string, hash: number): number {
    const group = (hash >>> this.#shift) << 2
    for (let i = group; i < group + 4; i++) {
      const tag = this.#tags[i]
      if (tag === 0 || (tag === (hash | 1) && this.#keys[i] === key)) return i
    }
    this.#victim = (this.#victim + 1) & 3
    return group + this.#victim
  }

  /** The cache is closed: every lookup is left to the native side, which says so. */
  forget(): void {
    this.#aside = Number.POSITIVE_INFINITY
    this.#empty()
  }

  /** Hits that the native side has not been told of. */
  takeHits(): number {
    const hits = this.#uncounted
    this.#uncounted = 0
    return hits
  }

  #judge(): void {
    if (this.#hits >= 4 * this.#misses) {
      this.#rest = ASIDE
    } else if (this.#improve()) {
      this.#empty()
    } else if (this.#hits < this.#misses) {
      this.#aside = this.#rest
      this.#rest = Math.min(2 * this.#rest, ASIDE_LAST)
    }
    this.#hits = 0
    this.#misses = 0
  }

  /** Whether the places or the characters are others now. To learn takes a millisecond, so in vain it is tried ever more seldom. */
  #improve(): boolean {
    const n = this.#judged++
    const learnt = (n & (n - 1)) === 0 && this.#runs.learn(this.#sample)
    if (learnt) this.#judged = 1
    const entries = this.#engine.count()
    const bits = entries > this.#most ? LARGE_BITS : Math.max(LEAST_BITS, Math.ceil(Math.log2(2 * entries)))
    if (bits === this.#bits) return learnt
    this.#bits = bits
    return true
  }

  #empty(): void {
    this.#keys = []
    this.#sample = []
    this.#tags = NO_TAGS
    this.#shift = 31
  }

  #allocate(): void {
    const places = 1 << this.#bits
    this.#due = this.#bits === LARGE_BITS ? JUDGED : places
    this.#shift = 34 - this.#bits
    this.#keys = new Array<string>(places).fill('')
    this.#tags = new Int32Array(places)
    this.#found = new Int32Array(3 * places)
    this.#safe = new Float64Array(places)
  }
}
