/** `fetch`: one call of fetchMethod a key at a time, and stale values served meanwhile where that is asked. */
import type { Entries } from './entries.js'
import { beginFetch, type Fetching } from './fetches.js'
import type { Settings } from './settings.js'
import { NOWHERE } from './slots.js'
import type * as Types from './types.js'

/** Calls of the cache that a fetch makes. */
export interface Host<K, V, FC> {
  get(key: K, options: Types.GetOptions<K, V, FC>): V | undefined
  drop(key: K): void
  store(
    key: K,
    value: Types.Held<V>,
    options: Types.SetOptions<K, V, FC>,
    fetch: Types.BackgroundFetch<V>,
  ): void
}

export class Fetcher<K extends {}, V extends {}, FC> {
  readonly #cache: Settings<K, V, FC>
  readonly #entries: Entries<K, V>
  readonly #host: Host<K, V, FC>
  readonly #ends: Fetching<K, V, FC>

  constructor(cache: Settings<K, V, FC>, entries: Entries<K, V>, host: Host<K, V, FC>) {
    this.#cache = cache
    this.#entries = entries
    this.#host = host
    this.#ends = {
      at: (slot) => entries.values[slot],
      put: (slot, value) => {
        entries.values[slot] = value
      },
      drop: host.drop,
      store: host.store,
      call: (key, stale, options) => cache.fetchMethod?.(key, stale, options),
    }
  }

  /** The value, or what the method brings. */
  async fetch(key: K, given: Types.FetchOptions<K, V, FC>): Promise<V | undefined> {
    const cache = this.#cache
    const { context, forceRefresh = false, status } = given
    const options = this.#optionsOf(given)
    const { allowStale } = options
    if (status) {
      status.op = 'fetch'
      status.key = key
      if (forceRefresh) status.forceRefresh = true
      status.cache = cache as never
    }
    if (cache.fetchMethod === undefined) {
      if (status) status.fetch = 'get'
      return this.#host.get(key, options)
    }
    const entries = this.#entries
    const slot = entries.find(key)
    if (slot === NOWHERE) {
      if (status) status.fetch = 'miss'
      return awaited(this.begin(key, NOWHERE, options, context as FC))
    }
    const held = entries.values[slot]
    const under = entries.fetchOf(held)
    if (under !== undefined) {
      const serveStale = allowStale && under.__staleWhileFetching !== undefined
      if (status) {
        status.fetch = 'inflight'
        if (serveStale) status.returnedStale = true
      }
      return serveStale ? under.__staleWhileFetching : awaited(under)
    }
    const stale = entries.isStale(slot)
    if (!forceRefresh && !stale) {
      if (status) status.fetch = 'hit'
      entries.order.use(slot)
      if (options.updateAgeOnGet) entries.ages?.renew(slot)
      if (status) entries.ages?.describe(slot, status as never)
      return held as V | undefined
    }
    const fetch = this.begin(key, slot, options, context as FC)
    const serveStale = allowStale && fetch.__staleWhileFetching !== undefined
    if (status) {
      status.fetch = stale ? 'stale' : 'refresh'
      if (serveStale && stale) status.returnedStale = true
    }
    return serveStale ? fetch.__staleWhileFetching : awaited(fetch)
  }

  /** What the method is given, every property of it. */
  #optionsOf(given: Types.FetchOptions<K, V, FC>): Types.FetchOptions<K, V, FC> {
    const cache = this.#cache
    const {
      allowStale = cache.allowStale,
      updateAgeOnGet = cache.updateAgeOnGet,
      noDeleteOnStaleGet = cache.noDeleteOnStaleGet,
      ttl = cache.ttl,
      noDisposeOnSet = cache.noDisposeOnSet,
      size = 0,
      sizeCalculation = cache.sizeCalculation,
      noUpdateTTL = cache.noUpdateTTL,
      noDeleteOnFetchRejection = cache.noDeleteOnFetchRejection,
      allowStaleOnFetchRejection = cache.allowStaleOnFetchRejection,
      allowStaleOnFetchAbort = cache.allowStaleOnFetchAbort,
      ignoreFetchAbort = cache.ignoreFetchAbort,
      status,
      signal,
    } = given
    return {
      ...{ allowStale, updateAgeOnGet, noDeleteOnStaleGet, ttl, noDisposeOnSet, size, sizeCalculation },
      ...{ noUpdateTTL, noDeleteOnFetchRejection, allowStaleOnFetchRejection, allowStaleOnFetchAbort },
      ...{ ignoreFetchAbort, status, signal },
    } as Types.FetchOptions<K, V, FC>
  }

  /** A fetch stands where its entry is, without using it; a new one is an entry of its own. */
  begin(key: K, slot: number, options: Types.FetchOptions<K, V, FC>, context: FC): Types.BackgroundFetch<V> {
    const entries = this.#entries
    const held = slot === NOWHERE ? undefined : entries.values[slot]
    const under = entries.fetchOf(held)
    if (under !== undefined) return under
    let at = slot
    const fetch = beginFetch(this.#ends, key, held as V | undefined, () => at, options, context)
    if (slot === NOWHERE) {
      this.#host.store(key, fetch, { ...options, status: undefined } as never, fetch)
      at = entries.find(key)
    } else {
      entries.values[slot] = fetch
    }
    return fetch
  }
}

/** Somebody waits for this fetch, and is to hear of its failure. */
function awaited<V>(fetch: Types.BackgroundFetch<V>): Promise<V | undefined> {
  fetch.__returned = fetch
  return fetch
}
