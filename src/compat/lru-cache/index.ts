/** `hitpath/lru-cache`: lru-cache 11 by another import. */
export { LRUCache } from './lru-cache.js'
