/**
 * A scope of a LocalCache or a SharedCache.
 *
 * Each entry carries one tag, the scope's: clear() costs what it removes, however much the cache holds besides. Iteration looks at every
 * key of the cache.
 */
import type { FlatCache } from './caches.js'
import { deletes, type Space, type SpaceWrite } from './space.js'

export class FlatSpace implements Space {
  readonly #cache: FlatCache
  /** What a scope puts before a string. */
  readonly #prefix: string
  readonly #lasting: { readonly tags: readonly string[] }

  /** @throws HitpathError INVALID_ARGUMENT when the name is none of a scope */
  constructor(cache: FlatCache, name: string) {
    this.#cache = cache
    this.#prefix = cache.scope(name).key('').key as string
    this.#lasting = { tags: [this.#prefix] }
  }

  get(key: string): unknown {
    return this.#cache.get(this.#prefix + key)
  }

  getMany(keys: readonly string[]): unknown[] {
    return this.#cache.getMany(this.#within(keys))
  }

  has(key: string): boolean {
    return this.#cache.has(this.#prefix + key)
  }

  hasMany(keys: readonly string[]): boolean[] {
    return keys.map((key) => this.has(key))
  }

  set(write: SpaceWrite): boolean {
    const { key, value, ttl } = write
    if (deletes(write)) this.delete(key)
    else {
      const options = ttl === undefined ? this.#lasting : { ttl, tags: this.#lasting.tags }
      this.#cache.set(this.#prefix + key, value as never, options)
    }
    return true
  }

  setMany(writes: readonly SpaceWrite[]): boolean[] {
    return writes.map((write) => this.set(write))
  }

  delete(key: string): boolean {
    return this.#cache.delete(this.#prefix + key)
  }

  deleteMany(keys: readonly string[]): boolean[] {
    return this.#cache.deleteMany(this.#within(keys))
  }

  clear(): number {
    return this.#cache.invalidateTag(this.#prefix)
  }

  remainingTtl(key: string): number | undefined {
    return this.#cache.remainingTtl(this.#prefix + key)
  }

  async *entries(): AsyncGenerator<readonly [key: string, value: unknown], void> {
    for (const key of this.#cache.keys()) {
      if (typeof key !== 'string' || !key.startsWith(this.#prefix)) continue
      const value = this.#cache.peek(key)
      if (value !== undefined) yield [key.slice(this.#prefix.length), value]
    }
  }

  /** One tier has no errors that reach no caller. */
  onError(): () => void {
    return () => {}
  }

  #within(keys: readonly string[]): string[] {
    return keys.map((key) => this.#prefix + key)
  }
}
