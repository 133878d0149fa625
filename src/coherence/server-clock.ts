/**
 * The Redis server's wall clock as seen from this process: absolute deadlines mean the same to hosts whose clocks differ (R5, R14).
 *
 * A sample is a question for TIME: sent and received on the local monotonic clock, and what the server said between. The server's
 * reading is then known to within half the round trip. Always true: `now()` follows the tightest sample of the window, where a
 * sample loosens with age by the drift that two clocks are allowed; a sample that contradicts the tightest one (the server's clock was
 * set, or it is another server) replaces all before it.
 */
const DEFAULT_WINDOW_MS = 60_000
const DEFAULT_DRIFT_PPM = 200
const MAX_SAMPLES = 64
const MICROSECONDS_PER_MS = 1000

export interface ServerClockOptions {
  /** Local monotonic milliseconds; default `performance.now`. */
  readonly now?: () => number
  /** Milliseconds that a sample serves at most while newer ones come, default 60,000. */
  readonly windowMs?: number
  /** Parts per million by which the clocks may run apart, default 200 (0.2 ms a second). */
  readonly driftPpm?: number
}

interface Sample {
  readonly at: number
  /** Server minus local, in milliseconds. */
  readonly offset: number
  /** Half the round trip in milliseconds. */
  readonly radius: number
}

export class ServerClock {
  readonly #now: () => number
  readonly #windowMs: number
  readonly #drift: number
  #samples: Sample[] = []
  #best: Sample | undefined
  #renewing = false

  constructor(options: ServerClockOptions = {}) {
    this.#now = options.now ?? (() => performance.now())
    this.#windowMs = options.windowMs ?? DEFAULT_WINDOW_MS
    this.#drift = (options.driftPpm ?? DEFAULT_DRIFT_PPM) / 1e6
  }

  /** Whether there has been a sample. */
  get known(): boolean {
    return this.#best !== undefined
  }

  /** The server's wall clock in milliseconds, with fractions; NaN before the first sample. May step back when the offset is corrected. */
  now(): number {
    return this.#now() + this.offset
  }

  /** Server milliseconds minus local monotonic milliseconds; NaN before the first sample. */
  get offset(): number {
    return this.#best?.offset ?? Number.NaN
  }

  /** Milliseconds by which `now()` may be wrong, drift included; Infinity before the first sample. */
  get uncertainty(): number {
    return this.uncertaintyAt(this.#now())
  }

  /** As `uncertainty`, for who has just read the clock. */
  uncertaintyAt(nowMs: number): number {
    return this.#best === undefined ? Number.POSITIVE_INFINITY : this.#looseness(this.#best, nowMs)
  }

  /** Takes in the server's time in milliseconds, asked for at `sentMs` and answered at `receivedMs`, both local monotonic. */
  sample(sentMs: number, receivedMs: number, serverMs: number): void {
    const radius = (receivedMs - sentMs) / 2
    if (!(radius >= 0) || !Number.isFinite(serverMs)) return
    const taken: Sample = { at: receivedMs, offset: serverMs - (sentMs + radius), radius }
    if (this.#renewing || (this.#best !== undefined && this.#contradicts(taken, this.#best)))
      this.#samples = []
    this.#renewing = false
    const oldest = receivedMs - this.#windowMs
    this.#samples = this.#samples.filter((sample) => sample.at >= oldest).slice(1 - MAX_SAMPLES)
    this.#samples.push(taken)
    this.#best = this.#tightest(receivedMs)
  }

  /** The server may be another one: the next sample replaces all before it, which serve until then. */
  renew(): void {
    this.#renewing = true
  }

  #looseness(sample: Sample, nowMs: number): number {
    return sample.radius + Math.max(0, nowMs - sample.at) * this.#drift
  }

  /** The two intervals in which the offset must lie do not meet. A millisecond is allowed for the roundings of both clocks. */
  #contradicts(taken: Sample, best: Sample): boolean {
    return Math.abs(taken.offset - best.offset) > taken.radius + this.#looseness(best, taken.at) + 1
  }

  #tightest(nowMs: number): Sample | undefined {
    let best: Sample | undefined
    for (const sample of this.#samples) {
      if (best === undefined || this.#looseness(sample, nowMs) <= this.#looseness(best, nowMs)) best = sample
    }
    return best
  }
}

/** Milliseconds from the reply of TIME: seconds and microseconds, as strings or numbers. NaN if it is something else. */
export function timeReplyMs(reply: unknown): number {
  if (!Array.isArray(reply) || reply.length < 2) return Number.NaN
  return Number(reply[0]) * 1000 + Number(reply[1]) / MICROSECONDS_PER_MS
}
