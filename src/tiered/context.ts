/** What a factory is told, and what it may say about the value that it makes. */

import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import type { Signal } from '../platform.js'

export interface FactoryContext<V> {
  readonly key: CacheKey
  /** The value that is being replaced, when there is one: for a conditional request to the source. */
  readonly stale: V | undefined
  /** Aborted when nobody waits for the value any more, and when the cache is closed. */
  readonly signal: Signal
  /** Names by which `invalidateTag` finds the entry. The factory may add some. */
  readonly tags: string[]
  /** Time to live of this entry. */
  setTtl(ttl: Duration): void
  /** The stale value is still right: `return ctx.keep()` gives it a new ttl. @throws HitpathError INVALID_ARGUMENT when there is none */
  keep(): V
  /** There is no such value: `return ctx.negative()` remembers that, for `ttl` or the policy's `negativeTtl`. */
  negative(ttl?: Duration): undefined
}

/** What the factory of many keys is told. Its tags, ttl and `negative` count for every key that `of` says nothing about. */
export interface ManyContext<V> extends FactoryContext<V> {
  /**
   * What concerns one key alone, by its place among the missing ones: tags of its own beside those of all, a ttl of its own.
   * @throws HitpathError INVALID_ARGUMENT when there is no such place
   */
  of(index: number): FactoryContext<V>
  /**
   * There is no value for one key, by its place: who waits for it gets `reason`, and the others are stored. What is returned in its
   * place is not looked at.
   */
  fail(index: number, reason: unknown): void
}

export class Context<V> implements FactoryContext<V> {
  readonly key: CacheKey
  readonly stale: V | undefined
  readonly tags: string[]
  readonly #signal: () => Signal
  ttlMs: number | undefined
  isNegative = false

  constructor(key: CacheKey, stale: V | undefined, tags: readonly string[], signal: () => Signal) {
    this.key = key
    this.stale = stale
    this.tags = [...tags]
    this.#signal = signal
  }

  get signal(): Signal {
    return this.#signal()
  }

  setTtl(ttl: Duration): void {
    this.ttlMs = parseDuration(ttl, 'ttl', { allowInfinity: true })
  }

  keep(): V {
    if (this.stale === undefined)
      throw new HitpathError('INVALID_ARGUMENT', 'there is no stale value to keep')
    return this.stale
  }

  negative(ttl?: Duration): undefined {
    this.isNegative = true
    if (ttl !== undefined) this.setTtl(ttl)
  }
}

export class ContextOfMany<V> extends Context<V> implements ManyContext<V> {
  readonly #keys: readonly CacheKey[]
  readonly #own: (Context<V> | undefined)[] = []
  readonly failures = new Map<number, { readonly reason: unknown }>()

  constructor(keys: readonly CacheKey[], tags: readonly string[], signal: () => Signal) {
    super(keys[0] as CacheKey, undefined, tags, signal)
    this.#keys = keys
  }

  of(index: number): Context<V> {
    this.#own[index] ??= new Context<V>(this.#keyAt(index), undefined, this.tags, () => this.signal)
    return this.#own[index]
  }

  fail(index: number, reason: unknown): void {
    this.#keyAt(index)
    this.failures.set(index, { reason })
  }

  #keyAt(index: number): CacheKey {
    const key = this.#keys[index]
    if (key !== undefined) return key
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `there are ${this.#keys.length} missing keys; got the place ${describe(index)}`,
    )
  }

  /** What was said of one key, in the end. */
  saidOf(index: number): Context<V> {
    const own = this.#own[index]
    if (own === undefined) return this
    own.ttlMs ??= this.ttlMs
    own.isNegative ||= this.isNegative
    for (const tag of this.tags) if (!own.tags.includes(tag)) own.tags.push(tag)
    return own
  }
}
