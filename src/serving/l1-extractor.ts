/**
 * Extraction over one L1: synchronous. A hit is one `get` of the cache in a scope named by the extractor's identity; everything else
 * happens on a miss.
 */
import type { NdArrayLike } from '../key/ndarray.js'
import { Extraction, type FeatureExtractorStats, type Outcome } from './extraction.js'
import { type ExtractOptions, type Plan, readCall } from './extractor-options.js'
import type { FeatureCache, FeatureStore } from './feature-store.js'
import { WindowSnapshot } from './window-snapshot.js'

const DEFAULT_TTL_MS = 60_000

interface Pending {
  readonly snapshot: WindowSnapshot
  readonly at: number[]
}

export class L1Extractor<F, W extends NdArrayLike> {
  readonly #store: FeatureStore<F>
  readonly #extraction: Extraction<F, W>

  constructor(plan: Plan<F, W>, cache: FeatureCache<F>) {
    this.#extraction = new Extraction(plan)
    this.#store = cache.scope(`features/${plan.identity}`)
  }

  extract(window: W, options: ExtractOptions | undefined): F {
    return this.#find(window) ?? this.#compute(window, new WindowSnapshot(window), options)
  }

  extractMany(windows: readonly W[], options: ExtractOptions | undefined): F[] {
    const { extractBatch } = this.#extraction.plan
    return extractBatch === undefined
      ? this.#each(windows, options)
      : this.#together(windows, options, extractBatch)
  }

  stats(): FeatureExtractorStats {
    return this.#extraction.stats()
  }

  /** One after the other: each is looked for, and filed, as it is after what the extractions before it may have written. */
  #each(windows: readonly W[], options: ExtractOptions | undefined): F[] {
    // The cache may evict one window of a batch before its duplicate is asked for, so it cannot say what was computed.
    const computed = new Map<string, Outcome<F>>()
    return inOrder(
      windows.map((window) => {
        const cached = this.#find(window)
        if (cached !== undefined) return { features: cached }
        const snapshot = new WindowSnapshot(window)
        const content = snapshot.content()
        const earlier = computed.get(content)
        if (earlier !== undefined) {
          if ('features' in earlier) this.#extraction.hits++
          return earlier
        }
        const outcome = this.#attempt(() => this.#compute(window, snapshot, options))
        computed.set(content, outcome)
        return outcome
      }),
    )
  }

  #together(
    windows: readonly W[],
    options: ExtractOptions | undefined,
    extractBatch: (windows: readonly W[]) => unknown,
  ): F[] {
    const outcomes = new Array<Outcome<F>>(windows.length)
    const pending = new Map<string, Pending>()
    for (const [i, window] of windows.entries()) {
      const cached = this.#find(window)
      if (cached !== undefined) {
        outcomes[i] = { features: cached }
        continue
      }
      const snapshot = new WindowSnapshot(window)
      const content = snapshot.content()
      const same = pending.get(content)
      if (same === undefined) pending.set(content, { snapshot, at: [i] })
      else same.at.push(i)
    }
    const all = [...pending.values()]
    const snapshots = all.map(({ snapshot }) => snapshot)
    for (const [i, outcome] of this.#extraction.batch(snapshots, extractBatch).entries()) {
      const { snapshot, at } = all[i] as Pending
      const kept =
        'features' in outcome
          ? this.#attempt(() => this.#keep(snapshot.window as W, snapshot, outcome.features, options))
          : outcome
      if ('features' in kept) this.#extraction.hits += at.length - 1
      for (const place of at) outcomes[place] = kept
    }
    return inOrder(outcomes)
  }

  #find(window: W): F | undefined {
    const cached = this.#store.get(window)
    if (cached !== undefined) this.#extraction.hits++
    return cached
  }

  #compute(window: W, snapshot: WindowSnapshot, options: ExtractOptions | undefined): F {
    return this.#keep(window, snapshot, this.#extraction.one(window, snapshot), options)
  }

  #keep(window: W, { array }: WindowSnapshot, features: F, options: ExtractOptions | undefined): F {
    const extraction = this.#extraction
    const call = readCall(options, extraction.plan.tags)
    const tags = [...extraction.tagsOf(window, features), ...call.tags]
    const ttl = extraction.ttlOf(call, array, features) ?? DEFAULT_TTL_MS
    this.#store.set(array, features, tags.length === 0 ? { ttl } : { ttl, tags })
    return features
  }

  #attempt(make: () => F): Outcome<F> {
    try {
      return { features: make() }
    } catch (failure) {
      return { failure }
    }
  }
}

/** @throws what the first that failed failed with */
function inOrder<F>(outcomes: readonly Outcome<F>[]): F[] {
  return outcomes.map((outcome) => {
    if ('failure' in outcome) throw outcome.failure
    return outcome.features
  })
}
