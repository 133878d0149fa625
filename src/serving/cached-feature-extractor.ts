/**
 * Any function of a window, remembered by what the window holds. The key is the digest of the window's dtype,
 * shape and elements within a scope named by the extractor's name, version and parameters: two consumers that
 * hold the same bars in different memory share one extraction, and a new version or another parameter never
 * meets features computed before. A hit is one `get` of the cache; everything else happens on a miss.
 */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike } from '../key/ndarray.js'
import { functionOption, refuseUnknownOptions } from '../options.js'
import { canonicalParams, type Params } from './canonical-params.js'
import type { FeatureCache, FeatureSetOptions, FeatureStore } from './feature-store.js'
import { WindowSnapshot } from './window-snapshot.js'

/** What an extraction may give: names, each with an ndarray or typed array of any shape, or a number. */
export type Features<F> = { readonly [K in keyof F]: NdArrayLike | number }

/** What a function of tags is told besides the window. */
export interface TagContext<F> {
  readonly name: string
  readonly version: string
  readonly features: F
}

export type TagFunction<F, W> = (window: W, context: TagContext<F>) => readonly string[]

export interface CachedFeatureExtractorOptions<F extends Features<F>, W extends NdArrayLike> {
  /** The L1 that holds the features: a LocalCache keeps them by reference, a SharedCache for all threads. */
  readonly cache: FeatureCache<F>
  /** What is extracted, such as `technical`; part of the key. */
  readonly name: string
  /** Changes whenever the code of `extract` gives other features for the same window; part of the key. 1 and '1' are the same. */
  readonly version: string | number
  /** All that `extract` depends on besides window and version; part of the key. Default: none. */
  readonly params?: Params
  /**
   * Computes the features of one window. Synchronous, a function of the window's content (and `params`) alone. If it
   * writes to the window all the same, its features stay filed under what the window held before.
   */
  readonly extract: (window: W) => F
  /** How long features live after they were computed, in milliseconds or as '60s'. Default: '60s'. */
  readonly ttl?: Duration
  /** Tags of every entry, or a function that gives them; called on a miss only. Default: none. */
  readonly tags?: readonly string[] | TagFunction<F, W>
}

export interface ExtractOptions {
  /** Tags besides those of the constructor, such as the symbol. They count when this call computes; a hit keeps its own. */
  readonly tags?: readonly string[]
  /** Lifetime of the features if this call computes them. Default: the constructor's. */
  readonly ttl?: Duration
}

export interface FeatureExtractorStats {
  /** Windows answered without extraction. */
  readonly hits: number
  /** Windows for which `extract` was called, whether or not it threw. */
  readonly misses: number
  /** Time spent inside `extract`, in milliseconds. */
  readonly extractMs: number
}

const DEFAULT_TTL: Duration = '60s'
const OWNER = 'CachedFeatureExtractor'
const OPTIONS = ['cache', 'name', 'version', 'params', 'extract', 'ttl', 'tags']

/**
 * ```ts
 * const technical = new CachedFeatureExtractor({
 *   cache: new LocalCache<Technical>({ maxEntries: 10_000 }),
 *   name: 'technical',
 *   version: 1,
 *   params: { rsi: 14 },
 *   extract: (window) => ({ rsi: rsi(window, 14) }),   // window: [60, 5] float64
 * })
 * const { rsi } = technical.extract(window, { tags: ['BTCUSDT'] })
 * ```
 *
 * Features from a LocalCache are one object for all callers: do not write to them.
 */
export class CachedFeatureExtractor<F extends Features<F>, W extends NdArrayLike = NdArrayLike> {
  readonly name: string
  readonly version: string
  readonly #store: FeatureStore<F>
  readonly #extract: (window: W) => F
  readonly #ttlMs: number
  readonly #tagsOf: TagFunction<F, W> | undefined
  #hits = 0
  #misses = 0
  #extractMs = 0

  /** @throws HitpathError INVALID_OPTION or INVALID_TTL that names the option, what was expected and what came. */
  constructor(options: CachedFeatureExtractorOptions<F, W>) {
    refuseUnknownOptions(options, OWNER, OPTIONS)
    const { cache, name, version, params, extract, ttl = DEFAULT_TTL, tags } = options
    if (typeof cache?.scope !== 'function') throw refused('cache', 'a LocalCache or a SharedCache', cache)
    if (typeof name !== 'string' || name === '') throw refused('name', 'a string that is not empty', name)
    if (!isVersion(version))
      throw refused('version', 'a finite number or a string that is not empty', version)
    this.name = name
    this.version = String(version)
    this.#extract = functionOption(extract, `${OWNER}.extract`)
    this.#ttlMs = parseDuration(ttl, `${OWNER}.ttl`)
    this.#tagsOf = tagFunction(tags)
    this.#store = cache.scope(scopeName(this.name, this.version, params))
  }

  /**
   * The features of `window`, from the cache or computed now.
   *
   * @param window an ndarray of any shape and dtype; a strided view is read in place, in C order.
   * @throws whatever `extract` throws, as it is; nothing is cached then.
   * @throws HitpathError INVALID_KEY when `window` is no ndarray, UNSUPPORTED_VALUE when `extract` returns no dictionary.
   */
  extract(window: W, options?: ExtractOptions): F {
    return this.#find(window) ?? this.#compute(window, new WindowSnapshot(window), options)
  }

  /**
   * The features of each window, in the order of `windows`. What is missing is computed once for each distinct
   * content, however often it occurs in the batch.
   *
   * @throws as `extract` does, at the first window that fails; what was computed before it stays cached.
   */
  extractMany(windows: readonly W[], options?: ExtractOptions): F[] {
    // The cache may evict one window of a batch before its duplicate is asked for, so it cannot say what was computed.
    const computed = new Map<string, F>()
    return windows.map((window) => {
      const cached = this.#find(window)
      if (cached !== undefined) return cached
      const snapshot = new WindowSnapshot(window)
      const content = snapshot.content()
      const earlier = computed.get(content)
      if (earlier !== undefined) {
        this.#hits++
        return earlier
      }
      const features = this.#compute(window, snapshot, options)
      computed.set(content, features)
      return features
    })
  }

  /** Counted since construction. */
  stats(): FeatureExtractorStats {
    return { hits: this.#hits, misses: this.#misses, extractMs: this.#extractMs }
  }

  #find(window: W): F | undefined {
    const cached = this.#store.get(window)
    if (cached !== undefined) this.#hits++
    return cached
  }

  #compute(window: W, snapshot: WindowSnapshot, options: ExtractOptions | undefined): F {
    this.#misses++
    const startMs = performance.now()
    let features: F
    try {
      features = this.#extract(window)
    } finally {
      this.#extractMs += performance.now() - startMs
    }
    if (!isDictionary(features)) {
      const expected = 'a dictionary of features, and at once'
      throw new HitpathError(
        'UNSUPPORTED_VALUE',
        `${OWNER}.extract must return ${expected}; got ${describe(features)}`,
      )
    }
    this.#store.set(snapshot.array, features, this.#setOptions(window, features, options))
    return features
  }

  #setOptions(window: W, features: F, options: ExtractOptions | undefined): FeatureSetOptions {
    const ttl = options?.ttl === undefined ? this.#ttlMs : parseDuration(options.ttl, 'ttl')
    const own = this.#tagsOf?.(window, { name: this.name, version: this.version, features }) ?? []
    const tags = options?.tags === undefined ? own : [...own, ...options.tags]
    return tags.length === 0 ? { ttl } : { ttl, tags }
  }
}

/** Reads as `features/technical@1?{"rsi":14}`; the marks inside name and version are escaped, so no two meet. */
function scopeName(name: string, version: string, params: Params | undefined): string {
  const escaped = (text: string): string => text.replace(/[%@?]/g, encodeURIComponent)
  return `features/${escaped(name)}@${escaped(version)}?${params === undefined ? '' : canonicalParams(params)}`
}

function isVersion(version: unknown): version is string | number {
  return typeof version === 'number'
    ? Number.isFinite(version)
    : typeof version === 'string' && version !== ''
}

/** An async extractor's promise is refused here: it would be served before it is settled, or after it failed. */
function isDictionary(features: unknown): boolean {
  if (typeof features !== 'object' || features === null) return false
  return !('then' in features && typeof features.then === 'function')
}

function tagFunction<F, W>(
  tags: readonly string[] | TagFunction<F, W> | undefined,
): TagFunction<F, W> | undefined {
  if (tags === undefined || typeof tags === 'function') return tags
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
    throw refused('tags', 'an array of strings or a function that returns one', tags)
  }
  const fixed: readonly string[] = [...tags]
  return () => fixed
}

function refused(option: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${OWNER}.${option} must be ${expected}; got ${describe(value)}`)
}
