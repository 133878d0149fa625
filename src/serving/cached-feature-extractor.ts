/**
 * Any function of a window, remembered by what the window holds. The key is the digest of the window's dtype,
 * shape and elements within the extractor's name, version and parameters: two consumers that hold the same bars in different memory share
 * one extraction, and a new version or another parameter never meets features computed before.
 *
 * One class for both kinds of cache: over an L1 it answers at once (l1-extractor.ts), over a TieredCache with promises (tiered-extractor.ts).
 */
import type { NdArrayLike } from '../key/ndarray.js'
import type { FeatureExtractorStats } from './extraction.js'
import {
  type CachedFeatureExtractorOptions,
  type ExtractOptions,
  type Features,
  type FeatureTiers,
  readPlan,
  refused,
  type TieredExtractOptions,
  type TieredFeatureExtractorOptions,
} from './extractor-options.js'
import type { FeatureCache } from './feature-store.js'
import { L1Extractor } from './l1-extractor.js'
import { TieredExtractor } from './tiered-extractor.js'

export type { FeatureExtractorStats } from './extraction.js'
export type {
  CachedFeatureExtractorOptions,
  ExtractContext,
  ExtractOptions,
  Features,
  FeatureTiers,
  TagContext,
  TagFunction,
  TieredExtractOptions,
  TieredFeatureExtractorOptions,
} from './extractor-options.js'

interface Described {
  readonly name: string
  readonly version: string
  /** Counted since construction. */
  stats(): FeatureExtractorStats
}

/** Over an L1. */
export interface CachedFeatureExtractor<F extends Features<F>, W extends NdArrayLike = NdArrayLike>
  extends Described {
  /**
   * The features of `window`, from the cache or computed now.
   *
   * @param window an ndarray of any shape and dtype; a strided view is hashed in place, in C order.
   * @throws whatever `extract` throws, as it is; nothing is cached then.
   * @throws HitpathError INVALID_KEY when `window` is no ndarray, UNSUPPORTED_VALUE when `extract` returns no dictionary,
   *   SHAPE_MISMATCH when it returns another form than before, INVALID_ARGUMENT for NaN where that is refused
   */
  extract(window: W, options?: ExtractOptions): F
  /**
   * The features of each window, in the order of `windows`. What is missing is computed once for each distinct
   * content, however often it occurs in the batch.
   *
   * @throws as `extract` does, what the first window that fails failed with, once all others are computed and cached; what `extractBatch` throws, and
   *   SHAPE_MISMATCH when it returns another number of results, and then nothing new is cached
   */
  extractMany(windows: readonly W[], options?: ExtractOptions): F[]
}

/** Over tiers: the same, later. */
export interface TieredFeatureExtractor<F extends Features<F>, W extends NdArrayLike = NdArrayLike>
  extends Described {
  /**
   * The features of `window`, from either tier or computed. Calls for one window at a time share one extraction. The window may be overwritten as
   * soon as the call has returned.
   *
   * @throws as over an L1; HitpathError CLOSED; the reason of the signal. Under a `grace` of the cache, stale features are served in
   *   place of what an extraction throws.
   */
  extract(window: W, options?: TieredExtractOptions): Promise<F>
  /** As over an L1: one round trip to the second tier for all that the first lacks, one extraction at a time of each distinct content. */
  extractMany(windows: readonly W[], options?: TieredExtractOptions): Promise<F[]>
}

interface CachedFeatureExtractorClass {
  /** @throws HitpathError INVALID_OPTION or INVALID_TTL that names the option, what was expected and what came. */
  new <F extends Features<F>, W extends NdArrayLike = NdArrayLike>(
    options: TieredFeatureExtractorOptions<F, W>,
  ): TieredFeatureExtractor<F, W>
  /** @throws HitpathError INVALID_OPTION or INVALID_TTL that names the option, what was expected and what came. */
  new <F extends Features<F>, W extends NdArrayLike = NdArrayLike>(
    options: CachedFeatureExtractorOptions<F, W>,
  ): CachedFeatureExtractor<F, W>
}

type Options<F extends Features<F>, W extends NdArrayLike> =
  | CachedFeatureExtractorOptions<F, W>
  | TieredFeatureExtractorOptions<F, W>

class Extractor<F extends Features<F>, W extends NdArrayLike> {
  readonly name: string
  readonly version: string
  readonly #over: L1Extractor<F, W> | TieredExtractor<F, W>

  constructor(options: Options<F, W>) {
    const plan = readPlan(options)
    const { cache } = options
    if (isTiered(cache))
      this.#over = new TieredExtractor(plan, cache as FeatureTiers<unknown> as FeatureTiers<F>)
    else if (isFeatureCache<F>(cache)) this.#over = new L1Extractor(plan, cache)
    else throw refused('cache', 'a LocalCache, a SharedCache or a TieredCache', cache)
    this.name = plan.name
    this.version = plan.version
  }

  extract(window: W, options?: TieredExtractOptions): F | Promise<F> {
    return this.#over.extract(window, options)
  }

  extractMany(windows: readonly W[], options?: TieredExtractOptions): F[] | Promise<F[]> {
    return this.#over.extractMany(windows, options)
  }

  stats(): FeatureExtractorStats {
    return this.#over.stats()
  }
}
Object.defineProperty(Extractor, 'name', { value: 'CachedFeatureExtractor' })

/**
 * ```ts
 * const technical = new CachedFeatureExtractor({
 *   cache: new LocalCache<Technical>({ maxEntries: 10_000 }),   // or a TieredCache, and then `await technical.extract(...)`
 *   name: 'technical',
 *   version: 1,
 *   params: { rsi: 14 },
 *   extract: (window) => ({ rsi: rsi(window, 14) }),   // window: [60, 5] float64
 * })
 * const { rsi } = technical.extract(window, { symbol: 'BTCUSDT' })
 * ```
 *
 * Features from a LocalCache, or from the first tier of a TieredCache, are one object for all callers: do not write to them.
 */
export const CachedFeatureExtractor = Extractor as unknown as CachedFeatureExtractorClass

function isTiered(cache: unknown): cache is FeatureTiers<never> {
  const { getOrSet, getOrSetMany } = (cache ?? {}) as Partial<FeatureTiers<never>>
  return typeof getOrSet === 'function' && typeof getOrSetMany === 'function'
}

function isFeatureCache<F>(cache: unknown): cache is FeatureCache<F> {
  return typeof (cache as FeatureCache<F> | undefined)?.scope === 'function'
}
