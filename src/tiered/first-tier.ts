/** What the tiers need of a LocalCache or a SharedCache. */
import type { PreparedKey } from '../key/prepared.js'
import type { CacheKey } from '../l1/engine.js'
import type { SetOptions } from '../l1/options.js'
import type { CacheStats } from '../l1/stats.js'

/** The first tier. Its values are entries, so it must hold nothing else. */
export interface FirstTier {
  get(key: CacheKey): unknown
  peek(key: CacheKey): unknown
  set(key: CacheKey, value: never, options?: SetOptions): unknown
  delete(key: CacheKey): boolean
  clear(): void
  getMany(keys: readonly CacheKey[]): unknown[]
  invalidatePattern(glob: string): number
  keys(): Iterable<string | number | PreparedKey>
  key(key: CacheKey): PreparedKey
  stats(): CacheStats
  close(): void
  readonly size: number
}
