/** What a factory is told, and what it may say about the value that it makes. */

import { type Duration, parseDuration } from '../duration.js'
import { HitpathError } from '../errors.js'
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
