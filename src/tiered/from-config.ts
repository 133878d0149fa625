/** The tiers that a configuration file describes, for one cache or for the caches of many types. */

import { loadConfig } from '../config/load-config.js'
import type { HitpathConfig } from '../config/types.js'
import { HitpathError } from '../errors.js'
import { LocalCache } from '../l1/local-cache.js'
import { SharedCache } from '../l1/shared-cache.js'
import { RedisStore } from '../l2/redis-store.js'
import type { Location } from '../platform.js'
import type { FirstTier } from './first-tier.js'
import type { TieredCacheOptions } from './options.js'

/** Without `l2` in the file it is the first tier alone. @throws HitpathError INVALID_CONFIG naming the entry */
export function optionsFrom(path: string | Location): TieredCacheOptions & { readonly l1: FirstTier } {
  const { l1, types, ...config } = loadConfig(path)
  if (types !== undefined) throw misplaced(path, 'types is for TypedCaches.fromConfig')
  const { type, ...first } = l1
  const tier: FirstTier = type === 'shared' ? SharedCache.create(first) : new LocalCache(first)
  return { ...withStore(config), l1: tier }
}

/** What the file says of the caches of many types: each has a first tier of its own. */
export type TypedConfig = Omit<TieredCacheOptions, 'l1' | 'policies' | 'bus'> &
  Pick<HitpathConfig, 'types' | 'bus'> & { readonly maxEntries?: number }

/** @throws HitpathError INVALID_CONFIG naming the entry */
export function typedOptionsFrom(path: string | Location): TypedConfig {
  const { l1, types, policies, ...config } = loadConfig(path)
  if (policies !== undefined)
    throw misplaced(path, 'policies is for TieredCache.fromConfig; types have their own')
  if (l1.type === 'shared')
    throw misplaced(path, 'l1.type must be local here: a type has a SharedCache by its entry shared')
  const { maxEntries, policy } = l1
  if (policy !== undefined) throw misplaced(path, 'l1.policy is for TieredCache.fromConfig')
  return {
    ...withStore(config),
    ...(types === undefined ? {} : { types }),
    ...(maxEntries === undefined ? {} : { maxEntries }),
  }
}

function withStore<T extends Omit<HitpathConfig, 'l1' | 'types'>>({
  l2,
  ...options
}: T): Omit<T, 'l2'> & { readonly l2?: RedisStore } {
  if (l2 === undefined) return options
  const namespace = options.namespace ?? l2.namespace
  return { ...options, l2: new RedisStore({ ...l2, ...(namespace === undefined ? {} : { namespace }) }) }
}

function misplaced(path: string | Location, problem: string): HitpathError {
  return new HitpathError('INVALID_CONFIG', `${typeof path === 'string' ? path : path.href}: ${problem}`)
}
