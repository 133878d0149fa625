/**
 * A fetch under way, which stands in its entry's place until it ends, and what its end does to the entry.
 *
 * It is a promise with three properties, as in lru-cache. Always true: a fetch changes only an entry in whose place it still stands, but
 * for one whose abort was ignored and whose place is empty.
 */
import type { BackgroundFetch, FetcherOptions, FetchOptions, Held, SetOptions } from './types.js'

/** What a fetch needs of its cache. */
export interface Fetching<K, V, FC> {
  at(slot: number): Held<V> | undefined
  put(slot: number, value: V | undefined): void
  drop(key: K): void
  /** Stores what `fetch` brought. */
  store(key: K, value: V, options: SetOptions<K, V, FC>, fetch: BackgroundFetch<V>): void
  /** Calls the user's method. */
  call(key: K, stale: V | undefined, options: FetcherOptions<K, V, FC>): unknown
}

/** Whether a value is a fetch under way; to be asked of a cache that has a method for it. */
export function isFetch<V>(held: unknown): held is BackgroundFetch<V> {
  return (
    held instanceof Promise &&
    Object.hasOwn(held, '__staleWhileFetching') &&
    (held as BackgroundFetch<V>).__abortController instanceof AbortController
  )
}

/** Begins a fetch, whose end finds its entry by `slotOf`. */
export function beginFetch<K, V, FC>(
  cache: Fetching<K, V, FC>,
  key: K,
  stale: V | undefined,
  slotOf: () => number,
  options: FetchOptions<K, V, FC>,
  context: FC,
): BackgroundFetch<V> {
  const controller = new AbortController()
  const { signal: outer, status } = options
  outer?.addEventListener('abort', () => controller.abort(outer.reason), { signal: controller.signal })

  const failed = (error: unknown, proceed: boolean): V | undefined => {
    const staleForAbort = controller.signal.aborted && options.allowStaleOnFetchAbort
    const allowStale = staleForAbort || options.allowStaleOnFetchRejection
    const slot = slotOf()
    if (cache.at(slot) === fetch) {
      const keep = allowStale || options.noDeleteOnFetchRejection
      if (!keep || (!proceed && fetch.__staleWhileFetching === undefined)) cache.drop(key)
      // An aborted fetch that may still bring something keeps its place.
      else if (!staleForAbort) cache.put(slot, fetch.__staleWhileFetching)
    }
    if (allowStale) {
      if (status && fetch.__staleWhileFetching !== undefined) status.returnedStale = true
      return fetch.__staleWhileFetching
    }
    if (fetch.__returned === fetch) throw error
    return undefined
  }

  const resolved = (value: V | undefined, late: boolean): V | undefined => {
    const { aborted, reason } = controller.signal
    const ignored = options.ignoreFetchAbort && value !== undefined
    if (status) {
      if (aborted && !late) {
        status.fetchAborted = true
        status.fetchError = reason as Error
        if (ignored) status.fetchAbortIgnored = true
      } else {
        status.fetchResolved = true
      }
    }
    if (aborted && !ignored && !late) {
      const proceed =
        options.ignoreFetchAbort === true || (options.allowStaleOnFetchAbort === true && value !== undefined)
      return failed(reason, proceed)
    }
    const slot = slotOf()
    const there = cache.at(slot)
    if (there === fetch || (there === undefined && ignored && late)) {
      if (value !== undefined) {
        if (status) status.fetchUpdated = true
        cache.store(key, value, options, fetch)
      } else if (fetch.__staleWhileFetching !== undefined) cache.put(slot, fetch.__staleWhileFetching)
      else cache.drop(key)
    }
    return value
  }

  const rejected = (error: unknown): V | undefined => {
    if (status) {
      status.fetchRejected = true
      status.fetchError = error as Error
    }
    return failed(error, false)
  }

  if (status) status.fetchDispatched = true
  const promise = new Promise<V | undefined>((resolve, reject) => {
    let settle: (value: V | undefined | PromiseLike<V | undefined>) => void = resolve
    const made = cache.call(key, stale, { signal: controller.signal, options, context })
    controller.signal.addEventListener('abort', () => {
      if (options.ignoreFetchAbort && !options.allowStaleOnFetchAbort) return
      resolve(undefined)
      // What it brings after all still goes into the cache.
      if (options.allowStaleOnFetchAbort) settle = (value) => void resolved(value as V | undefined, true)
    })
    if (made instanceof Promise) made.then((value: V | undefined) => settle(value), reject)
    else settle(made as V | undefined)
  }).then((value) => resolved(value, false), rejected)
  const fetch: BackgroundFetch<V> = Object.assign(promise, {
    __abortController: controller,
    __staleWhileFetching: stale,
    __returned: undefined,
  })
  return fetch
}
