/**
 * From a miss to a value: the second tier, then the factory, under a fence.
 *
 * Always true: the fence, the generation token and the versions of the tags are taken before the factory runs (R3, R4, R19); what it makes
 * reaches the second tier only while the fence holds, and the first only if it reached the second or there is none to ask. One
 * computation a key and thread, and as asked one among threads and one among hosts.
 */
import { encodeEnvelope } from '../codec/envelope.js'
import type { Token } from '../coherence/generations.js'
import type { TagState } from '../coherence/tag-versions.js'
import { HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import type { Fence, L2Store, L2Write } from '../l2/store.js'
import { Context, type FactoryContext } from './context.js'
import { type Core, entryOf } from './core.js'
import type { Entry } from './entry.js'
import { Flight } from './flight.js'
import { closedError, isOutage } from './guard.js'
import type { BusLink } from './link.js'
import type { Named } from './names.js'
import { type Policy, tagList } from './options.js'
import type { Reader } from './reader.js'
import type { Replayer } from './replayer.js'
import type { Claims } from './thread-flight.js'
import { monotonicNow } from './time.js'

export type Factory<V> = (context: FactoryContext<V>) => V | undefined | Promise<V | undefined>

/** What is to be computed, and how. */
export interface Job<V> {
  readonly key: CacheKey
  readonly named: Named
  readonly policy: Policy
  readonly tags: readonly string[]
  readonly factory: Factory<V>
  /** The entry that is to be replaced, when there is one that may still be served. */
  readonly stale: Entry<V> | undefined
  /** The second tier was read for this caller already. */
  readonly read: boolean
}

/** What stands guard over a value in the making. */
export interface Guarded {
  readonly token: Token
  readonly states: readonly TagState[]
  readonly versions: readonly number[]
  /** Undefined while the second tier is out of reach. */
  readonly fence: Fence | undefined
  readonly epoch: number
  /** Nothing that happened before this is newer than the value. */
  readonly stamp: number
  /** Whether the server's clock was known then. */
  readonly dated: boolean
}

/** A claim of a thread that does not renew it is taken over after this. */
const CLAIM_MS = 1500
const RENEW_MS = 300
const LEASE_POLL_MS = 50

export class Loader<V> {
  readonly #core: Core<V>
  readonly #reader: Reader<V>
  readonly #replayer: Replayer
  readonly #link: BusLink

  constructor(core: Core<V>, reader: Reader<V>, replayer: Replayer, link: BusLink) {
    this.#core = core
    this.#reader = reader
    this.#replayer = replayer
    this.#link = link
  }

  /** The flight of the key: the one that is under way, or a new one. */
  flight(job: Job<V>): Flight<V> {
    const { flights } = this.#core
    const { name } = job.named
    const under = flights.get(name)
    if (under !== undefined && !under.overtaken && !under.settled) return under
    return this.fly(name, (flight) => this.#load(job, flight))
  }

  /** A new flight of the name. */
  fly(name: string, run: (flight: Flight<V>) => Promise<Entry<V> | undefined>): Flight<V> {
    const { flights } = this.#core
    const forget = (): void => {
      if (flights.get(name) === flight) flights.delete(name)
    }
    const flight: Flight<V> = new Flight<V>(async (own) => {
      await Promise.resolve() // until the flight stands in the table
      return run(own)
    }, forget)
    flights.set(name, flight)
    flight.done.then(forget, forget)
    return flight
  }

  async #load(job: Job<V>, flight: Flight<V>): Promise<Entry<V> | undefined> {
    const core = this.#core
    const { named, policy } = job
    let stale = job.stale
    const { outages } = core
    if (!job.read) {
      const found = await this.#reader.read(named, policy)
      flight.answered = found !== undefined && this.#answers(found, stale)
      if (flight.answered) return found
      stale = this.#better(found, stale)
    }
    core.refuseClosed()
    // A second tier that did not answer is not waited for again: this value stays here.
    const reached = outages === core.outages
    if (core.claims === undefined) return await this.#compute(job, flight, stale, reached)
    return await this.#computeAmongThreads(job, flight, stale, reached)
  }

  /** Whether what was found is worth more than a computation: fresh, and not the entry that is to be refreshed early. */
  #answers(found: Entry<V>, stale: Entry<V> | undefined): boolean {
    if (this.#core.time.now() > found.freshUntil) return false
    return stale === undefined || found.version > stale.version || this.#core.time.now() > stale.freshUntil
  }

  #better(found: Entry<V> | undefined, stale: Entry<V> | undefined): Entry<V> | undefined {
    if (found === undefined || found.negative || this.#core.time.now() > found.deadAt) return stale
    return stale === undefined || found.version > stale.version ? found : stale
  }

  async #computeAmongThreads(
    job: Job<V>,
    flight: Flight<V>,
    stale: Entry<V> | undefined,
    reached: boolean,
  ): Promise<Entry<V> | undefined> {
    const core = this.#core
    const { named } = job
    const claims = core.claims as Claims
    let claim = claims.take(named.name, monotonicNow(), CLAIM_MS)
    while (claim instanceof Promise) {
      await claim
      core.refuseClosed()
      claim = claims.take(named.name, monotonicNow(), CLAIM_MS)
    }
    const held = claim
    const renewal = setInterval(() => claims.renew(held, monotonicNow(), CLAIM_MS), RENEW_MS)
    const giveBack = (): void => {
      clearInterval(renewal)
      claims.give(held)
    }
    // What it may yet bring is worth no wait to anybody.
    flight.whenOvertaken(giveBack)
    try {
      // Who held it before may have put it here since we looked.
      const present = core.peek(named.l1)
      if (present !== undefined && core.judge(present) === 'fresh' && this.#answers(present, stale))
        return present
      return await this.#compute(job, flight, stale, reached)
    } finally {
      giveBack()
    }
  }

  async #compute(
    job: Job<V>,
    flight: Flight<V>,
    stale: Entry<V> | undefined,
    reached: boolean,
  ): Promise<Entry<V> | undefined> {
    const core = this.#core
    const guarded = await this.#leased(job, stale, reached)
    if ('entry' in guarded) return guarded.entry
    const { named, policy } = job
    const context = new Context<V>(
      job.key,
      stale?.negative ? undefined : (stale?.value ?? undefined),
      job.tags,
      () => flight.signal,
    )
    const began = core.time.now()
    try {
      core.counters.factoryCalls++
      const value = await job.factory(context)
      if (core.closed) throw closedError()
      const factoryMs = core.time.now() - began
      core.recorder.computed(named.name, value, factoryMs, core.time.now())
      return await this.store(named, policy, value, context, guarded, factoryMs, flight)
    } catch (error) {
      core.counters.factoryErrors++
      if (guarded.fence?.lease !== undefined) this.#release(guarded.fence)
      if (stale === undefined || core.closed) throw error
      return this.#fallBack(named, stale, policy, error)
    }
  }

  /** The factory failed: the stale value, for a while without asking again. */
  #fallBack(named: Named, stale: Entry<V>, policy: Policy, error: unknown): Entry<V> {
    const core = this.#core
    const now = core.time.now()
    if (now > stale.deadAt) throw error
    core.report(error)
    stale.retryAt = now + policy.graceRetry
    const present = core.peek(named.l1)
    if (present !== undefined) present.retryAt = stale.retryAt
    core.counters.staleServed++
    core.recorder.stale.error++
    core.events.emit('stale', { key: named.name, reason: 'error' })
    return stale
  }

  // ---- fences ----

  /** The guards for a computation of our own, or the entry that another host computed meanwhile. */
  async #leased(
    job: Job<V>,
    stale: Entry<V> | undefined,
    reached: boolean,
  ): Promise<Guarded | { readonly entry: Entry<V> }> {
    const core = this.#core
    const { leaseMs } = core.settings
    const { named, policy } = job
    const deadline = core.time.now() + leaseMs
    for (;;) {
      const [guarded] = await this.guards([named], policy, job.tags, leaseMs, reached)
      const { fence } = guarded as Guarded
      if (fence?.lease !== undefined) {
        // Who held it before may have written between our read and our lease.
        const found = await this.#reader.read(named, policy)
        if (found === undefined || !this.#answers(found, stale)) return guarded as Guarded
        this.#release(fence)
        return { entry: found }
      }
      const mine = fence === undefined || leaseMs === 0
      if (mine || core.time.now() >= deadline) return guarded as Guarded
      if (stale !== undefined) {
        core.counters.staleServed++
        core.recorder.stale.lease++
        core.events.emit('stale', { key: named.name, reason: 'lease' })
        return { entry: stale }
      }
      await this.#link.heard(named.name, Math.min(LEASE_POLL_MS, leaseMs))
      core.refuseClosed()
      const found = await this.#reader.read(named, policy)
      if (found !== undefined && core.time.now() <= found.freshUntil) return { entry: found }
    }
  }

  /** Takes the guards for names that are about to be computed together. Without the second tier there is no fence. */
  async guards(
    all: readonly Named[],
    policy: Policy,
    tags: readonly string[],
    leaseMs: number,
    reached = true,
  ): Promise<Guarded[]> {
    const core = this.#core
    const { l2 } = core
    const stamp = core.stamp()
    const dated = core.serverClock.known
    const tokens = all.map(({ name }) => core.generations.token(name))
    const epoch = core.epoch
    const fenced = l2 !== undefined && policy.l2 && reached && !core.guard.open && core.epochKnown
    const [fences, states] = await Promise.all([
      fenced
        ? core.guard
            .run(() =>
              (l2 as L2Store).fences(
                all.map(({ name }) => name),
                leaseMs > 0 ? leaseMs : undefined,
              ),
            )
            .catch((error: unknown) => this.#withoutL2(error))
        : undefined,
      tags.length === 0 ? [] : core.tagStates(tags).catch((error: unknown) => this.#withoutL2(error)),
    ])
    const known = states ?? []
    const versions = known.map((state) => state.version)
    return all.map((_, i) => ({
      token: tokens[i] as Token,
      // Without its tags' states nothing may be kept.
      states: known,
      versions,
      fence: states === undefined ? undefined : fences?.[i],
      epoch,
      stamp,
      dated,
    }))
  }

  #withoutL2(error: unknown): undefined {
    if (!isOutage(error) && !(error instanceof HitpathError && error.code === 'L2_ERROR')) throw error
    this.#core.report(error)
    return undefined
  }

  #release(fence: Fence): void {
    const { l2, guard } = this.#core
    if (l2 !== undefined) this.#core.detach(guard.run(() => l2.release(fence)))
  }

  // ---- what the factory made ----

  /** Writes it to the second tier under its fence, then puts it into the first. The entry, kept or not. */
  async store(
    named: Named,
    policy: Policy,
    value: V | undefined,
    context: Context<V>,
    guarded: Guarded,
    factoryMs: number,
    flight: Flight<V>,
  ): Promise<Entry<V> | undefined> {
    const made: Made<V> = { named, policy, value, context, guarded, factoryMs, flight }
    const [entry] = await this.storeMany([made])
    return entry
  }

  /** As `store`, in one call of the second tier; aligned. */
  async storeMany(all: readonly Made<V>[]): Promise<(Entry<V> | undefined)[]> {
    const core = this.#core
    const outgoing = await Promise.all(all.map((made) => this.#outgoing(made)))
    const writes: L2Write[] = []
    const written: Outgoing<V>[] = []
    for (const out of outgoing) {
      if (out?.write === undefined) continue
      writes.push(out.write)
      written.push(out)
    }
    if (writes.length > 0) await this.#write(writes, written)
    for (const out of outgoing) {
      if (out?.local === true) this.#invite(out)
      if (out?.keep === true && !(out.local && out.made.flight.overtaken))
        core.put(out.made.named, out.entry, out.made.guarded.token, out.policy)
    }
    return outgoing.map((out) => out?.entry)
  }

  /** Undefined when there is nothing to remember. */
  async #outgoing(made: Made<V>): Promise<Outgoing<V> | undefined> {
    const core = this.#core
    const { named, policy, value, context, guarded, factoryMs } = made
    const negative = value === undefined
    const ttl = context.ttlMs ?? (negative ? policy.negativeTtl : policy.ttl)
    if (ttl === 0 || (negative && !context.isNegative && policy.negativeTtl === 0)) {
      if (guarded.fence?.lease !== undefined) this.#release(guarded.fence)
      return undefined
    }
    const tagged = await this.#tagged(tagList(context.tags), guarded)
    const now = core.time.now()
    const lives = core.jittered(ttl, policy.jitter)
    const grace = negative ? 0 : policy.grace
    const entry = entryOf<V>(value, negative, {
      freshUntil: now + lives,
      deadAt: now + lives + grace,
      version: guarded.stamp,
      epoch: guarded.epoch,
      factoryMs,
      tags: tagged?.states ?? [],
      tagVersions: tagged?.versions ?? [],
    })
    const l1Ttl = context.ttlMs !== undefined || negative ? ttl : policy.l1Ttl
    const out: Outgoing<V> = {
      made,
      entry,
      policy: { ...policy, l1Ttl: policy.l1Ttl < policy.ttl ? Math.min(policy.l1Ttl, l1Ttl) : l1Ttl },
      ttlMs: lives + grace,
      keep: tagged !== undefined,
      local: true,
      write: undefined,
    }
    const { fence } = guarded
    if (tagged === undefined) core.counters.fencedOut++
    else if (fence !== undefined && policy.l2 && !this.#replayer.queue.blocks(named.name)) {
      out.write = { name: named.name, bytes: this.#encoded(entry), ttlMs: out.ttlMs, fence }
    }
    return out
  }

  /**
   * What the second tier did not take is offered to it again later, as of when its computation began: it gets in only if the name was not
   * changed since, and is valid only if its tags were not. Left out is what cannot be judged so: when the server's clock was not known or
   * the state of a tag is not, and what was overtaken here.
   */
  #invite({ made, entry, policy, keep, ttlMs }: Outgoing<V>): void {
    const { generations, l2 } = this.#core
    const { named, guarded, flight } = made
    if (l2 === undefined || !policy.l2 || !keep || !guarded.dated) return
    if (flight.overtaken || !generations.unchanged(guarded.token)) return
    const from = guarded.fence?.version ?? guarded.stamp
    entry.version = from
    const { name } = named
    const at = { from, to: from }
    const guest = { name, bytes: this.#encoded(entry), ttlMs, tags: entry.tagNames ?? [], at }
    if (this.#replayer.queue.invite(guest)) this.#replayer.queued()
  }

  #encoded(entry: Entry<V>): Buffer {
    const { serverOffset, settings } = this.#core
    const names = entry.tagNames ?? []
    return encodeEnvelope(
      {
        freshUntil: Math.max(0, entry.freshUntil + serverOffset),
        deadAt: Math.max(0, entry.deadAt + serverOffset),
        factoryMs: entry.factoryMs,
        epoch: entry.epoch,
        negative: entry.negative,
        tags: names.map((name, i) => ({ name, version: entry.tagVersions?.[i] as number })),
      },
      entry.value,
      { compressAbove: settings.compressAbove },
    )
  }

  /** The fence decides: what it keeps out of the second tier stays out of the first. */
  async #write(writes: readonly L2Write[], written: readonly Outgoing<V>[]): Promise<void> {
    const core = this.#core
    const l2 = core.l2 as L2Store
    try {
      const versions = await this.#replayer.changes.run(async (by) =>
        writes.length === 1 ? [await l2.set(writes[0] as L2Write, by)] : await l2.setMany(writes, by),
      )
      for (const [i, out] of written.entries()) {
        const version = versions[i]
        out.local = false
        if (version === undefined) {
          core.counters.fencedOut++
          out.keep = false
        } else {
          out.entry.version = version
          core.ownWrites.bump(out.made.named.name)
        }
      }
    } catch (error) {
      // Whether it was written is not known; that it may be served here is, as far as this process heard.
      this.#withoutL2(error)
    }
  }

  /** The states of all tags; undefined when one was invalidated since the computation began, or cannot be read. */
  async #tagged(
    tags: readonly string[],
    guarded: Guarded,
  ): Promise<{ readonly states: readonly TagState[]; readonly versions: readonly number[] } | undefined> {
    const known = new Map<string, number>()
    for (const [i, { tag, version: now }] of guarded.states.entries()) {
      const version = guarded.versions[i] as number
      // Not so when either is unknown, or the second tier turned out never to have had that version.
      if (version <= now) known.set(tag, version)
    }
    if (known.size === tags.length && tags.every((tag) => known.has(tag))) return guarded
    try {
      const states = await this.#core.tagStates(tags)
      const since = guarded.fence?.version ?? guarded.stamp
      const versions: number[] = []
      for (const { tag, version } of states) {
        const before = known.get(tag)
        // What was known may have turned out never to have been there while the others were asked for.
        if (before !== undefined && before <= version) versions.push(before)
        // An odd version, however new, was given to a tag of which no invalidation is known; NaN is not known.
        else if (version <= since || version % 2 === 1) versions.push(version)
        else return undefined
      }
      return { states, versions }
    } catch (error) {
      this.#withoutL2(error)
      return undefined
    }
  }
}

/** What a factory made of one name. */
export interface Made<V> {
  readonly named: Named
  readonly policy: Policy
  readonly value: V | undefined
  readonly context: Context<V>
  readonly guarded: Guarded
  readonly factoryMs: number
  readonly flight: Flight<V>
}

interface Outgoing<V> {
  readonly made: Made<V>
  readonly entry: Entry<V>
  readonly policy: Policy
  readonly ttlMs: number
  /** Whether it may be put into the first tier. */
  keep: boolean
  /** The second tier did not vouch for it. */
  local: boolean
  write: L2Write | undefined
}
