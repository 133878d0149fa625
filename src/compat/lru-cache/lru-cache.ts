/**
 * lru-cache 11 in hitpath: the same constructor, methods, options, order, errors and reasons, down to the numbers of its slots.
 *
 * It is faster where a hit costs most, on keys that are built for the call and in caches larger than the processor's: front.ts finds a string
 * by six of its characters, recency.ts moves hits in the order together. `policy: 'xg'` has the native side choose what leaves.
 */
import type { Ages } from './ages.js'
import { metrics, tracing } from './channels.js'
import { Entries } from './entries.js'
import { Fetcher } from './fetcher.js'
import { exposed, type Internals } from './internals.js'
import { dumpOf, infoOf, keysOf, pairs, served, valuesOf } from './listing.js'
import { warnUnbounded } from './options.js'
import { Settings } from './settings.js'
import { NOWHERE } from './slots.js'
import type * as Types from './types.js'
import { Writer } from './writer.js'

/** Values of calls that are given no options. */
const NOTHING = Object.freeze({})

export class LRUCache<K extends {}, V extends {}, FC = unknown>
  extends Settings<K, V, FC>
  implements Iterable<[K, V]>
{
  readonly #entries: Entries<K, V>
  readonly #fetcher: Fetcher<K, V, FC>
  readonly #writer: Writer<K, V, FC>
  readonly [Symbol.toStringTag]: string = 'LRUCache'

  /** @throws TypeError with lru-cache's words for options that it refuses */
  constructor(options: Types.Options<K, V, FC> | LRUCache<K, V, FC>) {
    const given = options as Types.OptionsBase<K, V, FC>
    super(given)
    const entries = new Entries<K, V>(this, {
      policy: given.policy ?? 'lru',
      sized: this.maxEntrySize !== 0,
      fetches: !!this.fetchMethod,
    })
    this.#entries = entries
    this.#writer = new Writer(this, entries, {
      delete: (key) => this.delete(key),
      drop: (key, reason) => this.#delete(key, reason),
      trackAges: () => this.#trackAges(),
    })
    this.#fetcher = new Fetcher(this, entries, {
      get: (key, reading) => this.#get(key, reading),
      drop: (key) => this.#delete(key, 'fetch'),
      store: (key, value, storing, fetch) => this.#writer.set(key, value, storing, fetch),
    })
    if (this.ttl) this.#trackAges()
    if (!this.ttlAutopurge && !this.max && !this.maxSize) warnUnbounded(LRUCache)
  }

  /**
   * What is inside, under the names that lru-cache gives it. Not for programs, as there.
   * @internal
   */
  static unsafeExposeInternals<K extends {}, V extends {}, FC = unknown>(
    cache: LRUCache<K, V, FC>,
  ): Internals<K, V, FC> {
    return exposed(cache, cache.#entries, cache.#fetcher)
  }

  get calculatedSize(): Types.Size {
    return this.#entries.totalSize
  }
  get size(): Types.Count {
    return this.#entries.order.length
  }

  // ---- reading ----

  /** The value, which is then the most recently used; undefined for none, or a stale one. */
  get(key: K, options?: Types.GetOptions<K, V, FC>): V | undefined {
    if (options !== undefined || metrics.hasSubscribers) return this.#getTold(key, options ?? NOTHING)
    const entries = this.#entries
    const slot = entries.find(key)
    if (slot < 0) return undefined
    const value = entries.values[slot]
    if ((entries.ages !== undefined && entries.isStale(slot)) || entries.fetchOf(value) !== undefined)
      return this.#getAt(slot, key, NOTHING)
    entries.order.use(slot)
    if (this.updateAgeOnGet) entries.ages?.renew(slot)
    return value as V
  }

  #getTold(key: K, options: Types.GetOptions<K, V, FC>): V | undefined {
    const status = this.#status('get', key, options.status)
    const value = this.#get(
      key,
      status === options.status ? options : { ...options, status: status as never },
    )
    if (status) {
      if (value !== undefined) status.value = value
      publish(status)
    }
    return value
  }

  #get(key: K, options: Types.GetOptions<K, V, FC>): V | undefined {
    const slot = this.#entries.find(key)
    if (slot !== NOWHERE) return this.#getAt(slot, key, options)
    if (options.status) options.status.get = 'miss'
    return undefined
  }

  #getAt(slot: number, key: K, options: Types.GetOptions<K, V, FC>): V | undefined {
    const {
      allowStale = this.allowStale,
      updateAgeOnGet = this.updateAgeOnGet,
      noDeleteOnStaleGet = this.noDeleteOnStaleGet,
      status,
    } = options
    const entries = this.#entries
    const held = entries.values[slot]
    const fetching = entries.fetchOf(held) !== undefined
    const value = entries.served(held)
    if (status) entries.ages?.describe(slot, status as never)
    if (!entries.isStale(slot)) {
      if (status) status.get = fetching ? 'fetching' : 'hit'
      entries.order.use(slot)
      if (updateAgeOnGet) entries.ages?.renew(slot)
      return value
    }
    if (!fetching && !noDeleteOnStaleGet) this.#delete(key, 'expire')
    if (status) status.get = fetching ? 'stale-fetching' : 'stale'
    if (!allowStale) return undefined
    if (status && (!fetching || value !== undefined)) status.returnedStale = true
    return value
  }

  /** The value without using it. */
  peek(key: K, options: Types.PeekOptions<K, V, FC> = NOTHING): V | undefined {
    const { allowStale = this.allowStale } = options
    const status = this.#status('peek', key, options.status)
    const entries = this.#entries
    const slot = entries.find(key)
    const absent = slot === NOWHERE || (!allowStale && entries.isStale(slot))
    const value = absent ? undefined : entries.served(entries.values[slot])
    if (status) {
      if (absent) status.peek = slot === NOWHERE ? 'miss' : 'stale'
      else status.peek = value === undefined ? 'miss' : 'hit'
      if (value !== undefined) status.value = value
      publish(status)
    }
    return value
  }

  /** Whether there is a value that is not stale. Does not use it. */
  has(key: K, options: Types.HasOptions<K, V, FC> = NOTHING): boolean {
    const status = this.#status('has', key, options.status)
    const has = this.#has(key, options.updateAgeOnHas ?? this.updateAgeOnHas, status)
    if (status) publish(status)
    return has
  }

  #has(key: K, updateAge: boolean, status: Types.Status<K, V, FC> | undefined): boolean {
    const entries = this.#entries
    const slot = entries.find(key)
    if (slot === NOWHERE) {
      if (status) status.has = 'miss'
      return false
    }
    const fetch = entries.fetchOf(entries.values[slot])
    if (fetch !== undefined && fetch.__staleWhileFetching === undefined) return false
    const stale = entries.isStale(slot)
    if (!stale && updateAge) entries.ages?.renew(slot)
    if (status) {
      status.has = stale ? 'stale' : 'hit'
      entries.ages?.describe(slot, status as never)
    }
    return !stale
  }

  /** Milliseconds that are left; less than 0 for a stale entry, `Infinity` without a ttl, 0 for none. */
  getRemainingTTL(key: K): number {
    const slot = this.#entries.find(key)
    if (slot === NOWHERE) return 0
    return this.#entries.ages?.remaining(slot) ?? Infinity
  }

  // ---- writing ----

  /** Stores a value as the most recently used; `undefined` deletes. */
  set(key: K, value: V | undefined, options: Types.SetOptions<K, V, FC> = NOTHING): this {
    const status = this.#status('set', key, options.status)
    if (status === undefined) {
      this.#writer.set(key, value, options)
      return this
    }
    this.#writer.set(key, value, { ...options, status })
    publish(status)
    return this
  }

  /** Whether there was one. */
  delete(key: K): boolean {
    return this.#delete(key, 'delete')
  }

  #delete(key: K, reason: Types.DisposeReason): boolean {
    if (metrics.hasSubscribers) metrics.publish({ op: 'delete', delete: reason, key, cache: this })
    const deleted = this.#entries.remove(key, reason)
    this.#entries.settle()
    return deleted
  }

  clear(): void {
    this.#entries.clear('delete')
    this.#entries.settle()
  }

  /** Takes out the least recently used value. */
  pop(): V | undefined {
    const entries = this.#entries
    try {
      while (entries.order.length > 0) {
        const slot = entries.order.oldest
        const fetch = entries.fetchOf(entries.values[slot])
        const value = entries.served(entries.values[slot])
        entries.evict(slot)
        // As lru-cache: of a fetch, only what is true.
        if (fetch === undefined ? value !== undefined : value) return value
      }
      return undefined
    } finally {
      entries.settle()
    }
  }

  /** Deletes what is stale; whether there was any. */
  purgeStale(): boolean {
    let deleted = false
    for (const slot of this.#entries.fromOldest(true)) {
      if (!this.#entries.isStale(slot)) continue
      this.#delete(this.#entries.keys[slot] as K, 'expire')
      deleted = true
    }
    return deleted
  }

  // ---- computing ----

  /** The value, or what `memoMethod` makes of it. */
  memo(key: K, ...options: Types.MemoArguments<K, V, FC>): V {
    const given: Types.MemoOptions<K, V, FC> = options[0] ?? NOTHING
    const status = this.#status('memo', key, given.status)
    if (status && given.context) status.context = given.context
    const value = this.#memo(key, given, status)
    if (status) {
      status.value = value
      publish(status)
    }
    return value
  }

  #memo(key: K, given: Types.MemoOptions<K, V, FC>, status: Types.Status<K, V, FC> | undefined): V {
    const { memoMethod } = this
    if (memoMethod === undefined) throw new Error('no memoMethod provided to constructor')
    const { context, status: _, forceRefresh, ...options } = given
    if (status && forceRefresh) status.forceRefresh = true
    const present = this.#get(key, options)
    const refresh = forceRefresh || present === undefined
    if (status) status.memo = refresh ? 'miss' : 'hit'
    if (!refresh) return present
    const value = memoMethod(key, present, { options, context: context as FC })
    this.#writer.set(key, value, options)
    return value
  }

  /** The value, or what `fetchMethod` brings: one fetch a key at a time. */
  fetch(key: K, ...options: Types.FetchArguments<K, V, FC>): Promise<V | undefined> {
    return this.#traced(options[0] ?? NOTHING, (given) => this.#fetcher.fetch(key, given))
  }

  /** As `fetch`; rejects where that gives undefined. */
  forceFetch(key: K, ...options: Types.FetchArguments<K, V, FC>): Promise<V> {
    return this.#traced(options[0] ?? NOTHING, async (given) => {
      const value = await this.#fetcher.fetch(key, given)
      if (value === undefined) throw new Error('fetch() returned undefined')
      return value
    })
  }

  #traced<T>(
    given: Types.FetchOptions<K, V, FC>,
    run: (options: Types.FetchOptions<K, V, FC>) => Promise<T>,
  ): Promise<T> {
    const traced = tracing.hasSubscribers === true
    const status = given.status ?? (traced || metrics.hasSubscribers ? {} : undefined)
    if (status && given.context) status.context = given.context
    const result = run(status === undefined || status === given.status ? given : { ...given, status })
    if (traced && status !== undefined) {
      status.trace = true
      tracing.tracePromise(() => result, status).catch(() => {})
    }
    return result
  }

  // ---- all of them ----

  /** From the most recently used to the least. */
  entries(): Generator<[K, V], void, unknown> {
    return pairs(this.#entries, this.#fromNewest())
  }
  rentries(): Generator<[K, V], void, unknown> {
    return pairs(this.#entries, this.#fromOldest())
  }
  keys(): Generator<K, void, unknown> {
    return keysOf(this.#entries, this.#fromNewest())
  }
  rkeys(): Generator<K, void, unknown> {
    return keysOf(this.#entries, this.#fromOldest())
  }
  values(): Generator<V, void, unknown> {
    return valuesOf(this.#entries, this.#fromNewest())
  }
  rvalues(): Generator<V, void, unknown> {
    return valuesOf(this.#entries, this.#fromOldest())
  }
  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries()
  }

  *#fromNewest(): Generator<number> {
    yield* this.#entries.fromNewest(this.allowStale)
  }
  *#fromOldest(): Generator<number> {
    yield* this.#entries.fromOldest(this.allowStale)
  }

  /** The first value, from the most recently used, for which `test` holds; it is then used. */
  find(
    test: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    options: Types.GetOptions<K, V, FC> = NOTHING,
  ): V | undefined {
    for (const [slot, value] of served(this.#entries, this.#fromNewest())) {
      if (test(value, this.#entries.keys[slot] as K, this))
        return this.#get(this.#entries.keys[slot] as K, options)
    }
    return undefined
  }

  /** From the most recently used to the least. */
  forEach(
    visit: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    thisArgument: unknown = this,
  ): void {
    for (const [slot, value] of served(this.#entries, this.#fromNewest()))
      visit.call(thisArgument, value, this.#entries.keys[slot] as K, this)
  }
  rforEach(
    visit: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    thisArgument: unknown = this,
  ): void {
    for (const [slot, value] of served(this.#entries, this.#fromOldest()))
      visit.call(thisArgument, value, this.#entries.keys[slot] as K, this)
  }

  /** What is known of an entry, stale or not. */
  info(key: K): Types.Entry<V> | undefined {
    return infoOf(this.#entries, key, this.perf)
  }

  /** All entries, stale ones too, for `load` of another cache. The least recently used comes first. */
  dump(): [K, Types.Entry<V>][] {
    return dumpOf(this.#entries, this.perf)
  }

  /** Takes the place of all entries by those of a dump. */
  load(dumped: Iterable<[K, Types.Entry<V>]>): void {
    this.clear()
    for (const [key, entry] of dumped) {
      if (!entry.start) {
        this.#writer.set(key, entry.value, entry)
        continue
      }
      const age = Date.now() - entry.start
      this.#writer.set(key, entry.value, { ...entry, start: this.perf.now() - age })
    }
  }

  #trackAges(): Ages {
    const onDue = (slot: number) => this.#delete(this.#entries.keys[slot] as K, 'expire')
    return this.#entries.trackAges(this, this.ttlAutopurge ? onDue : undefined)
  }

  #status(
    op: Types.Status<K, V, FC>['op'] & string,
    key: K,
    given: Types.Status<K, V, FC> | undefined,
  ): Types.Status<K, V, FC> | undefined {
    const status = given ?? (metrics.hasSubscribers ? {} : undefined)
    if (status === undefined) return undefined
    status.op = op
    status.key = key
    status.cache = this
    return status
  }
}

function publish(status: object): void {
  if (metrics.hasSubscribers) metrics.publish(status)
}

/** The types under the names that lru-cache gives them. */
export declare namespace LRUCache {
  type Size = Types.Size
  type Milliseconds = Types.Milliseconds
  type Count = Types.Count
  type DisposeReason = Types.DisposeReason
  type Disposer<K, V> = Types.Disposer<K, V>
  type InsertReason = Types.InsertReason
  type Inserter<K, V> = Types.Inserter<K, V>
  type SizeCalculator<K, V> = Types.SizeCalculator<K, V>
  type Status<K, V, FC = unknown> = Types.Status<K, V, FC>
  type Fetcher<K, V, FC = unknown> = Types.Fetcher<K, V, FC>
  type FetcherOptions<K, V, FC = unknown> = Types.FetcherOptions<K, V, FC>
  type FetcherFetchOptions<K, V, FC = unknown> = Types.FetcherFetchOptions<K, V, FC>
  type FetchOptions<K, V, FC> = Types.FetchOptions<K, V, FC>
  type FetchOptionsWithContext<K, V, FC> = Types.FetchOptionsWithContext<K, V, FC>
  type FetchOptionsNoContext<K, V, FC extends undefined | void = undefined> = Types.FetchOptionsNoContext<
    K,
    V,
    FC
  >
  type Memoizer<K, V, FC = unknown> = Types.Memoizer<K, V, FC>
  type MemoOptions<K, V, FC = unknown> = Types.MemoOptions<K, V, FC>
  type MemoOptionsWithContext<K, V, FC> = Types.MemoOptionsWithContext<K, V, FC>
  type MemoOptionsNoContext<K, V, FC extends undefined | void = undefined> = Types.MemoOptionsNoContext<
    K,
    V,
    FC
  >
  type MemoizerOptions<K, V, FC = unknown> = Types.MemoizerOptions<K, V, FC>
  type MemoizerMemoOptions<K, V, FC = unknown> = Types.MemoizerMemoOptions<K, V, FC>
  type GetOptions<K, V, FC> = Types.GetOptions<K, V, FC>
  type HasOptions<K, V, FC> = Types.HasOptions<K, V, FC>
  type PeekOptions<K, V, FC> = Types.PeekOptions<K, V, FC>
  type SetOptions<K, V, FC> = Types.SetOptions<K, V, FC>
  type OptionsBase<K, V, FC> = Types.OptionsBase<K, V, FC>
  type OptionsMaxLimit<K, V, FC> = Types.OptionsMaxLimit<K, V, FC>
  type OptionsTTLLimit<K, V, FC> = Types.OptionsTTLLimit<K, V, FC>
  type OptionsSizeLimit<K, V, FC> = Types.OptionsSizeLimit<K, V, FC>
  type Options<K, V, FC> = Types.Options<K, V, FC>
  type Entry<V> = Types.Entry<V>
}
