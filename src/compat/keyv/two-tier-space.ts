/**
 * A namespace of a TieredCache.
 *
 * A ttl that is given holds to the millisecond, without the jitter of the cache's policy, which is for entries that are given none.
 */
import type { TwoTierCache } from './caches.js'
import { deletes, type Space, type SpaceWrite } from './space.js'

/** Entries that iteration reads at a time. */
const BATCH = 256

type Outgoing = readonly [key: string, value: never, options?: { readonly ttl: number; readonly jitter: 0 }]

export class TwoTierSpace implements Space {
  readonly #cache: TwoTierCache

  /** @throws HitpathError INVALID_OPTION when the name is none of a namespace; CLOSED */
  constructor(cache: TwoTierCache, name: string) {
    this.#cache = cache.namespace(name)
  }

  get(key: string): Promise<unknown> {
    return this.#cache.get(key)
  }

  getMany(keys: readonly string[]): Promise<unknown[]> {
    return this.#cache.getMany(keys)
  }

  has(key: string): Promise<boolean> {
    return this.#cache.has(key)
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.#cache.getMany(keys)).map((value) => value !== undefined)
  }

  async set(write: SpaceWrite): Promise<boolean> {
    if (deletes(write)) {
      await this.#cache.delete(write.key)
      return true
    }
    const { refused } = await this.#cache.set(...outgoing(write))
    return refused !== true
  }

  async setMany(writes: readonly SpaceWrite[]): Promise<boolean[]> {
    // Of two writes of one key the later counts.
    const last = [...new Map(writes.map((write) => [write.key, write])).values()]
    const kept = last.filter((write) => !deletes(write))
    const gone = last.filter(deletes)
    const results = kept.length === 0 ? [] : await this.#cache.setMany(kept.map(outgoing))
    if (gone.length > 0) await this.#cache.deleteMany(gone.map(({ key }) => key))
    const refused = new Set(kept.filter((_, i) => results[i]?.refused === true).map(({ key }) => key))
    return writes.map(({ key }) => !refused.has(key))
  }

  async delete(key: string): Promise<boolean> {
    return (await this.#cache.delete(key)).existed
  }

  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.#cache.deleteMany(keys)).map(({ existed }) => existed)
  }

  clear(): Promise<unknown> {
    return this.#cache.clear()
  }

  remainingTtl(key: string): Promise<number | undefined> {
    return this.#cache.remainingTtl(key)
  }

  async *entries(): AsyncGenerator<readonly [key: string, value: unknown], void> {
    let batch: string[] = []
    for await (const key of this.#cache.keys()) {
      if (typeof key === 'string') batch.push(key)
      if (batch.length < BATCH) continue
      yield* this.#read(batch)
      batch = []
    }
    yield* this.#read(batch)
  }

  onError(listener: (error: unknown) => void): () => void {
    this.#cache.on('error', listener)
    return () => void this.#cache.off('error', listener)
  }

  async *#read(keys: readonly string[]): AsyncGenerator<readonly [key: string, value: unknown], void> {
    if (keys.length === 0) return
    const values = await this.#cache.getMany(keys)
    for (const [i, key] of keys.entries()) if (values[i] !== undefined) yield [key, values[i]]
  }
}

function outgoing({ key, value, ttl }: SpaceWrite): Outgoing {
  return ttl === undefined ? [key, value as never] : [key, value as never, { ttl, jitter: 0 }]
}
