/**
 * Which cache an adapter stands on: one that was handed in, or a LocalCache of its own.
 *
 * The caches are told by their methods, not by their classes: the user's may come from another copy of the package.
 */
import { describe, HitpathError } from '../../errors.js'
import type { PreparedKey } from '../../key/prepared.js'
import { LocalCache, type LocalCacheOptions } from '../../l1/local-cache.js'
import { refuseUnknownOptions } from '../../options.js'

interface WriteOptions {
  readonly ttl?: number | undefined
  readonly tags?: readonly string[] | undefined
}

/** What an adapter needs of a LocalCache or a SharedCache. */
export interface FlatCache {
  get(key: string): unknown
  peek(key: string): unknown
  has(key: string): boolean
  set(key: string, value: never, options?: WriteOptions): unknown
  delete(key: string): boolean
  getMany(keys: readonly string[]): unknown[]
  deleteMany(keys: readonly string[]): boolean[]
  invalidateTag(tag: string): number
  remainingTtl(key: string): number | undefined
  keys(): Iterable<string | number | PreparedKey>
  clear(): void
  scope(name: string): { key(key: string): PreparedKey }
  close(): void
}

/** What an adapter needs of a TieredCache. */
export interface TwoTierCache {
  get(key: string): Promise<unknown>
  has(key: string): Promise<boolean>
  set(
    key: string,
    value: never,
    options?: WriteOptions & { readonly jitter?: number | undefined },
  ): Promise<{ readonly refused?: true }>
  setMany(
    entries: Iterable<
      readonly [key: string, value: never, options?: WriteOptions & { readonly jitter?: number | undefined }]
    >,
  ): Promise<readonly { readonly refused?: true }[]>
  delete(key: string): Promise<{ readonly existed: boolean }>
  getMany(keys: readonly string[]): Promise<unknown[]>
  deleteMany(keys: readonly string[]): Promise<readonly { readonly existed: boolean }[]>
  clear(): Promise<unknown>
  remainingTtl(key: string): Promise<number | undefined>
  keys(): AsyncIterable<string | number | PreparedKey>
  namespace(name: string): TwoTierCache
  on(event: 'error', listener: (error: unknown) => void): unknown
  off(event: 'error', listener: (error: unknown) => void): unknown
  close(): Promise<void>
}

/** A LocalCache, a SharedCache or a TieredCache. */
export type StoreCache = FlatCache | TwoTierCache

/** A cache that is there, which stays open when the store is disconnected, or the options of a LocalCache for this store alone. */
export type StoreOptions =
  | {
      /** A LocalCache, SharedCache or TieredCache, which stays open. */
      readonly cache: StoreCache
    }
  | LocalCacheOptions<unknown>

export interface OpenedCache {
  readonly cache: StoreCache
  /** Of a cache that was made here, and so is closed here: the names of its parts that were in use. */
  readonly own: Set<string> | undefined
}

/** @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY */
export function openCache(options: StoreCache | StoreOptions, path: string): OpenedCache {
  if (isCache(options)) return { cache: options, own: undefined }
  if (typeof options !== 'object' || options === null || !('cache' in options))
    return { cache: new LocalCache<unknown>(options), own: new Set() }
  refuseUnknownOptions(options, `${path} over a cache`, ['cache'])
  const { cache } = options
  if (isCache(cache)) return { cache, own: undefined }
  throw new HitpathError(
    'INVALID_OPTION',
    `${path}.cache must be a LocalCache, a SharedCache or a TieredCache; got ${describe(cache)}`,
  )
}

export function isCache(cache: unknown): cache is StoreCache {
  return isTwoTier(cache) || has(cache, 'peek', 'invalidateTag', 'deleteMany', 'scope')
}

export function isTwoTier(cache: unknown): cache is TwoTierCache {
  return has(cache, 'getSync', 'invalidateTag', 'deleteMany', 'namespace')
}

function has(cache: unknown, ...methods: readonly string[]): boolean {
  if (typeof cache !== 'object' || cache === null) return false
  return methods.every((name) => typeof (cache as Readonly<Record<string, unknown>>)[name] === 'function')
}
