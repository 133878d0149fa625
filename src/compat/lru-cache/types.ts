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

/** What a constructor takes. README.md of lru-cache describes each; `policy` is ours. */
export interface OptionsBase<K, V, FC> {
  max?: Count
  ttl?: Milliseconds
  ttlResolution?: Milliseconds
  ttlAutopurge?: boolean
  updateAgeOnGet?: boolean
  updateAgeOnHas?: boolean
  allowStale?: boolean
  dispose?: Disposer<K, V>
  onInsert?: Inserter<K, V>
  disposeAfter?: Disposer<K, V>
  noDisposeOnSet?: boolean
  noUpdateTTL?: boolean
  maxSize?: Size
  backgroundFetchSize?: number
  maxEntrySize?: Size
  sizeCalculation?: SizeCalculator<K, V>
  fetchMethod?: Fetcher<K, V, FC>
  memoMethod?: Memoizer<K, V, FC>
  noDeleteOnFetchRejection?: boolean
  noDeleteOnStaleGet?: boolean
  allowStaleOnFetchRejection?: boolean
  allowStaleOnFetchAbort?: boolean
  ignoreFetchAbort?: boolean
  perf?: Perf
  /**
   * Which entry leaves when there is no room: the least recently used (default), or the choice of hitpath's XG, which keeps what is hit
   * again. Iteration goes by recency in both. `xg` needs `max`.
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
  status?: Status<K, V, FC>
}
export interface HasOptions<K, V, FC> extends Base<K, V, FC, 'updateAgeOnHas'> {
  status?: Status<K, V, FC>
}
export interface PeekOptions<K, V, FC> extends Base<K, V, FC, 'allowStale'> {
  status?: Status<K, V, FC>
}
export interface SetOptions<K, V, FC> extends Base<K, V, FC, WriteNames> {
  size?: Size
  start?: Milliseconds
  status?: Status<K, V, FC>
}

export interface FetcherFetchOptions<K, V, FC = unknown> extends Base<K, V, FC, FetchNames> {
  status?: Status<K, V, FC>
  size?: Size
}
export interface FetcherOptions<K, V, FC = unknown> {
  signal: Signal
  options: FetcherFetchOptions<K, V, FC>
  /** As given to `fetch`. */
  context: FC
}
export interface FetchOptions<K, V, FC> extends FetcherFetchOptions<K, V, FC> {
  forceRefresh?: boolean
  context?: FC
  signal?: Signal
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
  forceRefresh?: boolean
  context?: FC
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
  status?: Status<K, V, FC>
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
