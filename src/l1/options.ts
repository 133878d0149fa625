/** What both caches take with a write, and how their options are read. */

import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { CacheKey, Clock } from './engine.js'

export interface SetOptions {
  /** Time to live of this entry. Default: that of the cache. `Infinity`: until it is evicted. */
  readonly ttl?: Duration | undefined
  /** Names by which `invalidateTag` finds the entry; at most 64. Default: none. */
  readonly tags?: readonly string[] | undefined
}

/** Milliseconds, or NaN for the cache's own. */
export function ttlOf(options: SetOptions | undefined): number {
  const ttl = options?.ttl
  if (ttl === undefined) return Number.NaN
  return typeof ttl === 'number' && ttl > 0 ? ttl : parseDuration(ttl, 'ttl', { allowInfinity: true })
}

/** The tags of a write, undefined when there are none. */
export function tagsOf(options: SetOptions | undefined): readonly string[] | undefined {
  const tags = options?.tags
  if (tags === undefined) return undefined
  // A copy: the binding reads it once more, when no code of the user's may run.
  const names: readonly unknown[] = Array.isArray(tags) ? Array.from(tags) : [undefined]
  if (!names.every((name) => typeof name === 'string')) {
    throw new HitpathError('INVALID_ARGUMENT', `tags must be an array of strings; got ${describe(tags)}`)
  }
  if (names.length > 64)
    throw new HitpathError('TOO_LARGE', `an entry has at most 64 tags; got ${names.length}`)
  return names.length === 0 ? undefined : names
}

/** A copy of a list of keys, in which no code of the user's hides. */
export function keyList(keys: readonly CacheKey[]): CacheKey[] {
  if (Array.isArray(keys)) return Array.from<CacheKey>(keys)
  throw new HitpathError('INVALID_ARGUMENT', `keys must be an array; got ${describe(keys)}`)
}

export function clockOption(clock: unknown, path: string): Clock | undefined {
  if (clock === undefined) return undefined
  if (typeof clock === 'object' && clock !== null && typeof (clock as Partial<Clock>).now === 'function') {
    return clock as Clock
  }
  throw new HitpathError(
    'INVALID_OPTION',
    `${path} must be an object with a now() method; got ${describe(clock)}`,
  )
}
