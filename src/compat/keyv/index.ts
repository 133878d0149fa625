/** `hitpath/keyv`: storage adapters for Keyv 5 and 6 over the caches of hitpath. */
export type { FlatCache, StoreCache, StoreOptions, TwoTierCache } from './caches.js'
export { HitpathStorageAdapter, type StorageEntry } from './hitpath-storage-adapter.js'
export { HitpathStore, type StoreEntry } from './hitpath-store.js'
