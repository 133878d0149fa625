/** `set`: what storing a value does to the entries, who is told of it, and what the call's status says. */
import type { Ages } from './ages.js'
import type { Entries } from './entries.js'
import { isPositiveInteger } from './options.js'
import type { Settings } from './settings.js'
import type * as Types from './types.js'

/** Calls of the cache that a set makes. */
export interface Deleter<K> {
  /** The public method, which a subclass may have changed. */
  delete(key: K): void
  drop(key: K, reason: Types.DisposeReason): void
  trackAges(): Ages
}

export class Writer<K extends {}, V extends {}, FC> {
  readonly #cache: Settings<K, V, FC>
  readonly #entries: Entries<K, V>
  readonly #deleter: Deleter<K>

  constructor(cache: Settings<K, V, FC>, entries: Entries<K, V>, deleter: Deleter<K>) {
    this.#cache = cache
    this.#entries = entries
    this.#deleter = deleter
  }

  /** `fetch`: the one that brought the value. */
  set(
    key: K,
    value: Types.Held<V> | undefined,
    options: Types.SetOptions<K, V, FC>,
    fetch?: Types.BackgroundFetch<V>,
  ): void {
    const cache = this.#cache
    const entries = this.#entries
    const { ttl = cache.ttl, start, noDisposeOnSet = cache.noDisposeOnSet, status } = options
    const { sizeCalculation = cache.sizeCalculation } = options
    if (value === undefined) {
      if (status) status.set = 'deleted'
      this.#deleter.delete(key)
      return
    }
    const { noUpdateTTL = cache.noUpdateTTL } = options
    const fetching = entries.fetchOf(value) !== undefined
    if (status && !fetching) status.value = value as V
    const size = this.#sizeOf(key, value, options.size, sizeCalculation)
    if (cache.maxEntrySize && size > cache.maxEntrySize) {
      this.#deleter.drop(key, 'set')
      if (status) {
        status.set = 'miss'
        status.maxEntrySizeExceeded = true
      }
      return
    }
    const slot = entries.place(key, value)
    const isNew = entries.added
    if (isNew) {
      this.#addSize(slot, size, status)
      if (status) status.set = 'add'
      if (!fetching) cache.onInsert?.(value as V, key, 'add')
    } else {
      entries.order.use(slot)
      this.#update(slot, key, value, size, noDisposeOnSet, status, fetch)
    }
    const ages = entries.ages ?? (ttl === 0 ? undefined : this.#deleter.trackAges())
    if (ages !== undefined) {
      if (isNew || !noUpdateTTL) ages.begin(slot, ttl, start)
      if (status) ages.describe(slot, status as never)
    }
    if (!noDisposeOnSet) entries.settle()
  }

  #update(
    slot: number,
    key: K,
    value: Types.Held<V>,
    size: number,
    noDispose: boolean,
    status: Types.Status<K, V, FC> | undefined,
    fetch: Types.BackgroundFetch<V> | undefined,
  ): void {
    const entries = this.#entries
    const fetching = entries.fetchOf(value) !== undefined
    const held = entries.values[slot]
    if (held === value) {
      if (!fetching) this.#inserted(key, value as V, 'update', status)
      return
    }
    const under = entries.fetchOf(held)
    const old = entries.served(held)
    if (!noDispose) {
      if (under !== undefined && under !== fetch) under.__abortController.abort(new Error('replaced'))
      if (under === undefined || (old !== undefined && old !== value)) entries.tell(old as V, key, 'set')
    }
    entries.removeSize(slot)
    this.#addSize(slot, size, status)
    entries.values[slot] = value
    if (fetching) return
    if (status && old !== undefined) status.oldValue = old
    this.#inserted(key, value as V, old === undefined ? 'add' : old === value ? 'update' : 'replace', status)
  }

  #inserted(key: K, value: V, reason: Types.InsertReason, status: Types.Status<K, V, FC> | undefined): void {
    if (status) status.set = reason
    this.#cache.onInsert?.(value, key, reason)
  }

  #addSize(slot: number, size: number, status: Types.Status<K, V, FC> | undefined): void {
    const entries = this.#entries
    if (entries.sizes === undefined) return
    entries.addSize(slot, size, this.#cache.maxSize)
    if (!status) return
    status.entrySize = size
    status.totalCalculatedSize = entries.totalSize
  }

  /** @throws TypeError for a size that is none */
  #sizeOf(
    key: K,
    value: Types.Held<V>,
    size: number | undefined,
    sizeCalculation: Types.SizeCalculator<K, V> | undefined,
  ): number {
    if (this.#entries.sizes === undefined) {
      if (size || sizeCalculation)
        throw new TypeError('cannot set size without setting maxSize or maxEntrySize on cache')
      return 0
    }
    if (isPositiveInteger(size)) return size
    if (this.#entries.fetchOf(value) !== undefined) return this.#cache.backgroundFetchSize
    if (!sizeCalculation) {
      throw new TypeError(
        'invalid size value (must be positive integer). ' +
          'When maxSize or maxEntrySize is used, sizeCalculation or size must be set.',
      )
    }
    if (typeof sizeCalculation !== 'function') throw new TypeError('sizeCalculation must be a function')
    const calculated = sizeCalculation(value as V, key)
    if (!isPositiveInteger(calculated))
      throw new TypeError('sizeCalculation return invalid (expect positive integer)')
    return calculated
  }
}
