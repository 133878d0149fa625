/** `fetch`: one call of fetchMethod a key at a time, and stale values served meanwhile where that is asked. */
import type { Entries } from './entries.js'
import { Fetch, type Fetching, runFetch } from './fetches.js'
import { optional } from './options.js'
import type { Settings } from './settings.js'
import { NOWHERE } from './slots.js'
import type * as Types from './types.js'

/** Calls of the cache that a fetch makes. */
export interface Host<K, V, FC> {
  get(key: K, options: Types.GetOptions<K, V, FC>): V | undefined
  drop(key: K): void
  store(key: K, value: V | Fetch<V>, options: Types.SetOptions<K, V, FC>, fetch: Fetch<V>): void
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
    }
  }

  /** The value, or what the method brings. */
  async fetch(key: K, given: Types.FetchOptions<K, V, FC>): Promise<V | undefined> {
    const cache = this.#cache
    const { context, forceRefresh = false, status } = given
    const options = this.#optionsOf(given)
    const { allowStale } = options
    if (status !== undefined) {
      status.op = 'fetch'
      status.key = key
      if (forceRefresh) status.forceRefresh = true
      status.cache = cache as never
    }
    if (cache.fetchMethod === undefined) {
      if (status !== undefined) status.fetch = 'get'
      return this.#host.get(key, options)
    }
    const entries = this.#entries
    const slot = entries.find(key)
    if (slot === NOWHERE) {
      if (status !== undefined) status.fetch = 'miss'
      return awaited(this.#begin(key, NOWHERE, options, context as FC))
    }
    const held = entries.values[slot]
    if (held instanceof Fetch) {
      const serveStale = allowStale === true && held.stale !== undefined
      if (status !== undefined) {
        status.fetch = 'inflight'
        if (serveStale) status.returnedStale = true
      }
      return serveStale ? held.stale : awaited(held)
    }
    const stale = entries.isStale(slot)
    if (!forceRefresh && !stale) {
      if (status !== undefined) status.fetch = 'hit'
      entries.order.use(slot)
      if (options.updateAgeOnGet) entries.ages?.renew(slot)
      if (status !== undefined) entries.ages?.describe(slot, status as never)
      return held
    }
    const fetch = this.#begin(key, slot, options, context as FC)
    const serveStale = allowStale === true && fetch.stale !== undefined
    if (status !== undefined) {
      status.fetch = stale ? 'stale' : 'refresh'
      if (serveStale && stale) status.returnedStale = true
    }
    return serveStale ? fetch.stale : awaited(fetch)
  }

  #optionsOf(given: Types.FetchOptions<K, V, FC>): Types.FetchOptions<K, V, FC> {
    const cache = this.#cache
    const { status, signal } = given
    return {
      allowStale: given.allowStale ?? cache.allowStale,
      updateAgeOnGet: given.updateAgeOnGet ?? cache.updateAgeOnGet,
      noDeleteOnStaleGet: given.noDeleteOnStaleGet ?? cache.noDeleteOnStaleGet,
      ttl: given.ttl ?? cache.ttl,
      noDisposeOnSet: given.noDisposeOnSet ?? cache.noDisposeOnSet,
      size: given.size ?? 0,
      ...optional('sizeCalculation', given.sizeCalculation ?? cache.sizeCalculation),
      noUpdateTTL: given.noUpdateTTL ?? cache.noUpdateTTL,
      noDeleteOnFetchRejection: given.noDeleteOnFetchRejection ?? cache.noDeleteOnFetchRejection,
      allowStaleOnFetchRejection: given.allowStaleOnFetchRejection ?? cache.allowStaleOnFetchRejection,
      allowStaleOnFetchAbort: given.allowStaleOnFetchAbort ?? cache.allowStaleOnFetchAbort,
      ignoreFetchAbort: given.ignoreFetchAbort ?? cache.ignoreFetchAbort,
      ...optional('status', status),
      ...optional('signal', signal),
    }
  }

  /** A fetch stands where its entry is, without using it; a new one is an entry of its own. */
  #begin(key: K, slot: number, options: Types.FetchOptions<K, V, FC>, context: FC): Fetch<V> {
    const entries = this.#entries
    const fetch = new Fetch<V>(slot === NOWHERE ? undefined : (entries.values[slot] as V))
    let at = slot
    runFetch(
      this.#ends,
      fetch,
      key,
      () => at,
      options,
      (signal, fetchOptions) =>
        this.#cache.fetchMethod?.(key, fetch.stale, { signal, options: fetchOptions, context }),
    )
    if (slot === NOWHERE) {
      const { status: _, ...untold } = options
      this.#host.store(key, fetch, untold, fetch)
      at = entries.find(key)
    } else {
      entries.values[slot] = fetch
    }
    return fetch
  }
}

/** Somebody waits for this fetch. */
function awaited<V>(fetch: Fetch<V>): Promise<V | undefined> {
  fetch.awaited = true
  return fetch.promise
}
