/**
 * lru-cache 11 over hitpath: the same constructor, methods, options, order, errors and reasons.
 *
 * Keys that are strings or numbers are found natively, where a key built for the call is cheaper to find than in a Map; all else
 * that may be a key is one by its identity. Order, ages and values stand in arrays of this thread, so that what lru-cache
 * documents of them holds exactly: hits, stale reads, `updateAgeOnGet`, sizes, the order of every iteration.
 */
import type { Ages } from './ages.js'
import { metrics, tracing } from './channels.js'
import { Entries, type Held, servedOf } from './entries.js'
import { Fetcher } from './fetcher.js'
import { Fetch } from './fetches.js'
import { isPositiveInteger, optional } from './options.js'
import { Settings } from './settings.js'
import { NOWHERE } from './slots.js'
import type * as Types from './types.js'

type DisposeReason = Types.DisposeReason

/** Values of calls that are given no options. */
const NOTHING = Object.freeze({})

export class LRUCache<K extends {}, V extends {}, FC = unknown>
  extends Settings<K, V, FC>
  implements Iterable<[K, V]>
{
  readonly #entries: Entries<K, V>
  readonly #fetcher: Fetcher<K, V, FC>
  readonly [Symbol.toStringTag] = 'LRUCache'

  /** @throws TypeError with lru-cache's words for options that it refuses */
  constructor(options: Types.Options<K, V, FC> | LRUCache<K, V, FC>) {
    const given = options as Types.OptionsBase<K, V, FC>
    super(given)
    this.#entries = new Entries<K, V>({
      max: this.max,
      policy: given.policy ?? 'lru',
      sized: this.maxEntrySize !== 0,
      fetches: this.fetchMethod !== undefined,
      dispose: this.dispose,
      disposeAfter: this.disposeAfter,
    })
    this.#fetcher = new Fetcher(this, this.#entries, {
      get: (key, reading) => this.#get(key, reading),
      drop: (key) => void this.#delete(key, 'fetch'),
      store: (key, value, storing, fetch) => this.#set(key, value, storing, fetch),
    })
    if (this.ttl !== 0) this.#trackAges()
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
    if ((entries.ages !== undefined && entries.isStale(slot)) || value instanceof Fetch)
      return this.#getAt(slot, key, NOTHING)
    entries.order.use(slot)
    if (this.updateAgeOnGet) entries.ages?.renew(slot)
    return value
  }

  #getTold(key: K, options: Types.GetOptions<K, V, FC>): V | undefined {
    const status = this.#status('get', key, options.status)
    const value = this.#get(
      key,
      status === options.status ? options : { ...options, status: status as never },
    )
    if (status !== undefined) {
      if (value !== undefined) status.value = value
      publish(status)
    }
    return value
  }

  #get(key: K, options: Types.GetOptions<K, V, FC>): V | undefined {
    const slot = this.#entries.find(key)
    if (slot !== NOWHERE) return this.#getAt(slot, key, options)
    if (options.status !== undefined) options.status.get = 'miss'
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
    const fetching = held instanceof Fetch
    const value = fetching ? held.stale : held
    if (status !== undefined) entries.ages?.describe(slot, status as never)
    if (!entries.isStale(slot)) {
      if (status !== undefined) status.get = fetching ? 'fetching' : 'hit'
      entries.order.use(slot)
      if (updateAgeOnGet) entries.ages?.renew(slot)
      return value
    }
    if (!fetching && !noDeleteOnStaleGet) this.#delete(key, 'expire')
    if (status !== undefined) status.get = fetching ? 'stale-fetching' : 'stale'
    if (!allowStale) return undefined
    if (status !== undefined && value !== undefined) status.returnedStale = true
    return value
  }

  /** The value without using it. */
  peek(key: K, options: Types.PeekOptions<K, V, FC> = NOTHING): V | undefined {
    const { allowStale = this.allowStale } = options
    const status = this.#status('peek', key, options.status)
    const entries = this.#entries
    const slot = entries.find(key)
    const absent = slot === NOWHERE || (!allowStale && entries.isStale(slot))
    const value = absent ? undefined : servedOf(entries.values[slot])
    if (status !== undefined) {
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
    if (status !== undefined) publish(status)
    return has
  }

  #has(key: K, updateAge: boolean, status: Types.Status<K, V, FC> | undefined): boolean {
    const entries = this.#entries
    const slot = entries.find(key)
    if (slot === NOWHERE) {
      if (status !== undefined) status.has = 'miss'
      return false
    }
    const held = entries.values[slot]
    if (held instanceof Fetch && held.stale === undefined) return false
    const stale = entries.isStale(slot)
    if (!stale && updateAge) entries.ages?.renew(slot)
    if (status !== undefined) {
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
      this.#set(key, value, options)
      return this
    }
    this.#set(key, value, { ...options, status })
    publish(status)
    return this
  }

  #set(key: K, value: Held<V> | undefined, options: Types.SetOptions<K, V, FC>, fetch?: Fetch<V>): void {
    const { ttl = this.ttl, start, noDisposeOnSet = this.noDisposeOnSet, status } = options
    const entries = this.#entries
    if (value === undefined) {
      if (status !== undefined) status.set = 'deleted'
      this.#delete(key, 'delete')
      return
    }
    if (status !== undefined && !(value instanceof Fetch)) status.value = value
    const size = this.#sizeOf(key, value, options)
    if (this.maxEntrySize !== 0 && size > this.maxEntrySize) {
      this.#delete(key, 'set')
      if (status !== undefined) {
        status.set = 'miss'
        status.maxEntrySizeExceeded = true
      }
      return
    }
    const slot = entries.place(key, value)
    const isNew = entries.added
    if (isNew) {
      this.#addSize(slot, size, status)
      this.#inserted(key, value, 'add', status)
    } else {
      this.#update(slot, key, value, size, noDisposeOnSet, status, fetch)
    }
    const ages = entries.ages ?? (ttl === 0 ? undefined : this.#trackAges())
    if (ages !== undefined) {
      if (isNew || !(options.noUpdateTTL ?? this.noUpdateTTL)) ages.begin(slot, ttl, start)
      if (status !== undefined) ages.describe(slot, status as never)
    }
    if (!noDisposeOnSet) entries.settle()
  }

  #update(
    slot: number,
    key: K,
    value: Held<V>,
    size: number,
    noDispose: boolean,
    status: Types.Status<K, V, FC> | undefined,
    fetch: Fetch<V> | undefined,
  ): void {
    const entries = this.#entries
    entries.order.use(slot)
    const held = entries.values[slot]
    if (held === value) {
      this.#inserted(key, value, 'update', status)
      return
    }
    const old = servedOf(held)
    if (!noDispose) {
      if (held instanceof Fetch && held !== fetch) held.controller.abort(new Error('replaced'))
      if (old !== undefined && old !== value) entries.tell(old, key, 'set')
    }
    entries.removeSize(slot)
    this.#addSize(slot, size, status)
    entries.values[slot] = value
    if (status !== undefined && old !== undefined && !(value instanceof Fetch)) status.oldValue = old
    this.#inserted(key, value, old === undefined ? 'add' : old === value ? 'update' : 'replace', status)
  }

  #inserted(
    key: K,
    value: Held<V>,
    reason: Types.InsertReason,
    status: Types.Status<K, V, FC> | undefined,
  ): void {
    if (status !== undefined && (reason === 'add' || !(value instanceof Fetch))) status.set = reason
    if (!(value instanceof Fetch)) this.onInsert?.(value, key, reason)
  }

  #addSize(slot: number, size: number, status: Types.Status<K, V, FC> | undefined): void {
    const entries = this.#entries
    if (entries.sizes === undefined) return
    entries.addSize(slot, size, this.maxSize)
    if (status === undefined) return
    status.entrySize = size
    status.totalCalculatedSize = entries.totalSize
  }

  /** @throws TypeError for a size that is none */
  #sizeOf(key: K, value: Held<V>, options: Types.SetOptions<K, V, FC>): number {
    const { size, sizeCalculation = this.sizeCalculation } = options
    if (this.#entries.sizes === undefined) {
      if (size || sizeCalculation)
        throw new TypeError('cannot set size without setting maxSize or maxEntrySize on cache')
      return 0
    }
    if (isPositiveInteger(size)) return size
    if (value instanceof Fetch) return this.backgroundFetchSize
    if (!sizeCalculation) {
      throw new TypeError(
        'invalid size value (must be positive integer). ' +
          'When maxSize or maxEntrySize is used, sizeCalculation or size must be set.',
      )
    }
    if (typeof sizeCalculation !== 'function') throw new TypeError('sizeCalculation must be a function')
    const calculated = sizeCalculation(value, key)
    if (!isPositiveInteger(calculated))
      throw new TypeError('sizeCalculation return invalid (expect positive integer)')
    return calculated
  }

  /** Whether there was one. */
  delete(key: K): boolean {
    return this.#delete(key, 'delete')
  }

  #delete(key: K, reason: DisposeReason): boolean {
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
        const value = servedOf(entries.values[slot])
        entries.evict(slot)
        if (value !== undefined) return value
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
    if (status !== undefined && given.context) status.context = given.context
    const value = this.#memo(key, given, status)
    if (status !== undefined) {
      status.value = value
      publish(status)
    }
    return value
  }

  #memo(key: K, given: Types.MemoOptions<K, V, FC>, status: Types.Status<K, V, FC> | undefined): V {
    const { memoMethod } = this
    if (memoMethod === undefined) throw new Error('no memoMethod provided to constructor')
    const { context, status: _, forceRefresh, ...options } = given
    if (status !== undefined && forceRefresh) status.forceRefresh = true
    const present = this.#get(key, options)
    const refresh = forceRefresh || present === undefined
    if (status !== undefined) status.memo = refresh ? 'miss' : 'hit'
    if (!refresh) return present
    const value = memoMethod(key, present, { options, context: context as FC })
    this.#set(key, value, options)
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
    if (status !== undefined && given.context) status.context = given.context
    const result = run(status === undefined || status === given.status ? given : { ...given, status })
    if (traced && status !== undefined) {
      status.trace = true
      tracing.tracePromise(() => result, status).catch(() => {})
    }
    return result
  }

  // ---- all of them ----

  /** From the most recently used to the least. */
  *entries(): Generator<[K, V], void, unknown> {
    for (const slot of this.#live(this.#entries.fromNewest(this.allowStale)))
      yield [this.#entries.keys[slot] as K, this.#entries.values[slot] as V]
  }
  *rentries(): Generator<[K, V], void, unknown> {
    for (const slot of this.#live(this.#entries.fromOldest(this.allowStale)))
      yield [this.#entries.keys[slot] as K, this.#entries.values[slot] as V]
  }
  *keys(): Generator<K, void, unknown> {
    for (const slot of this.#live(this.#entries.fromNewest(this.allowStale)))
      yield this.#entries.keys[slot] as K
  }
  *rkeys(): Generator<K, void, unknown> {
    for (const slot of this.#live(this.#entries.fromOldest(this.allowStale)))
      yield this.#entries.keys[slot] as K
  }
  *values(): Generator<V, void, unknown> {
    for (const slot of this.#live(this.#entries.fromNewest(this.allowStale)))
      yield this.#entries.values[slot] as V
  }
  *rvalues(): Generator<V, void, unknown> {
    for (const slot of this.#live(this.#entries.fromOldest(this.allowStale)))
      yield this.#entries.values[slot] as V
  }
  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries()
  }

  *#live(slots: Iterable<number>): Generator<number> {
    for (const slot of slots) {
      const held = this.#entries.values[slot]
      if (held !== undefined && !(held instanceof Fetch)) yield slot
    }
  }

  /** The first value, from the most recently used, for which `test` holds; it is then used. */
  find(
    test: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    options: Types.GetOptions<K, V, FC> = NOTHING,
  ): V | undefined {
    for (const slot of this.#entries.fromNewest(this.allowStale)) {
      const value = servedOf(this.#entries.values[slot])
      const key = this.#entries.keys[slot] as K
      if (value !== undefined && test(value, key, this)) return this.#get(key, options)
    }
    return undefined
  }

  /** From the most recently used to the least. */
  forEach(
    visit: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    thisArgument: unknown = this,
  ): void {
    this.#visit(this.#entries.fromNewest(this.allowStale), visit, thisArgument)
  }
  rforEach(
    visit: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    thisArgument: unknown = this,
  ): void {
    this.#visit(this.#entries.fromOldest(this.allowStale), visit, thisArgument)
  }
  #visit(
    slots: Iterable<number>,
    visit: (value: V, key: K, self: LRUCache<K, V, FC>) => unknown,
    thisArgument: unknown,
  ): void {
    for (const slot of slots) {
      const value = servedOf(this.#entries.values[slot])
      if (value !== undefined) visit.call(thisArgument, value, this.#entries.keys[slot] as K, this)
    }
  }

  /** What is known of an entry, stale or not. */
  info(key: K): Types.Entry<V> | undefined {
    const entries = this.#entries
    const slot = entries.find(key)
    const value = slot === NOWHERE ? undefined : servedOf(entries.values[slot])
    if (value === undefined) return undefined
    const entry: Types.Entry<V> = { value }
    const ttl = entries.ages?.ttlOf(slot)
    const start = entries.ages?.startOf(slot)
    if (ttl && start) {
      entry.ttl = ttl - (this.perf.now() - start)
      entry.start = Date.now()
    }
    if (entries.sizes !== undefined) entry.size = entries.sizes[slot] as number
    return entry
  }

  /** All entries, stale ones too, for `load` of another cache. The least recently used comes first. */
  dump(): [K, Types.Entry<V>][] {
    const dumped: [K, Types.Entry<V>][] = []
    const { ages, sizes, keys, values } = this.#entries
    for (const slot of this.#entries.fromOldest(true)) {
      const value = servedOf(values[slot])
      if (value === undefined) continue
      const entry: Types.Entry<V> = { value }
      if (ages !== undefined) {
        entry.ttl = ages.ttlOf(slot)
        entry.start = Math.floor(Date.now() - (this.perf.now() - ages.startOf(slot)))
      }
      if (sizes !== undefined) entry.size = sizes[slot] as number
      dumped.push([keys[slot] as K, entry])
    }
    return dumped
  }

  /** Takes the place of all entries by those of a dump. */
  load(dumped: Iterable<[K, Types.Entry<V>]>): void {
    this.clear()
    for (const [key, entry] of dumped) {
      const start = entry.start ? this.perf.now() - (Date.now() - entry.start) : undefined
      this.#set(key, entry.value, { ...entry, ...optional('start', start) })
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
