/**
 * The state of one namespace in one thread, and the only code that puts entries into its first tier or judges them.
 *
 * Always true:
 * 1. An entry is put only under a generation token taken before its value was read or computed, and only while the token is unchanged;
 *    never over one with a higher version.
 * 2. An entry is served only under the pass that it was put under. A gap of the bus, a clear and a flush change the pass: O(1).
 * 3. An entry with tags has the tag pass only if its tags held after the last change of any tag, which changes that pass.
 * 4. No entry outlives its copy in the second tier: `until` is at most its absolute deadline.
 */
import type { Bus } from '../coherence/bus.js'
import { Generations, type Snapshot, type Token } from '../coherence/generations.js'
import { ServerClock } from '../coherence/server-clock.js'
import { type TagState, TagVersions, tagsHold } from '../coherence/tag-versions.js'
import { HitpathError } from '../errors.js'
import type { CallOptions, L2Store } from '../l2/store.js'
import { Recorder } from '../observe/recorder.js'
import {
  type Entry,
  earliestRefresh,
  type Gate,
  makeEntry,
  NEVER_SAMPLED,
  NO_PASS,
  nextPass,
  refreshesEarly,
  SLOW_PASS,
  tagsOfEntryHold,
} from './entry.js'
import { Events } from './events.js'
import type { FirstTier } from './first-tier.js'
import type { Flight } from './flight.js'
import { closedError, Guard } from './guard.js'
import { type Named, Names } from './names.js'
import type { Policy, Settings } from './options.js'
import { Readings } from './reading.js'
import { Claims } from './thread-flight.js'
import { monotonicNow, type Time, timeOf } from './time.js'

export type Judgement = 'fresh' | 'early' | 'stale' | 'invalid'

export interface Counters {
  misses: number
  l2Hits: number
  l2Misses: number
  staleServed: number
  factoryCalls: number
  factoryErrors: number
  foreignBytes: number
  fencedOut: number
  notKept: number
  gaps: number
  errors: number
  queued: number
  replayed: number
  dropped: number
}

const NO_COUNTS: Counters = {
  misses: 0,
  l2Hits: 0,
  l2Misses: 0,
  staleServed: 0,
  factoryCalls: 0,
  factoryErrors: 0,
  foreignBytes: 0,
  fencedOut: 0,
  notKept: 0,
  gaps: 0,
  errors: 0,
  queued: 0,
  replayed: 0,
  dropped: 0,
}

export interface CoreParts {
  readonly settings: Settings
  readonly l1: FirstTier
  readonly l2: L2Store | undefined
  readonly bus: Bus | undefined
  readonly prefix: string | undefined
  readonly threads: SharedArrayBuffer | undefined
  readonly origin: string
}

export class Core<V> {
  readonly settings: Settings
  readonly l1: FirstTier
  readonly l2: L2Store | undefined
  readonly bus: Bus | undefined
  readonly names: Names
  readonly time: Time
  readonly origin: string
  readonly generations: Generations
  /** Bumped by writes of this process's own: they break reads under way, and nothing else. */
  readonly ownWrites = new Generations()
  readonly tags: TagVersions
  readonly serverClock: ServerClock
  readonly guard: Guard
  readonly events: Events
  readonly claims: Claims | undefined
  readonly counters: Counters = { ...NO_COUNTS }
  /** Reads and computations under way: at most one of each for a name that may still be joined. */
  readonly reads = new Readings<V>()
  readonly flights = new Map<string, Flight<V>>()
  /** Work that nobody waits for; `close` does. */
  readonly background = new Set<Promise<unknown>>()
  pass: number = nextPass()
  readonly gate: Gate = {
    pass: this.pass,
    tagPass: nextPass(),
    hits: 0,
    unusualAt: NEVER_SAMPLED,
    sampleAt: NEVER_SAMPLED,
  }
  readonly recorder: Recorder = new Recorder(() => this.#resample())
  /** Version of the last clear, as far as known. */
  epoch = 0
  epochKnown: boolean
  /** Since when the bus is silent; undefined while it is not, or there is none. */
  unlinkedSince: number | undefined
  closed = false
  /** Calls of the second tier that it did not answer, or could not be sent. */
  outages = 0
  readonly shared: boolean
  /** Entries of other threads that came before are not believed. */
  #bornAfter = Number.NEGATIVE_INFINITY
  #lastStamp = 0
  #slow = false
  /** Of entries whose tags were seen to hold since the last change of any tag. */
  #tagPass = this.gate.tagPass

  constructor(parts: CoreParts) {
    const { settings, l2 } = parts
    this.settings = settings
    this.l1 = parts.l1
    this.l2 = l2
    this.bus = parts.bus
    this.origin = parts.origin
    this.names = new Names(parts.l1, parts.prefix)
    this.sampleNext(NEVER_SAMPLED)
    this.time = timeOf(settings.clock)
    this.shared = 'handle' in parts.l1
    this.generations = new Generations(parts.threads)
    this.claims = parts.threads === undefined ? undefined : new Claims(parts.threads, Generations.BYTES)
    this.serverClock = new ServerClock({ now: this.time.now })
    this.tags = new TagVersions({
      load: (tags) =>
        l2 === undefined
          ? Promise.resolve(tags.map(() => 0))
          : this.guard.run(() => l2.tagVersions(tags, this.tagLifeMs)),
      onChange: () => {
        this.#tagPass = nextPass()
        this.retune()
      },
    })
    this.events = new Events(settings.namespace, () => this.retune())
    this.guard = new Guard({
      timeoutMs: settings.l2TimeoutMs,
      keepsAlive: l2?.timeoutMs === undefined,
      failures: settings.breaker.failures,
      resetAfterMs: settings.breaker.resetAfterMs,
      random: settings.random,
      onChange: (state, before) => this.events.emit('breaker', { state, before }),
      recorder: this.recorder,
    })
    this.epochKnown = l2 === undefined
    if (this.bus !== undefined) this.unlinkedSince = this.time.now()
    if (this.shared) this.#bornAfter = monotonicNow()
  }

  /** How long versions of tags must live: longer than any entry that was just made. */
  get tagLifeMs(): number {
    return 30 * 86_400_000
  }

  /** Whether the bus keeps what is known here up to date. */
  get linked(): boolean {
    return this.l2 === undefined || (this.bus !== undefined && this.unlinkedSince === undefined)
  }

  // ---- time ----

  /** Server milliseconds minus local monotonic ones; an estimate by this host's wall clock before the first sample. */
  get serverOffset(): number {
    return this.serverClock.known ? this.serverClock.offset : Date.now() - this.time.now()
  }

  /**
   * The server's microseconds, for certain not ahead of it, never the same twice, and behind every version that came from it: the version
   * of what the server has not seen. While its clock is not known that says nothing of the time, and is older than all that it gives.
   */
  stamp(above = 0): number {
    const doubt = this.l2 === undefined ? 0 : this.serverClock.uncertainty
    const now = Math.floor((this.time.now() + this.serverOffset - doubt) * 1000)
    this.#lastStamp = Math.max(this.#lastStamp + 1, now, above + 1)
    return this.#lastStamp
  }

  /**
   * A stamp for an invalidation: even. While the server's clock is not known it is the next above what came from there, so that the
   * version that the server gives is not below it.
   */
  evenStamp(above = 0): number {
    if (this.l2 !== undefined && !this.serverClock.known) return above + 2 - (above % 2)
    const stamp = this.stamp(above)
    return stamp % 2 === 0 ? stamp : this.stamp()
  }

  /** The server gave this version, so its clock has come to it. One beyond what its clock may say is not believed. */
  saw(version: number): void {
    const { known, uncertainty } = this.serverClock
    if (version <= this.#lastStamp || !known) return
    if (version <= (this.time.now() + this.serverOffset + uncertainty) * 1000) this.#lastStamp = version
  }

  /** Milliseconds after which a call of the second tier is given up. */
  get givesUpAfterMs(): number {
    return Math.min(this.settings.l2TimeoutMs, this.l2?.timeoutMs ?? Infinity)
  }

  /** Milliseconds after which a change that was sent now is not done any more, `bySet` and the doubt about the server's clock considered. */
  get doneWithinMs(): number {
    const { givesUpAfterMs: limit, serverClock } = this
    return serverClock.known ? Math.max(limit, limit / 2 + serverClock.uncertainty) : limit
  }

  /**
   * Who changes, and until when in the server's µs: what arrives after its caller may have given it up must not happen, since it would
   * win over what this process queued meanwhile.
   */
  bySet(): CallOptions {
    const { origin, serverClock } = this
    const limit = this.givesUpAfterMs
    if (!serverClock.known || limit === Infinity) return { origin }
    const lasts = limit - Math.min(serverClock.uncertainty, limit / 2)
    return { origin, before: (this.time.now() + serverClock.offset + lasts) * 1000 }
  }

  /** A time to live, shortened at random. */
  jittered(ttl: number, jitter: number): number {
    return jitter === 0 || ttl === Infinity ? ttl : ttl * (1 - jitter * this.settings.random())
  }

  // ---- the first tier ----

  /** Decides how hits are checked, after anything that matters for it changed. */
  retune(): void {
    const slow = this.closed || this.#slow || this.events.listened('hit')
    this.gate.pass = slow ? SLOW_PASS : this.pass
    this.gate.tagPass = slow ? SLOW_PASS : this.#tagPass
  }

  #resample(): void {
    const { every } = this.recorder
    this.sampleNext(every === 0 ? NEVER_SAMPLED : this.recorder.gap() - 1)
  }

  /** After so many hits more a read is timed. */
  sampleNext(hits: number): void {
    const { gate } = this
    gate.sampleAt = gate.hits + hits
    gate.unusualAt = this.names.prefix === undefined ? gate.sampleAt : 0
  }

  /** Whether each hit is judged because the link is down. */
  get slow(): boolean {
    return this.#slow
  }

  /** Entries of other threads that came before are not believed. */
  get bornAfter(): number {
    return this.#bornAfter
  }

  /** While the link is down and its clamp has run out, each hit is judged. */
  judgeEachHit(slow: boolean): void {
    this.#slow = slow
    this.retune()
  }

  /** Makes every entry of this namespace in this thread invalid, and breaks all fills under way. O(1) in the entries. */
  flush(): void {
    this.pass = nextPass()
    this.#tagPass = nextPass()
    this.#bornAfter = monotonicNow()
    this.generations.bumpAll()
    this.retune()
  }

  raiseEpoch(version: number): void {
    if (!(version > this.epoch)) return
    this.saw(version)
    this.epoch = version
    this.flush()
  }

  /** The entry of the first tier, whatever its state, without counting. */
  peek(l1: Named['l1']): Entry<V> | undefined {
    return this.l1.peek(l1) as Entry<V> | undefined
  }

  /** Whether the entry is fresh beyond doubt, without a look at a clock: most hits that the pass alone does not decide. */
  plainlyFresh(entry: Entry<V>): boolean {
    const { gate } = this
    if (entry.bound !== gate.pass || entry.negative) return false
    if (entry.tags === null) return entry.checkAt === Infinity || this.time.surelyBefore(entry.checkAt)
    if (!tagsHold(entry.tags, entry.tagVersions as readonly number[])) return false
    if (entry.checkAt !== Infinity) return this.time.surelyBefore(entry.checkAt)
    entry.pass = gate.tagPass
    return true
  }

  judge(entry: Entry<V>): Judgement {
    if (entry.bound !== this.pass && !this.#bind(entry)) return 'invalid'
    if (!tagsOfEntryHold(entry)) return 'invalid'
    if (this.unlinkedSince !== undefined && this.#slow) {
      const now = this.time.now()
      const born = this.shared ? now - (monotonicNow() - entry.born) : entry.born
      const confirmed = Math.max(this.unlinkedSince, born)
      if (now >= confirmed + this.settings.whenUnlinked)
        return now <= entry.deadAt && keptForGrace(entry) ? 'stale' : 'invalid'
    }
    if (entry.checkAt === Infinity || this.time.surelyBefore(entry.checkAt)) return 'fresh'
    const now = this.time.now()
    if (now > entry.deadAt) return 'invalid'
    if (now > entry.until) return keptForGrace(entry) ? 'stale' : 'invalid'
    return refreshesEarly(entry, now, this.settings.random) ? 'early' : 'fresh'
  }

  /** What another thread put into a SharedCache, seen here for the first time. */
  #bind(entry: Entry<V>): boolean {
    if (!this.shared || entry.bound !== NO_PASS) return false
    if (entry.born <= this.#bornAfter || entry.epoch !== this.epoch) return false
    if (entry.tagNames !== null && entry.tagNames.length > 0) {
      const states: TagState[] = []
      for (const tag of entry.tagNames) {
        const state = this.tags.known(tag)
        if (state === undefined) return false
        states.push(state)
      }
      entry.tags = states
    }
    entry.bound = this.pass
    if (entry.tags === null && !entry.negative && entry.checkAt === Infinity) entry.pass = this.pass
    return true
  }

  /** Times of an entry that is about to be put, from its absolute deadlines. */
  date(entry: Entry<V>, policy: Policy, now: number): void {
    const clamp = this.unlinkedSince === undefined ? Infinity : this.settings.whenUnlinked
    const l1Ttl = Math.min(this.jittered(policy.l1Ttl, policy.jitter), clamp)
    entry.born = this.shared ? monotonicNow() : now
    entry.until = Math.min(entry.freshUntil, now + l1Ttl)
    entry.beta = policy.beta
    entry.checkAt = Math.min(
      keptForGrace(entry) ? entry.until : Infinity,
      earliestRefresh(entry.freshUntil, entry.factoryMs, entry.beta),
    )
  }

  /** Whether the entry now stands in the first tier. */
  put(
    { l1, name }: Named,
    entry: Entry<V>,
    token: Token | Snapshot,
    policy: Policy,
    ownWrites?: Token | Snapshot,
  ): boolean {
    if (!policy.l1 || this.closed) return false
    const now = this.time.now()
    this.saw(entry.version)
    this.date(entry, policy, now)
    const last = keptForGrace(entry) ? entry.deadAt : entry.until
    const present = this.peek(l1)
    const newer = present !== undefined && this.#standing(present) && present.version > entry.version
    const overtaken = ownWrites !== undefined && !this.ownWrites.holds(ownWrites, name)
    if (
      !(last > now) ||
      newer ||
      overtaken ||
      !tagsOfEntryHold(entry) ||
      !this.generations.holds(token, name)
    ) {
      this.counters.notKept++
      return false
    }
    if (present?.version === entry.version) entry.retryAt = present.retryAt
    entry.bound = this.pass
    entry.pass = entry.tags === null && !entry.negative && entry.checkAt === Infinity ? this.pass : NO_PASS
    try {
      this.l1.set(l1, (this.shared ? unbound(entry) : entry) as never, { ttl: last - now })
      this.recorder.fates?.put(name, entry.until)
    } catch (error) {
      this.l1.delete(l1)
      this.report(error)
      this.tellDrop(`l1 refused ${name}`, 1)
      return false
    }
    if (!this.shared || this.generations.holds(token, name)) return true
    this.l1.delete(l1)
    return false
  }

  /** Puts what the second tier gave. If it may not be kept, nothing older is either: who saw it does not go back. */
  promote(
    named: Named,
    entry: Entry<V>,
    token: Token | Snapshot,
    policy: Policy,
    ownWrites: Token | Snapshot,
  ): void {
    if (this.put(named, entry, token, policy, ownWrites)) {
      if (this.events.wants('promote')) this.events.emit('promote', { key: named.name })
    } else if (!this.closed) this.drop(named, entry.version)
  }

  /** Removes what is older than `version`. */
  drop({ name, l1 }: Named, version: number): void {
    const present = this.peek(l1)
    if (present === undefined || (this.#standing(present) && present.version >= version)) return
    this.l1.delete(l1)
    this.recorder.fates?.removed(name)
  }

  /** Whether it is of this pass, or of another thread that shares the first tier. */
  #standing(present: Entry<V>): boolean {
    return present.bound === this.pass || (this.shared && present.bound === NO_PASS)
  }

  // ---- tags ----

  /** The states of the tags, as they are known or read now. @throws HitpathError when they cannot be read */
  async tagStates(names: readonly string[]): Promise<readonly TagState[]> {
    if (this.linked) {
      const states: TagState[] = []
      for (const tag of names) {
        const state = this.tags.known(tag)
        if (state === undefined) return await this.tags.fetch(names)
        states.push(state)
      }
      return states
    }
    const l2 = this.l2 as L2Store
    const versions = await this.guard.run(() => l2.tagVersions(names, this.tagLifeMs))
    const states = await this.tags.fetch(names)
    for (const [i, name] of names.entries()) this.tags.merge(name, versions[i] as number)
    return states
  }

  // ---- errors ----

  /** An error that reaches no caller. */
  report(error: unknown): void {
    if (this.closed && error instanceof HitpathError && error.code === 'CLOSED') return
    this.counters.errors++
    try {
      this.settings.onError?.(error)
    } catch {
      // it was told; what it does with that is its own
    }
    this.events.emit('error', error)
  }

  tellDrop(reason: string, count: number): void {
    this.counters.dropped += count
    this.events.emit('drop', { reason, count })
  }

  /** Lets work go on that nobody waits for. */
  detach(work: Promise<unknown>): void {
    const tracked = work.then(
      () => {},
      (error: unknown) => this.report(error),
    )
    this.background.add(tracked)
    void tracked.then(() => this.background.delete(tracked))
  }

  refuseClosed(): void {
    if (this.closed) throw closedError()
  }
}

function keptForGrace(entry: Entry<unknown>): boolean {
  return entry.deadAt > entry.freshUntil
}

/** As it may be stored for other threads. */
function unbound<V>(entry: Entry<V>): Entry<V> {
  return { ...entry, pass: NO_PASS, bound: NO_PASS, tags: null, tagNames: entry.tagNames }
}

/** An entry with the deadlines and tags that it was made under. */
export function entryOf<V>(
  value: V | undefined,
  negative: boolean,
  facts: {
    readonly freshUntil: number
    readonly deadAt: number
    readonly version: number
    readonly epoch: number
    readonly factoryMs: number
    readonly tags: readonly TagState[]
    readonly tagVersions: readonly number[]
  },
): Entry<V> {
  const entry = makeEntry(value, negative)
  entry.freshUntil = facts.freshUntil
  entry.deadAt = facts.deadAt
  entry.version = facts.version
  entry.epoch = facts.epoch
  entry.factoryMs = facts.factoryMs
  if (facts.tags.length > 0) {
    entry.tags = facts.tags
    entry.tagVersions = facts.tagVersions
    entry.tagNames = facts.tags.map((state) => state.tag)
  }
  return entry
}
