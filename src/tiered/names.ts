/**
 * The three names of an entry: the caller's key, its key in the first tier, and its name in the second.
 *
 * The outermost namespace hands keys to the first tier as they are. A namespace within it uses the first tier under a prefix and by
 * name, so that keys of two namespaces never meet.
 */
import { describe, HitpathError } from '../errors.js'
import { digest } from '../key/digest.js'
import { isNdArrayLike } from '../key/ndarray.js'
import { PreparedKey } from '../key/prepared.js'
import type { CacheKey } from '../l1/engine.js'

const SEPARATOR = '\u0001'

/** A key in both tiers. `l1` of an array is a prepared key: what the caller does to the array later changes nothing. */
export interface Named {
  readonly name: string
  readonly l1: string | number | PreparedKey
}

export interface KeyMaker {
  key(key: CacheKey): PreparedKey
}

export class Names {
  /** What stands before the names of this namespace in the first tier; undefined for keys as they are. */
  readonly prefix: string | undefined
  readonly #l1: KeyMaker
  #owner: object | undefined

  constructor(l1: KeyMaker, namespace: string | undefined) {
    this.#l1 = l1
    this.prefix = namespace === undefined ? undefined : `${SEPARATOR}${namespace}${SEPARATOR}`
  }

  /** The key to look for in the first tier. */
  within(key: CacheKey): CacheKey {
    if (this.prefix === undefined || key instanceof PreparedKey) return key
    return this.prefix + nameOf(key)
  }

  named(key: CacheKey): Named {
    const { prefix } = this
    if (prefix === undefined) {
      if (typeof key === 'string' || typeof key === 'number') return { name: nameOf(key), l1: key }
      const prepared = this.#l1.key(key)
      return { name: nameOfPrepared(prepared), l1: prepared }
    }
    if (!(key instanceof PreparedKey)) {
      const name = nameOf(key)
      return { name, l1: prefix + name }
    }
    const full = key.key
    if (typeof full !== 'string' || !full.startsWith(prefix))
      throw new HitpathError('INVALID_KEY', 'the prepared key belongs to another namespace')
    return { name: full.slice(prefix.length), l1: key }
  }

  /** The name alone. */
  nameOf(key: CacheKey): string {
    return key instanceof PreparedKey ? this.named(key).name : nameOf(key)
  }

  prepare(key: CacheKey): PreparedKey {
    if (this.prefix === undefined) return this.#l1.key(key)
    return key instanceof PreparedKey ? key : this.#l1.key(this.prefix + nameOf(key))
  }

  /** The caller's key of a name that came from elsewhere; undefined when it is no name. */
  keyOf(name: string): string | number | PreparedKey | undefined {
    if (name[0] === 's') return name.slice(1)
    if (name[0] === 'n') return Number(name.slice(1))
    if (this.prefix === undefined) return this.l1Of(name)
    return /^d[0-9a-f]{32}$/.test(name) ? this.#l1.key(this.prefix + name) : undefined
  }

  /** The caller's key of a key in the first tier; undefined when it is another namespace's. */
  keyOfL1(l1: string | number | PreparedKey): string | number | PreparedKey | undefined {
    const { prefix } = this
    if (prefix === undefined) return typeof l1 === 'string' && l1.startsWith(SEPARATOR) ? undefined : l1
    return typeof l1 === 'string' && l1.startsWith(prefix) ? this.keyOf(l1.slice(prefix.length)) : undefined
  }

  /** The key in the first tier of a name that came from elsewhere; undefined when it is no name. */
  l1Of(name: string): string | number | PreparedKey | undefined {
    if (this.prefix !== undefined) return this.prefix + name
    const rest = name.slice(1)
    switch (name[0]) {
      case 's':
        return rest
      case 'n':
        return Number(rest)
      case 'd':
        if (!/^[0-9a-f]{32}$/.test(rest)) return undefined
        this.#owner ??= this.#l1.key('').owner
        return new PreparedKey(this.#owner, Uint8Array.from(Buffer.from(rest, 'hex')))
      default:
        return undefined
    }
  }
}

/** The name of a key in the second tier. @throws HitpathError INVALID_KEY */
export function nameOf(key: CacheKey): string {
  if (typeof key === 'string') return `s${key}`
  if (typeof key === 'number') return `n${Object.is(key, -0) ? 0 : key}`
  if (key instanceof PreparedKey) return nameOfPrepared(key)
  if (!isNdArrayLike(key)) {
    throw new HitpathError(
      'INVALID_KEY',
      `a key is a string, a number, an ndarray or a prepared key; got ${describe(key)}`,
    )
  }
  return `d${digest(key)}`
}

function nameOfPrepared({ key }: PreparedKey): string {
  return typeof key === 'object' ? `d${Buffer.from(key).toString('hex')}` : nameOf(key)
}
