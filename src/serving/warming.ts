/**
 * Warming: a cache that is full before the first request comes.
 *
 * From the second tier, the hottest entries first (`warmFromStore`); from a list of keys, with the loader that serves requests too
 * (`warmKeys`); from a file, by `restore()` of a LocalCache or SharedCache. Always true: warming is bounded, may be cancelled at any moment,
 * and what it stores went through the guards that any read or write goes through.
 */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import {
  booleanOption,
  functionOption,
  integerOption,
  oneOfOption,
  refuseUnknownOptions,
} from '../options.js'
import type { Signal } from '../platform.js'
import type { HottestKeys, Promoted } from '../tiered/warming.js'

export interface WarmProgress {
  /** Keys dealt with, failed ones included. */
  readonly done: number
  /** Keys there are, once that is known. */
  readonly total: number | undefined
  /** That the second tier sent; 0 where a loader makes the values. */
  readonly bytes: number
  /** Keys without a value: the loader failed or gave none, or the second tier did not give the entry. */
  readonly failed: number
  readonly elapsedMs: number
}

export interface WarmResult extends WarmProgress {
  /** Keys that the cache has now because of this call, or had before. */
  readonly warmed: number
  /** Whether all was done; false when a bound ended it. */
  readonly complete: boolean
  /** The first error of a loader. */
  readonly error?: unknown
}

interface Watched {
  /** Ends the warming; the promise rejects with its reason, and what was stored stays. Default: none. */
  readonly signal?: Signal | undefined
  /** Told now and then how far it has come. Default: none. */
  readonly onProgress?: (progress: WarmProgress) => void
}

export interface WarmFromStoreOptions extends Watched {
  /** Entries to read, at most. Default 10,000. */
  readonly maxEntries?: number
  /** Bytes to read, about: no batch begins beyond them. Default 64 MiB. */
  readonly maxBytes?: number
  /** For all of it; when it is over, what was read is the result. Half of it may go into finding the names. Default 30 s. */
  readonly timeout?: Duration
  /** A glob of string keys. Default: every entry. */
  readonly pattern?: string
  /** Which come first; there is no other order. Default `'hottest'`. */
  readonly order?: 'hottest'
  /** Entries of one read. Default 200. */
  readonly batch?: number
}

export interface WarmKeysOptions extends Watched {
  /** Batches under way at once. Default 4. */
  readonly concurrency?: number
  /** Keys of one call of the loader. Default 100. */
  readonly batch?: number
  /** Whether the first error of the loader ends the warming, and is thrown. Default false: the key counts as failed. */
  readonly stopOnError?: boolean
}

/** A TieredCache, as far as warming needs it. */
export interface WarmableTiered<V = unknown> {
  hottest(options: {
    readonly max: number
    readonly pattern?: string | undefined
    readonly signal?: Signal | undefined
  }): Promise<HottestKeys>
  promote(keys: readonly CacheKey[]): Promise<Promoted>
  get(key: CacheKey): Promise<V | undefined>
  getOrSetMany(
    keys: readonly CacheKey[],
    factory: (missing: CacheKey[]) => Promise<readonly (V | undefined)[]>,
  ): Promise<(V | undefined)[]>
}

/** A LocalCache or SharedCache, as far as warming needs it. */
export interface WarmableLocal<V = unknown> {
  get(key: CacheKey): V | undefined
  has(key: CacheKey): boolean
  setMany(entries: Iterable<readonly [key: CacheKey, value: V]>): unknown
}

/** The values of keys, aligned; undefined for one that has none. */
export type WarmLoader<V, K extends CacheKey = CacheKey> = (
  keys: K[],
) => readonly (V | undefined)[] | Promise<readonly (V | undefined)[]>

const DEFAULT = { maxEntries: 10_000, maxBytes: 64 * 2 ** 20, timeout: 30_000, reads: 200, loads: 100 }

const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Reads the hottest entries of the second tier into the first, in that order.
 *
 * @throws HitpathError INVALID_OPTION, INVALID_TTL; what `hottest` throws; the reason of the signal
 */
export async function warmFromStore(
  tiered: Pick<WarmableTiered, 'hottest' | 'promote'>,
  options: WarmFromStoreOptions = {},
): Promise<WarmResult> {
  const { signal, pattern } = options
  const bounds = readBounds(options)
  const began = performance.now()
  const counts = { done: 0, bytes: 0, failed: 0, warmed: 0 }
  signal?.throwIfAborted()
  const half = AbortSignal.timeout(Math.min(Math.ceil(bounds.timeout / 2), LONGEST_TIMER_MS))
  let keys: HottestKeys['keys']
  try {
    const both = signal === undefined ? half : AbortSignal.any([signal as AbortSignal, half])
    ;({ keys } = await tiered.hottest({ max: bounds.maxEntries, pattern, signal: both }))
  } catch (error) {
    signal?.throwIfAborted()
    if (!half.aborted || error !== half.reason) throw error
    return { ...counts, total: undefined, complete: false, elapsedMs: performance.now() - began }
  }
  const total = keys.length
  const elapsedMs = (): number => performance.now() - began
  while (counts.done < total && counts.bytes < bounds.maxBytes && elapsedMs() < bounds.timeout) {
    signal?.throwIfAborted()
    const read = await tiered.promote(keys.slice(counts.done, counts.done + bounds.batch))
    counts.done += read.promoted + read.present + read.missing
    counts.warmed += read.promoted + read.present
    counts.failed += read.missing
    counts.bytes += read.bytes
    const { done, bytes, failed } = counts
    options.onProgress?.({ done, total, bytes, failed, elapsedMs: elapsedMs() })
  }
  signal?.throwIfAborted()
  return { ...counts, total, complete: counts.done === total, elapsedMs: elapsedMs() }
}

/**
 * Fills a cache by a list of keys: what it lacks is loaded, in batches. A batch whose load fails is loaded key by key, so that one key takes no
 * other with it.
 *
 * @param keys an array or any iterable, asynchronous too: it is read as batches are free
 * @throws HitpathError INVALID_ARGUMENT, INVALID_OPTION; the reason of the signal; with `stopOnError` what the loader throws
 */
export async function warmKeys<V, K extends CacheKey>(
  cache: WarmableTiered<V> | WarmableLocal<V>,
  keys: Iterable<K> | AsyncIterable<K>,
  loader: WarmLoader<NoInfer<V>, K>,
  options: WarmKeysOptions = {},
): Promise<WarmResult> {
  refuseUnknownOptions(options, 'warmKeys', ['signal', 'onProgress', 'concurrency', 'batch', 'stopOnError'])
  const { signal, onProgress } = options
  if (onProgress !== undefined) functionOption(onProgress, 'warmKeys.onProgress')
  functionOption(loader, 'warmKeys.loader')
  const concurrency = integerOption(options.concurrency ?? 4, 'warmKeys.concurrency', { max: 1024 })
  const batch = integerOption(options.batch ?? DEFAULT.loads, 'warmKeys.batch', { max: 100_000 })
  const stopOnError = booleanOption(options.stopOnError ?? false, 'warmKeys.stopOnError')
  const began = performance.now()
  const counts = { done: 0, failed: 0, warmed: 0 }
  const total = Array.isArray(keys) ? keys.length : undefined
  const progress = (): WarmProgress => ({
    done: counts.done,
    total,
    bytes: 0,
    failed: counts.failed,
    elapsedMs: performance.now() - began,
  })
  const errors: unknown[] = []
  const take = batches(iteratorOf(keys), batch)
  let ended = false
  const worker = async (): Promise<void> => {
    while (!ended) {
      signal?.throwIfAborted()
      const some = await unlessAborted(take(), signal)
      if (some.length === 0) return
      const loaded = await load(cache, some, loader, stopOnError, signal)
      counts.done += some.length
      counts.warmed += loaded.warmed
      counts.failed += some.length - loaded.warmed
      errors.push(...loaded.errors)
      onProgress?.(progress())
    }
  }
  const stop = (error: unknown): never => {
    ended = true
    throw error
  }
  const workers = Array.from({ length: concurrency }, () => worker().catch(stop))
  const settled = await Promise.allSettled(workers)
  const ending = take.end()
  // An iterable that never answers is not waited for.
  if (signal?.aborted === true) ending.catch(() => {})
  else await ending
  for (const result of settled) if (result.status === 'rejected') throw result.reason
  const result = { ...progress(), warmed: counts.warmed, complete: true }
  return errors.length === 0 ? result : { ...result, error: errors[0] }
}

interface Loaded {
  readonly warmed: number
  readonly errors: readonly unknown[]
}

async function load<V, K extends CacheKey>(
  cache: WarmableTiered<V> | WarmableLocal<V>,
  keys: readonly K[],
  loader: WarmLoader<V, K>,
  stopOnError: boolean,
  signal: Signal | undefined,
): Promise<Loaded> {
  try {
    return { warmed: await fill(cache, keys, loader), errors: [] }
  } catch (error) {
    if (stopOnError || isFinal(error)) throw error
    if (keys.length === 1) return { warmed: 0, errors: [error] }
  }
  let warmed = 0
  const errors: unknown[] = []
  for (const key of keys) {
    signal?.throwIfAborted()
    const alone = await load(cache, [key], loader, false, signal)
    warmed += alone.warmed
    errors.push(...alone.errors)
  }
  return { warmed, errors: errors.slice(0, 1) }
}

/** How many of the keys the cache has afterwards. */
async function fill<V, K extends CacheKey>(
  cache: WarmableTiered<V> | WarmableLocal<V>,
  keys: readonly K[],
  loader: WarmLoader<V, K>,
): Promise<number> {
  const loaded = async (missing: K[]): Promise<readonly (V | undefined)[]> => {
    const values = await loader(missing)
    if (Array.isArray(values) && values.length === missing.length) return values
    throw new HitpathError(
      'INVALID_VALUE',
      `the loader was asked for ${missing.length} values and must return an array of as many; got ${describe(values)}`,
    )
  }
  if ('getOrSetMany' in cache) {
    const values = await cache.getOrSetMany(keys, (missing) => loaded(missing as K[]))
    return values.reduce<number>((sum, value) => sum + (value === undefined ? 0 : 1), 0)
  }
  const missing = keys.filter((key) => !cache.has(key))
  if (missing.length === 0) return keys.length
  const values = await loaded(missing)
  const found: [K, V][] = []
  for (const [i, value] of values.entries()) if (value !== undefined) found.push([missing[i] as K, value])
  cache.setMany(found)
  return keys.length - missing.length + found.length
}

/** A closed cache will not open again: no key needs to be tried. */
function isFinal(error: unknown): boolean {
  return error instanceof HitpathError && error.code === 'CLOSED'
}

interface Batches<K> {
  /** The next keys, none at the end. Several may ask at once. */
  (): Promise<K[]>
  end(): Promise<void>
}

function batches<K>(source: AsyncIterator<K> | Iterator<K>, size: number): Batches<K> {
  let last: Promise<unknown> = Promise.resolve()
  let over = false
  const read = async (): Promise<K[]> => {
    const some: K[] = []
    while (!over && some.length < size) {
      const { done, value } = await source.next()
      if (done === true) over = true
      else some.push(value)
    }
    return some
  }
  const take = (): Promise<K[]> => {
    const next = last.then(read)
    last = next.catch(() => {
      over = true
    })
    return next
  }
  const end = async (): Promise<void> => {
    if (!over) await source.return?.()
    over = true
  }
  return Object.assign(take, { end })
}

/** Rejects with the signal's reason as soon as there is one. */
function unlessAborted<T>(work: Promise<T>, signal: Signal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function iteratorOf<K>(keys: Iterable<K> | AsyncIterable<K>): AsyncIterator<K> | Iterator<K> {
  if (typeof keys === 'object' && keys !== null) {
    if (Symbol.asyncIterator in keys) return keys[Symbol.asyncIterator]()
    if (Symbol.iterator in keys) return keys[Symbol.iterator]()
  }
  throw new HitpathError('INVALID_ARGUMENT', `keys must be iterable; got ${describe(keys)}`)
}

function readBounds(options: WarmFromStoreOptions): {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly timeout: number
  readonly batch: number
} {
  refuseUnknownOptions(options, 'warmFromStore', [
    'maxEntries',
    'maxBytes',
    'timeout',
    'pattern',
    'order',
    'batch',
    'signal',
    'onProgress',
  ])
  oneOfOption(options.order ?? 'hottest', 'warmFromStore.order', ['hottest'])
  if (options.onProgress !== undefined) functionOption(options.onProgress, 'warmFromStore.onProgress')
  if (options.pattern !== undefined && typeof options.pattern !== 'string')
    throw new HitpathError(
      'INVALID_OPTION',
      `warmFromStore.pattern must be a string; got ${describe(options.pattern)}`,
    )
  return {
    maxEntries: integerOption(options.maxEntries ?? DEFAULT.maxEntries, 'warmFromStore.maxEntries', {
      max: 2 ** 24,
    }),
    maxBytes: integerOption(options.maxBytes ?? DEFAULT.maxBytes, 'warmFromStore.maxBytes'),
    timeout: parseDuration(options.timeout ?? DEFAULT.timeout, 'warmFromStore.timeout'),
    batch: integerOption(options.batch ?? DEFAULT.reads, 'warmFromStore.batch', { max: 10_000 }),
  }
}
