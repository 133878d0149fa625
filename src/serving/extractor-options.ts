/** The options of a CachedFeatureExtractor and of its calls, checked once at the edge. */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike } from '../key/ndarray.js'
import { functionOption, oneOfOption, refuseUnknownOptions } from '../options.js'
import type { Signal } from '../platform.js'
import type { TieredCache } from '../tiered/tiered-cache.js'
import { AdaptiveTtl } from './adaptive-ttl.js'
import { canonicalParams, type Params } from './canonical-params.js'
import type { FeatureCache } from './feature-store.js'

/** What an extraction may give: names, each with an ndarray or typed array of any shape, or a number. */
export type Features<F> = { readonly [K in keyof F]: NdArrayLike | number }

/** What a function of tags is told besides the window. */
export interface TagContext<F> {
  readonly name: string
  readonly version: string
  readonly features: F
}

export type TagFunction<F, W> = (window: W, context: TagContext<F>) => readonly string[]

/** What an extraction over tiers is told besides the window. */
export interface ExtractContext {
  /** Aborted when nobody waits for the features any more, and when the cache is closed. */
  readonly signal: Signal
}

interface CommonOptions<F, W> {
  /** What is extracted, such as `technical`; part of the key. */
  readonly name: string
  /** Changes whenever the code of `extract` gives other features for the same window; part of the key. 1 and '1' are the same. */
  readonly version: string | number
  /** All that `extract` depends on besides window and version; part of the key. Default: none. */
  readonly params?: Params
  /**
   * How long features live after they were computed, in milliseconds or as '60s', or an AdaptiveTtl, whose group is the extractor's name and
   * version. Default: '60s' over an L1, over tiers that of the cache.
   */
  readonly ttl?: Duration | AdaptiveTtl
  /** Tags of every entry, or a function that gives them; called on a miss only. Default: none. */
  readonly tags?: readonly string[] | TagFunction<F, W>
  /**
   * What to do when features have other names, element types or shapes than those that came first for windows of the same form.
   * Default `'same'`: SHAPE_MISMATCH.
   */
  readonly shapes?: 'same' | 'any'
  /** Whether windows that hold NaN are extracted and cached (the same bits are the same key), or refused with INVALID_ARGUMENT. Default `'allow'`. */
  readonly nan?: 'allow' | 'refuse'
}

/** Over an L1. */
export interface CachedFeatureExtractorOptions<F extends Features<F>, W extends NdArrayLike>
  extends CommonOptions<F, W> {
  /** The L1 that holds the features: a LocalCache keeps them by reference, a SharedCache for all threads. */
  readonly cache: FeatureCache<F>
  /**
   * Computes the features of one window. Synchronous, a function of the window's content (and `params`) alone. If it
   * writes to the window all the same, its features stay filed under what the window held before.
   */
  readonly extract: (window: W) => F
  /**
   * Computes those of several windows for `extractMany`, aligned; an Error in the place of one that fails. It gets dense copies.
   * Default: `extract` for each.
   */
  readonly extractBatch?: (windows: readonly W[]) => readonly (F | Error)[]
}

/** What a CachedFeatureExtractor needs of a TieredCache. */
export type FeatureTiers<F> = Pick<TieredCache<F>, 'getSync' | 'getOrSet' | 'getOrSetMany'>

/** Over tiers. */
export interface TieredFeatureExtractorOptions<F extends Features<F>, W extends NdArrayLike>
  extends CommonOptions<F, W> {
  /** A TieredCache, or a type of TypedCaches. */
  readonly cache: FeatureTiers<NoInfer<F>> | FeatureTiers<unknown>
  /**
   * Computes the features of one window, now or later. It gets a dense copy, made before the call returned, so that bars which arrive meanwhile
   * change nothing: a typed array for a typed array, else `{ data, shape, stride, offset, dtype }`.
   */
  readonly extract: (window: W, context: ExtractContext) => F | Promise<F>
  /** As over an L1, now or later. Default: `extract` for each. */
  readonly extractBatch?: (
    windows: readonly W[],
    context: ExtractContext,
  ) => readonly (F | Error)[] | Promise<readonly (F | Error)[]>
}

export interface ExtractOptions {
  /** Tags besides those of the constructor. They count when this call computes; a hit keeps its own. Default: none. */
  readonly tags?: readonly string[]
  /** `'BTCUSDT'` adds the tag `symbol:BTCUSDT`, which a MarketEventInvalidator invalidates when that market moves. Default: none. */
  readonly symbol?: string
  /** Lifetime of the features if this call computes them. Default: the constructor's. */
  readonly ttl?: Duration
}

export interface TieredExtractOptions extends ExtractOptions {
  /** Ends the wait of this call. An extraction goes on while another call waits for it. Default: none. */
  readonly signal?: Signal
}

/** The options of the constructor, read. */
export interface Plan<F, W> {
  readonly name: string
  readonly version: string
  /** Name, version and parameters, spelled so that no two extractors meet. */
  readonly identity: string
  readonly extract: (window: W, context?: ExtractContext) => F | Promise<F>
  readonly extractBatch: ((windows: readonly W[], context?: ExtractContext) => unknown) | undefined
  readonly ttl: number | AdaptiveTtl | undefined
  readonly tags: readonly string[]
  readonly tagsOf: TagFunction<F, W> | undefined
  readonly anyShapes: boolean
  readonly refusesNaN: boolean
}

export const OWNER = 'CachedFeatureExtractor'
const OPTIONS = [
  'cache',
  'name',
  'version',
  'params',
  'extract',
  'extractBatch',
  'ttl',
  'tags',
  'shapes',
  'nan',
]
const CALL_OPTIONS = ['tags', 'symbol', 'ttl', 'signal']

type AnyOptions<F extends Features<F>, W extends NdArrayLike> =
  | CachedFeatureExtractorOptions<F, W>
  | TieredFeatureExtractorOptions<F, W>

/** @throws HitpathError INVALID_OPTION or INVALID_TTL that names the option, what was expected and what came */
export function readPlan<F extends Features<F>, W extends NdArrayLike>(
  options: AnyOptions<F, W>,
): Plan<F, W> {
  refuseUnknownOptions(options, OWNER, OPTIONS)
  const { name, version, params, extract, extractBatch, ttl, tags, shapes, nan } = options
  if (typeof name !== 'string' || name === '') throw refused('name', 'a string that is not empty', name)
  if (!isVersion(version)) throw refused('version', 'a finite number or a string that is not empty', version)
  return {
    name,
    version: String(version),
    identity: identity(name, String(version), params),
    extract: functionOption(extract, `${OWNER}.extract`) as Plan<F, W>['extract'],
    extractBatch:
      extractBatch === undefined
        ? undefined
        : (functionOption(extractBatch, `${OWNER}.extractBatch`) as Plan<F, W>['extractBatch']),
    ttl: ttl === undefined || ttl instanceof AdaptiveTtl ? ttl : parseDuration(ttl, `${OWNER}.ttl`),
    tags: fixedTags(tags),
    tagsOf: typeof tags === 'function' ? tags : undefined,
    anyShapes: oneOfOption(shapes ?? 'same', `${OWNER}.shapes`, ['same', 'any']) === 'any',
    refusesNaN: oneOfOption(nan ?? 'allow', `${OWNER}.nan`, ['allow', 'refuse']) === 'refuse',
  }
}

/** The options of a call, read when it computes. */
export interface Call {
  readonly ttl: number | undefined
  readonly tags: readonly string[]
}

/** @throws HitpathError INVALID_OPTION, INVALID_ARGUMENT, INVALID_TTL */
export function readCall(options: TieredExtractOptions | undefined, fixed: readonly string[]): Call {
  if (options === undefined) return { ttl: undefined, tags: fixed }
  refuseUnknownOptions(options, 'options', CALL_OPTIONS)
  const { tags = [], symbol, ttl } = options
  if (!isTagList(tags))
    throw new HitpathError('INVALID_ARGUMENT', `tags must be an array of strings; got ${describe(tags)}`)
  if (symbol !== undefined && (typeof symbol !== 'string' || symbol === '')) {
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `symbol must be a string that is not empty; got ${describe(symbol)}`,
    )
  }
  return {
    ttl: ttl === undefined ? undefined : parseDuration(ttl, 'ttl'),
    tags: [...fixed, ...tags, ...(symbol === undefined ? [] : [`symbol:${symbol}`])],
  }
}

export function refused(option: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${OWNER}.${option} must be ${expected}; got ${describe(value)}`)
}

/** Reads as `technical@1?{"rsi":14}`; the marks inside name and version are escaped, so no two meet. */
function identity(name: string, version: string, params: Params | undefined): string {
  const escaped = (text: string): string => text.replace(/[%@?]/g, encodeURIComponent)
  return `${escaped(name)}@${escaped(version)}?${params === undefined ? '' : canonicalParams(params)}`
}

function isVersion(version: unknown): version is string | number {
  return typeof version === 'number'
    ? Number.isFinite(version)
    : typeof version === 'string' && version !== ''
}

function fixedTags(tags: unknown): readonly string[] {
  if (tags === undefined || typeof tags === 'function') return []
  if (isTagList(tags)) return [...tags]
  throw refused('tags', 'an array of strings or a function that returns one', tags)
}

function isTagList(tags: unknown): tags is readonly string[] {
  return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')
}
