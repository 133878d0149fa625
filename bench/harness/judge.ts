/** Holds a figure against its target. Knows nothing of how the figure came about. */
import type { Limit, Target } from '../targets.js'
import { medianDifference, pairedRatio, type Spread, spread } from './statistics.js'
import type { Form, Measured } from './subject.js'

/**
 * `near`: missed by less than a quarter of the limit, which noise can do on a shared machine; worth a repetition
 * before it counts. `unlimited`: the form has no limit for it.
 */
export type Ruling = 'met' | 'near' | 'missed' | 'unlimited'

export interface Verdict {
  readonly target: Target
  readonly limit: Limit | undefined
  readonly result: Spread
  readonly ruling: Ruling
}

const NEAR = 0.25

export function judge(target: Target, measured: Measured, form: Form): Verdict {
  const result = resultOf(target, measured)
  const limit = form === 'full' ? target.limit : target.gate
  return { target, limit, result, ruling: limit === undefined ? 'unlimited' : rule(result.median, limit) }
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

export function rule(value: number, { max, min }: Limit): Ruling {
  if (max !== undefined && !(value <= max)) return value <= max + Math.abs(max) * NEAR ? 'near' : 'missed'
  if (min !== undefined && !(value >= min)) return value >= min - Math.abs(min) * NEAR ? 'near' : 'missed'
  return 'met'
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
