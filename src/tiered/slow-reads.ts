/**
 * Reads that are not the usual hit: judged hits, and the ways from a miss to a value.
 *
 * Always true: each read is counted once, as a hit when a tier answered it and as a miss else; why the first tier did not is counted
 * too. A getOrSet that goes to the second tier is counted when it is known who answered.
 */
import { describe, HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import type { StaleReason } from '../observe/recorder.js'
import type { Core } from './core.js'
import { missReason } from './diagnosis.js'
import { type Entry, entryValue, NEVER_SAMPLED } from './entry.js'
import { hitChannel } from './events.js'
import type { Factory, Loader } from './loader.js'
import type { Named } from './names.js'
import {
  type CallOptions,
  type LoadOptions,
  NO_TAGS,
  type Policies,
  type Policy,
  tagList,
} from './options.js'
import type { Reader } from './reader.js'

export class SlowReads<V> {
  readonly #core: Core<V>
  readonly #policies: Policies
  readonly #reader: Reader<V>
  readonly #loader: Loader<V>

  constructor(core: Core<V>, policies: Policies, reader: Reader<V>, loader: Loader<V>) {
    this.#core = core
    this.#policies = policies
    this.#reader = reader
    this.#loader = loader
  }

  /** Whether the read that comes is to be timed. */
  isSampled(): boolean {
    const { gate } = this.#core
    return gate.hits >= gate.sampleAt
  }

  /** Times a read, if it turns out to be a hit of the first tier, and notes its key. */
  timed<T>(key: CacheKey, read: () => T): T {
    const core = this.#core
    const { gate, names, recorder } = core
    const before = gate.hits
    core.sampleNext(recorder.every === 0 ? NEVER_SAMPLED : recorder.gap())
    const began = process.hrtime()
    const answer = read()
    const ended = process.hrtime()
    if (gate.hits === before || recorder.every === 0) return answer
    recorder.hit(began, ended)
    const isString = typeof key === 'string'
    recorder.asked(isString ? key : names.named(key).name, isString)
    return answer
  }

  /** @param entry what the first tier has for the key */
  getSync(key: CacheKey, entry: Entry<V> | undefined): V | undefined {
    if (entry !== undefined && this.#isPlainHit(entry)) return entryValue(entry)
    if (this.#isJudgedFresh(key, entry)) return entryValue(entry)
    this.#core.recorder.syncMisses++
    return undefined
  }

  get(key: CacheKey, entry: Entry<V> | undefined, options: CallOptions | undefined): Promise<V | undefined> {
    if (entry !== undefined && this.#isPlainHit(entry)) return Promise.resolve(entryValue(entry))
    return this.#isJudgedFresh(key, entry)
      ? Promise.resolve(entryValue(entry))
      : this.#readThrough(key, entry, options)
  }

  getOrSet(
    key: CacheKey,
    entry: Entry<V> | undefined,
    factory: Factory<V>,
    options: LoadOptions | undefined,
  ): Promise<V | undefined> {
    return entry !== undefined && this.#isPlainHit(entry)
      ? Promise.resolve(entryValue(entry))
      : this.#getOrMake(key, entry, factory, options)
  }

  /** Whether the entry may be served and there is nobody to tell; counts. */
  #isPlainHit(entry: Entry<V>): boolean {
    const core = this.#core
    if (hitChannel.hasSubscribers || !core.plainlyFresh(entry)) return false
    core.gate.hits++
    return true
  }

  /** Whether the entry may be served as fresh; counts and tells. */
  #isJudgedFresh(key: CacheKey, entry: Entry<V> | undefined): boolean {
    const core = this.#core
    core.refuseClosed()
    if (entry === undefined) return false
    const judged = core.judge(entry)
    if (judged !== 'fresh' && judged !== 'early') return false
    core.gate.hits++
    if (judged === 'early') core.recorder.early++
    if (entry.negative) core.recorder.negative++
    if (core.events.wants('hit')) core.events.emit('hit', { key: core.names.named(key).name, tier: 'l1' })
    return true
  }

  /** @param entry what the first tier has, and may not be served */
  #readThrough(
    key: CacheKey,
    entry: Entry<V> | undefined,
    options: CallOptions | undefined,
  ): Promise<V | undefined> {
    const core = this.#core
    const named = core.names.named(key)
    core.recorder.missedL1(missReason(core, entry), named.name, core.time)
    const policy = this.#policies.of(options)
    const answer = (read: Entry<V> | undefined): V | undefined => {
      const found = read !== undefined && core.time.now() <= read.freshUntil
      this.#told(named, found)
      return found ? entryValue(read) : undefined
    }
    // Listeners hear of a read in the async context of its caller.
    if (core.events.wants('hit') || core.events.wants('miss'))
      return this.#reader.read(named, policy).then(answer)
    return new Promise((resolve, reject) => {
      this.#reader.tell(named, policy, (read) => resolve(answer(read)), reject)
    })
  }

  #getOrMake(
    key: CacheKey,
    entry: Entry<V> | undefined,
    factory: Factory<V>,
    options: LoadOptions | undefined,
  ): Promise<V | undefined> {
    const core = this.#core
    core.refuseClosed()
    const judged = entry === undefined ? 'invalid' : core.judge(entry)
    const named = core.names.named(key)
    if (judged === 'fresh' || judged === 'early') {
      core.gate.hits++
      if ((entry as Entry<V>).negative) core.recorder.negative++
      if (core.events.wants('hit')) core.events.emit('hit', { key: named.name, tier: 'l1' })
      if (judged === 'early') {
        core.recorder.early++
        this.#refresh(key, named, entry as Entry<V>, factory, options, true)
      }
      return Promise.resolve(entryValue(entry))
    }
    if (typeof factory !== 'function')
      throw new HitpathError('INVALID_ARGUMENT', `a factory is a function; got ${describe(factory)}`)
    if (judged === 'stale') return this.#getStale(key, named, entry as Entry<V>, factory, options)
    return this.#make(key, named, factory, options, this.#policies.of(options), undefined, entry)
  }

  #getStale(
    key: CacheKey,
    named: Named,
    stale: Entry<V>,
    factory: Factory<V>,
    options: LoadOptions | undefined,
  ): Promise<V | undefined> {
    const core = this.#core
    const policy = this.#policies.of(options)
    const now = core.time.now()
    const waits = now < stale.retryAt
    if (waits || now <= stale.freshUntil + policy.revalidate) {
      this.#servedStale(named, waits ? 'retry' : 'revalidate')
      if (!waits) this.#refresh(key, named, stale, factory, options, false)
      return Promise.resolve(entryValue(stale))
    }
    return this.#make(key, named, factory, options, policy, stale, stale)
  }

  /** @param present what the first tier has, for the reason of the miss */
  #make(
    key: CacheKey,
    named: Named,
    factory: Factory<V>,
    options: LoadOptions | undefined,
    policy: Policy,
    stale: Entry<V> | undefined,
    present: Entry<V> | undefined,
  ): Promise<V | undefined> {
    const core = this.#core
    core.recorder.missedL1(missReason(core, present), named.name, core.time)
    const tags = options?.tags === undefined ? NO_TAGS : tagList(options.tags)
    const { signal } = options ?? {}
    if (signal?.aborted === true) {
      this.#told(named, false)
      return Promise.reject(signal.reason)
    }
    const flight = this.#loader.flight({ key, named, policy, tags, factory, stale, read: false })
    if (core.l2 === undefined || !policy.l2) this.#told(named, false)
    else {
      flight.done.then(
        () => this.#told(named, flight.answered),
        () => this.#told(named, false),
      )
    }
    return flight.join({
      soft: policy.soft,
      hard: policy.hard,
      signal,
      stale,
      onStale: (reason) => this.#servedStale(named, reason),
    })
  }

  /** In the background: nobody waits, so its errors are reported. */
  #refresh(
    key: CacheKey,
    named: Named,
    stale: Entry<V>,
    factory: Factory<V>,
    options: LoadOptions | undefined,
    early: boolean,
  ): void {
    const core = this.#core
    const under = core.flights.get(named.name)
    if (under !== undefined && !under.overtaken && !under.settled) return
    const tags = options?.tags === undefined ? (stale.tagNames ?? NO_TAGS) : tagList(options.tags)
    const policy = this.#policies.of(options)
    const flight = this.#loader.flight({ key, named, policy, tags, factory, stale, read: false })
    flight.hold()
    core.detach(flight.done)
    if (core.events.wants('refresh')) core.events.emit('refresh', { key: named.name, early })
  }

  /** The second tier answered, or nobody did. */
  #told({ name }: Named, found: boolean): void {
    const { counters, events, gate, recorder } = this.#core
    if (found) {
      gate.hits++
      recorder.l2Answers++
      if (events.wants('hit')) events.emit('hit', { key: name, tier: 'l2' })
    } else {
      counters.misses++
      if (events.wants('miss')) events.emit('miss', { key: name })
    }
  }

  #servedStale({ name }: Named, reason: StaleReason): void {
    const core = this.#core
    core.counters.staleServed++
    core.recorder.stale[reason]++
    if (core.events.wants('stale')) core.events.emit('stale', { key: name, reason })
  }
}
