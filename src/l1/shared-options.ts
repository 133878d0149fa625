/** The options of SharedCache.create, and what they make of a region. */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { RegionConfig } from '../native/binding.js'
import { FLAG_FOREIGN_CLOCK, FLAG_SHARED } from '../native/layout.js'
import { integerOption, refuseUnknownOptions } from '../options.js'
import type { Clock } from './engine.js'
import { clockOption } from './options.js'

export interface SharedCacheOptions {
  /**
   * Bytes for keys and values, 4 KiB to 512 GiB. The region reserves about 158 bytes an entry besides, and
   * a block about 12 more. A region of more than 4 GiB needs Node 22. Default 64 MiB.
   */
  readonly maxBytes?: number
  /** Entries that the cache may hold. Default: one for each 256 bytes of `maxBytes`. */
  readonly maxEntries?: number
  /** Time to live of entries that are set without one. Default `Infinity`. */
  readonly ttl?: Duration
  /**
   * Parts with a lock and an arena of their own, 1 to 64. Default: one for each 4 MiB and 1,024 entries, at most 16. Of a number that is
   * given, at most one for each 64 entries: each part chooses whom to evict for itself, and among fewer it chooses badly. One value
   * takes at most half of a shard's bytes.
   */
  readonly shards?: number
  /** Share of a shard's bytes that views may pin before reads give copies, 0 to 1. Default 0.25. */
  readonly maxPinned?: number
  /** Milliseconds for deadlines, the same for all threads. Default: the native monotonic clock. */
  readonly clock?: Clock
}

const MAX_SHARD_BYTES = 2 ** 33 - 64
const LEAST_SHARD_BYTES = 512
const LEAST_SHARD_ENTRIES = 64

/** @throws HitpathError INVALID_OPTION, INVALID_TTL */
export function regionConfig(options: SharedCacheOptions): {
  readonly config: RegionConfig
  readonly clock: Clock | undefined
} {
  refuseUnknownOptions(options, 'SharedCache', [
    'maxBytes',
    'maxEntries',
    'ttl',
    'shards',
    'maxPinned',
    'clock',
  ])
  const maxBytes = integerOption(options.maxBytes ?? 64 * 2 ** 20, 'SharedCache.maxBytes', {
    min: 4096,
    max: 2 ** 39,
  })
  const byDefault = Math.min(2 ** 28, Math.max(16, Math.floor(maxBytes / 256)))
  const maxEntries = integerOption(options.maxEntries ?? byDefault, 'SharedCache.maxEntries', {
    min: 1,
    max: 2 ** 28,
  })
  const parts = Math.min(16, Math.floor(maxBytes / 2 ** 22), Math.floor(maxEntries / 1024))
  const asked = integerOption(
    options.shards ?? Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, parts)))),
    'SharedCache.shards',
    { min: 1, max: 64 },
  )
  const ttl =
    options.ttl === undefined
      ? Infinity
      : parseDuration(options.ttl, 'SharedCache.ttl', { allowInfinity: true })
  const maxPinned = options.maxPinned ?? 0.25
  if (typeof maxPinned !== 'number' || !(maxPinned >= 0 && maxPinned <= 1)) {
    throw new HitpathError(
      'INVALID_OPTION',
      `SharedCache.maxPinned must be a number from 0 to 1; got ${describe(maxPinned)}`,
    )
  }
  const clock = clockOption(options.clock, 'SharedCache.clock')
  const askedBytes = bytesOfShard(maxBytes, asked)
  if (askedBytes < LEAST_SHARD_BYTES || askedBytes > MAX_SHARD_BYTES) {
    throw new HitpathError(
      'INVALID_OPTION',
      `SharedCache.shards: ${asked} shards of ${askedBytes} bytes; a shard has 512 bytes to 8 GiB`,
    )
  }
  const byEntries = Math.max(1, Math.floor(maxEntries / LEAST_SHARD_ENTRIES))
  const shards = Math.min(asked, Math.max(byEntries, Math.ceil(maxBytes / MAX_SHARD_BYTES)))
  const arenaBytes = bytesOfShard(maxBytes, shards)
  const flags = FLAG_SHARED | (clock === undefined ? 0 : FLAG_FOREIGN_CLOCK)
  const config: RegionConfig = [shards, maxEntries, arenaBytes, ttl, flags, Math.round(maxPinned * 100)]
  return { config, clock }
}

function bytesOfShard(maxBytes: number, shards: number): number {
  return Math.floor(maxBytes / shards / 64) * 64
}
