/**
 * A store for cache-manager 6 and 7, in the place of a Keyv: it has the methods of a Keyv that cache-manager calls, on the cache itself.
 *
 * Always true: values are kept as the cache keeps them, without Keyv's envelope and its JSON. When an entry ends is the cache's to say.
 */
import { Emitter } from '../keyv/emitter.js'
import type { Soon, Space } from '../keyv/space.js'
import { type OpenedStore, ttlMs } from './options.js'

export interface CacheStoreEntry {
  readonly key: string
  readonly value: unknown
  /** Milliseconds. */
  readonly ttl?: number | undefined
}

/** A value and when it ends, as Keyv gives it. */
export interface RawEntry {
  readonly value: unknown
  /** Milliseconds since 1970; undefined without an end. */
  readonly expires: number | undefined
}

export class CacheStore extends Emitter {
  readonly #space: Space
  readonly #disconnect: () => Promise<void>
  readonly #unlink: () => void

  /** @internal */
  constructor({ space, disconnect }: OpenedStore) {
    super()
    this.#space = space
    this.#disconnect = disconnect
    this.#unlink = space.onError((error) => {
      if (this.listenerCount('error') > 0) this.emit('error', error)
    })
  }

  /** The value, or with `raw` value and end; undefined when there is no live entry. */
  async get(key: string, options?: { readonly raw?: boolean }): Promise<unknown> {
    const found = this.#space.get(key)
    if (options?.raw !== true) return found
    const value = found instanceof Promise ? await found : found
    if (value === undefined) return undefined
    const left = this.#space.remainingTtl(key)
    return raw(value, left instanceof Promise ? await left : left)
  }

  async getMany(keys: string[]): Promise<unknown[]> {
    return this.#space.getMany(keys)
  }

  async has(key: string): Promise<boolean> {
    return this.#space.has(key)
  }

  /**
   * Stores a value; undefined deletes. What goes wrong is told to the listeners of `error`, and the result is false, as with Keyv; it is
   * thrown when there are none.
   *
   * @param ttl milliseconds. Default, and for 0: the cache's own
   */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return this.#told(() => this.#space.set({ key, value, ttl: ttlMs(ttl) }), false)
  }

  /** As set(), for each entry. */
  async setMany(entries: readonly CacheStoreEntry[]): Promise<boolean[]> {
    const writes = entries.map(({ key, value, ttl }) => ({ key, value, ttl: ttlMs(ttl) }))
    return this.#told(
      () => this.#space.setMany(writes),
      entries.map(() => false),
    )
  }

  /** Whether there was an entry. Errors as in set(). */
  async delete(key: string): Promise<boolean> {
    return this.#told(() => this.#space.delete(key), false)
  }

  /** Removes what this store holds, and nothing else of the cache. Errors as in set(). */
  async clear(): Promise<void> {
    await this.#told(() => this.#space.clear(), undefined)
  }

  /** Live entries, in no order. */
  async *iterator(): AsyncGenerator<[key: string, value: unknown], void> {
    for await (const [key, value] of this.#space.entries()) yield [key, value]
  }

  /** Closes the cache if it was made for this store; one that was handed in stays open. */
  async disconnect(): Promise<void> {
    this.#unlink()
    await this.#disconnect()
  }

  async #told<T>(act: () => Soon<T>, otherwise: T): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (this.listenerCount('error') === 0) throw error
      this.emit('error', error)
      return otherwise
    }
  }
}

/** What has ended since it was read ends now. */
function raw(value: unknown, leftMs = 0): RawEntry {
  return { value, expires: leftMs === Infinity ? undefined : Math.ceil(Date.now() + leftMs) }
}
