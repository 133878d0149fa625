/**
 * What a CachedFeatureExtractor needs of an L1: a key space of its own in a cache whose keys are windows.
 * LocalCache and SharedCache have this shape.
 */
import type { NdArrayLike } from '../key/ndarray.js'

export interface FeatureSetOptions {
  readonly ttl?: number
  readonly tags?: readonly string[]
}

/** One key space. Two windows are the same key when their dtype, shape and elements are, wherever they lie. */
export interface FeatureStore<V> {
  /** undefined is the only miss. */
  get(window: NdArrayLike): V | undefined
  set(window: NdArrayLike, value: V, options?: FeatureSetOptions): unknown
}

export interface FeatureCache<V> {
  /** The key space of that name: keys of two scopes never meet, entries of all share the cache's capacity. */
  scope(name: string): FeatureStore<V>
}
