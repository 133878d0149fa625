/** What the constructor is told and the cache tells again: as in lru-cache, some of it may be changed later. */
import { checkOptions, isPositiveInteger } from './options.js'
import type * as Types from './types.js'

/** `performance` where there is one when this is loaded. */
const clock: Types.Perf =
  typeof performance === 'object' && performance && typeof performance.now === 'function' ? performance : Date

export class Settings<K extends {}, V extends {}, FC> {
  readonly #max: number
  readonly #maxSize: number
  readonly #perf: Types.Perf
  readonly #dispose: Types.Disposer<K, V> | undefined
  readonly #onInsert: Types.Inserter<K, V> | undefined
  readonly #disposeAfter: Types.Disposer<K, V> | undefined
  readonly #fetchMethod: Types.Fetcher<K, V, FC> | undefined
  readonly #memoMethod: Types.Memoizer<K, V, FC> | undefined

  ttl: Types.Milliseconds
  ttlResolution: Types.Milliseconds
  ttlAutopurge: boolean
  updateAgeOnGet: boolean
  updateAgeOnHas: boolean
  allowStale: boolean
  noDisposeOnSet: boolean
  noUpdateTTL: boolean
  maxEntrySize: Types.Size
  sizeCalculation: Types.SizeCalculator<K, V> | undefined
  noDeleteOnFetchRejection: boolean
  noDeleteOnStaleGet: boolean
  allowStaleOnFetchAbort: boolean
  allowStaleOnFetchRejection: boolean
  ignoreFetchAbort: boolean
  backgroundFetchSize: number

  /** @throws TypeError with lru-cache's words for options that it refuses */
  constructor(given: Types.OptionsBase<K, V, FC>) {
    checkOptions(given)
    const { max = 0, maxSize = 0, ttlResolution = 1, backgroundFetchSize = 1, perf = clock } = given
    this.#max = max
    this.#maxSize = maxSize
    this.#perf = perf
    this.#dispose = functionOf(given.dispose)
    this.#onInsert = functionOf(given.onInsert)
    this.#disposeAfter = functionOf(given.disposeAfter)
    this.#fetchMethod = given.fetchMethod
    this.#memoMethod = given.memoMethod
    this.ttl = given.ttl || 0
    this.ttlResolution = isPositiveInteger(ttlResolution) || ttlResolution === 0 ? ttlResolution : 1
    this.ttlAutopurge = !!given.ttlAutopurge
    this.updateAgeOnGet = !!given.updateAgeOnGet
    this.updateAgeOnHas = !!given.updateAgeOnHas
    this.allowStale = !!given.allowStale
    this.noDisposeOnSet = !!given.noDisposeOnSet
    this.noUpdateTTL = !!given.noUpdateTTL
    this.maxEntrySize = given.maxEntrySize || maxSize
    this.sizeCalculation = given.sizeCalculation
    this.noDeleteOnFetchRejection = !!given.noDeleteOnFetchRejection
    this.noDeleteOnStaleGet = !!given.noDeleteOnStaleGet
    this.allowStaleOnFetchAbort = !!given.allowStaleOnFetchAbort
    this.allowStaleOnFetchRejection = !!given.allowStaleOnFetchRejection
    this.ignoreFetchAbort = !!given.ignoreFetchAbort
    this.backgroundFetchSize = backgroundFetchSize
  }

  get max(): Types.Count {
    return this.#max
  }
  get maxSize(): Types.Count {
    return this.#maxSize
  }
  get perf(): Types.Perf {
    return this.#perf
  }
  get fetchMethod(): Types.Fetcher<K, V, FC> | undefined {
    return this.#fetchMethod
  }
  get memoMethod(): Types.Memoizer<K, V, FC> | undefined {
    return this.#memoMethod
  }
  get dispose(): Types.Disposer<K, V> | undefined {
    return this.#dispose
  }
  get onInsert(): Types.Inserter<K, V> | undefined {
    return this.#onInsert
  }
  get disposeAfter(): Types.Disposer<K, V> | undefined {
    return this.#disposeAfter
  }
}

function functionOf<F>(value: F | undefined): F | undefined {
  return typeof value === 'function' ? value : undefined
}
