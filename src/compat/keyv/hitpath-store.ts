/** The storage adapter for Keyv 5, in whose terms it answers; Keyv 6 takes it too, by its bridge for adapters of Keyv 5. */
import { StoreAdapter } from './adapter.js'
import type { StoreCache, StoreOptions } from './caches.js'

/** An entry as Keyv 5 writes it. */
export interface StoreEntry {
  readonly key: string
  readonly value: unknown
  /** Milliseconds. */
  readonly ttl?: number
}

export class HitpathStore extends StoreAdapter {
  /**
   * @param options options of a LocalCache for this store alone; or a cache, or `{ cache }`: a LocalCache, a SharedCache or a TieredCache
   * @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY
   */
  constructor(options: StoreCache | StoreOptions = {}) {
    super(options, 'HitpathStore')
  }

  /**
   * Stores a value; whether the second tier, or its queue, has it too.
   * @param ttl milliseconds. Default: the cache's own
   */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return this.space.set({ key, value, ttl: ttl ?? undefined })
  }

  /** As set(). Typed as Keyv 5 declares it; the result is a boolean for each entry. */
  async setMany(entries: readonly StoreEntry[]): Promise<void> {
    const writes = entries.map(({ key, value, ttl }) => ({ key, value, ttl: ttl ?? undefined }))
    return this.space.setMany(writes) as unknown as Promise<void>
  }

  /** Whether there was an entry for every key. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return (await this.space.deleteMany(keys)).every(Boolean)
  }
}
