/**
 * The front: remembers in JavaScript where string keys were found, so that a repeated hit does not cross to native code.
 *
 * A place holds a key, its slot, the slot's sequence word and the time until which the hit may be trusted. A key has one
 * place, chosen by its length, its last three units and three in its middle, where a symbol often stands (four and four
 * cost 19 ns more a hit); equal content is what counts, not the same string object. Always true: a hit is given only while
 * the slot's sequence word is unchanged and the tick leaves TICK_SLACK_MS until the deadline; nearer to it the exact clock of
 * the native side decides.
 *
 * A front that misses costs more than it saves, so each 2,048 misses it is judged: with fewer hits than misses it stands aside for
 * 65,536 lookups. bench/README.md has the figures. 160 KB a cache, allocated when the first string is found.
 */
import { doubles } from '../native/binding.js'
import { SLOT_FREQ, STAGING_TICK } from '../native/layout.js'
import type { Engine } from './engine.js'

/** How late the tick may be, in milliseconds; the ticker writes it every ten. */
export const TICK_SLACK_MS = 100

const BITS = 13
const TICK = STAGING_TICK / 8
const JUDGED = 2048
const ASIDE = 65_536

export class Front {
  readonly #engine: Engine
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** The empty string where there is none, so that comparisons see strings only. */
  #keys: string[] = []
  /** Four a place: slot, sequence word, index of the slot's first word, unused. */
  #places: Int32Array = new Int32Array(0)
  #safe: Float64Array = new Float64Array(0)
  #aside: number
  #hits = 0
  #misses = 0
  #uncounted = 0

  /** `quick`: whether hits may be judged here. */
  constructor(engine: Engine, quick: boolean = engine.quick) {
    this.#engine = engine
    this.#words = engine.words
    this.#bytes = engine.bytes
    this.#aside = quick ? 0 : Number.POSITIVE_INFINITY
  }

  /** The slot of a key's living entry, -1 when that is not known here. */
  lookup(key: string): number {
    const n = key.length
    if (this.#aside !== 0 || n < 4) {
      if (this.#aside !== 0) this.#aside--
      return -1
    }
    const i = place(key, n)
    if (this.#keys[i] === key) {
      const places = this.#places
      const word = places[4 * i + 2] as number
      if (this.#words[word] === places[4 * i + 1] && (doubles[TICK] as number) <= (this.#safe[i] as number)) {
        if ((this.#bytes[4 * word + SLOT_FREQ] as number) < 3) this.#engine.touch(word)
        this.#hits++
        this.#uncounted++
        return places[4 * i] as number
      }
    }
    return -1
  }

  /** After lookup() gave -1: the native side found the entry. */
  remember(key: string, slot: number, seq: number, deadline: number): void {
    if (this.#aside !== 0 || key.length < 4) return
    if (this.#keys.length === 0) this.#allocate()
    if (++this.#misses === JUDGED) this.#judge()
    const i = place(key, key.length)
    const places = this.#places
    this.#keys[i] = key
    places[4 * i] = slot
    places[4 * i + 1] = seq
    places[4 * i + 2] = this.#engine.wordOf(slot)
    this.#safe[i] = deadline - TICK_SLACK_MS
  }

  /** The cache is closed: every lookup is left to the native side, which says so. */
  forget(): void {
    this.#aside = Number.POSITIVE_INFINITY
    this.#keys = []
  }

  /** Hits that the native side has not been told of. */
  takeHits(): number {
    const hits = this.#uncounted
    this.#uncounted = 0
    return hits
  }

  #judge(): void {
    if (this.#hits < this.#misses) this.#aside = ASIDE
    this.#hits = 0
    this.#misses = 0
  }

  #allocate(): void {
    this.#keys = new Array<string>(1 << BITS).fill('')
    this.#places = new Int32Array(4 << BITS)
    this.#safe = new Float64Array(1 << BITS)
  }
}

function place(key: string, n: number): number {
  const middle = n >> 1
  const tail = n + key.charCodeAt(n - 1) + (key.charCodeAt(n - 2) << 8) + (key.charCodeAt(n - 3) << 16)
  const inner =
    key.charCodeAt(middle + 2) + (key.charCodeAt(middle + 1) << 8) + (key.charCodeAt(middle) << 16)
  return (Math.imul(tail, 0x9e37_79b1) ^ Math.imul(inner, 0x85eb_ca6b)) >>> (32 - BITS)
}
