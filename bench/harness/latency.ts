/**
 * Single operations, each timed alone. A mean of a batch says what an operation costs; a request that met a collection, an
 * eviction or an advance of the wheel learns about the tail.
 *
 * Samples go into memory that exists already, for an array that grows would itself be the tail. The two readings of the clock
 * take about as long as a fast hit: their median is taken off, and what is left of less than that is not resolved. A slow
 * sample is asked how long the thread stood in the kernel's run queue, which is taken off too.
 */
import type { Latency } from './results.js'
import { RunQueue } from './run-queue.js'

const NS_PER_MS = 1e6
const CAPACITY = 2 ** 20
/** From here on a sample may hold time of another process, and asking (4 us) does not matter. */
const SLOW_MS = 0.1
const SHARES = [
  0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1,
] as const

export class LatencySamples {
  readonly #ns = new Float64Array(CAPACITY)
  #count = 0
  readonly #clockNs = clockNs()
  readonly #queue = new RunQueue()
  #waitedMs = 0

  /** Does `one` for about `ms`; each must answer 1. */
  sample(one: () => number, ms: number): void {
    this.#waitedMs = this.#queue.waitedMs()
    const end = performance.now() + ms
    let now = performance.now()
    while (now < end && this.#count < CAPACITY) {
      const from = performance.now()
      const right = one()
      now = performance.now()
      this.#keep(now - from, right)
    }
  }

  async sampleAwaited(one: () => Promise<number>, ms: number): Promise<void> {
    this.#waitedMs = this.#queue.waitedMs()
    const end = performance.now() + ms
    let now = performance.now()
    while (now < end && this.#count < CAPACITY) {
      const from = performance.now()
      const right = await one()
      now = performance.now()
      this.#keep(now - from, right)
    }
  }

  summary(): Latency {
    const sorted = this.#ns.slice(0, this.#count).sort()
    return summarize(sorted, this.#clockNs)
  }

  #keep(ms: number, right: number): void {
    if (right !== 1) throw new Error('a wrong answer')
    const ownMs = ms < SLOW_MS ? ms : ms - this.#waited()
    this.#ns[this.#count++] = Math.max(0, ownMs * NS_PER_MS - this.#clockNs)
  }

  /** Milliseconds in the run queue since the last call. */
  #waited(): number {
    const before = this.#waitedMs
    this.#waitedMs = this.#queue.waitedMs()
    return this.#waitedMs - before
  }
}

/** @param sorted nanoseconds, ascending */
export function summarize(sorted: Float64Array, clock: number): Latency {
  if (sorted.length === 0) throw new Error('no operation was timed')
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]! * 10) / 10
  return {
    samples: sorted.length,
    clockNs: Math.round(clock * 10) / 10,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    quantiles: SHARES.map((share) => [share, at(share)]),
  }
}

/** What two readings of the clock with nothing between take. */
function clockNs(): number {
  const empty = Float64Array.from({ length: 10_000 }, () => {
    const from = performance.now()
    return (performance.now() - from) * NS_PER_MS
  })
  return empty.sort()[empty.length >> 1]!
}
