/** hitpath itself: the same extractor over the L1 of one thread and over the L1 of all threads. */
import { LocalCache, SharedCache } from '../../src/index.js'
import { type ContenderFactory, cachedExtractor, MAX_ENTRIES, TTL_MS } from './contenders.js'
import type { MarketFeatures } from './features.js'

/** Fifteen arrays of 60 float64 a window: about 7 KB an entry. */
const SHARED_BYTES = 256 * 2 ** 20

export const hitpathLocal: ContenderFactory = (extract, clock) => {
  const cache = new LocalCache<MarketFeatures>({
    maxEntries: MAX_ENTRIES,
    ttl: TTL_MS,
    ...(clock && { clock }),
  })
  return cachedExtractor('hitpath', cache, extract)
}

export const hitpathShared: ContenderFactory = (extract, clock) => {
  const options = { maxBytes: SHARED_BYTES, maxEntries: MAX_ENTRIES, ttl: TTL_MS, ...(clock && { clock }) }
  return cachedExtractor('hitpath, shared', SharedCache.create<MarketFeatures>(options), extract)
}
