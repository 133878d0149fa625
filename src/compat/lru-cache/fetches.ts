/**
 * A fetch under way, which stands in its entry's place until it ends, and what its end does to the entry.
 *
 * Always true: a fetch changes only an entry in whose place it still stands, but for one whose abort was ignored and whose place is empty.
 */
import type { FetcherFetchOptions, FetchOptions, SetOptions } from './types.js'

/** What a fetch needs of its cache. */
export interface Fetching<K, V, FC> {
  at(slot: number): V | Fetch<V> | undefined
  put(slot: number, value: V | Fetch<V> | undefined): void
  drop(key: K): void
  /** Stores what `fetch` brought. */
  store(key: K, value: V, options: SetOptions<K, V, FC>, fetch: Fetch<V>): void
}

export class Fetch<V> {
  readonly controller = new AbortController()
  /** Served while the fetch lasts, as asked. */
  readonly stale: V | undefined
  /** Somebody waits for it and is to hear of its failure. */
  awaited = false
  promise!: Promise<V | undefined>

  constructor(stale: V | undefined) {
    this.stale = stale
  }
}

/** Runs `call`, which calls the user's fetchMethod, and lets its end find its entry by `slotOf`. */
export function runFetch<K, V, FC>(
  cache: Fetching<K, V, FC>,
  fetch: Fetch<V>,
  key: K,
  slotOf: () => number,
  options: FetchOptions<K, V, FC>,
  call: (signal: AbortSignal, options: FetcherFetchOptions<K, V, FC>) => unknown,
): void {
  const { controller } = fetch
  const { signal: outer, status } = options
  outer?.addEventListener('abort', () => controller.abort(outer.reason), { signal: controller.signal })

  const failed = (error: unknown, proceed: boolean): V | undefined => {
    const staleForAbort = controller.signal.aborted && options.allowStaleOnFetchAbort === true
    const allowStale = staleForAbort || options.allowStaleOnFetchRejection === true
    const slot = slotOf()
    if (cache.at(slot) === fetch) {
      const keep = allowStale || options.noDeleteOnFetchRejection === true
      if (!keep || (!proceed && fetch.stale === undefined)) cache.drop(key)
      // An aborted fetch that may still bring something keeps its place.
      else if (!staleForAbort) cache.put(slot, fetch.stale)
    }
    if (allowStale) {
      if (status !== undefined && fetch.stale !== undefined) status.returnedStale = true
      return fetch.stale
    }
    if (fetch.awaited) throw error
    return undefined
  }

  const resolved = (value: V | undefined, late: boolean): V | undefined => {
    const { aborted, reason } = controller.signal
    const ignored = options.ignoreFetchAbort === true && value !== undefined
    if (status !== undefined) {
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
        if (status !== undefined) status.fetchUpdated = true
        cache.store(key, value, options, fetch)
      } else if (fetch.stale !== undefined) cache.put(slot, fetch.stale)
      else cache.drop(key)
    }
    return value
  }

  const rejected = (error: unknown): V | undefined => {
    if (status !== undefined) {
      status.fetchRejected = true
      status.fetchError = error as Error
    }
    return failed(error, false)
  }

  if (status !== undefined) status.fetchDispatched = true
  fetch.promise = new Promise<V | undefined>((resolve, reject) => {
    let settle: (value: V | undefined | PromiseLike<V | undefined>) => void = resolve
    const made = call(controller.signal, options)
    controller.signal.addEventListener('abort', () => {
      if (options.ignoreFetchAbort && !options.allowStaleOnFetchAbort) return
      resolve(undefined)
      // What it brings after all still goes into the cache.
      if (options.allowStaleOnFetchAbort) settle = (value) => void resolved(value as V | undefined, true)
    })
    if (made instanceof Promise) made.then((value: V | undefined) => settle(value), reject)
    else settle(made as V | undefined)
  }).then((value) => resolved(value, false), rejected)
}
