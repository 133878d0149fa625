/** `hitpath/lru-cache`: lru-cache 11 by another import. */
export { LRUCache } from './lru-cache.js'
export type { BackgroundFetch, DisposeTask, Perf } from './types.js'
