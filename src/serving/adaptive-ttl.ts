/**
 * AdaptiveTtl: times to live that are learned from what recomputation shows.
 *
 * For each key the digest of its last value is remembered. A recomputation that gives the same value lengthens the ttl of that key, and of
 * the group; another value shortens it, between bounds, so that of the reads within a ttl the declared share meets a value that has changed
 * since. How: change-rates.ts. Always true: what is remembered is bounded, and no value is kept.
 */
import { encodeValue } from '../codec/value.js'
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import { digest } from '../key/digest.js'
import type { CacheKey, Clock } from '../l1/engine.js'
import { clockOption } from '../l1/options.js'
import { functionOption, integerOption, refuseUnknownOptions } from '../options.js'
import type { Factory } from '../tiered/loader.js'
import { nameOf } from '../tiered/names.js'
import { type Bounds, ChangeRates, changesPerTtl } from './change-rates.js'

export interface AdaptiveTtlOptions {
  /** The shortest ttl, which everything begins with. */
  readonly min: Duration
  /** The longest ttl: what never changes gets it. */
  readonly max: Duration
  /** Share of reads that may be served a value that has changed since it was computed, above 0, at most 0.5. Default 0.05. */
  readonly staleness?: number
  /** Keys whose last value is remembered, about 200 bytes each. What is computed again beyond that teaches nothing. Default 10,000. */
  readonly maxKeys?: number
  /** Groups that are remembered. Default 1,000. */
  readonly maxGroups?: number
  /**
   * What tells two values apart. Default: the 128-bit digest of their msgpack bytes, so that the same names in another order are another
   * value. Give one for values without a stored form, or for a version that the source sends along.
   */
  readonly digest?: (value: unknown) => string
  /** Milliseconds. Default: monotonic. */
  readonly clock?: Clock
}

export interface AdaptiveTtlStats {
  /** Recomputations of a key whose last value was remembered, and those that gave another value. */
  readonly observations: number
  readonly changes: number
  /** Changes of a key in a second, as estimated. */
  readonly changesPerSecond: number
  /** Mean of the ttls now given, in milliseconds. */
  readonly ttlMs: number
}

/** What is remembered of a key. */
interface Seen {
  readonly digest: string
  readonly atMs: number
  /** How long the value had stood then. */
  readonly stoodMs: number
}

const OWNER = 'AdaptiveTtl'
const OPTIONS: readonly (keyof AdaptiveTtlOptions)[] = [
  'min',
  'max',
  'staleness',
  'maxKeys',
  'maxGroups',
  'digest',
  'clock',
]

/**
 * ```ts
 * const adaptive = new AdaptiveTtl({ min: '1s', max: '1h', staleness: 0.05 })
 * const book = await tiered.getOrSet('book:BTCUSDT', adaptive.factory('books', () => fetchBook('BTCUSDT')))
 * ```
 */
export class AdaptiveTtl {
  readonly #bounds: Bounds
  readonly #maxKeys: number
  readonly #maxGroups: number
  readonly #digest: (value: unknown) => string
  readonly #now: () => number
  /** Both from the least to the most recently used. */
  readonly #groups = new Map<string, ChangeRates>()
  readonly #seen = new Map<string, Seen>()

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: AdaptiveTtlOptions) {
    refuseUnknownOptions(options, OWNER, OPTIONS)
    const { staleness = 0.05, maxKeys = 10_000, maxGroups = 1000, digest: given, clock } = options
    const minMs = parseDuration(options.min, `${OWNER}.min`)
    const maxMs = parseDuration(options.max, `${OWNER}.max`)
    if (minMs > maxMs)
      throw new HitpathError(
        'INVALID_OPTION',
        `${OWNER}.min must not exceed max; got ${minMs} and ${maxMs} ms`,
      )
    if (typeof staleness !== 'number' || !(staleness > 0 && staleness <= 0.5)) {
      throw new HitpathError(
        'INVALID_OPTION',
        `${OWNER}.staleness must be a number above 0 and at most 0.5; got ${describe(staleness)}`,
      )
    }
    this.#bounds = { minMs, maxMs, changesPerTtl: changesPerTtl(staleness) }
    this.#maxKeys = integerOption(maxKeys, `${OWNER}.maxKeys`)
    this.#maxGroups = integerOption(maxGroups, `${OWNER}.maxGroups`)
    this.#digest = given === undefined ? digestOf : functionOption(given, `${OWNER}.digest`)
    const source = clockOption(clock, `${OWNER}.clock`) ?? performance
    this.#now = () => source.now()
  }

  /**
   * Milliseconds for a value of the group: for the last value of `key`, or the mean of the group.
   * @throws HitpathError INVALID_ARGUMENT, INVALID_KEY
   */
  ttl(group: string, key?: CacheKey): number {
    const rates = this.#groups.get(checkGroup(group))
    if (rates === undefined) return this.#bounds.minMs
    if (key === undefined) return rates.ttlMs()
    return rates.ttlMs(this.#seen.get(nameIn(group, nameOf(key)))?.stoodMs ?? 0)
  }

  /**
   * A value was computed. The first of a key teaches nothing, the following whether it changed within the time between.
   *
   * @param ageMs how long ago the value before it was computed; default: by the clock
   * @returns milliseconds for which the value should live
   * @throws HitpathError INVALID_ARGUMENT, INVALID_KEY, UNSUPPORTED_VALUE for a value without a stored form
   */
  observe(group: string, key: CacheKey, value: unknown, ageMs?: number): number {
    if (ageMs !== undefined && !(typeof ageMs === 'number' && ageMs >= 0 && ageMs < Infinity))
      throw new HitpathError('INVALID_ARGUMENT', `an age is milliseconds, 0 or more; got ${describe(ageMs)}`)
    return this.#learn(checkGroup(group), nameOf(key), value, ageMs)
  }

  /**
   * A factory for `getOrSet` whose values get learned ttls, in place of any that `factory` sets. What it makes of nothing (undefined) is left as
   * it is. Recomputations that an invalidation asked for count as others do: they make ttls shorter, not longer.
   */
  factory<V>(group: string, factory: Factory<V>): Factory<V> {
    checkGroup(group)
    functionOption(factory, `${OWNER}.factory`)
    return async (context) => {
      const name = nameOf(context.key)
      const value = await factory(context)
      if (value !== undefined) context.setTtl(this.#learn(group, name, value, undefined))
      return value
    }
  }

  /** By group. */
  stats(): Readonly<Record<string, AdaptiveTtlStats>> {
    return Object.fromEntries(
      Array.from(this.#groups, ([group, rates]) => [
        group,
        {
          observations: rates.observations,
          changes: rates.changed,
          changesPerSecond: rates.rate * 1000,
          ttlMs: rates.ttlMs(),
        },
      ]),
    )
  }

  #learn(group: string, name: string, value: unknown, ageMs: number | undefined): number {
    const latest = this.#digest(value)
    const now = this.#now()
    const rates = this.#groups.get(group) ?? new ChangeRates(this.#bounds)
    renew(this.#groups, group, rates, this.#maxGroups)
    const full = nameIn(group, name)
    const before = this.#seen.get(full)
    const age = ageMs ?? (before === undefined ? 0 : now - before.atMs)
    let stoodMs = 0
    if (before !== undefined) {
      const changed = before.digest !== latest
      // Two computations of one moment say nothing about time.
      stoodMs = age > 0 ? rates.observe(before.stoodMs, age, changed) : changed ? 0 : before.stoodMs
    }
    renew(this.#seen, full, { digest: latest, atMs: now, stoodMs }, this.#maxKeys)
    return rates.ttlMs(stoodMs)
  }
}

/** Puts an entry last, and lets the first go beyond the bound. */
function renew<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= max) return
  const [oldest] = map.keys()
  map.delete(oldest as string)
}

function digestOf(value: unknown): string {
  return digest(encodeValue(value))
}

/** The length before it keeps two pairs apart, whatever is in them. */
function nameIn(group: string, name: string): string {
  return `${group.length}:${group}${name}`
}

function checkGroup(group: unknown): string {
  if (typeof group === 'string' && group !== '') return group
  throw new HitpathError('INVALID_ARGUMENT', `a group is a string that is not empty; got ${describe(group)}`)
}
