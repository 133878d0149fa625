/**
 * When entries were set and for how long they live.
 *
 * An entry without a ttl, or set at the clock's zero, never ends. The clock is asked at most once a `resolution`: its reading is kept
 * until a timer forgets it. Always true: until `#fresh` of a slot, in whole milliseconds since `#origin`, its entry is not stale; so
 * most reads look at four bytes of it.
 */
import type { Perf, Status } from './types.js'

/** What a cache says about time; `ttlResolution` may change. */
export interface Timing {
  readonly perf: Perf
  readonly ttlResolution: number
}

const MAX_UINT32 = 0xffff_ffff

export class Ages {
  readonly #timing: Timing
  /** Of slot i: when it was set at 2i, its ttl at 2i + 1; 0 for none. */
  #times: Float64Array<ArrayBuffer>
  #fresh: Uint32Array<ArrayBuffer>
  #now = 0
  #origin: number
  readonly #timers: Map<number, NodeJS.Timeout> | undefined
  readonly #onDue: (slot: number) => void

  /** With `onDue`, it is told of each entry once its time is over. */
  constructor(timing: Timing, slots: number, onDue: ((slot: number) => void) | undefined) {
    this.#timing = timing
    this.#times = new Float64Array(2 * slots)
    this.#fresh = new Uint32Array(slots)
    this.#origin = timing.perf.now()
    this.#timers = onDue === undefined ? undefined : new Map()
    this.#onDue = onDue ?? (() => {})
  }

  grow(slots: number): void {
    const times = new Float64Array(2 * slots)
    times.set(this.#times)
    this.#times = times
    const fresh = new Uint32Array(slots)
    fresh.set(this.#fresh)
    this.#fresh = fresh
  }

  startOf(slot: number): number {
    return this.#times[2 * slot] as number
  }

  ttlOf(slot: number): number {
    return this.#times[2 * slot + 1] as number
  }

  begin(slot: number, ttl: number, start: number | undefined): void {
    this.#times[2 * slot + 1] = ttl
    this.#start(slot, ttl === 0 ? 0 : (start ?? this.#timing.perf.now()), ttl)
  }

  /** The entry is as young as if it were set now. */
  renew(slot: number): void {
    const ttl = this.ttlOf(slot)
    this.#start(slot, ttl === 0 ? 0 : this.#timing.perf.now(), ttl)
  }

  isStale(slot: number): boolean {
    if (this.#now !== 0 && this.#now - this.#origin < (this.#fresh[slot] as number)) return false
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
    const timer = this.#timers?.get(slot)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#timers?.delete(slot)
  }

  clear(): void {
    this.#times.fill(0)
    this.#fresh.fill(0)
    if (this.#timers === undefined) return
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
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

  #start(slot: number, start: number, ttl: number): void {
    this.#times[2 * slot] = start
    const end = Math.floor(start + ttl - this.#origin) - 1
    this.#fresh[slot] = ttl && start ? Math.max(0, Math.min(MAX_UINT32, end)) : MAX_UINT32
    this.#schedule(slot, ttl)
  }

  #schedule(slot: number, ttl: number): void {
    const timers = this.#timers
    if (timers === undefined) return
    this.end(slot)
    if (!ttl || ttl === Infinity) return
    const timer = setTimeout(() => {
      timers.delete(slot)
      if (this.isStale(slot)) this.#onDue(slot)
      else this.#schedule(slot, this.remaining(slot))
    }, ttl + 1)
    timer.unref?.()
    timers.set(slot, timer)
  }
}
