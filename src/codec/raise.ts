/**
 * From what msgpackr read back to the value: tagged arrays become what they stand for, and references find
 * their object again.
 *
 * Always true: objects are counted exactly as lower.ts counts them, which is what makes a reference mean the
 * same object. The tree that came is changed in place.
 */
import { HitpathError } from '../errors.js'
import { define } from './lower.js'
import { TAG, Tag } from './wire.js'

/** @throws HitpathError INVALID_VALUE when a tagged array has not the form that wire.ts gives it */
export function raise(tree: unknown): unknown {
  return new Raising().raise(tree)
}

const ERRORS: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
}

const HEXADECIMAL = /^(-?)([0-9a-f]+)$/

class Raising {
  readonly #objects: unknown[] = []

  raise(node: unknown): unknown {
    if (typeof node !== 'object' || node === null) return node
    if (Array.isArray(node)) return node[0] instanceof Tag ? this.#tagged(node[0], node) : this.#array(node)
    if (node instanceof Tag) throw malformed()
    if (node instanceof Map) return this.#map(node)
    if (Object.getPrototypeOf(node) === Object.prototype)
      return this.#dictionary(node as Record<string, unknown>)
    return this.#met(node)
  }

  #met<T>(object: T): T {
    this.#objects.push(object)
    return object
  }

  #array(items: unknown[]): unknown[] {
    this.#met(items)
    for (let i = 0; i < items.length; i++) items[i] = this.raise(items[i])
    return items
  }

  #dictionary(dictionary: Record<string, unknown>): object {
    this.#met(dictionary)
    for (const key of Object.keys(dictionary)) dictionary[key] = this.raise(dictionary[key])
    return dictionary
  }

  /** The maps of a message are read as `Map` when one of them may have the key '__proto__'. */
  #map(map: ReadonlyMap<unknown, unknown>): object {
    const dictionary = this.#met({})
    for (const [key, value] of map) {
      if (typeof key === 'object') throw malformed()
      define(dictionary, String(key), this.raise(value))
    }
    return dictionary
  }

  #tagged(tag: Tag, node: readonly unknown[]): unknown {
    switch (tag) {
      case TAG.map:
        return this.#taggedMap(node)
      case TAG.set:
        return this.#taggedSet(node)
      case TAG.dictionary:
        return this.#taggedDictionary(node)
      case TAG.error:
        return this.#error(node)
      case TAG.regexp:
        return this.#met(new RegExp(this.#text(node[1]), this.#text(node[2])))
      case TAG.bigint:
        return bigintOf(node[1])
      case TAG.string:
        return utf16Of(node[1])
      case TAG.invalidDate:
        return this.#met(new Date(Number.NaN))
      default:
        return this.#reference(node[1])
    }
  }

  #taggedMap(node: readonly unknown[]): Map<unknown, unknown> {
    if (node.length % 2 === 0) throw malformed()
    const map = this.#met(new Map<unknown, unknown>())
    for (let i = 1; i < node.length; i += 2) {
      const key = this.raise(node[i])
      map.set(key, this.raise(node[i + 1]))
    }
    return map
  }

  #taggedSet(node: readonly unknown[]): Set<unknown> {
    const set = this.#met(new Set<unknown>())
    for (let i = 1; i < node.length; i++) set.add(this.raise(node[i]))
    return set
  }

  #taggedDictionary(node: readonly unknown[]): object {
    if (node.length % 2 === 0) throw malformed()
    const dictionary = this.#met({})
    for (let i = 1; i < node.length; i += 2) {
      const key = this.#text(node[i])
      define(dictionary, key, this.raise(node[i + 1]))
    }
    return dictionary
  }

  #error(node: readonly unknown[]): Error {
    const name = this.#text(node[1])
    const message = this.#text(node[2])
    const known = Object.hasOwn(ERRORS, name) ? ERRORS[name] : undefined
    const error = this.#met(new (known ?? Error)(message))
    if (known === undefined) hide(error, 'name', name)
    // where it was thrown is not known here, and where it was decoded says nothing
    hide(error, 'stack', `${name}: ${message}`)
    if (node.length > 3) hide(error, 'cause', this.raise(node[3]))
    return error
  }

  #text(node: unknown): string {
    const text = this.raise(node)
    if (typeof text !== 'string') throw malformed()
    return text
  }

  #reference(number: unknown): unknown {
    if (typeof number !== 'number' || !(number in this.#objects)) throw malformed()
    return this.#objects[number]
  }
}

function hide(error: Error, property: string, value: unknown): void {
  Object.defineProperty(error, property, { value, writable: true, enumerable: false, configurable: true })
}

function bigintOf(text: unknown): bigint {
  const [, sign, magnitude] = (typeof text === 'string' && HEXADECIMAL.exec(text)) || []
  if (magnitude === undefined) throw malformed()
  const value = BigInt(`0x${magnitude}`)
  return sign === '-' ? -value : value
}

function utf16Of(units: unknown): string {
  if (!(units instanceof Buffer) || units.length % 2 !== 0) throw malformed()
  return units.toString('utf16le')
}

function malformed(): HitpathError {
  return new HitpathError('INVALID_VALUE', 'a stored value holds a tagged array that is not well formed')
}
