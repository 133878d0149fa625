/** A store for `caching()` of cache-manager 5, whose stores answer for themselves; cache-manager 7 takes it in its KeyvAdapter. */
import { HitpathError } from '../../errors.js'
import type { Space } from '../keyv/space.js'
import { type OpenedStore, ttlMs } from './options.js'

export class CachingStore {
  readonly name = 'hitpath'
  readonly #space: Space
  readonly #disconnect: () => Promise<void>

  /** @internal */
  constructor({ space, disconnect }: OpenedStore) {
    this.#space = space
    this.#disconnect = disconnect
  }

  async get<T>(key: string): Promise<T | undefined> {
    return this.#space.get(key) as T | undefined | Promise<T | undefined>
  }

  /**
   * @param ttl milliseconds. Default, and for 0: the cache's own
   * @throws HitpathError INVALID_VALUE for undefined; what the cache throws
   */
  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    await this.mset([[key, value]], ttl)
  }

  async del(key: string): Promise<void> {
    await this.#space.delete(key)
  }

  /** Removes what this store holds, and nothing else of the cache. */
  async reset(): Promise<void> {
    await this.#space.clear()
  }

  /** As set(), for each pair of a key and a value. */
  async mset(entries: readonly (readonly [key: string, value: unknown])[], ttl?: number): Promise<void> {
    if (entries.some(([, value]) => value === undefined))
      throw new HitpathError('INVALID_VALUE', 'undefined cannot be stored: it is how a miss looks')
    await this.#space.setMany(entries.map(([key, value]) => ({ key, value, ttl: ttlMs(ttl) })))
  }

  async mget(...keys: string[]): Promise<unknown[]> {
    return this.#space.getMany(keys)
  }

  async mdel(...keys: string[]): Promise<void> {
    await this.#space.deleteMany(keys)
  }

  /** Keys of live entries, in no order. */
  async keys(): Promise<string[]> {
    const keys: string[] = []
    for await (const [key] of this.#space.entries()) keys.push(key)
    return keys
  }

  /** Milliseconds that the entry has still to live: `Infinity` without an end, 0 when there is none. */
  async ttl(key: string): Promise<number> {
    return (await this.#space.remainingTtl(key)) ?? 0
  }

  /** Closes the cache if it was made for this store; one that was handed in stays open. */
  async disconnect(): Promise<void> {
    await this.#disconnect()
  }
}
