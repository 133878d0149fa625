/** The types of lru-cache 11, so that code which names them compiles as it stands. */
import type { Signal } from '../../platform.js'
import type { LRUCache as Cache } from './lru-cache.js'

export type Size = number
export type Milliseconds = number
export type Count = number

export interface Perf {
  now(): number
}

/** Why a value leaves. `fetch`: a fetch that failed or gave nothing. */
export type DisposeReason = 'evict' | 'set' | 'delete' | 'expire' | 'fetch'
export type Disposer<K, V> = (value: V, key: K, reason: DisposeReason) => void
export type DisposeTask<K, V> = [value: V, key: K, reason: DisposeReason]

/** An AbortController. */
export interface Controller {
  readonly signal: Signal
  abort(reason?: unknown): void
}

/** A fetch under way, which stands in the place of its entry's value. */
export type BackgroundFetch<V> = Promise<V | undefined> & {
  /** Itself, once somebody waits for it. */
  __returned: BackgroundFetch<V> | undefined
  __abortController: Controller
  __staleWhileFetching: V | undefined
}
/** What may stand in a slot. */
export type Held<V> = V | BackgroundFetch<V>

export type InsertReason = 'add' | 'update' | 'replace'
export type Inserter<K, V> = (value: V, key: K, reason: InsertReason) => void
export type SizeCalculator<K, V> = (value: V, key: K) => Size

/** What a call tells about what it did, when it is given one to fill in. */
export interface Status<K, V, FC = unknown> {
  op?: 'get' | 'set' | 'memo' | 'fetch' | 'delete' | 'has' | 'peek'
  set?: 'add' | 'update' | 'replace' | 'miss' | 'deleted'
  delete?: DisposeReason
  peek?: 'hit' | 'miss' | 'stale'
  memo?: 'hit' | 'miss'
  context?: unknown
  ttl?: Milliseconds
  start?: Milliseconds
  now?: Milliseconds
  remainingTTL?: Milliseconds
  entrySize?: Size
  totalCalculatedSize?: Size
  maxEntrySizeExceeded?: true
  key?: K
  value?: V
  oldValue?: V
  has?: 'hit' | 'stale' | 'miss'
  fetch?: 'get' | 'inflight' | 'miss' | 'hit' | 'stale' | 'refresh'
  forceRefresh?: boolean
  fetchDispatched?: true
  fetchUpdated?: true
  fetchError?: Error
  fetchAborted?: true
  fetchAbortIgnored?: true
  fetchResolved?: true
  fetchRejected?: true
  get?: 'stale' | 'hit' | 'miss' | 'fetching' | 'stale-fetching'
  returnedStale?: true
  trace?: boolean
  cache?: Cache<K & {}, V & {}, FC>
}

export type Fetcher<K, V, FC = unknown> = (
  key: K,
  staleValue: V | undefined,
  options: FetcherOptions<K, V, FC>,
) => Promise<V | undefined | void> | V | undefined | void
export type Memoizer<K, V, FC = unknown> = (
  key: K,
  staleValue: V | undefined,
  options: MemoizerOptions<K, V, FC>,
) => V

/** What the constructor takes: the options of lru-cache 11, and `policy`. */
export interface OptionsBase<K, V, FC> {
  /** Entries that the cache may hold. Default 0: no bound; one of `max`, `maxSize` and `ttl` is required. */
  max?: Count
  /** Time that an entry is served after it was set, whole. Default 0: until it is evicted. */
  ttl?: Milliseconds
  /** For how long one reading of the clock serves; 0 reads it with each call. Default 1. */
  ttlResolution?: Milliseconds
  /** Whether entries are removed as their ttl ends, by a timer each, and not when they are next met. Default false. */
  ttlAutopurge?: boolean
  /** Whether `get` begins the ttl of an entry anew. Default false. */
  updateAgeOnGet?: boolean
  /** Whether `has` begins the ttl of an entry anew. Default false. */
  updateAgeOnHas?: boolean
  /** Whether an entry whose ttl is over is given once more as it goes. Default false. */
  allowStale?: boolean
  /** Told of each value that leaves, while it leaves: it must not change the cache. Default: none. */
  dispose?: Disposer<K, V>
  /** Told of each value that enters. Default: none. */
  onInsert?: Inserter<K, V>
  /** Told as `dispose` is, once the call that caused it is complete. Default: none. */
  disposeAfter?: Disposer<K, V>
  /** Whether the disposers are not told of a value that a set replaces. Default false. */
  noDisposeOnSet?: boolean
  /** Whether a set of a live key leaves its ttl as it was. Default false. */
  noUpdateTTL?: boolean
  /** Units of `sizeCalculation` that all entries together may have. Default 0: no bound. */
  maxSize?: Size
  /** Units of size that a pending fetch without a stale value takes, where sizes count. Default 1. */
  backgroundFetchSize?: number
  /** Units of size that one entry may have; a larger one is not stored. Default: `maxSize`. */
  maxEntrySize?: Size
  /** Size of a value, a positive integer, asked where a set gives no `size`. Default: none. */
  sizeCalculation?: SizeCalculator<K, V>
  /** Makes the value that `fetch` does not find. Default: none, and `fetch` is `get`. */
  fetchMethod?: Fetcher<K, V, FC>
  /** Makes the value that `memo` does not find. Default: none; `memo` needs one. */
  memoMethod?: Memoizer<K, V, FC>
  /** Whether the stale entry stays when its fetch fails. Default false. */
  noDeleteOnFetchRejection?: boolean
  /** Whether a stale entry stays that a get meets. Default false. */
  noDeleteOnStaleGet?: boolean
  /** Whether a fetch that fails gives the stale value, which stays. Default false. */
  allowStaleOnFetchRejection?: boolean
  /** Whether a fetch that is aborted gives the stale value. Default false. */
  allowStaleOnFetchAbort?: boolean
  /** Whether the value of a fetch is taken all the same when its signal was aborted. Default false. */
  ignoreFetchAbort?: boolean
  /** The clock: `{ now(): number }` in milliseconds. Default: `performance`. */
  perf?: Perf
  /**
   * Which entry leaves when there is no room: the least recently used, or the choice of hitpath's XG, which keeps what is hit
   * again. Iteration goes by recency in both. `xg` needs `max`. Default `'lru'`.
   */
  policy?: 'lru' | 'xg'
}

export interface OptionsMaxLimit<K, V, FC> extends OptionsBase<K, V, FC> {
  max: Count
}
export interface OptionsTTLLimit<K, V, FC> extends OptionsBase<K, V, FC> {
  ttl: Milliseconds
  ttlAutopurge: boolean
}
export interface OptionsSizeLimit<K, V, FC> extends OptionsBase<K, V, FC> {
  maxSize: Size
}
export type Options<K, V, FC> =
  | OptionsMaxLimit<K, V, FC>
  | OptionsSizeLimit<K, V, FC>
  | OptionsTTLLimit<K, V, FC>

type Base<K, V, FC, Names extends keyof OptionsBase<K, V, FC>> = Pick<OptionsBase<K, V, FC>, Names>
type ReadNames = 'allowStale' | 'updateAgeOnGet' | 'noDeleteOnStaleGet'
type WriteNames = 'sizeCalculation' | 'ttl' | 'noDisposeOnSet' | 'noUpdateTTL'
type FetchNames =
  | ReadNames
  | WriteNames
  | 'noDeleteOnFetchRejection'
  | 'allowStaleOnFetchRejection'
  | 'ignoreFetchAbort'
  | 'allowStaleOnFetchAbort'

export interface GetOptions<K, V, FC> extends Base<K, V, FC, ReadNames> {
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
}
export interface HasOptions<K, V, FC> extends Base<K, V, FC, 'updateAgeOnHas'> {
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
}
export interface PeekOptions<K, V, FC> extends Base<K, V, FC, 'allowStale'> {
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
}
export interface SetOptions<K, V, FC> extends Base<K, V, FC, WriteNames> {
  /** Units of size of the value. Default: what `sizeCalculation` says. */
  size?: Size
  /** When its ttl began, on the clock of the cache. Default: now. */
  start?: Milliseconds
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
}

export interface FetcherFetchOptions<K, V, FC = unknown> extends Base<K, V, FC, FetchNames> {
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
  /** Units of size of the value. Default: what `sizeCalculation` says. */
  size?: Size
}
export interface FetcherOptions<K, V, FC = unknown> {
  signal: Signal
  options: FetcherFetchOptions<K, V, FC>
  /** As given to `fetch`. */
  context: FC
}
export interface FetchOptions<K, V, FC> extends FetcherFetchOptions<K, V, FC> {
  /** Whether a live value is fetched anew. Default false. */
  forceRefresh?: boolean
  /** Handed to `fetchMethod`. Default: none. */
  context?: FC
  /** Ends the fetch. Default: none. */
  signal?: Signal
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
}
export interface FetchOptionsWithContext<K, V, FC> extends FetchOptions<K, V, FC> {
  context: FC
}
export interface FetchOptionsNoContext<K, V, FC extends undefined | void = undefined>
  extends FetchOptions<K, V, FC> {
  context?: FC
}

export interface MemoOptions<K, V, FC = unknown> extends Base<K, V, FC, FetchNames> {
  /** Whether a live value is made anew. Default false. */
  forceRefresh?: boolean
  /** Handed to `memoMethod`. Default: none. */
  context?: FC
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
}
export interface MemoOptionsWithContext<K, V, FC> extends MemoOptions<K, V, FC> {
  context: FC
}
export interface MemoOptionsNoContext<K, V, FC extends undefined | void = undefined>
  extends MemoOptions<K, V, FC> {
  context?: FC
}
export interface MemoizerMemoOptions<K, V, FC = unknown> extends Base<K, V, FC, ReadNames | WriteNames> {
  /** Filled in with what the call did. Default: none. */
  status?: Status<K, V, FC>
  /** Units of size of the value. Default: what `sizeCalculation` says. */
  size?: Size
  start?: Milliseconds
}
export interface MemoizerOptions<K, V, FC = unknown> {
  options: MemoizerMemoOptions<K, V, FC>
  /** As given to `memo`. */
  context: FC
}

/** As `dump` gives it and `load` takes it; as `info` tells it. */
export interface Entry<V> {
  value: V
  /** Of `info`: what remains. */
  ttl?: Milliseconds
  size?: Size
  /** Milliseconds since 1970. */
  start?: Milliseconds
}

/** `fetch` and `memo` ask for a context where the type of the cache names one. */
export type FetchArguments<K, V, FC> = unknown extends FC
  ? [options?: FetchOptions<K, V, FC>]
  : FC extends undefined | void
    ? [options?: FetchOptionsNoContext<K, V, FC>]
    : [options: FetchOptionsWithContext<K, V, FC>]
export type MemoArguments<K, V, FC> = unknown extends FC
  ? [options?: MemoOptions<K, V, FC>]
  : FC extends undefined | void
    ? [options?: MemoOptionsNoContext<K, V, FC>]
    : [options: MemoOptionsWithContext<K, V, FC>]
