/** What a TieredCache tells about itself. */
import type { CacheStats } from '../l1/stats.js'
import type { Core, Counters } from './core.js'
import type { Replayer } from './replayer.js'

export interface TieredStats extends Counters {
  /** Reads that were answered by either tier. */
  readonly hits: number
  readonly l1: CacheStats
  /** Hits of both tiers over reads. */
  readonly hitRatio: number
  readonly circuit: 'closed' | 'open' | 'half-open'
  /** Whether the bus hears; true without one to hear. */
  readonly linked: boolean
  /** Changes that wait for the second tier, and their bytes. */
  readonly replaying: number
  readonly replayingBytes: number
  /** Milliseconds from a change in the server until it was heard here, by quantile; undefined until something was heard. */
  readonly invalidationMs: { readonly p50: number; readonly p99: number } | undefined
}

export function tieredStats<V>(core: Core<V>, { queue }: Replayer): TieredStats {
  const { hits } = core.gate
  const { misses } = core.counters
  const latency = core.bus?.latency
  return {
    ...core.counters,
    hits,
    l1: core.l1.stats(),
    hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
    circuit: core.guard.breaker.state,
    linked: core.linked,
    replaying: queue.size,
    replayingBytes: queue.bytes,
    invalidationMs:
      latency === undefined || latency.count === 0
        ? undefined
        : { p50: latency.quantileMs(0.5), p99: latency.quantileMs(0.99) },
  }
}
