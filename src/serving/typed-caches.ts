/**
 * TypedCaches: one TieredCache for each type of data, from a table of how the types live.
 *
 * Always true: a type is a namespace of its own in both tiers, and a partition of its own in the first, so that no flood of one type evicts,
 * and no `clear` of one removes, anything of another. One store serves all over one connection.
 */
import { describe, HitpathError } from '../errors.js'
import { refuseUnknownOptions } from '../options.js'
import type { Location } from '../platform.js'
import { typedOptionsFrom } from '../tiered/from-config.js'
import { CACHE_KEYS, overlaid, POLICY_KEYS, type TieredCacheOptions } from '../tiered/options.js'
import type { TieredStats } from '../tiered/stats.js'
import { TieredCache } from '../tiered/tiered-cache.js'
import type { PatternResult, WriteResult } from '../tiered/writer.js'
import { TRADING_TYPES } from './policies.js'
import { checkTypes, closeOwn, type Partition, partitioned, type TypeTable } from './type-options.js'

/** Options of TieredCache count for every type; a type's own policy comes before. */
export interface TypedCachesOptions<T extends TypeTable>
  extends Omit<TieredCacheOptions, 'l1' | 'policies' | 'threads' | 'bus'> {
  /** How each type lives. Default: TRADING_TYPES. */
  readonly types?: T
  /** Entries in this process, divided among the types by their shares. Default 10,000. */
  readonly maxEntries?: number
  /** As in TieredCache; each type has one of its own, so it cannot be given as an object. Default `'stream'` when the store can, else `false`. */
  readonly bus?: 'stream' | 'tracking' | false
}

export type { TypeOptions, TypeTable } from './type-options.js'

const OWNER = 'TypedCaches'
const NOT_HERE = new Set(['l1', 'policies', 'threads'])
const OPTIONS: readonly string[] = ['types', 'maxEntries', ...CACHE_KEYS.filter((key) => !NOT_HERE.has(key))]

/**
 * ```ts
 * await using caches = new TypedCaches({ maxEntries: 50_000, l2: new RedisStore({ client }), namespace: 'desk' })
 * const predictions = caches.of<Float32Array>('predictions')   // a TieredCache: namespace desk:predictions, ttl 30 s
 * ```
 */
export class TypedCaches<const T extends TypeTable = typeof TRADING_TYPES> {
  readonly #caches = new Map<string, TieredCache>()
  readonly #partitions: ReadonlyMap<string, Partition>
  #closing: Promise<void> | undefined

  /**
   * The store in `l2` stays the caller's to close.
   * @throws HitpathError INVALID_OPTION, INVALID_TTL with the path of what is wrong, such as `TypedCaches.types.predictions.ttl`
   */
  constructor(options: TypedCachesOptions<T> = {}) {
    refuseUnknownOptions(options, OWNER, OPTIONS)
    const { types = TRADING_TYPES as TypeTable as T, maxEntries = 10_000, ...common } = options
    if (typeof common.bus === 'object')
      throw new HitpathError('INVALID_OPTION', `${OWNER}.bus must be 'stream', 'tracking' or false`)
    checkTypes(types)
    const namespace = common.namespace ?? common.l2?.namespace ?? 'default'
    this.#partitions = partitioned(types, maxEntries, common.clock)
    const settings = Object.fromEntries(
      Object.entries(common).filter(([key]) => !(POLICY_KEYS as readonly string[]).includes(key)),
    )
    try {
      for (const [type, { share: _, shared: __, threads, l1: ___, ...policy }] of Object.entries(types)) {
        const { l1 } = this.#partitions.get(type) as Partition
        this.#caches.set(
          type,
          new TieredCache({
            ...settings,
            ...overlaid(common, policy),
            namespace: `${namespace}:${type}`,
            l1,
            ...(threads === undefined ? {} : { threads }),
          }),
        )
      }
    } catch (error) {
      void this.close()
      throw error
    }
  }

  /**
   * The types that a YAML or JSON file describes in its entry `types` (default TRADING_TYPES), over the store in `l2`; `l1.maxEntries` is divided
   * among them.
   * @throws HitpathError INVALID_CONFIG naming the entry, and as the constructor
   */
  static fromConfig(path: string | Location): TypedCaches<TypeTable> {
    const { types, ...options } = typedOptionsFrom(path)
    return new TypedCaches<TypeTable>({ ...options, types: types ?? TRADING_TYPES })
  }

  /** Names of the types. */
  get types(): readonly (keyof T & string)[] {
    return [...this.#caches.keys()]
  }

  /** The cache of a type. @throws HitpathError INVALID_ARGUMENT when there is no such type */
  of<V = unknown>(type: keyof T & string): TieredCache<V> {
    const cache = this.#caches.get(type)
    if (cache !== undefined) return cache as unknown as TieredCache<V>
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `there is no type ${describe(type)}; the types are ${[...this.#caches.keys()].join(', ')}`,
    )
  }

  /** Each type with its cache. */
  *[Symbol.iterator](): Generator<[type: keyof T & string, cache: TieredCache]> {
    yield* this.#caches
  }

  /** Makes every entry of every type that carries the tag invalid, everywhere. O(types). */
  invalidateTag(tag: string): Promise<Readonly<Record<keyof T & string, WriteResult>>> {
    return this.#each((cache) => cache.invalidateTag(tag))
  }

  /** Removes the entries of every type whose key is a string that matches. */
  invalidatePattern(glob: string): Promise<Readonly<Record<keyof T & string, PatternResult>>> {
    return this.#each((cache) => cache.invalidatePattern(glob))
  }

  /** Waits until the second tier is known to every type. @throws HitpathError */
  async ready(): Promise<void> {
    await this.#each((cache) => cache.ready())
  }

  /** By type. */
  stats(): Readonly<Record<keyof T & string, TieredStats>> {
    return Object.fromEntries(Array.from(this.#caches, ([type, cache]) => [type, cache.stats()])) as Record<
      keyof T & string,
      TieredStats
    >
  }

  /** Closes the caches of all types, and the first tiers that were made here. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#caches.values()].map((cache) => cache.close()))
    closeOwn(this.#partitions.values())
  }

  async #each<R>(act: (cache: TieredCache) => Promise<R>): Promise<Readonly<Record<keyof T & string, R>>> {
    const results = await Promise.all(
      Array.from(this.#caches, async ([type, cache]) => [type, await act(cache)] as const),
    )
    return Object.fromEntries(results) as Record<keyof T & string, R>
  }
}
