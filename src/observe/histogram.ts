/**
 * A histogram of durations, in buckets that are linear within a doubling: 32 to each, from 1 ns to 18 minutes, in 9 KB once
 * something is recorded.
 *
 * Always true: a duration of n whole nanoseconds (a part of one counts as one) is counted in one bucket, bounded by inclusive
 * upper edges; up to 64 ns every nanosecond has its own, above the edges of a bucket differ by at most 1/32. So a
 * quantile, which is the upper edge, is never below the true one and at most 3.2 % above it. Counts below a power of two of nanoseconds
 * are exact, which is what Prometheus is given. Recording allocates nothing.
 *
 * After HdrHistogram (G. Tene), with 5 bits of precision.
 */
import { describe, HitpathError } from '../errors.js'

const LINEAR = 64
const PER_DOUBLING = 32
const BITS = 5
const LARGEST_NS = 2 ** 40
/** The last one is for what is longer. */
const BUCKETS = (40 - BITS + 1) * PER_DOUBLING + 1

const NONE = new Float64Array(0)

export interface LatencySummary {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

export class Histogram {
  #counts = NONE
  #count = 0
  #sum = 0
  #max = 0

  /** Durations recorded. */
  get count(): number {
    return this.#count
  }

  /** Nanoseconds, all together. */
  get sumNs(): number {
    return this.#sum
  }

  /** The longest, exactly; 0 when there is none. */
  get maxNs(): number {
    return this.#max
  }

  get maxMs(): number {
    return this.#max / 1e6
  }

  /** NaN when there is none. */
  get meanNs(): number {
    return this.#sum / this.#count
  }

  /** Counts a duration in nanoseconds; a negative one, which two clocks can make of a short one, as zero. NaN is ignored. */
  record(ns: number): void {
    if (!(ns > 0)) {
      if (Number.isNaN(ns)) return
      ns = 0
    }
    if (this.#counts.length === 0) this.#counts = new Float64Array(BUCKETS)
    this.#count++
    this.#sum += ns
    if (ns > this.#max) this.#max = ns
    const bucket = bucketOf(ns)
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1
  }

  recordMs(ms: number): void {
    this.record(ms * 1e6)
  }

  /**
   * Nanoseconds that the share `share` (0.99 for p99) of the durations do not exceed, at most 3.2 % too high; NaN when there is none.
   * @throws HitpathError INVALID_ARGUMENT unless it is from 0 to 1
   */
  quantile(share: number): number {
    if (!(share >= 0 && share <= 1))
      throw new HitpathError('INVALID_ARGUMENT', `a quantile is from 0 to 1; got ${describe(share)}`)
    if (this.#count === 0) return Number.NaN
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS - 1; bucket++) {
      seen += this.#counts[bucket] as number
      if (seen >= rank) return Math.min(this.#max, upperEdge(bucket))
    }
    return this.#max
  }

  quantileMs(share: number): number {
    return this.quantile(share) / 1e6
  }

  /** How many durations do not exceed each of the edges, given in rising order: exact for powers of two. */
  cumulative(edgesNs: readonly number[]): number[] {
    const counts: number[] = []
    let bucket = 0
    let seen = 0
    for (const edge of edgesNs) {
      const last = bucketOf(edge)
      for (; bucket <= last; bucket++) seen += this.#counts[bucket] ?? 0
      counts.push(seen)
    }
    return counts
  }

  /** Adds what the other recorded. */
  merge(other: Histogram): this {
    if (other.#count === 0) return this
    if (this.#counts.length === 0) this.#counts = new Float64Array(BUCKETS)
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      this.#counts[bucket] = (this.#counts[bucket] as number) + (other.#counts[bucket] as number)
    this.#count += other.#count
    this.#sum += other.#sum
    this.#max = Math.max(this.#max, other.#max)
    return this
  }

  copy(): Histogram {
    return new Histogram().merge(this)
  }

  /** What was recorded since `earlier`, a copy of this one. Its maximum is that of its last bucket, at most 3.2 % too high. */
  since(earlier: Histogram): Histogram {
    const delta = new Histogram()
    if (earlier.#count === 0) return this.copy()
    delta.#counts = new Float64Array(BUCKETS)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = (this.#counts[bucket] ?? 0) - (earlier.#counts[bucket] as number)
      if (count < 0) return this.copy() // it was reset in between
      if (count === 0) continue
      delta.#counts[bucket] = count
      delta.#count += count
      delta.#max = Math.min(this.#max, bucket === BUCKETS - 1 ? Infinity : upperEdge(bucket))
    }
    delta.#sum = Math.max(0, this.#sum - earlier.#sum)
    return delta
  }

  reset(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#sum = 0
    this.#max = 0
  }

  /** Undefined when there is none. */
  summary(): LatencySummary | undefined {
    if (this.#count === 0) return undefined
    return {
      count: this.#count,
      meanMs: this.meanNs / 1e6,
      p50Ms: this.quantileMs(0.5),
      p90Ms: this.quantileMs(0.9),
      p99Ms: this.quantileMs(0.99),
      p999Ms: this.quantileMs(0.999),
      maxMs: this.maxMs,
    }
  }
}

/** Bucket `b` above the linear ones holds the durations over `(m << s)` up to `((m + 1) << s)`, with m = 32..63 and b = 32 s + m. */
function bucketOf(ns: number): number {
  const below = Math.ceil(ns) - 1
  if (below < LINEAR) return Math.max(below, 0)
  if (below >= LARGEST_NS) return BUCKETS - 1
  // >>> sees 32 bits: of more the lowest 16 are below what is told apart.
  const high = below >= 2 ** 31 ? 16 : 0
  const word = high === 0 ? below : Math.floor(below / 65_536)
  const shift = 31 - BITS - Math.clz32(word)
  return (shift + high) * PER_DOUBLING + (word >>> shift)
}

function upperEdge(bucket: number): number {
  if (bucket < LINEAR) return bucket + 1
  const shift = Math.floor(bucket / PER_DOUBLING) - 1
  return (bucket - shift * PER_DOUBLING + 1) * 2 ** shift
}
