/** The caches that endure, behind what the loads need of them. */
import { TTLCache } from '@isaacs/ttlcache'
import { LocalCache, SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'

export interface Bounds {
  readonly entries: number
  /** Bytes of values; undefined: bounded by entries alone. */
  readonly bytes?: number
}

export interface Store {
  get(key: string): Float64Array | undefined
  set(key: string, value: Float64Array, ttlMs: number): void
}

/** Region bytes for each entry of a bound by entries: a record of 64 bytes of value with its slot. */
const BYTES_AN_ENTRY = 512

export const stores: Readonly<Record<string, (bounds: Bounds) => Store>> = {
  hitpath: ({ entries }) => byOption(new LocalCache<Float64Array>({ maxEntries: entries })),
  'hitpath SharedCache': ({ entries, bytes }) => sharedStore(newRegion({ entries, ...(bytes && { bytes }) })),
  'lru-cache': ({ entries, bytes }) =>
    byOption(
      new LRUCache<string, Float64Array>(
        bytes === undefined
          ? { max: entries, ttlAutopurge: false }
          : { maxSize: bytes, sizeCalculation: (value) => value.byteLength },
      ),
    ),
  '@isaacs/ttlcache': ({ entries }) => byOption(new TTLCache<string, Float64Array>({ max: entries })),
}

export function newRegion({ entries, bytes }: Bounds): SharedCache<Float64Array> {
  return SharedCache.create<Float64Array>({
    maxEntries: entries,
    maxBytes: bytes ?? entries * BYTES_AN_ENTRY,
  })
}

export function sharedStore(cache: SharedCache<Float64Array>): Store {
  return byOption(cache)
}

interface Optioned {
  get(key: string): Float64Array | undefined
  set(key: string, value: Float64Array, options: { ttl: number }): unknown
}

function byOption(cache: Optioned): Store {
  return {
    get: (key) => cache.get(key),
    set: (key, value, ttl) => {
      cache.set(key, value, { ttl })
    },
  }
}
