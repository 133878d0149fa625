/** What a cache tells about itself. */
import type { NativeStats } from '../native/binding.js'
import { doubles } from '../native/binding.js'
import { HEADER_MAX_PINNED, STAGING_EXTRA } from '../native/layout.js'
import type { Engine } from './engine.js'

export interface CacheStats extends NativeStats {
  /** Entries that the cache may hold. */
  readonly maxEntries: number
  /** hits / (hits + misses); 0 before the first. */
  readonly hitRatio: number
  /** Writes: inserts and updates. */
  readonly sets: number
  /** Bytes of keys and values that are taken, block headers included. */
  readonly usedBytes: number
  /** Bytes that views may hold in place, `pinnedBytes` at most. */
  readonly maxPinnedBytes: number
}

/** `hits`: those counted in JavaScript since the last time. */
export function statsOf(engine: Engine, hits: number): CacheStats {
  doubles[STAGING_EXTRA / 8 + 1] = hits
  const stats = engine.stats()
  const reads = stats.hits + stats.misses
  return {
    ...stats,
    maxEntries: engine.token.maxEntries,
    hitRatio: reads === 0 ? 0 : stats.hits / reads,
    sets: stats.inserts + stats.updates,
    usedBytes: stats.arenaBytes - stats.freeBytes,
    maxPinnedBytes: (stats.arenaBytes / 100) * ((engine.words[HEADER_MAX_PINNED / 4] as number) | 0),
  }
}
