/**
 * What one TieredCache counts about itself, tier by tier and reason by reason, and the latencies of its tiers.
 *
 * Always true: counters only rise, so the difference of two readings is what happened between. Latencies of the second tier and of factories
 * are recorded always; those of hits in the first tier, hot keys and fates only while somebody samples (`attach`), since a clock costs as
 * much as a hit.
 */
import { Fates } from './fates.js'
import { type HeavyHitter, HeavyHitters } from './heavy-hitters.js'
import { Histogram } from './histogram.js'

/** Why the first tier could not answer. `invalidated`: a clear or a gap of the bus since it came; `expired`: its time is over, though a
 * stale copy may be there; `unlinked`: the bus is silent for longer than `whenUnlinked` allows. */
export type L1Miss = 'absent' | 'expired' | 'tag' | 'invalidated' | 'unlinked'
/** Why the second tier could not. `queued`: a change of the name waits in the replay queue; `error`: the server answered with one. */
export type L2Miss =
  | 'absent'
  | 'expired'
  | 'tag'
  | 'invalidated'
  | 'foreign'
  | 'queued'
  | 'circuit'
  | 'timeout'
  | 'unavailable'
  | 'error'
export type StaleReason = 'revalidate' | 'error' | 'slow' | 'lease' | 'retry'
export type Invalidation = 'set' | 'delete' | 'tag' | 'pattern' | 'clear' | 'gap'
export type LatencyTier = 'l1' | 'l2' | 'factory'
export type LatencyListener = (tier: LatencyTier, ns: number) => void

/** Before what is a name and no string of the caller's. */
const NAME = '\u0001'

/** What does not change about the cache. */
export interface Facts {
  /** Whether there is a second tier, and a bus. */
  readonly l2: boolean
  readonly bus: boolean
  readonly replayMaxEntries: number
  readonly replayMaxBytes: number
  /** From a change in the server until it was heard here. */
  readonly invalidation: Histogram | undefined
}

/** Where a Monitor finds it; not for users. */
export const RECORDER: unique symbol = Symbol('hitpath.recorder')

export class Recorder {
  readonly l1Misses: Record<L1Miss, number> = { absent: 0, expired: 0, tag: 0, invalidated: 0, unlinked: 0 }
  readonly l2Misses: Record<L2Miss, number> = {
    absent: 0,
    expired: 0,
    tag: 0,
    invalidated: 0,
    foreign: 0,
    queued: 0,
    circuit: 0,
    timeout: 0,
    unavailable: 0,
    error: 0,
  }
  readonly stale: Record<StaleReason, number> = { revalidate: 0, error: 0, slow: 0, lease: 0, retry: 0 }
  /** By what others changed, and by tags, patterns and clears of this process. */
  readonly invalidations: Record<Invalidation, number> = {
    set: 0,
    delete: 0,
    tag: 0,
    pattern: 0,
    clear: 0,
    gap: 0,
  }
  /** Hits that began a refresh ahead of time. */
  early = 0
  /** Hits of "there is no such value". */
  negative = 0
  /** Reads that the second tier answered. */
  l2Answers = 0
  /** Calls of getSync that found nothing: no misses, since `get` usually follows. */
  syncMisses = 0
  /** Set once, by the cache. */
  facts: Facts = { l2: false, bus: false, replayMaxEntries: 0, replayMaxBytes: 0, invalidation: undefined }
  /** The last change that emptied the first tier. */
  lastFlush: 'clear' | 'gap' | undefined
  readonly l1 = new Histogram()
  readonly l2 = new Histogram()
  readonly factory = new Histogram()
  fates: Fates | undefined
  hot: HeavyHitters | undefined
  readonly #listeners = new Set<LatencyListener>()
  readonly #samplers = new Set<{ readonly every: number }>()
  readonly #onSampling: () => void
  #every = 0
  #seed = 0x2545f491
  #missesUntilSample = 0

  /** `onSampling` is called when `every` changes. */
  constructor(onSampling: () => void = () => {}) {
    this.#onSampling = onSampling
  }

  // ---- sampling ----

  /** Hits in the first tier between two that are timed, on average; 0 while nobody samples. */
  get every(): number {
    return this.#every
  }

  /** Begins to sample: with several samplers the finest counts. Call what is returned to end it. */
  attach(every: number): () => void {
    const sampler = { every }
    this.#samplers.add(sampler)
    this.#resample()
    return () => {
      if (this.#samplers.delete(sampler)) this.#resample()
    }
  }

  /** How many hits to let pass: at random around `every`, so that no loop of the program hides in the gaps. */
  gap(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) | 0
    return 1 + ((this.#seed >>> 8) % (2 * this.#every - 1))
  }

  #resample(): void {
    this.#every = this.#samplers.size === 0 ? 0 : Math.min(...[...this.#samplers].map(({ every }) => every))
    if (this.#every === 0) {
      this.fates = undefined
      this.hot = undefined
    } else {
      this.fates ??= new Fates()
      this.hot ??= new HeavyHitters()
      ticksOfClock()
    }
    this.#onSampling()
  }

  // ---- latencies ----

  /** Hears of each latency that is recorded. Call what is returned to end it. */
  onLatency(listener: LatencyListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #record(tier: LatencyTier, ns: number): void {
    if (tier === 'l1') this.l1.record(ns)
    else if (tier === 'l2') this.l2.record(ns)
    else this.factory.record(ns)
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener(tier, ns)
  }

  /** A sampled hit of the first tier that began at `process.hrtime()` `began`. */
  hit(began: readonly [number, number], ended: readonly [number, number]): void {
    this.#record('l1', Math.max(0, nanoseconds(began, ended) - ticksOfClock()))
  }

  /** A sampled read asked for a key: a string of the caller's as it is, of which the hash is known, or a name. */
  asked(key: string, isString: boolean): void {
    this.hot?.add(isString ? key : NAME + key)
  }

  /** The keys asked for most, by name. */
  hottest(n: number): HeavyHitter[] {
    const top = this.hot?.top(n) ?? []
    return top.map((hit) => ({
      ...hit,
      key: hit.key.startsWith(NAME) ? hit.key.slice(NAME.length) : `s${hit.key}`,
    }))
  }

  /** A call of the second tier took so long, whatever came of it. */
  askedL2(ms: number): void {
    this.#record('l2', ms * 1e6)
  }

  /** A factory ran for so long, and made this for each of the names. */
  computed(name: string, value: unknown, ms: number, now: number): void {
    this.#record('factory', ms * 1e6)
    this.fates?.computed(name, value, now)
  }

  factoryRan(ms: number): void {
    this.#record('factory', ms * 1e6)
  }

  // ---- misses ----

  missedL1(reason: L1Miss, name: string, clock: { now(): number }): void {
    this.l1Misses[reason]++
    if (this.#every === 0) return
    if (reason === 'absent' || reason === 'expired') this.fates?.missed(name, clock.now())
    if (--this.#missesUntilSample > 0) return
    this.#missesUntilSample = this.gap()
    this.asked(name.startsWith('s') ? name.slice(1) : name, name.startsWith('s'))
  }

  missedL2(reason: L2Miss): undefined {
    this.l2Misses[reason]++
    return undefined
  }

  invalidated(kind: Invalidation): void {
    this.invalidations[kind]++
    if (kind === 'clear' || kind === 'gap') this.lastFlush = kind
  }
}

function nanoseconds(began: readonly [number, number], ended: readonly [number, number]): number {
  return (ended[0] - began[0]) * 1e9 + (ended[1] - began[1])
}

let clockNs: number | undefined
/** Nanoseconds between two readings of the clock with nothing between them: a part of every measurement. */
function ticksOfClock(): number {
  if (clockNs === undefined) {
    const gaps: number[] = []
    for (let i = 0; i < 200; i++) gaps.push(nanoseconds(process.hrtime(), process.hrtime()))
    clockNs = gaps.slice(100).sort((a, b) => a - b)[50] as number
  }
  return clockNs
}
