/**
 * How far a median could have come out elsewhere: percentile bootstrap intervals (Efron 1979). Seeded, so that the same
 * rounds always give the same answer. No distribution is assumed; of fewer than three rounds nothing can be said.
 */
import { Random } from '../harness/random.js'
import { median, quantile } from '../harness/statistics.js'

export interface Interval {
  readonly low: number
  readonly high: number
}

export const CONFIDENCE = 0.99
const RESAMPLES = 2_000
export const FEWEST_ROUNDS = 3

/** Of the median of `after` over that of `before`, which need not be aligned. */
export function ratioOfMedians(before: readonly number[], after: readonly number[]): Interval | undefined {
  return intervalOf(Math.min(before.length, after.length), (random) => {
    return median(resampled(after, random)) / median(resampled(before, random))
  })
}

/** Of the median of `values`. */
export function medianInterval(values: readonly number[]): Interval | undefined {
  return intervalOf(values.length, (random) => median(resampled(values, random)))
}

function intervalOf(rounds: number, draw: (random: Random) => number): Interval | undefined {
  if (rounds < FEWEST_ROUNDS) return undefined
  const random = new Random(20_260_901)
  const drawn = Array.from({ length: RESAMPLES }, () => draw(random))
  const tail = (1 - CONFIDENCE) / 2
  return { low: quantile(drawn, tail), high: quantile(drawn, 1 - tail) }
}

function resampled(values: readonly number[], random: Random): readonly number[] {
  return Array.from(values, () => values[random.below(values.length)]!)
}
