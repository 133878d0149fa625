/**
 * The caches that events invalidate, as one: what is asked of them is asked of all, and has happened when it has in all.
 */
import { describe, HitpathError } from '../../errors.js'

/** What is needed of a cache, synchronous or not: LocalCache, SharedCache, TieredCache and others have it. */
export interface InvalidatedCache {
  invalidateTag(tag: string): unknown
  /** Needed for `patterns`. */
  invalidatePattern?(glob: string): unknown
  /** Needed where everything may have to go: an overflow, events that were missed. */
  clear?(): unknown
}

/** Undefined: it has happened already. */
export type Happening = Promise<void> | undefined

export class Targets {
  readonly #caches: readonly InvalidatedCache[]

  /** @throws HitpathError INVALID_OPTION unless every cache has the methods that are needed */
  constructor(caches: unknown, path: string, needed: readonly (keyof InvalidatedCache)[]) {
    const all: readonly unknown[] = Array.isArray(caches) ? caches : [caches]
    if (all.length === 0) throw new HitpathError('INVALID_OPTION', `${path} must name a cache`)
    for (const cache of all) {
      for (const method of needed) {
        const has = typeof cache === 'object' && cache !== null && method in cache
        if (!has || typeof Reflect.get(cache, method) !== 'function')
          throw new HitpathError(
            'INVALID_OPTION',
            `${path} must be caches with ${method}(); got ${describe(cache)}`,
          )
      }
    }
    this.#caches = all as readonly InvalidatedCache[]
  }

  tag(tag: string): Happening {
    return this.#each((cache) => cache.invalidateTag(tag))
  }

  pattern(glob: string): Happening {
    return this.#each((cache) => cache.invalidatePattern?.(glob))
  }

  clear(): Happening {
    return this.#each((cache) => cache.clear?.())
  }

  /** Every cache is asked, whatever another answers; the first failure is thrown once all have answered. */
  #each(ask: (cache: InvalidatedCache) => unknown): Happening {
    if (this.#caches.length === 1) return happening(ask(this.#caches[0] as InvalidatedCache))
    const pending: PromiseLike<unknown>[] = []
    const failures: unknown[] = []
    for (const cache of this.#caches) {
      try {
        const answer = ask(cache)
        if (isThenable(answer)) pending.push(answer)
      } catch (error) {
        failures.push(error)
      }
    }
    if (pending.length > 0) return this.#all(pending, failures)
    if (failures.length > 0) throw failures[0]
    return undefined
  }

  async #all(pending: readonly PromiseLike<unknown>[], failures: unknown[]): Promise<void> {
    for (const answer of await Promise.allSettled(pending))
      if (answer.status === 'rejected') failures.push(answer.reason)
    if (failures.length > 0) throw failures[0]
  }
}

/** Whatever it promises: nobody looks at it. */
function happening(answer: unknown): Happening {
  return isThenable(answer) ? (Promise.resolve(answer) as Promise<void>) : undefined
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
