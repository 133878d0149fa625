/** What `unsafeExposeInternals` shows: the arrays of a cache under lru-cache's names, as they stand. */
import type { Entries } from './entries.js'
import type { Fetcher } from './fetcher.js'
import type { Settings } from './settings.js'
import { MapSlots, NOWHERE } from './slots.js'
import type { BackgroundFetch, FetchOptions, Held } from './types.js'

const NOTHING: { allowStale?: boolean } = {}

export interface Internals<K, V, FC> {
  readonly starts: Float64Array<ArrayBuffer> | undefined
  readonly ttls: Float64Array<ArrayBuffer> | undefined
  readonly autopurgeTimers: unknown[] | undefined
  readonly sizes: number[] | undefined
  /** Undefined by policy `xg`, whose keys are native; so is `free`. */
  readonly keyMap: Map<K, number>
  readonly keyList: (K | undefined)[]
  readonly valList: (Held<V> | undefined)[]
  readonly next: number[]
  readonly prev: number[]
  readonly head: number
  readonly tail: number
  readonly free: number[]
  isBackgroundFetch(value: unknown): value is BackgroundFetch<V>
  backgroundFetch(
    key: K,
    index: number | undefined,
    options: FetchOptions<K, V, FC>,
    context: unknown,
  ): BackgroundFetch<V>
  moveToTail(index: number): void
  indexes(options?: { allowStale?: boolean }): Generator<number, void, unknown>
  rindexes(options?: { allowStale?: boolean }): Generator<number, void, unknown>
  isStale(index: number | undefined): boolean
}

export function exposed<K extends {}, V extends {}, FC>(
  cache: Settings<K, V, FC>,
  entries: Entries<K, V>,
  fetcher: Fetcher<K, V, FC>,
): Internals<K, V, FC> {
  const { order, slots } = entries
  const links = (of: (slot: number) => number): number[] => entries.keys.map((_, slot) => of(slot))
  return {
    starts: entries.ages?.starts,
    ttls: entries.ages?.ttls,
    autopurgeTimers: entries.ages?.timers,
    sizes: entries.sizes,
    keyMap: (slots instanceof MapSlots ? slots.map : undefined) as Map<K, number>,
    keyList: entries.keys,
    valList: entries.values,
    get next() {
      return links((slot) => order.newer(slot))
    },
    get prev() {
      return links((slot) => order.older(slot))
    },
    get head() {
      return order.oldest
    },
    get tail() {
      return order.newest
    },
    free: (slots instanceof MapSlots ? slots.vacant : undefined) as number[],
    isBackgroundFetch: (value): value is BackgroundFetch<V> => entries.fetchOf(value as V) !== undefined,
    backgroundFetch: (key, index, options, context) =>
      fetcher.begin(key, index ?? NOWHERE, options, context as FC),
    moveToTail: (index) => order.use(index),
    indexes: ({ allowStale = cache.allowStale } = NOTHING) => entries.fromNewest(allowStale),
    rindexes: ({ allowStale = cache.allowStale } = NOTHING) => entries.fromOldest(allowStale),
    isStale: (index) => entries.isStale(index as number),
  }
}
