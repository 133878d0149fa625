/**
 * The three names of an entry: the caller's key, its key in the first tier, and its name in the second.
 *
 * The outermost namespace hands keys to the first tier as they are. A namespace within it uses the first tier under a prefix and by
 * name, so that keys of two namespaces never meet.
 */
import { counterOf } from '../coherence/generations.js'
import { describe, HitpathError } from '../errors.js'
import { type DigestBytes, digestName, parseDigestName } from '../key/digest-text.js'
import { isNdArrayLike } from '../key/ndarray.js'
import { PreparedKey } from '../key/prepared.js'
import { digestBytes } from '../key/stage.js'
import type { CacheKey } from '../l1/engine.js'

/** Begins the names of strings. */
const STRING = 's'
const SEPARATOR = '\u0001'
const SAMPLE = new Uint8Array(1)

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
  /** Bytes of a digest of the first tier's engine. */
  #digestBytes: number | undefined

  constructor(l1: KeyMaker, namespace: string | undefined) {
    this.#l1 = l1
    this.prefix = namespace === undefined ? undefined : `${SEPARATOR}${namespace}${SEPARATOR}`
  }

  /** The key to look for in the first tier. */
  within(key: CacheKey): CacheKey {
    if (this.prefix === undefined || key instanceof PreparedKey) return key
    return this.prefix + this.#nameOf(key)
  }

  named(key: CacheKey): Named {
    const { prefix } = this
    if (prefix === undefined) {
      if (typeof key === 'string' || typeof key === 'number') return { name: nameOf(key), l1: key }
      const prepared = this.#l1.key(key)
      return { name: nameOfPrepared(prepared), l1: prepared }
    }
    if (!(key instanceof PreparedKey)) {
      const name = this.#nameOf(key)
      return { name, l1: prefix + name }
    }
    const full = key.key
    if (typeof full !== 'string' || !full.startsWith(prefix))
      throw new HitpathError('INVALID_KEY', 'the prepared key belongs to another namespace')
    return { name: full.slice(prefix.length), l1: key }
  }

  /** The counter of generations of the name, which is not made for it of what it was joined of. */
  counterOf({ name, l1 }: Named): number {
    return this.prefix === undefined && typeof l1 === 'string' ? counterOf(l1, STRING) : counterOf(name)
  }

  /** The name alone. */
  nameOf(key: CacheKey): string {
    return key instanceof PreparedKey ? this.named(key).name : this.#nameOf(key)
  }

  prepare(key: CacheKey): PreparedKey {
    if (this.prefix === undefined) return this.#l1.key(key)
    return key instanceof PreparedKey ? key : this.#l1.key(this.prefix + this.#nameOf(key))
  }

  /** The caller's key of a name that came from elsewhere; undefined when it is no name. */
  keyOf(name: string): string | number | PreparedKey | undefined {
    if (name[0] === 's') return name.slice(1)
    if (name[0] === 'n') return Number(name.slice(1))
    if (this.prefix === undefined) return this.l1Of(name)
    return this.#digestIn(name) === undefined ? undefined : this.#l1.key(this.prefix + name)
  }

  /** The caller's key of a key in the first tier; undefined when it is another namespace's. */
  keyOfL1(l1: string | number | PreparedKey): string | number | PreparedKey | undefined {
    const { prefix } = this
    if (prefix === undefined) return typeof l1 === 'string' && l1.startsWith(SEPARATOR) ? undefined : l1
    return typeof l1 === 'string' && l1.startsWith(prefix) ? this.keyOf(l1.slice(prefix.length)) : undefined
  }

  /** The key in the first tier of a name that came from elsewhere; undefined when it is no name, or a digest of another engine's. */
  l1Of(name: string): string | number | PreparedKey | undefined {
    if (this.prefix !== undefined) return this.prefix + name
    if (name[0] === 's') return name.slice(1)
    if (name[0] === 'n') return Number(name.slice(1))
    const digest = this.#digestIn(name)
    if (digest === undefined) return undefined
    this.#owner ??= this.#l1.key('').owner
    return new PreparedKey(this.#owner, digest)
  }

  /** The digest that a name holds, if it is one of the first tier's engine. */
  #digestIn(name: string): DigestBytes | undefined {
    const digest = parseDigestName(name)
    if (digest === undefined) return undefined
    this.#digestBytes ??= (this.#l1.key(SAMPLE).key as DigestBytes).length
    return digest.length === this.#digestBytes ? digest : undefined
  }

  /** By the engine of the first tier. */
  #nameOf(key: CacheKey): string {
    return nameOf(isNdArrayLike(key) ? this.#l1.key(key) : key)
  }
}

/** The name of a key in the second tier; an array's by the engine of the process. @throws HitpathError INVALID_KEY */
export function nameOf(key: CacheKey): string {
  if (typeof key === 'string') return STRING + key
  if (typeof key === 'number') return `n${Object.is(key, -0) ? 0 : key}`
  if (key instanceof PreparedKey) return nameOfPrepared(key)
  if (!isNdArrayLike(key)) {
    throw new HitpathError(
      'INVALID_KEY',
      `a key is a string, a number, an ndarray or a prepared key; got ${describe(key)}`,
    )
  }
  return digestName(digestBytes(key))
}

function nameOfPrepared({ key }: PreparedKey): string {
  return typeof key === 'object' ? digestName(key) : nameOf(key)
}
