/** `hitpath/cache-manager`: stores for cache-manager over the caches of hitpath. */
import type { StoreCache } from '../keyv/caches.js'
import { CacheStore } from './cache-store.js'
import { CachingStore } from './caching-store.js'
import { type CacheStoreOptions, openStore } from './options.js'

/**
 * A store for `createCache({ stores: [hitpathStore()] })` of cache-manager 6 and 7.
 *
 * It is a CacheStore; TypeScript takes it for what stands in its place, since cache-manager names the class Keyv, which has private
 * members and is not needed here.
 *
 * @param options options of a LocalCache for this store alone; or a cache, or `{ cache }`: a LocalCache, a SharedCache or a TieredCache
 * @throws HitpathError INVALID_OPTION, INVALID_ARGUMENT for a namespace that the cache does not take, INVALID_TTL, OUT_OF_MEMORY
 */
export function hitpathStore<Store extends object = CacheStore>(
  options: StoreCache | CacheStoreOptions = {},
): Store {
  return new CacheStore(openStore(options, 'hitpathStore')) as object as Store
}

/**
 * A store for `caching(hitpathCachingStore())` of cache-manager 5.
 *
 * @param options as of hitpathStore()
 * @throws as hitpathStore()
 */
export function hitpathCachingStore(options: StoreCache | CacheStoreOptions = {}): CachingStore {
  return new CachingStore(openStore(options, 'hitpathCachingStore'))
}

export type { FlatCache, StoreCache, StoreOptions, TwoTierCache } from '../keyv/caches.js'
export type { CacheStore, CacheStoreEntry, RawEntry } from './cache-store.js'
export type { CachingStore } from './caching-store.js'
export type { CacheStoreOptions } from './options.js'
