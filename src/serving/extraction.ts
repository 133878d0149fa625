/**
 * What happens on a miss, over an L1 and over tiers alike: the checks before and after the user's extraction, and what follows for ttl and
 * tags. Always true: features that leave here passed every check, so nothing else is ever cached; a window of a batch that fails is
 * an outcome of its own and costs the others nothing.
 */
import { describe, HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import { AdaptiveTtl } from './adaptive-ttl.js'
import { type Call, type ExtractContext, OWNER, type Plan } from './extractor-options.js'
import { FeatureForms } from './feature-forms.js'
import type { WindowSnapshot } from './window-snapshot.js'

export interface FeatureExtractorStats {
  /** Windows answered without an extraction of their own. */
  readonly hits: number
  /** Windows that were extracted, whether or not that failed. */
  readonly misses: number
  /** Time from calls of `extract` and `extractBatch` to their results, in milliseconds. */
  readonly extractMs: number
}

/** What became of one window. */
export type Outcome<F> = { readonly features: F } | { readonly failure: unknown }

export class Extraction<F, W> {
  readonly plan: Plan<F, W>
  readonly #forms: FeatureForms | undefined
  hits = 0
  #misses = 0
  #extractMs = 0

  constructor(plan: Plan<F, W>) {
    this.plan = plan
    this.#forms = plan.anyShapes ? undefined : new FeatureForms(`${OWNER}.extract`)
  }

  stats(): FeatureExtractorStats {
    return { hits: this.hits, misses: this.#misses, extractMs: this.#extractMs }
  }

  /** @throws whatever `extract` throws; HitpathError INVALID_ARGUMENT, UNSUPPORTED_VALUE, SHAPE_MISMATCH */
  one(window: W, snapshot: WindowSnapshot): F {
    this.#admit(snapshot)
    return this.#accept(
      this.#timed(1, () => this.plan.extract(window)),
      snapshot,
    )
  }

  /** As `one`, now or later. */
  async oneLater(snapshot: WindowSnapshot, context: ExtractContext): Promise<F> {
    this.#admit(snapshot)
    const window = snapshot.window as W
    return this.#accept(await this.#timedLater(1, () => this.plan.extract(window, context)), snapshot)
  }

  /** By `extractBatch`. @throws whatever that throws; HitpathError SHAPE_MISMATCH for another number of results */
  batch(
    snapshots: readonly WindowSnapshot[],
    extractBatch: (windows: readonly W[]) => unknown,
  ): Outcome<F>[] {
    const admitted = snapshots.filter((one) => this.#admits(one))
    const windows = admitted.map(({ window }) => window as W)
    const given = windows.length === 0 ? [] : this.#timed(windows.length, () => extractBatch(windows))
    return this.#outcomes(snapshots, admitted, given)
  }

  /** By `extractBatch`, or by `extract` for each at the same time. @throws as `batch` */
  async batchLater(snapshots: readonly WindowSnapshot[], context: ExtractContext): Promise<Outcome<F>[]> {
    const { extractBatch } = this.plan
    if (extractBatch === undefined) {
      const settled = await Promise.allSettled(snapshots.map((one) => this.oneLater(one, context)))
      return settled.map((one) =>
        one.status === 'fulfilled' ? { features: one.value } : { failure: one.reason },
      )
    }
    const admitted = snapshots.filter((one) => this.#admits(one))
    const windows = admitted.map(({ window }) => window as W)
    const given =
      windows.length === 0 ? [] : await this.#timedLater(windows.length, () => extractBatch(windows, context))
    return this.#outcomes(snapshots, admitted, given)
  }

  /** Milliseconds; undefined for the cache's own. */
  ttlOf(call: Call, key: CacheKey, features: F): number | undefined {
    const { ttl, identity } = this.plan
    const own = ttl instanceof AdaptiveTtl ? ttl.observe(identity, key, features) : ttl
    return call.ttl ?? own
  }

  /** Tags beside those of the call: those that only the features tell. */
  tagsOf(window: W, features: F): readonly string[] {
    const { tagsOf, name, version } = this.plan
    return tagsOf === undefined ? [] : tagsOf(window, { name, version, features })
  }

  #admit(snapshot: WindowSnapshot): void {
    if (!this.#admits(snapshot))
      throw new HitpathError('INVALID_ARGUMENT', `a window of ${describe(this.plan.name)} holds NaN`)
  }

  #admits(snapshot: WindowSnapshot): boolean {
    return !(this.plan.refusesNaN && snapshot.hasNaN())
  }

  #accept(features: unknown, snapshot: WindowSnapshot): F {
    if (!isDictionary(features)) {
      throw new HitpathError(
        'UNSUPPORTED_VALUE',
        `${OWNER}.extract must return a dictionary of features, at once over an L1; got ${describe(features)}`,
      )
    }
    this.#forms?.check(snapshot.form, features)
    return features as F
  }

  #outcomes(
    snapshots: readonly WindowSnapshot[],
    admitted: readonly WindowSnapshot[],
    given: unknown,
  ): Outcome<F>[] {
    if (!Array.isArray(given) || given.length !== admitted.length) {
      throw new HitpathError(
        'SHAPE_MISMATCH',
        `${OWNER}.extractBatch must return an array of ${admitted.length}, one for each window; got ${describe(given)}`,
      )
    }
    const results = new Map<WindowSnapshot, unknown>(admitted.map((one, i) => [one, given[i]]))
    return snapshots.map((one) => {
      try {
        if (!results.has(one)) this.#admit(one)
        const result = results.get(one)
        if (result instanceof Error) return { failure: result }
        return { features: this.#accept(result, one) }
      } catch (failure) {
        return { failure }
      }
    })
  }

  #timed<T>(windows: number, extract: () => T): T {
    this.#misses += windows
    const startMs = performance.now()
    try {
      return extract()
    } finally {
      this.#extractMs += performance.now() - startMs
    }
  }

  async #timedLater<T>(windows: number, extract: () => T): Promise<Awaited<T>> {
    this.#misses += windows
    const startMs = performance.now()
    try {
      return await extract()
    } finally {
      this.#extractMs += performance.now() - startMs
    }
  }
}

/** The promise of an async extractor is refused over an L1: it would be served before it is settled, or after it failed. */
function isDictionary(features: unknown): features is object {
  if (typeof features !== 'object' || features === null) return false
  return !('then' in features && typeof features.then === 'function')
}
