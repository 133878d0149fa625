/**
 * The arithmetic behind every figure: medians of rounds, and ratios of rounds that ran side by side.
 *
 * A round of one contender is compared only with the round of the other that ran next to it, so that a
 * machine that slows down for a second slows both. The spread is the middle half of those ratios.
 */

/** The median of some rounds and the quartiles around it. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** The value below which the share `q` (0 .. 1) of `values` lies, interpolated between neighbours. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * q
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low === high ? low : low + (high - low) * (position - below)
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75) }
}

/** Median and quartiles of `of[i] / peer[i]`. The rounds must be aligned. */
export function pairedRatio(of: readonly number[], peer: readonly number[]): Spread {
  if (of.length !== peer.length) {
    throw new RangeError(`rounds are not aligned: ${of.length} against ${peer.length}`)
  }
  return spread(of.map((value, round) => value / peer[round]!))
}

/**
 * The median of `of` less the median of `peer`, with the quartiles of `of` around it. Not paired: what is compared
 * this way is the longest delay of a run, and those of two runs have only the machine in common.
 */
export function medianDifference(of: readonly number[], peer: readonly number[]): Spread {
  const base = median(peer)
  return spread(of.map((value) => value - base))
}
