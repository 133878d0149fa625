/** The tiers that a configuration file describes. */

import { loadConfig } from '../config/load-config.js'
import { LocalCache } from '../l1/local-cache.js'
import { SharedCache } from '../l1/shared-cache.js'
import { RedisStore } from '../l2/redis-store.js'
import type { Location } from '../platform.js'
import type { FirstTier } from './first-tier.js'
import type { TieredCacheOptions } from './options.js'

/** Without `l2` in the file it is the first tier alone. @throws HitpathError INVALID_CONFIG naming the entry */
export function optionsFrom(path: string | Location): TieredCacheOptions & { readonly l1: FirstTier } {
  const { l1, l2, ...options } = loadConfig(path)
  const { type, ...first } = l1
  const tier: FirstTier = type === 'shared' ? SharedCache.create(first) : new LocalCache(first)
  if (l2 === undefined) return { ...options, l1: tier }
  const namespace = options.namespace ?? l2.namespace
  const store = new RedisStore({ ...l2, ...(namespace === undefined ? {} : { namespace }) })
  return { ...options, l1: tier, l2: store }
}
