/**
 * When entries were set and for how long they live.
 *
 * An entry without a ttl, or set at the clock's zero, never ends. The clock is asked at most once a `resolution`: its reading is kept
 * until a timer forgets it. Always true: until what `#order` notes of a slot, in whole milliseconds from `#origin` on, its entry is not stale; so
 * most reads look at four bytes of it.
 */
import type { Recency } from './recency.js'
import type { Perf, Status } from './types.js'

/** What a cache says about time; `ttlResolution` may change. */
export interface Timing {
  readonly perf: Perf
  readonly ttlResolution: number
}

/** A timer of setTimeout. */
type Timer = object

const MAX_UINT32 = 0xffff_ffff

export class Ages {
  readonly #timing: Timing
  /** By slot; 0 for none, NaN where lru-cache has an array that does not reach so far. */
  starts: Float64Array<ArrayBuffer>
  ttls: Float64Array<ArrayBuffer>
  readonly #order: Recency
  #now = 0
  /** The first reading of the clock. */
  #origin = Number.NaN
  /** By slot, of entries that somebody is told of. */
  readonly timers: (Timer | undefined)[] | undefined
  readonly #onDue: (slot: number) => void

  /**
   * @param max entries that lru-cache has an array for
   * @param onDue is told of each entry once its time is over
   */
  constructor(
    timing: Timing,
    order: Recency,
    slots: number,
    max: number,
    onDue: ((slot: number) => void) | undefined,
  ) {
    this.#timing = timing
    this.starts = new Float64Array(slots).fill(Number.NaN, max)
    this.ttls = new Float64Array(slots).fill(Number.NaN, max)
    this.#order = order
    this.timers = onDue === undefined ? undefined : new Array(max).fill(undefined)
    this.#onDue = onDue ?? (() => {})
  }

  grow(slots: number): void {
    const { length } = this.starts
    const [starts, ttls] = [new Float64Array(slots), new Float64Array(slots)]
    starts.set(this.starts)
    ttls.set(this.ttls)
    this.starts = starts.fill(Number.NaN, length)
    this.ttls = ttls.fill(Number.NaN, length)
  }

  startOf(slot: number): number {
    return this.starts[slot] as number
  }

  ttlOf(slot: number): number {
    return this.ttls[slot] as number
  }

  begin(slot: number, ttl: number, start: number | undefined): void {
    const from = start === undefined ? this.#read() : start
    this.ttls[slot] = ttl
    this.#start(slot, ttl === 0 ? 0 : from, ttl)
  }

  /** The entry is as young as if it were set now. */
  renew(slot: number): void {
    const ttl = this.ttlOf(slot)
    this.#start(slot, ttl === 0 ? 0 : this.#read(), ttl)
  }

  isStale(slot: number): boolean {
    const now = this.#now - this.#origin
    if (now >= 0 && this.#now !== 0 && now < (this.#order.records[4 * slot + 2] as number)) return false
    const start = this.startOf(slot)
    const ttl = this.ttlOf(slot)
    return !!ttl && !!start && this.now() - start > ttl
  }

  /** Milliseconds, less than 0 for what is over. */
  remaining(slot: number): number {
    const start = this.startOf(slot)
    const ttl = this.ttlOf(slot)
    return ttl && start ? ttl - (this.now() - start) : Infinity
  }

  describe(slot: number, status: Status<never, never, never>): void {
    const start = this.startOf(slot)
    const ttl = this.ttlOf(slot)
    if (!ttl || !start) return
    status.ttl = ttl
    status.start = start
    status.now = this.now()
    status.remainingTTL = ttl - (status.now - start)
  }

  /** Nobody is told of this entry any more. */
  end(slot: number): void {
    const { timers } = this
    if (timers?.[slot] === undefined) return
    clearTimeout(timers[slot] as never)
    timers[slot] = undefined
  }

  /** All slots below `reach`. */
  clear(reach: number): void {
    this.starts.fill(0, 0, reach)
    this.ttls.fill(0, 0, reach)
    for (let slot = 0; slot < reach && this.timers !== undefined; slot++) this.end(slot)
  }

  now(): number {
    if (this.#now !== 0) return this.#now
    const now = this.#timing.perf.now()
    if (this.#timing.ttlResolution > 0) {
      this.#now = now
      setTimeout(() => {
        this.#now = 0
      }, this.#timing.ttlResolution).unref?.()
    }
    return now
  }

  #read(): number {
    const now = this.#timing.perf.now()
    if (Number.isNaN(this.#origin)) this.#origin = now
    return now
  }

  #start(slot: number, start: number, ttl: number): void {
    this.starts[slot] = start
    const end = Math.floor(start + ttl - this.#origin) - 1
    this.#order.records[4 * slot + 2] = ttl && start ? Math.max(0, Math.min(MAX_UINT32, end)) : MAX_UINT32
    this.#schedule(slot, ttl)
  }

  #schedule(slot: number, ttl: number): void {
    const { timers } = this
    if (timers === undefined) return
    this.end(slot)
    if (!ttl || ttl === Infinity) return
    const timer = setTimeout(() => {
      timers[slot] = undefined
      if (this.isStale(slot)) this.#onDue(slot)
      else this.#schedule(slot, this.remaining(slot))
    }, ttl + 1)
    timer.unref?.()
    timers[slot] = timer
  }
}
