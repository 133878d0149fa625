/**
 * What is read of a cache at one moment: counts, which only rise, levels, and latencies. Everything that is told is made of these.
 *
 * A source is told by its shape: with a recorder it is a TieredCache, with `evictions` in its stats a first tier, and else anything whose
 * `stats()` gives `hits` and `misses`.
 */
import { describe, HitpathError } from '../errors.js'
import type { CacheStats } from '../l1/stats.js'
import type { TieredStats } from '../tiered/stats.js'
import type { Fate } from './fates.js'
import { Histogram } from './histogram.js'
import {
  type Invalidation,
  type L1Miss,
  type L2Miss,
  RECORDER,
  type Recorder,
  type StaleReason,
} from './recorder.js'

/** What a Monitor can watch: a TieredCache, a LocalCache, a SharedCache, or anything with hits and misses in its `stats()`. */
export interface Monitored {
  stats(): object
}

export interface L1Counts {
  readonly hits: { readonly fresh: number; readonly early: number; readonly negative: number }
  readonly misses: Readonly<Record<L1Miss, number>>
  /** Of the first tier as a whole, whoever shares it. */
  readonly sets: number
  readonly evictions: number
  readonly expirations: number
  readonly invalidations: number
  readonly rejections: number
}

export interface L2Counts {
  readonly hits: number
  readonly misses: Readonly<Record<L2Miss, number>>
}

export interface Counts {
  /** Reads that some tier answered, and those that none did. */
  readonly hits: number
  readonly misses: number
  readonly l1?: L1Counts
  readonly l2?: L2Counts
  readonly stale?: Readonly<Record<StaleReason, number>>
  readonly factory?: { readonly calls: number; readonly errors: number }
  readonly invalidations?: Readonly<Record<Invalidation, number>>
  readonly replay?: { readonly queued: number; readonly replayed: number; readonly dropped: number }
  /** Of a sample of the keys: why they were absent, and whether what was computed again had changed. */
  readonly sampled?: {
    readonly absent: Readonly<Record<Fate, number>>
    readonly recomputed: { readonly changed: number; readonly unchanged: number }
  }
  readonly fencedOut?: number
  readonly errors?: number
}

export interface Levels {
  readonly entries?: number
  readonly maxEntries?: number
  readonly usedBytes?: number
  readonly maxBytes?: number
  readonly pinnedBytes?: number
  readonly maxPinnedBytes?: number
  /** Undefined without a bus. */
  readonly linked?: boolean
  /** Undefined without a second tier. */
  readonly circuit?: TieredStats['circuit']
  readonly replayEntries?: number
  readonly replayMaxEntries?: number
  readonly replayBytes?: number
  readonly replayMaxBytes?: number
}

export interface Latencies {
  /** Sampled hits. */
  readonly l1?: Histogram
  readonly l2?: Histogram
  readonly factory?: Histogram
  /** From a change in the server until it was heard here. */
  readonly invalidation?: Histogram
}

export interface Reading {
  readonly kind: 'tiered' | 'l1' | 'other'
  readonly counts: Counts
  readonly levels: Levels
  readonly latencies: Latencies
}

/** The recorder of a TieredCache; undefined for others. */
export function recorderOf(source: Monitored): Recorder | undefined {
  return (source as { readonly [RECORDER]?: Recorder })[RECORDER]
}

/** @throws HitpathError what `stats()` throws, CLOSED among them; INVALID_OPTION when it gives no hits and misses */
export function read(source: Monitored, path: string): Reading {
  const stats: unknown = source.stats()
  if (!hasNumbers(stats, ['hits', 'misses'])) {
    throw new HitpathError(
      'INVALID_OPTION',
      `${path}.stats() must give the numbers hits and misses; got ${describe(stats)}`,
    )
  }
  const recorder = recorderOf(source)
  if (recorder !== undefined) return readTiered(stats as unknown as TieredStats, recorder)
  if (hasNumbers(stats, ['evictions', 'expirations', 'maxEntries']))
    return readFirst(stats as unknown as CacheStats)
  return { kind: 'other', counts: countsOf(stats), levels: {}, latencies: {} }
}

function countsOf({ hits, misses }: { readonly hits: number; readonly misses: number }): Counts {
  return { hits, misses }
}

function hasNumbers<K extends string>(stats: unknown, names: readonly K[]): stats is Record<K, number> {
  if (typeof stats !== 'object' || stats === null) return false
  return names.every((name) => typeof (stats as Partial<Record<string, unknown>>)[name] === 'number')
}

function readFirst(stats: CacheStats): Reading {
  return {
    kind: 'l1',
    counts: {
      ...countsOf(stats),
      l1: {
        ...l1Counts(stats),
        hits: { fresh: stats.hits, early: 0, negative: 0 },
        misses: { absent: stats.misses, expired: 0, tag: 0, invalidated: 0, unlinked: 0 },
      },
    },
    levels: l1Levels(stats),
    latencies: {},
  }
}

function readTiered(stats: TieredStats, recorder: Recorder): Reading {
  const { facts, fates, early, negative, l2Answers } = recorder
  const l1Hits = stats.hits - l2Answers
  return {
    kind: 'tiered',
    counts: {
      ...countsOf(stats),
      l1: {
        ...l1Counts(stats.l1),
        hits: { fresh: l1Hits - early - negative, early, negative },
        misses: { ...recorder.l1Misses },
      },
      ...(facts.l2 ? { l2: { hits: l2Answers, misses: { ...recorder.l2Misses } } } : {}),
      stale: { ...recorder.stale },
      factory: { calls: stats.factoryCalls, errors: stats.factoryErrors },
      invalidations: { ...recorder.invalidations },
      replay: { queued: stats.queued, replayed: stats.replayed, dropped: stats.dropped },
      ...(fates === undefined
        ? {}
        : { sampled: { absent: { ...fates.misses }, recomputed: { ...fates.recomputed } } }),
      fencedOut: stats.fencedOut,
      errors: stats.errors,
    },
    levels: {
      ...l1Levels(stats.l1),
      ...(facts.bus ? { linked: stats.linked } : {}),
      ...(facts.l2
        ? {
            circuit: stats.circuit,
            replayEntries: stats.replaying,
            replayMaxEntries: facts.replayMaxEntries,
            replayBytes: stats.replayingBytes,
            replayMaxBytes: facts.replayMaxBytes,
          }
        : {}),
    },
    latencies: {
      l1: recorder.l1,
      ...(facts.l2 ? { l2: recorder.l2 } : {}),
      factory: recorder.factory,
      ...(facts.invalidation === undefined ? {} : { invalidation: facts.invalidation }),
    },
  }
}

function l1Counts(stats: CacheStats): Omit<L1Counts, 'hits' | 'misses'> {
  const { sets, evictions, expirations, invalidations, rejections } = stats
  return { sets, evictions, expirations, invalidations, rejections }
}

function l1Levels(stats: CacheStats): Levels {
  const { entries, maxEntries, usedBytes, arenaBytes, pinnedBytes, maxPinnedBytes } = stats
  return { entries, maxEntries, usedBytes, maxBytes: arenaBytes, pinnedBytes, maxPinnedBytes }
}

/** As it is now, for a comparison later. Of the latencies only the second tier's: a copy is 9 KB. */
export function kept(reading: Reading): Reading {
  const { l2 } = reading.latencies
  return { ...reading, latencies: l2 === undefined ? {} : { l2: l2.copy() } }
}

/** What happened from `earlier`, which was `kept`, until `now`. */
export function between(earlier: Reading, now: Reading): Reading {
  const { l2 } = now.latencies
  return {
    ...now,
    counts: difference(now.counts, earlier.counts) as Counts,
    latencies: l2 === undefined ? {} : { l2: l2.since(earlier.latencies.l2 ?? new Histogram()) },
  }
}

/** Number by number. What fell was counted anew: it counts from zero. */
function difference(now: unknown, earlier: unknown): unknown {
  if (typeof now === 'number')
    return typeof earlier === 'number' && now >= earlier ? now - earlier : Math.max(0, now)
  if (typeof now !== 'object' || now === null) return now
  const before = (earlier ?? {}) as Record<string, unknown>
  return Object.fromEntries(Object.entries(now).map(([key, value]) => [key, difference(value, before[key])]))
}
