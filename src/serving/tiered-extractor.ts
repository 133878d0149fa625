/**
 * Extraction over tiers: asynchronous, shared by all who ask for one window at a time, and by the processes behind one second tier.
 *
 * The key is a string, `features:<identity>:<digest of the window>`: the same in every process, never that of another extractor or of the user,
 * and within reach of patterns. Always true: the window is hashed, and on a miss copied, before the call returns, so what arrives in
 * its buffer meanwhile changes nothing; a hit of the first tier copies nothing.
 */
import { digest } from '../key/digest.js'
import type { NdArrayLike } from '../key/ndarray.js'
import type { FactoryContext } from '../tiered/context.js'
import type { LoadOptions } from '../tiered/options.js'
import { Extraction, type FeatureExtractorStats } from './extraction.js'
import {
  type Call,
  type FeatureTiers,
  type Plan,
  readCall,
  type TieredExtractOptions,
} from './extractor-options.js'
import { WindowSnapshot } from './window-snapshot.js'

/**
 * One window asked for, as options of `getOrSet`. Those are read before `getOrSet` returns whenever it is going to call its factory,
 * and not for a hit: so the getter of `tags` is where the window is copied.
 */
class Asked<W extends NdArrayLike> implements LoadOptions {
  readonly signal: LoadOptions['signal']
  readonly #window: W
  readonly #call: () => Call
  #snapshot: WindowSnapshot | undefined
  #read: Call | undefined

  constructor(window: W, plan: Plan<unknown, W>, options: TieredExtractOptions | undefined) {
    this.#window = window
    this.#call = () => readCall(options, plan.tags)
    this.signal = options?.signal
  }

  get tags(): readonly string[] {
    this.snapshot
    return this.call.tags
  }

  get snapshot(): WindowSnapshot {
    this.#snapshot ??= new WindowSnapshot(this.#window)
    return this.#snapshot
  }

  get call(): Call {
    this.#read ??= this.#call()
    return this.#read
  }

  /** Whether the first tier did not answer. */
  get missed(): boolean {
    return this.#snapshot !== undefined
  }
}

export class TieredExtractor<F, W extends NdArrayLike> {
  readonly #tiers: FeatureTiers<F>
  readonly #extraction: Extraction<F, W>
  readonly #prefix: string

  constructor(plan: Plan<F, W>, tiers: FeatureTiers<F>) {
    this.#extraction = new Extraction(plan)
    this.#tiers = tiers
    this.#prefix = `features:${plan.identity}:`
  }

  extract(window: W, options: TieredExtractOptions | undefined): Promise<F> {
    try {
      const extraction = this.#extraction
      const key = this.#keyOf(window)
      const asked = new Asked<W>(window, extraction.plan as Plan<unknown, W>, options)
      let own = false
      const features = this.#tiers.getOrSet(
        key,
        async (context) => {
          own = true
          const made = await extraction.oneLater(asked.snapshot, context)
          this.#said(key, asked.snapshot, made, asked.call, context)
          return made
        },
        asked,
      ) as Promise<F>
      if (!asked.missed) extraction.hits++
      else {
        features.then(
          () => {
            if (!own) extraction.hits++
          },
          () => {}, // the caller hears it
        )
      }
      return features
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async extractMany(windows: readonly W[], options: TieredExtractOptions | undefined): Promise<F[]> {
    const extraction = this.#extraction
    const call = readCall(options, extraction.plan.tags)
    const keys = windows.map((window) => this.#keyOf(window))
    const found = keys.map((key) => this.#tiers.getSync(key))
    const missing = new Map<string, WindowSnapshot>()
    for (const [i, key] of keys.entries()) {
      if (found[i] === undefined && !missing.has(key)) missing.set(key, new WindowSnapshot(windows[i] as W))
    }
    let own = 0
    if (missing.size > 0) {
      const wanted = [...missing.keys()]
      const values = await this.#tiers.getOrSetMany(
        wanted,
        async (asked, context) => {
          own = asked.length
          const snapshots = asked.map((key) => missing.get(key) as WindowSnapshot)
          const outcomes = await extraction.batchLater(snapshots, context)
          return outcomes.map((outcome, i) => {
            try {
              if ('failure' in outcome) throw outcome.failure
              this.#said(
                asked[i] as string,
                snapshots[i] as WindowSnapshot,
                outcome.features,
                call,
                context.of(i),
              )
              return outcome.features
            } catch (failure) {
              context.fail(i, failure)
              return undefined
            }
          })
        },
        { tags: call.tags, signal: options?.signal },
      )
      const byKey = new Map(wanted.map((key, i) => [key, values[i]]))
      for (const [i, key] of keys.entries()) found[i] ??= byKey.get(key)
    }
    extraction.hits += keys.length - own
    return found as F[]
  }

  stats(): FeatureExtractorStats {
    return this.#extraction.stats()
  }

  #keyOf(window: W): string {
    return this.#prefix + digest(window)
  }

  /** What is known of an entry once its features are. */
  #said(key: string, snapshot: WindowSnapshot, features: F, call: Call, context: FactoryContext<F>): void {
    context.tags.push(...this.#extraction.tagsOf(snapshot.window as W, features))
    const ttl = this.#extraction.ttlOf(call, key, features)
    if (ttl !== undefined) context.setTtl(ttl)
  }
}
