/**
 * A scope: a key space of its own inside a cache.
 *
 * For arrays the scope's word is mixed into the digest natively and costs a few nanoseconds; strings and numbers get the
 * scope's name as a prefix. The scope shares the cache's capacity, ttl and policy.
 */
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike } from '../key/ndarray.js'
import type { PreparedKey } from '../key/prepared.js'
import { digestBytes, invalidKey } from '../key/stage.js'
import type { CacheKey } from './engine.js'
import type { SetOptions } from './options.js'

/** @internal What a scope needs of its cache. */
export interface ScopeHost<V> {
  get(key: NdArrayLike | PreparedKey): V | undefined
  getString(key: string): V | undefined
  peek(key: CacheKey): V | undefined
  set(key: CacheKey, value: V, options?: SetOptions): void
  delete(key: CacheKey): boolean
  remainingTtl(key: CacheKey): number | undefined
  prepare(key: CacheKey): PreparedKey
}

/** U+0001 stands between a scope's name and a string, U+0002 before a number: no two pairs make the same key. */
const SEPARATOR = /[\u0001\u0002]/

/** A 53-bit word, never 0, from the digest of the name. */
export function scopeWord(name: string): number {
  if (typeof name !== 'string' || name === '' || SEPARATOR.test(name)) {
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `a scope's name is a string that is not empty and holds no U+0001 or U+0002; got ${describe(name)}`,
    )
  }
  const units = new Uint16Array(name.length)
  for (let i = 0; i < name.length; i++) units[i] = name.charCodeAt(i)
  const digest = digestBytes(units)
  const view = new DataView(digest.buffer, digest.byteOffset, 16)
  return (view.getUint32(0) & 0x1f_ffff) * 2 ** 32 + view.getUint32(4) || 1
}

export class Scope<V> {
  readonly name: string
  readonly #host: ScopeHost<V>

  /** @internal */
  constructor(name: string, host: ScopeHost<V>) {
    this.name = name
    this.#host = host
  }

  get(key: CacheKey): V | undefined {
    if (typeof key === 'object' && key !== null) return this.#host.get(key)
    return this.#host.getString(this.#named(key))
  }

  peek(key: CacheKey): V | undefined {
    return this.#host.peek(this.#inside(key))
  }

  has(key: CacheKey): boolean {
    return this.#host.remainingTtl(this.#inside(key)) !== undefined
  }

  remainingTtl(key: CacheKey): number | undefined {
    return this.#host.remainingTtl(this.#inside(key))
  }

  set(key: CacheKey, value: V, options?: SetOptions): this {
    this.#host.set(this.#inside(key), value, options)
    return this
  }

  delete(key: CacheKey): boolean {
    return this.#host.delete(this.#inside(key))
  }

  /** A key made once and used often. It names this scope's entry, in the scope's methods and in the cache's. */
  key(key: CacheKey): PreparedKey {
    return this.#host.prepare(this.#inside(key))
  }

  getOrCompute<K extends CacheKey>(key: K, compute: (key: K) => V, options?: SetOptions): V {
    const found = this.get(key)
    if (found !== undefined) return found
    const value = compute(key)
    if (value !== undefined) this.set(key, value, options)
    return value
  }

  #inside(key: CacheKey): CacheKey {
    return typeof key === 'object' ? key : this.#named(key)
  }

  #named(key: string | number): string {
    if (typeof key === 'string') return `${this.name}\u0001${key}`
    if (typeof key !== 'number') throw invalidKey(key)
    return `${this.name}\u0002${Object.is(key, -0) ? 0 : key}`
  }
}
