/**
 * The part of a cache that is one namespace's: what adapters are made of.
 *
 * Always true: spaces of two namespaces never meet, nor do a space and the keys that the cache holds otherwise.
 */

/** What a call gives: at once over one tier, later over two. */
export type Soon<T> = T | Promise<T>

export interface SpaceWrite {
  readonly key: string
  readonly value: unknown
  /** Milliseconds; undefined for the cache's own. */
  readonly ttl: number | undefined
}

export interface Space {
  get(key: string): Soon<unknown>
  getMany(keys: readonly string[]): Soon<unknown[]>
  has(key: string): Soon<boolean>
  hasMany(keys: readonly string[]): Soon<boolean[]>
  /** Whether it is stored. A value of undefined, or a ttl that is over, deletes. */
  set(write: SpaceWrite): Soon<boolean>
  setMany(writes: readonly SpaceWrite[]): Soon<boolean[]>
  /** Whether there was an entry. */
  delete(key: string): Soon<boolean>
  deleteMany(keys: readonly string[]): Soon<boolean[]>
  /** Removes the entries of this space. */
  clear(): Soon<unknown>
  /** Milliseconds, Infinity without end, undefined for no entry. */
  remainingTtl(key: string): Soon<number | undefined>
  /** Live entries, in no order. */
  entries(): AsyncGenerator<readonly [key: string, value: unknown], void>
  /** Tells a listener of errors that reach no caller; ends it. */
  onError(listener: (error: unknown) => void): () => void
}

/** Whether a write is a deletion: nothing can be stored as undefined, and nothing lives for no time. */
export function deletes({ value, ttl }: SpaceWrite): boolean {
  return value === undefined || (ttl !== undefined && ttl <= 0)
}
