/** What both stores for cache-manager are made from. */
import { describe, HitpathError } from '../../errors.js'
import { openSpace } from '../keyv/adapter.js'
import { isCache, openCache, type StoreCache, type StoreOptions } from '../keyv/caches.js'
import type { Space } from '../keyv/space.js'

/** What stands before the names of stores among the scopes, or namespaces, of a cache. */
const ROOT = 'cache-manager'

export type CacheStoreOptions = StoreOptions & {
  /** Keeps stores of one cache apart. Default: the part of the cache that all stores without a namespace share. */
  readonly namespace?: string | undefined
}

export interface OpenedStore {
  readonly space: Space
  /** Closes the cache if it was made for this store; one that was handed in stays open. */
  disconnect(): Promise<void>
}

/** @throws HitpathError INVALID_OPTION, INVALID_ARGUMENT for a namespace that the cache does not take, INVALID_TTL, OUT_OF_MEMORY */
export function openStore(options: StoreCache | CacheStoreOptions, path: string): OpenedStore {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new HitpathError('INVALID_OPTION', `${path} expects options or a cache; got ${describe(options)}`)
  }
  const { namespace, ...rest } = isCache(options)
    ? { cache: options, namespace: undefined }
    : (options as CacheStoreOptions)
  if (namespace !== undefined && typeof namespace !== 'string') {
    throw new HitpathError('INVALID_OPTION', `${path}.namespace must be a string; got ${describe(namespace)}`)
  }
  const opened = openCache(rest, path)
  return {
    space: openSpace(opened, namespace, ROOT),
    disconnect: async () => {
      if (opened.own !== undefined) await opened.cache.close()
    },
  }
}

/** Milliseconds as cache-manager gives them: without, or 0, the cache's own ttl counts. */
export function ttlMs(ttl: number | null | undefined): number | undefined {
  return ttl === null || ttl === 0 ? undefined : ttl
}
