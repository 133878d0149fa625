/**
 * The ways to answer `extract(window)` that the replay compares. Each gets the same extraction and the same
 * windows; a clock can be handed in (milliseconds), so that tests move time instead of waiting.
 */
import { CachedFeatureExtractor } from '../../src/serving/cached-feature-extractor.js'
import type { FeatureCache } from '../../src/serving/feature-store.js'
import {
  type Extract,
  FEATURE_PARAMS,
  FEATURES_NAME,
  FEATURES_VERSION,
  type MarketFeatures,
} from './features.js'
import { Md5TtlCache } from './md5-ttl-cache.js'

/** Capacity and lifetime of the original design; every cache of the replay has the same. */
export const MAX_ENTRIES = 10_000
export const TTL_MS = 60_000

export interface Clock {
  now(): number
}

export interface Contender {
  readonly name: string
  readonly extract: Extract
  close(): void
}

export type ContenderFactory = (extract: Extract, clock?: Clock) => Contender

export const noCache: ContenderFactory = (extract) => ({ name: 'no cache', extract, close() {} })

export const originalDesign: ContenderFactory = (extract, clock = Date) => {
  const cache = new Md5TtlCache<MarketFeatures>(MAX_ENTRIES, TTL_MS, clock)
  return {
    name: 'md5 + TTL map',
    extract: (window) => cache.getOrCompute(window, extract),
    close() {},
  }
}

/** Any L1 behind a CachedFeatureExtractor. */
export function cachedExtractor(
  name: string,
  cache: FeatureCache<MarketFeatures> & { close(): void },
  extract: Extract,
): Contender {
  const extractor = new CachedFeatureExtractor({
    cache,
    name: FEATURES_NAME,
    version: FEATURES_VERSION,
    params: FEATURE_PARAMS,
    extract,
    ttl: TTL_MS,
  })
  return { name, extract: (window) => extractor.extract(window), close: () => cache.close() }
}
