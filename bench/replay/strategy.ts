/**
 * What a consumer of features is. `age` is how many bars back a window ends: 0 is the newest window. A strategy
 * chooses ages without looking at features, so the request stream can be made before the first run and is the
 * same for all runs.
 */
import type { MarketFeatures } from './features.js'
import type { Random } from './random.js'
import type { Layout } from './rolling-bars.js'

/** What was requested, and the market at that moment. */
export interface Moment {
  readonly bar: number
  readonly age: number
  /** Close of the newest bar. */
  readonly close: number
}

export interface Outcome {
  readonly strategy: string
  /** Decisions taken: positions changed, alerts raised, panels drawn. */
  readonly signals: number
  /** What `value` is. */
  readonly measure: string
  readonly value: number
}

export interface Strategy {
  readonly name: string
  readonly layout: Layout
  /** Its share of the requests, relative to the others. */
  readonly weight: number
  chooseAge(random: Random): number
  consume(features: MarketFeatures, moment: Moment): void
  outcome(): Outcome
}
