/** Holds a figure against its target. Knows nothing of how the figure came about. */
import type { Limit, Target } from '../targets.js'
import { medianDifference, pairedRatio, type Spread, spread } from './statistics.js'
import type { Form, Measured } from './subject.js'

/**
 * `noise`: beyond the limit, but by less than a contender differs from itself: neither met nor missed. `near`: missed by less
 * than a quarter of the limit, which a shared machine can do for a while.
 * `unlimited`: the form has no limit for it.
 */
export type Ruling = 'met' | 'noise' | 'near' | 'missed' | 'unlimited'

export interface Verdict {
  readonly target: Target
  readonly limit: Limit | undefined
  readonly result: Spread
  /** Relative to the limit: see `marginOf`. */
  readonly margin: number
  readonly ruling: Ruling
}

const NEAR = 0.25
/** On a machine noisier than this, noise excuses no more. */
const LARGEST_MARGIN = 0.1

export function judge(target: Target, measured: Measured, form: Form): Verdict {
  const result = resultOf(target, measured)
  const limit = form === 'full' ? target.limit : target.gate
  const margin = marginOf(measured)
  return {
    target,
    limit,
    result,
    margin,
    ruling: limit === undefined ? 'unlimited' : rule(result.median, limit, margin),
  }
}

/**
 * How far a contender is from itself: the farther quartile of its A/A ratios, at most a tenth. Counts and subjects that are not
 * timed in turn have none, and are judged as they are.
 */
export function marginOf({ noise }: Measured): number {
  if (noise === undefined || noise.length === 0) return 0
  const { low, high } = spread(noise)
  return Math.min(LARGEST_MARGIN, Math.max(Math.abs(low - 1), Math.abs(high - 1)))
}

export function isMissed({ ruling }: Verdict): boolean {
  return ruling === 'near' || ruling === 'missed'
}

function resultOf({ id, statistic, of, peer }: Target, { contenders }: Measured): Spread {
  const rounds = (name: string | undefined): readonly number[] => {
    const known = name === undefined ? undefined : contenders[name]
    if (known === undefined) throw new Error(`target ${id}: no contender is called ${name}`)
    return known
  }
  if (statistic === 'ratio') return pairedRatio(rounds(of), rounds(peer))
  if (statistic === 'difference') return medianDifference(rounds(of), rounds(peer))
  return spread(rounds(of))
}

export function rule(value: number, { max, min }: Limit, margin = 0): Ruling {
  const limit = max ?? min ?? Number.NaN
  const beyond = max === undefined ? limit - value : value - limit
  if (beyond <= 0) return 'met'
  const share = beyond / Math.abs(limit)
  if (share <= margin) return 'noise'
  return share <= NEAR ? 'near' : 'missed'
}

/** What a maintainer reads when a limit is missed. */
export function sentence({ target, limit, result }: Verdict): string {
  const { id, statistic, of, peer, why } = target
  const bound = limit?.max === undefined ? `at least ${limit?.min}` : `at most ${limit.max}`
  const compared = {
    ratio: `${of} against ${peer} is ${rounded(result.median)} times`,
    difference: `${of} less ${peer} is ${rounded(result.median)}`,
    value: `${of} is ${rounded(result.median)}`,
  }[statistic]
  return `${id}: ${compared}; it must be ${bound}. ${why}`
}

/** Three significant digits, and no exponent. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'never' : String(value)
  const magnitude = Math.abs(value)
  if (magnitude >= 100) return value.toFixed(0)
  if (magnitude >= 10) return value.toFixed(1)
  return value.toFixed(magnitude >= 1 ? 2 : 3)
}
