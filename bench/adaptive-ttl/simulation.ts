/**
 * Reads of values that change behind a cache's back: how many are stale, how many are recomputed. Counts, not times.
 *
 * Reads come at random, on average 24 a bar, so that no ttl falls into step with the bars. A read past the deadline computes the
 * value, and the ttl of what it made is asked for.
 */
import { AdaptiveTtl } from '../../src/index.js'
import { Random } from '../harness/random.js'
import type { MarketStates } from './market-states.js'

export const BAR_MS = 60_000
const READS_A_BAR = 24
export const MIN_TTL_MS = BAR_MS / READS_A_BAR
export const MAX_TTL_MS = 60 * BAR_MS

export interface Outcome {
  /** Share of reads that were served a value that had changed. */
  readonly stale: number
  /** Recomputations a read. */
  readonly computed: number
}

/** The ttl in milliseconds of a value computed at `now`. */
type TtlOf = (value: number, now: number) => number

/** Milliseconds at which reads come. */
export function readTimes(bars: number, seed: number): Float64Array {
  const random = new Random(seed)
  const times: number[] = []
  for (let at = 0; ; ) {
    at -= (Math.log((random.below(2 ** 31) + 1) / 2 ** 31) * BAR_MS) / READS_A_BAR
    if (at >= bars * BAR_MS) return Float64Array.from(times)
    times.push(at)
  }
}

function simulate(states: readonly number[], times: Float64Array, ttlOf: TtlOf): Outcome {
  let until = Number.NEGATIVE_INFINITY
  let value = Number.NaN
  let stale = 0
  let computed = 0
  for (const at of times) {
    const current = states[Math.floor(at / BAR_MS)]!
    if (at > until) {
      computed++
      value = current
      until = at + ttlOf(value, at)
    } else if (value !== current) stale++
  }
  return { stale: stale / times.length, computed: computed / times.length }
}

/** One AdaptiveTtl for all types, each a group of one key; by type. */
export function adaptive(
  states: MarketStates,
  times: Float64Array,
  staleness: number,
): Readonly<Record<string, Outcome>> {
  const clock = { ms: 0, now: () => clock.ms }
  const ttls = new AdaptiveTtl({ min: MIN_TTL_MS, max: MAX_TTL_MS, staleness, clock })
  const outcomes: Record<string, Outcome> = {}
  for (const [type, values] of Object.entries(states)) {
    outcomes[type] = simulate(values, times, (value, now) => {
      clock.ms = now
      return ttls.observe(type, type, value)
    })
  }
  return outcomes
}

/** What fixed ttls bring, from the shortest to the longest in steps of a tenth. */
export function fixedCurve(states: readonly number[], times: Float64Array): readonly Outcome[] {
  const curve: Outcome[] = []
  for (let ttl = MIN_TTL_MS; ttl <= MAX_TTL_MS; ttl *= 1.1) curve.push(simulate(states, times, () => ttl))
  return curve
}

export function mean(outcomes: readonly Outcome[]): Outcome {
  const sum = { stale: 0, computed: 0 }
  for (const { stale, computed } of outcomes) {
    sum.stale += stale / outcomes.length
    sum.computed += computed / outcomes.length
  }
  return sum
}

/** The fewest recomputations of a fixed ttl with at most that staleness, between two ttls of the curve in proportion. */
export function bestAt(stale: number, curve: readonly Outcome[]): number {
  let best = Infinity
  for (const [i, right] of curve.entries()) {
    if (right.stale <= stale) best = Math.min(best, right.computed)
    const left = curve[i - 1]
    if (left === undefined || !(left.stale <= stale && stale < right.stale)) continue
    const share = (stale - left.stale) / (right.stale - left.stale)
    best = Math.min(best, left.computed + share * (right.computed - left.computed))
  }
  return best
}

export interface Comparison {
  /** Over all types. */
  readonly adaptive: Outcome
  /** The stalest type. */
  readonly worst: number
  /** Recomputations a read of the best single ttl for all types that is, over all types, as stale. */
  readonly one: number
  /** Of the best single ttl under which no type is staler than adaptive's stalest. */
  readonly oneForWorst: number
  /** Of the best ttl of each type, each as stale as the type is under adaptive: known in hindsight only. */
  readonly each: number
}

export function compare(states: MarketStates, times: Float64Array, staleness: number): Comparison {
  const types = Object.keys(states)
  const learned = adaptive(states, times, staleness)
  const curves = types.map((type) => fixedCurve(states[type]!, times))
  const steps = curves[0]!.map((_, i) => curves.map((curve) => curve[i]!))
  const overall = mean(Object.values(learned))
  const worst = Math.max(...Object.values(learned).map(({ stale }) => stale))
  const stalest = steps.map((outcomes) => ({
    stale: Math.max(...outcomes.map(({ stale }) => stale)),
    computed: mean(outcomes).computed,
  }))
  const each = types.map((type, i) => bestAt(learned[type]!.stale, curves[i]!))
  return {
    adaptive: overall,
    worst,
    one: bestAt(overall.stale, steps.map(mean)),
    oneForWorst: bestAt(worst, stalest),
    each: each.reduce((sum, computed) => sum + computed, 0) / each.length,
  }
}
