/**
 * Whether a value can go to msgpackr as it is: a small tree of plain arrays and dictionaries, as records of features are.
 *
 * Always true: what is plain here `lower` would return as it is. Everything else is left to it, which also says what is wrong: a value of
 * more than a few objects, one that occurs twice, and one that cannot be read.
 * Cost: half of what `lower` takes. Objects met lie in a short list, since to remember one in a Map gives it a hash first. A value that
 * is not plain has cost a look at no more objects than these, but at all that they hold before it: items of an array are not bounded.
 */

/** More are left to `lower`; so no tree is deeper either. */
const MAX_OBJECTS = 16

export function isPlain(value: unknown): boolean {
  try {
    return survives(value, [])
  } catch {
    return false // a getter or a proxy that throws
  }
}

function survives(value: unknown, met: object[]): boolean {
  switch (typeof value) {
    case 'string':
      return survivesUtf8(value)
    case 'number':
      return value !== 0 || !Object.is(value, -0)
    case 'boolean':
    case 'undefined':
      return true
    case 'object':
      return value === null || objectSurvives(value, met)
    default:
      return false
  }
}

function objectSurvives(object: object, met: object[]): boolean {
  if (met.length === MAX_OBJECTS || met.includes(object)) return false
  met.push(object)
  if (Array.isArray(object)) return object.constructor === Array && itemsSurvive(object, met)
  const prototype: unknown = Object.getPrototypeOf(object)
  if ((prototype !== Object.prototype && prototype !== null) || 'data' in object) return false // `data`: maybe an ndarray
  const dictionary = object as Readonly<Record<string, unknown>>
  const keys = Object.keys(object)
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string
    if (!survivesUtf8(key) || !survives(dictionary[key], met)) return false
  }
  return true
}

function itemsSurvive(items: readonly unknown[], met: object[]): boolean {
  for (let i = 0; i < items.length; i++) if (!survives(items[i], met)) return false
  return true
}

/** Lone surrogates become U+FFFD in UTF-8, and a reader may take a leading U+FEFF for a byte order mark. */
export function survivesUtf8(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff
}
