/**
 * Durations as users write them: milliseconds as a number, or a number and a unit in one string.
 *
 * Always true: what leaves `parseDuration` is a positive number of milliseconds, infinite only where the
 * caller allows it.
 */
import { describe, HitpathError } from './errors.js'

type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd'

/** Milliseconds, or a decimal number with a unit: `60_000`, `'60s'`, `'1.5m'`, `'2h'`, `'1d'`, `'250ms'`. */
export type Duration = number | `${number}${DurationUnit}`

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

const WRITTEN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/**
 * The duration in milliseconds.
 *
 * @param name the option as the user knows it; it opens the message of the error
 * @param options `allowInfinity` (default false) lets `Infinity` through, for what never ends
 * @throws HitpathError INVALID_TTL for anything else: NaN, zero, a negative, a string without a unit
 */
export function parseDuration(
  value: unknown,
  name: string,
  options: { readonly allowInfinity?: boolean } = {},
): number {
  const ms = typeof value === 'string' ? readWritten(value) : value
  if (typeof ms === 'number' && ms > 0 && (ms < Infinity || (value === Infinity && options.allowInfinity)))
    return ms
  const infinity = options.allowInfinity ? ', or Infinity' : ''
  throw new HitpathError(
    'INVALID_TTL',
    `${name} must be a positive number of milliseconds, or a string such as '60s' ` +
      `(units: ms, s, m, h, d)${infinity}; got ${describe(value)}`,
  )
}

function readWritten(text: string): number | undefined {
  const [, amount, unit] = WRITTEN.exec(text) ?? []
  return amount === undefined || unit === undefined
    ? undefined
    : Number(amount) * (MS_PER_UNIT[unit] ?? Number.NaN)
}
