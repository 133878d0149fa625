/**
 * The one spelling of an extractor's parameters, so that equal parameters make equal keys and others never do.
 * JSON with the names of every object in code-unit order, extended where JSON would lose a difference: -0, NaN and
 * the infinities are written as such. What JSON would drop or rewrite in silence (undefined, functions, dates,
 * maps, class instances, holes) is refused, because two different parameters would then share their features.
 */
import { HitpathError } from '../errors.js'

/** Anything JSON can say, and every number. */
export type Params =
  | null
  | boolean
  | number
  | string
  | readonly Params[]
  | { readonly [name: string]: Params }

/** @throws HitpathError INVALID_OPTION that names the place, such as `params.macd.short`. */
export function canonicalParams(params: Params): string {
  return write(params, 'params', [])
}

function write(value: unknown, path: string, ancestors: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return String(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, path, ancestors)
    default:
      throw refusal(path, typeof value)
  }
}

function writeObject(value: object, path: string, ancestors: readonly object[]): string {
  if (ancestors.includes(value)) throw refusal(path, 'an object that contains itself')
  const inside = [...ancestors, value]
  if (Array.isArray(value)) {
    // Array.from visits holes, which map would skip.
    const items = Array.from(value, (item: unknown, index) => write(item, `${path}[${index}]`, inside))
    return `[${items.join(',')}]`
  }
  if (!isPlain(value)) throw refusal(path, `an instance of ${value.constructor?.name ?? 'a class'}`)
  if (Object.getOwnPropertySymbols(value).length > 0) throw refusal(path, 'an object with symbols for names')
  const members = Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${write(member, `${path}.${name}`, inside)}`)
  return `{${members.join(',')}}`
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function refusal(path: string, came: string): HitpathError {
  return new HitpathError(
    'INVALID_OPTION',
    `${path}: expected null, a boolean, a number, a string, an array or a plain object, got ${came}`,
  )
}
