/** What a Monitor tells of one cache: plain data, the same names at all times. */
import type { HeavyHitter } from './heavy-hitters.js'
import type { LatencySummary } from './histogram.js'
import type { Counts, Levels, Reading } from './reading.js'
import type { Recorder } from './recorder.js'

export interface CacheReport {
  readonly kind: Reading['kind']
  /** Hits of all tiers over reads; null before the first. */
  readonly hitRatio: number | null
  /** The same in the last minute. */
  readonly hitRatioLastMinute: number | null
  readonly readsLastMinute: number
  /** Since the cache was made. */
  readonly counts: Counts
  readonly levels: Levels
  /** Null where nothing was recorded. Hits of the first tier are sampled. */
  readonly latency: {
    readonly l1: LatencySummary | null
    readonly l2: LatencySummary | null
    readonly factory: LatencySummary | null
    readonly invalidation: LatencySummary | null
  }
  /** The part of the keys whose fate is followed, for `counts.sampled`; null when none is. */
  readonly sampledShare: number | null
  readonly hotKeys: readonly HeavyHitter[]
}

export function reportOf(reading: Reading, minute: Reading, recorder: Recorder | undefined): CacheReport {
  const { latencies } = reading
  return {
    kind: reading.kind,
    hitRatio: ratio(reading.counts),
    hitRatioLastMinute: ratio(minute.counts),
    readsLastMinute: minute.counts.hits + minute.counts.misses,
    counts: reading.counts,
    levels: reading.levels,
    latency: {
      l1: latencies.l1?.summary() ?? null,
      l2: latencies.l2?.summary() ?? null,
      factory: latencies.factory?.summary() ?? null,
      invalidation: latencies.invalidation?.summary() ?? null,
    },
    sampledShare: recorder?.fates?.share ?? null,
    hotKeys: recorder?.hottest(5) ?? [],
  }
}

function ratio({ hits, misses }: Counts): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses)
}
