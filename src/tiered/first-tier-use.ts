/**
 * Whose a first tier is: one cache's and its namespaces', and what the threads that share it have in common.
 *
 * Always true: no two caches meet in one first tier without prefixes.
 */
import { randomBytes } from 'node:crypto'
import { Generations } from '../coherence/generations.js'
import { describe, HitpathError } from '../errors.js'
import { entrust } from '../l1/snapshot.js'
import { shared } from '../shared.js'
import type { FirstTier } from './first-tier.js'
import type { TieredCacheOptions } from './options.js'
import { Claims } from './thread-flight.js'

/** First tiers that were made here, and are closed here. */
const own = shared('own first tiers', () => new WeakSet<FirstTier>())
/** First tiers and the namespace that uses them. */
const taken = shared('taken first tiers', () => new WeakMap<FirstTier, string>())

/** The first tier is the library's own: who uses it closes it. */
export function ownFirstTier(l1: FirstTier): void {
  own.add(l1)
}

export function isOwnFirstTier(l1: FirstTier): boolean {
  return own.has(l1)
}

/** @throws HitpathError INVALID_OPTION when another cache uses it */
export function claimFirstTier(l1: FirstTier, namespace: string): void {
  const by = taken.get(l1)
  if (by !== undefined) {
    throw new HitpathError(
      'INVALID_OPTION',
      `TieredCache.l1 serves the namespace ${describe(by)} already: use its namespace(), or a first tier of its own`,
    )
  }
  taken.set(l1, namespace)
  entrust(l1)
}

export function releaseFirstTier(l1: FirstTier): void {
  taken.delete(l1)
}

const INSIDE: unique symbol = Symbol('inside')
interface Inside {
  readonly [INSIDE]?: string
}

/** The options of a namespace that uses another's first tier, under its full name. */
export function inside(options: TieredCacheOptions, full: string): TieredCacheOptions {
  return Object.defineProperty({ ...options }, INSIDE, { value: full })
}

/** The name under which a namespace uses another's first tier; undefined for the outermost. */
export function insideOf(options: TieredCacheOptions & Inside): string | undefined {
  return options[INSIDE]
}

const ORIGIN_AT = Generations.BYTES + Claims.BYTES
const ORIGIN_BYTES = 6

export function newThreads(): SharedArrayBuffer {
  const threads = new SharedArrayBuffer(ORIGIN_AT + 8)
  new Uint8Array(threads).set(randomBytes(ORIGIN_BYTES), ORIGIN_AT)
  return threads
}

/**
 * Threads that share a first tier write as one, since what one of them removed is removed for all: their origins are alike up to the dot.
 * Each has a queue of its own, so what follows tells them apart.
 */
export function originOf(threads: SharedArrayBuffer | undefined): string {
  const own = randomBytes(ORIGIN_BYTES).toString('base64url')
  if (threads === undefined) return own
  const common = new Uint8Array(threads).slice(ORIGIN_AT, ORIGIN_AT + ORIGIN_BYTES)
  return `${Buffer.from(common).toString('base64url')}.${own}`
}
