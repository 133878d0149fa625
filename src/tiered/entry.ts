/**
 * What the first tier holds for a key: the value, and what decides whether it may be served.
 *
 * Always true: `pass` equals the pass of the cache only while nothing but that has to be checked, and its tag pass only while no tag that is known
 * here has changed since those of the entry were seen to hold; so the usual hit is one lookup and one comparison, or two. Everything else
 * (grace, early refresh, negative entries) carries NO_PASS and is judged.
 * In a SharedCache an entry is plain msgpack; each thread binds it once to its own pass and tag states.
 */
import { type TagState, tagsHold } from '../coherence/tag-versions.js'

export const NO_PASS = -1
/** The pass of a cache whose every hit must be judged: no entry has it. */
export const SLOW_PASS = -2

/** What a hit reads and writes of its cache: kept together, so that it is one object. */
export interface Gate {
  /** The pass of the cache, or SLOW_PASS while every hit is judged. */
  pass: number
  /** The pass of entries with tags, or SLOW_PASS with the other. */
  tagPass: number
  hits: number
  /** After so many hits a read goes the long way: `sampleAt`, or 0 where each key is to be joined with the name of a namespace. */
  unusualAt: number
  /** The read that comes after so many hits is timed. */
  sampleAt: number
}

/** Beyond all hits; a small integer, as `hits` is for long. */
export const NEVER_SAMPLED: number = 2 ** 31 - 1

let lastPass = 0
/** A pass that no cache of this thread has had. */
export function nextPass(): number {
  return ++lastPass
}

export interface Entry<V> {
  pass: number
  /** The pass under which the entry was put here, or bound. */
  bound: number
  value: V | null
  /** There is no value, and that is what is known. */
  negative: boolean
  /** Local monotonic ms until which the hit needs no look at a clock beyond the deadline of the first tier. */
  checkAt: number
  /** Until when this copy is fresh: at most `freshUntil`. */
  until: number
  /** Until when the value is fresh, wherever it is. */
  freshUntil: number
  /** Until when it may be served stale. */
  deadAt: number
  /** When it came here. */
  born: number
  /** Under a grace no factory is asked again before. */
  retryAt: number
  version: number
  epoch: number
  /** Milliseconds that the factory took, 0 unknown. */
  factoryMs: number
  /** The beta of early refresh, 0 without. */
  beta: number
  tagNames: readonly string[] | null
  tagVersions: readonly number[] | null
  tags: readonly TagState[] | null
}

export function makeEntry<V>(value: V | undefined, negative: boolean): Entry<V> {
  return {
    pass: NO_PASS,
    bound: NO_PASS,
    value: value === undefined ? null : value,
    negative,
    checkAt: Number.NEGATIVE_INFINITY,
    until: Number.POSITIVE_INFINITY,
    freshUntil: Number.POSITIVE_INFINITY,
    deadAt: Number.POSITIVE_INFINITY,
    born: 0,
    retryAt: Number.NEGATIVE_INFINITY,
    version: 0,
    epoch: 0,
    factoryMs: 0,
    beta: 0,
    tagNames: null,
    tagVersions: null,
    tags: null,
  }
}

export function entryValue<V>(entry: Entry<V> | undefined): V | undefined {
  return entry === undefined || entry.negative ? undefined : (entry.value as V)
}

/** Whether no tag of the entry was invalidated since; false as soon as one is unknown. */
export function tagsOfEntryHold(entry: Entry<unknown>): boolean {
  return entry.tags === null || tagsHold(entry.tags, entry.tagVersions as readonly number[])
}

/** No draw of XFetch reaches further back: -ln of the smallest positive double that Math.random() gives is 36.7. */
const REACH = 37

/** From when on XFetch may ask for a refresh. */
export function earliestRefresh(freshUntil: number, factoryMs: number, beta: number): number {
  return beta === 0 || factoryMs === 0 ? Number.POSITIVE_INFINITY : freshUntil - REACH * beta * factoryMs
}

/**
 * Whether this request should refresh the entry ahead of time.
 *
 * XFetch: A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
 */
export function refreshesEarly(entry: Entry<unknown>, now: number, random: () => number): boolean {
  if (entry.beta === 0 || entry.factoryMs === 0) return false
  return now - entry.factoryMs * entry.beta * Math.log(1 - random()) >= entry.freshUntil
}
