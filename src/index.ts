/** hitpath: a native-accelerated cache for the hot path of machine-learning services. */
export { type Duration, parseDuration } from './duration.js'
export { HitpathError, type HitpathErrorCode } from './errors.js'
export { digest } from './key/digest.js'
export { NdArray, type NdArrayLike, type TypedArray } from './key/ndarray.js'
export { PreparedKey } from './key/prepared.js'
export type { IteratedKey } from './l1/base-cache.js'
export type { CacheKey, Clock } from './l1/engine.js'
export { LocalCache, type LocalCacheOptions, type RemovalReason } from './l1/local-cache.js'
export type { SetOptions } from './l1/options.js'
export type { Pinned } from './l1/pins.js'
export type { Scope } from './l1/scope.js'
export {
  type AttachOptions,
  SharedCache,
  type SharedCacheHandle,
} from './l1/shared-cache.js'
export type { SharedCacheOptions } from './l1/shared-options.js'
export type { CacheStats } from './l1/stats.js'
export {
  CachedFeatureExtractor,
  type CachedFeatureExtractorOptions,
  type Features,
} from './serving/cached-feature-extractor.js'
