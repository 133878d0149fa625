/**
 * What the adapters for Keyv have in common: a cache, a namespace, and the calls that both versions make alike.
 *
 * Always true: the adapter reads and writes its namespace's part of the cache and nothing else; without a namespace that is a part of its
 * own too. Values are kept as Keyv hands them over: text, or what they are where Keyv is told not to serialise.
 */
import { isTwoTier, type OpenedCache, openCache, type StoreCache, type StoreOptions } from './caches.js'
import { Emitter } from './emitter.js'
import { FlatSpace } from './flat-space.js'
import type { Space } from './space.js'
import { TwoTierSpace } from './two-tier-space.js'

/** What stands before a namespace of Keyv's among the scopes, or namespaces, of a cache. */
const ROOT = 'keyv'

/** The part of a cache that belongs to a namespace. @throws HitpathError for a name that the cache does not take */
export function openSpace({ cache, own }: OpenedCache, namespace: string | undefined, root: string): Space {
  const name = namespace === undefined || namespace === '' ? root : `${root}:${namespace}`
  return isTwoTier(cache) ? new TwoTierSpace(cache, name) : new FlatSpace(cache, name, own)
}

export abstract class StoreAdapter extends Emitter {
  /**
   * Keyv 5 iterates over stores of dialects that it knows, and fails on one without a dialect or a `url`; nothing else is read from here.
   * Yours to write to.
   */
  opts: Record<string, unknown> = { dialect: 'redis' }
  readonly #opened: OpenedCache
  #namespace: string | undefined
  #space: Space | undefined
  #unlink: (() => void) | undefined

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY */
  constructor(options: StoreCache | StoreOptions, path: string) {
    super()
    this.#opened = openCache(options, path)
  }

  /** The cache that the entries are in. */
  get cache(): StoreCache {
    return this.#opened.cache
  }

  /** Keyv sets its own here. Two Keyvs with different namespaces need a store each; the stores may have one cache. */
  get namespace(): string | undefined {
    return this.#namespace
  }

  set namespace(namespace: string | undefined) {
    this.#namespace = namespace
    this.#unlink?.()
    this.#unlink = undefined
    this.#space = undefined
  }

  /** What was stored, undefined when there is no live entry. */
  async get<Value>(key: string): Promise<Value | undefined> {
    return this.space.get(key) as Value | undefined | Promise<Value | undefined>
  }

  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.space.getMany(keys) as (Value | undefined)[] | Promise<(Value | undefined)[]>
  }

  async has(key: string): Promise<boolean> {
    return this.space.has(key)
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return this.space.hasMany(keys)
  }

  /** Whether there was an entry. */
  async delete(key: string): Promise<boolean> {
    return this.space.delete(key)
  }

  /** Removes what this namespace holds, and nothing else. */
  async clear(): Promise<void> {
    await this.space.clear()
  }

  /** Live entries of the namespace, in no order. */
  async *iterator<Value>(
    namespace?: string,
  ): AsyncGenerator<Array<string | Awaited<Value> | undefined>, void> {
    const other = namespace !== undefined && namespace !== this.#namespace
    const space = other ? openSpace(this.#opened, namespace, ROOT) : this.space
    for await (const [key, value] of space.entries()) yield [key, value as Awaited<Value>]
  }

  /** Closes the cache if it was made for this store; one that was handed in stays open. */
  async disconnect(): Promise<void> {
    this.namespace = this.#namespace
    if (this.#opened.own !== undefined) await this.cache.close()
  }

  protected get space(): Space {
    if (this.#space !== undefined) return this.#space
    const space = openSpace(this.#opened, this.#namespace, ROOT)
    this.#unlink = space.onError((error) => {
      if (this.listenerCount('error') > 0) this.emit('error', error)
    })
    this.#space = space
    return space
  }
}
