/**
 * What left the two queues: native/core/ghost.h explains it, and this remembers and forgets the same.
 *
 * Six bytes for each of one and a quarter of the capacity, and 2 KB. Always true: each ghost remembers at most half the capacity; of each
 * of the last TICKS ticks it is known how many keys are remembered, and their sum is the count.
 */
const WAYS = 10
const TICKS = 256
const TICKS_OF_CAPACITY = 64
const TICK_MASK = 0x7fff
const SWEEP_TICKS = (TICK_MASK + 1) / 2

/** Which queue: 0 the small one, 1 the main one. */
export type GhostOf = 0 | 1

class State {
  /** Keys that are remembered. */
  count = 0
  /** The one in which keys come now. */
  tick = 0
  /** How many came in it. */
  filled = 0
  /** The first whose keys are remembered. */
  oldest = 0
  readonly inTick = new Uint32Array(TICKS)

  forgetOldest(): void {
    const at = this.oldest % TICKS
    this.count -= this.inTick[at] as number
    this.inTick[at] = 0
    this.oldest++
  }
}

export class Ghosts {
  readonly #keys: Uint32Array
  readonly #came: Uint16Array
  readonly #buckets: number
  readonly #capacity: number
  readonly #perTick: number
  readonly #states = [new State(), new State()] as const

  /** `capacity`: entries of the cache. */
  constructor(capacity: number) {
    this.#buckets = Math.floor((capacity * 5) / (4 * WAYS)) + 1
    this.#keys = new Uint32Array(this.#buckets * WAYS)
    this.#came = new Uint16Array(this.#buckets * WAYS)
    this.#capacity = Math.max(1, Math.floor(capacity / 2))
    this.#perTick = Math.ceil(this.#capacity / TICKS_OF_CAPACITY)
  }

  /** How many the ghost remembers. */
  count(ghost: GhostOf): number {
    return this.#states[ghost].count
  }

  /** The ghost that remembered a hash, and does not any more. */
  take(hash: number): GhostOf | undefined {
    if (this.#states[0].count + this.#states[1].count === 0) return undefined
    const key = mix(hash)
    const first = this.#first(key)
    for (let i = first; i < first + WAYS; i++) {
      if (this.#keys[i] !== key) continue
      const came = this.#came[i] as number
      if (!this.#remembers(came)) continue
      this.#keys[i] = 0
      this.#forget(came)
      return (came & 1) as GhostOf
    }
    return undefined
  }

  put(ghost: GhostOf, hash: number): void {
    const key = mix(hash)
    const state = this.#states[ghost]
    state.filled++
    const place = this.#placeIn(this.#first(key), state.tick * this.#perTick + state.filled)
    this.#keys[place] = key
    this.#came[place] = (state.tick << 1) | ghost
    const at = state.tick % TICKS
    state.inTick[at] = (state.inTick[at] as number) + 1
    state.count++
    while (state.count > this.#capacity) state.forgetOldest()
    if (state.filled < this.#perTick) return
    state.filled = 0
    state.tick++
    if (state.tick - state.oldest >= TICKS) state.forgetOldest()
    this.#sweep(state.tick)
  }

  /** Undefined, or what is wrong. */
  validate(): string | undefined {
    const seen = [0, 0]
    for (let i = 0; i < this.#keys.length; i++) {
      const came = this.#came[i] as number
      if (this.#keys[i] !== 0 && this.#remembers(came)) seen[came & 1]!++
    }
    for (const ghost of [0, 1] as const) {
      const { count, inTick } = this.#states[ghost]
      if (seen[ghost] !== count || inTick.reduce((sum, n) => sum + n, 0) !== count)
        return "a ghost's count is wrong"
      if (count > this.#capacity) return 'a ghost remembers too much'
    }
    return undefined
  }

  #first(key: number): number {
    return Math.floor((key * this.#buckets) / 2 ** 32) * WAYS
  }

  /** Ticks since a key came. */
  #age(came: number): number {
    return (this.#states[(came & 1) as GhostOf].tick - (came >>> 1)) & TICK_MASK
  }

  #remembers(came: number): boolean {
    const { tick, oldest } = this.#states[(came & 1) as GhostOf]
    return this.#age(came) <= tick - oldest
  }

  /** A free place of a bucket, in turn; else that of its oldest key, which is forgotten. */
  #placeIn(first: number, turn: number): number {
    let oldest = first
    let oldestAge = 0
    for (let n = 0; n < WAYS; n++) {
      const i = first + ((turn + n) % WAYS)
      const came = this.#came[i] as number
      if (this.#keys[i] === 0 || !this.#remembers(came)) return i
      const age = this.#age(came)
      if (age < oldestAge) continue
      oldest = i
      oldestAge = age
    }
    this.#forget(this.#came[oldest] as number)
    return oldest
  }

  #forget(came: number): void {
    const state = this.#states[(came & 1) as GhostOf]
    const at = (state.tick - this.#age(came)) % TICKS
    state.inTick[at] = (state.inTick[at] as number) - 1
    state.count--
  }

  /** Empties the places of some buckets whose keys are forgotten: each bucket once in half of the ticks that 15 bits tell apart. */
  #sweep(tick: number): void {
    const each = Math.ceil(this.#buckets / SWEEP_TICKS)
    const from = (tick % SWEEP_TICKS) * each * WAYS
    const end = Math.min(from + each * WAYS, this.#keys.length)
    for (let i = from; i < end; i++)
      if (this.#keys[i] !== 0 && !this.#remembers(this.#came[i] as number)) this.#keys[i] = 0
  }
}

function mix(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x7feb_352d)
  h ^= h >>> 15
  h = Math.imul(h, 0x846c_a68b)
  h = (h ^ (h >>> 16)) >>> 0
  return h === 0 ? 1 : h
}
