/**
 * Readers of entries: each takes plain data and gives it back with its type, or refuses it with the path of the entry, what is
 * expected and what came.
 */
import { type Duration, parseDuration } from '../duration.js'
import { describe, type HitpathError } from '../errors.js'
import type { ConfigDocument, EntryPath } from './document.js'
import { nearest } from './nearest.js'

export type Reader<T> = (value: unknown, path: EntryPath, document: ConfigDocument) => T

export type Fields = Readonly<Record<string, Reader<unknown>>>

/** What `fields` read: every entry may be missing. */
export type Entries<F extends Fields> = { readonly [K in keyof F]?: ReturnType<F[K]> }

/** A mapping with no other entries than `fields`. */
export function record<F extends Fields>(fields: F): Reader<Entries<F>> {
  return (value, path, document) => {
    const entries: Record<string, unknown> = {}
    for (const [name, entry] of mapping(value, path, document)) {
      const reader = Object.hasOwn(fields, name) ? fields[name] : undefined
      if (reader === undefined) throw unknownEntry(name, Object.keys(fields), path, document)
      entries[name] = reader(entry, [...path, name], document)
    }
    return entries as Entries<F>
  }
}

/** A mapping from names of the user's to what `reader` reads. */
export function dictionary<T>(reader: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, path, document) =>
    Object.fromEntries(
      mapping(value, path, document).map(([name, entry]) => [name, reader(entry, [...path, name], document)]),
    )
}

/** A list of one item at least. */
export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, path, document) => {
    if (!Array.isArray(value) || value.length === 0)
      throw refused('a list of one or more', value, path, document)
    return value.map((item, i) => reader(item, [...path, i], document))
  }
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  const upTo = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return (value, path, document) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw refused(`an integer ${upTo}`, value, path, document)
  }
}

export function number(min: number, max: number): Reader<number> {
  return (value, path, document) => {
    if (typeof value === 'number' && value >= min && value <= max) return value
    throw refused(`a number from ${min} to ${max}`, value, path, document)
  }
}

export const text: Reader<string> = (value, path, document) => {
  if (typeof value === 'string' && value !== '') return value
  throw refused('a string that is not empty', value, path, document)
}

/** As `text`; what came instead is not shown. */
export const secret: Reader<string> = (value, path, document) => {
  if (typeof value === 'string' && value !== '') return value
  throw document.error(path, 'must be a string that is not empty; a number needs quotes')
}

export const flag: Reader<boolean> = (value, path, document) => {
  if (typeof value === 'boolean') return value
  throw refused('true or false', value, path, document)
}

/** One of a closed set of strings or booleans. */
export function oneOf<const T extends readonly (string | boolean)[]>(...allowed: T): Reader<T[number]> {
  return (value, path, document) => {
    for (const candidate of allowed) if (value === candidate) return candidate
    const near = typeof value === 'string' ? nearest(value, allowed.filter(isString)) : undefined
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    throw refused(`one of ${allowed.join(', ')}`, value, path, document, hint)
  }
}

/** What the first of two readers takes, else the second; `expected` names both. */
export function either<A, B>(first: Reader<A>, second: Reader<B>, expected: string): Reader<A | B> {
  return (value, path, document) => {
    for (const reader of [first, second]) {
      try {
        return reader(value, path, document)
      } catch {}
    }
    throw refused(expected, value, path, document)
  }
}

const BYTE_UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

/** Bytes as an integer, or with a unit: `256MiB`. */
export function bytes(min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, path, document) => {
    const [, amount, unit = ''] = (typeof value === 'string' && /^(\d+) ?(KiB|MiB|GiB)$/.exec(value)) || []
    const byteCount = amount === undefined ? value : Number(amount) * (BYTE_UNITS[unit] ?? Number.NaN)
    if (
      typeof byteCount === 'number' &&
      Number.isSafeInteger(byteCount) &&
      byteCount >= min &&
      byteCount <= max
    )
      return byteCount
    const expected = `a number of bytes from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`
    throw refused(`${expected}, or a string such as 256MiB (units: KiB, MiB, GiB)`, value, path, document)
  }
}

/** Milliseconds, from a number of milliseconds or a string with a unit. */
export const duration: Reader<number> = durationOf(1, 'milliseconds', false)
/** As `duration`; `.inf` or `Infinity` too. */
export const ttl: Reader<number> = durationOf(1, 'milliseconds', true)
/** Milliseconds, from a number of seconds or a string with a unit. */
export const ttlSeconds: Reader<number> = durationOf(1000, 'seconds', true)

function durationOf(msPerUnit: number, unit: string, allowInfinity: boolean): Reader<number> {
  return (value, path, document) => {
    const given = value === 'Infinity' ? Infinity : value
    try {
      return parseDuration(typeof given === 'number' ? given * msPerUnit : (given as Duration), '', {
        allowInfinity,
      })
    } catch {
      const infinity = allowInfinity ? ', or .inf' : ''
      throw refused(`a positive number of ${unit}, or a string such as 60s${infinity}`, value, path, document)
    }
  }
}

export function unknownEntry(
  name: string,
  allowed: readonly string[],
  path: EntryPath,
  document: ConfigDocument,
): HitpathError {
  const near = nearest(name, allowed)
  const hint = near === undefined ? '.' : `; did you mean ${near}?`
  return document.error([...path, name], `is unknown${hint} Allowed here: ${allowed.join(', ')}`)
}

function mapping(value: unknown, path: EntryPath, document: ConfigDocument): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value)
  throw refused('a mapping', value, path, document)
}

export function refused(
  expected: string,
  value: unknown,
  path: EntryPath,
  document: ConfigDocument,
  hint = '',
): HitpathError {
  const came = value === null || value === undefined ? 'nothing' : describe(value)
  return document.error(path, `must be ${expected}; got ${came}${hint}`)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}
