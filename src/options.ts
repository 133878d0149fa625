/**
 * Checks for options, done once at the edge: the code behind it trusts its options.
 *
 * Each check takes the option's path as the user writes it (`LocalCache.maxEntries`), returns the value with
 * its type, and otherwise throws INVALID_OPTION naming the path, what was expected and what came.
 */
import { describe, HitpathError } from './errors.js'

/** An integer from `min` (default 1) to `max` (default 2^53 - 1), both included. */
export function integerOption(
  value: unknown,
  path: string,
  range: { readonly min?: number; readonly max?: number } = {},
): number {
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = range
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  const upTo = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  throw refused(path, `an integer ${upTo}`, value)
}

/** One of a closed set of strings. */
export function oneOfOption<const T extends string>(value: unknown, path: string, allowed: readonly T[]): T {
  for (const candidate of allowed) if (value === candidate) return candidate
  throw refused(path, `one of ${quoted(allowed)}`, value)
}

export function booleanOption(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') return value
  throw refused(path, 'true or false', value)
}

/** A function; its signature is the caller's claim. */
export function functionOption<F extends (...args: never[]) => unknown>(
  value: F | undefined,
  path: string,
): F {
  if (typeof value === 'function') return value
  throw refused(path, 'a function', value)
}

/** A dictionary with no other own keys than `allowed`: a misspelt option is an error, not a default. */
export function refuseUnknownOptions(options: unknown, path: string, allowed: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw refused(path, 'an object', options)
  }
  for (const key of Object.keys(options)) {
    if (!allowed.includes(key)) {
      throw new HitpathError(
        'INVALID_OPTION',
        `${path} has no option ${describe(key)}; its options are ${quoted(allowed)}`,
      )
    }
  }
}

function refused(path: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${path} must be ${expected}; got ${describe(value)}`)
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}
