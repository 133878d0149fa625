/**
 * TieredCache: read-through over a first tier in this process and a second that processes share.
 *
 * Always true: a hit in the first tier is one lookup and one comparison, and allocates the promise that was asked for; a read
 * never fails for want of the second tier; what COHERENCE promises holds whichever process, thread or call makes the change.
 */

import { randomBytes } from 'node:crypto'
import type { Bus } from '../coherence/bus.js'
import { Generations } from '../coherence/generations.js'
import { describe, HitpathError } from '../errors.js'
import type { PreparedKey } from '../key/prepared.js'
import type { CacheKey } from '../l1/engine.js'
import { LocalCache } from '../l1/local-cache.js'
import { keyList } from '../l1/options.js'
import type { CacheStats } from '../l1/stats.js'
import type { Location } from '../platform.js'
import { Batches, type ManyFactory } from './batches.js'
import { Core, type Counters } from './core.js'
import { type Entry, entryValue, type Gate } from './entry.js'
import { hitChannel, type Listener, type TieredEvent } from './events.js'
import type { FirstTier } from './first-tier.js'
import { optionsFrom } from './from-config.js'
import { closedError } from './guard.js'
import { BusLink } from './link.js'
import { type Factory, Loader } from './loader.js'
import type { Named } from './names.js'
import {
  type CallOptions,
  type LoadOptions,
  NO_TAGS,
  Policies,
  type Policy,
  readSettings,
  type TieredCacheOptions,
  tagList,
  type WriteOptions,
} from './options.js'
import { Reader } from './reader.js'
import { Replayer } from './replayer.js'
import { busOf, storeWithin } from './second-tier.js'
import { Start } from './start.js'
import { Claims } from './thread-flight.js'
import { type DeleteResult, type PatternResult, type WriteResult, Writer } from './writer.js'

export interface TieredStats extends Counters {
  /** Reads that were answered by either tier. */
  readonly hits: number
  readonly l1: CacheStats
  /** Hits of both tiers over reads. */
  readonly hitRatio: number
  readonly circuit: 'closed' | 'open' | 'half-open'
  /** Whether the bus hears; true without one to hear. */
  readonly linked: boolean
  /** Changes that wait for the second tier, and their bytes. */
  readonly replaying: number
  readonly replayingBytes: number
  /** Milliseconds from a change in the server until it was heard here, by quantile; undefined without a bus. */
  readonly invalidationMs: { readonly p50: number; readonly p99: number } | undefined
}

/** First tiers that were made here, and are closed here. */
const own = new WeakSet<FirstTier>()
/** First tiers and the cache that uses them: no two caches may meet in one without prefixes. */
const taken = new WeakMap<FirstTier, string>()

export class TieredCache<V = unknown> {
  readonly namespaceName: string
  readonly #options: TieredCacheOptions
  readonly #core: Core<V>
  readonly #gate: Gate
  readonly #l1: FirstTier
  readonly #prefix: string | undefined
  readonly #policies: Policies
  readonly #start: Start
  readonly #link: BusLink
  readonly #replayer: Replayer
  readonly #reader: Reader<V>
  readonly #writer: Writer<V>
  readonly #loader: Loader<V>
  readonly #batches: Batches<V>
  readonly #children = new Map<string, TieredCache<never>>()
  readonly #ownsL1: boolean
  readonly #threads: SharedArrayBuffer | undefined
  #closing: Promise<void> | undefined

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: TieredCacheOptions = {}) {
    const settings = readSettings(options)
    this.#options = options
    this.namespaceName = settings.namespace
    this.#policies = new Policies(options, 'TieredCache')
    const inside = insideOf(options)
    this.#l1 = options.l1 ?? (new LocalCache(settings.clock && { clock: settings.clock }) as FirstTier)
    this.#ownsL1 = options.l1 === undefined || (inside === undefined && own.has(options.l1))
    if (inside === undefined) claim(this.#l1, settings.namespace)
    this.#threads = options.threads ?? ('handle' in this.#l1 ? newThreads() : undefined)
    const { namespace } = settings
    const l2 =
      options.l2 === undefined || options.l2.namespace === namespace
        ? options.l2
        : storeWithin(options.l2, namespace)
    const core = new Core<V>({
      settings,
      l1: this.#l1,
      l2,
      bus: l2 === undefined ? undefined : busOf(l2, options.bus),
      prefix: inside,
      threads: this.#threads,
      origin: this.#threads === undefined ? randomBytes(6).toString('base64url') : originOf(this.#threads),
    })
    this.#core = core
    this.#gate = core.gate
    this.#prefix = core.names.prefix
    const anonymous = core as unknown as Core<unknown>
    const hasChildren = (): boolean => this.#children.size > 0
    this.#replayer = new Replayer(anonymous)
    this.#start = new Start(anonymous)
    this.#link = new BusLink(anonymous, () => void this.#replayer.drain(), hasChildren)
    this.#reader = new Reader(core, this.#start, this.#replayer)
    this.#writer = new Writer(core, this.#start, this.#replayer, hasChildren)
    this.#loader = new Loader(core, this.#reader, this.#replayer, this.#link)
    this.#batches = new Batches(core, this.#reader, this.#loader)
    this.#start.begin()
  }

  /**
   * The cache that a YAML or JSON file describes; README.md lists its entries.
   * @throws HitpathError INVALID_CONFIG naming the entry, and what the tiers throw
   */
  static fromConfig<V = unknown>(path: string | Location): TieredCache<V> {
    const options = optionsFrom(path)
    own.add(options.l1)
    return new TieredCache<V>(options)
  }

  // The usual hit stands in each of the three calls that have one: a method of its own costs getSync 6 ns of 55.

  /** The value if the first tier has it, synchronously. @throws HitpathError INVALID_KEY, CLOSED */
  getSync(key: CacheKey): V | undefined {
    const entry = this.#l1.get(this.#prefix === undefined ? key : this.#core.names.within(key)) as
      | Entry<V>
      | undefined
    const gate = this.#gate
    if (entry !== undefined && !hitChannel.hasSubscribers) {
      if (entry.pass === gate.pass) {
        gate.hits++
        return entry.value as V
      }
      if (this.#core.plainlyFresh(entry)) {
        gate.hits++
        return entryValue(entry)
      }
    }
    return this.#judged(key, entry) ? entryValue(entry) : undefined
  }

  /**
   * The value, from the first tier or the second; undefined when neither has it or the second does not answer.
   * @throws HitpathError INVALID_KEY, CLOSED
   */
  get(key: CacheKey, options?: CallOptions): Promise<V | undefined> {
    try {
      const entry = this.#l1.get(this.#prefix === undefined ? key : this.#core.names.within(key)) as
        | Entry<V>
        | undefined
      const gate = this.#gate
      if (entry !== undefined && !hitChannel.hasSubscribers) {
        if (entry.pass === gate.pass) {
          gate.hits++
          return Promise.resolve(entry.value as V)
        }
        if (this.#core.plainlyFresh(entry)) {
          gate.hits++
          return Promise.resolve(entryValue(entry))
        }
      }
      return this.#judged(key, entry) ? Promise.resolve(entryValue(entry)) : this.#readThrough(key, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Whether there is a value. */
  async has(key: CacheKey): Promise<boolean> {
    return (await this.get(key)) !== undefined
  }

  /**
   * The value, or what the factory makes of it. At most one factory runs for a key at a time.
   *
   * @throws what the factory throws when there is no stale value to serve; HitpathError FACTORY_TIMEOUT; the reason of the signal
   */
  getOrSet(key: CacheKey, factory: Factory<V>, options?: LoadOptions): Promise<V | undefined> {
    try {
      const entry = this.#l1.get(this.#prefix === undefined ? key : this.#core.names.within(key)) as
        | Entry<V>
        | undefined
      const gate = this.#gate
      if (entry !== undefined && !hitChannel.hasSubscribers) {
        if (entry.pass === gate.pass) {
          gate.hits++
          return Promise.resolve(entry.value as V)
        }
        if (this.#core.plainlyFresh(entry)) {
          gate.hits++
          return Promise.resolve(entryValue(entry))
        }
      }
      return this.#getOrMake(key, entry, factory, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Stores a value in both tiers.
   * @throws HitpathError INVALID_VALUE for undefined, UNSUPPORTED_VALUE, TOO_LARGE; L2_ERROR when the second tier refuses it
   */
  async set(key: CacheKey, value: V, options?: WriteOptions): Promise<WriteResult> {
    return await this.#writer.set(this.#outgoing(key, value, options))
  }

  /** Removes an entry everywhere. */
  async delete(key: CacheKey): Promise<DeleteResult> {
    return await this.#writer.delete(this.#named(key))
  }

  /** The values of many keys, aligned: what the first tier lacks comes in one call of the second. */
  async getMany(keys: readonly CacheKey[], options?: CallOptions): Promise<(V | undefined)[]> {
    return await this.#batches.getMany(keyList(keys), this.#policies.of(options))
  }

  async setMany(
    entries: Iterable<readonly [key: CacheKey, value: V, options?: WriteOptions]>,
  ): Promise<WriteResult[]> {
    return await this.#writer.setMany(
      Array.from(entries, ([key, value, options]) => this.#outgoing(key, value, options)),
    )
  }

  async deleteMany(keys: readonly CacheKey[]): Promise<DeleteResult[]> {
    return await this.#writer.deleteMany(keyList(keys).map((key) => this.#named(key)))
  }

  /** The values of many keys, aligned; the factory gets the missing ones together and gives an array of as many values, or a Map. */
  async getOrSetMany<K extends CacheKey>(
    keys: readonly K[],
    factory: ManyFactory<V, K>,
    options?: WriteOptions,
  ): Promise<(V | undefined)[]> {
    const policy = this.#policies.of(options)
    return await this.#batches.getOrSetMany(keyList(keys) as K[], factory, policy, tagList(options?.tags))
  }

  /** Makes every entry that carries the tag invalid, everywhere. O(1) in their number. */
  async invalidateTag(tag: string): Promise<WriteResult> {
    if (typeof tag !== 'string')
      throw new HitpathError('INVALID_ARGUMENT', `a tag is a string; got ${describe(tag)}`)
    return await this.#writer.invalidateTag(tag)
  }

  /** Removes the entries whose key is a string that matches a glob as in Redis. Looks at every entry of the namespace. */
  async invalidatePattern(glob: string): Promise<PatternResult> {
    return await this.#writer.invalidatePattern(glob)
  }

  /** Makes every entry of this namespace invalid, everywhere, and of no other. O(1) here. */
  async clear(): Promise<WriteResult> {
    return await this.#writer.clear()
  }

  /** Milliseconds for which the value is fresh, `Infinity` without end, undefined when there is none. */
  async remainingTtl(key: CacheKey): Promise<number | undefined> {
    const core = this.#core
    core.refuseClosed()
    const named = this.#named(key)
    const present = core.peek(named.l1)
    const entry =
      present !== undefined && isServable(core, present)
        ? present
        : await this.#reader.read(named, this.#policies.standard)
    if (entry === undefined || entry.negative) return undefined
    const left = entry.freshUntil - core.time.now()
    return left > 0 ? left : undefined
  }

  /** A key made once and used often. It belongs to this namespace. */
  key(key: CacheKey): PreparedKey {
    return this.#core.names.prepare(key)
  }

  /**
   * A namespace within this one: its keys meet no others, `clear` empties it alone, and it shares the first tier's capacity. Closed with
   * this cache. The same name gives the same cache. Its string keys are joined with its name on each call: prepare hot ones.
   */
  namespace<W = V>(
    name: string,
    options: Omit<TieredCacheOptions, 'l1' | 'l2' | 'namespace'> = {},
  ): TieredCache<W> {
    this.#core.refuseClosed()
    const existing = this.#children.get(name)
    if (existing !== undefined) return existing as unknown as TieredCache<W>
    if (typeof name !== 'string' || name === '')
      throw new HitpathError(
        'INVALID_ARGUMENT',
        `a namespace is a string that is not empty; got ${describe(name)}`,
      )
    const full = `${this.namespaceName}:${name}`
    const { l2, bus } = this.#options
    const inherited: TieredCacheOptions = {
      ...this.#options,
      ...(typeof bus === 'object' ? { bus: 'stream' as const } : {}),
      ...options,
      namespace: full,
      l1: this.#l1,
    }
    const within: TieredCacheOptions & Inside = {
      ...inherited,
      ...(l2 === undefined ? {} : { l2: storeWithin(l2, full) }),
    }
    Object.defineProperty(within, INSIDE, { value: full })
    const child = new TieredCache<W>(within)
    this.#children.set(name, child as unknown as TieredCache<never>)
    return child
  }

  on<E extends TieredEvent>(event: E, listener: Listener<E>): this {
    this.#core.events.on(event, listener)
    return this
  }

  off<E extends TieredEvent>(event: E, listener: Listener<E>): this {
    this.#core.events.off(event, listener)
    return this
  }

  once<E extends TieredEvent>(event: E, listener: Listener<E>): this {
    const first: Listener<E> = (told) => {
      this.off(event, first)
      listener(told)
    }
    return this.on(event, first)
  }

  /** Hand this, with the handle of the SharedCache, to the other threads; undefined over a LocalCache. */
  get threads(): SharedArrayBuffer | undefined {
    return this.#threads
  }

  /** Waits until the second tier is known and the bus is linked. The first calls do so by themselves. @throws HitpathError */
  async ready(): Promise<void> {
    this.#core.refuseClosed()
    await this.#start.ready()
  }

  stats(): TieredStats {
    const core = this.#core
    const { hits } = core.gate
    const { misses } = core.counters
    const latency = core.bus?.latency
    return {
      ...core.counters,
      hits,
      l1: this.#l1.stats(),
      hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
      circuit: core.guard.breaker.state,
      linked: core.linked,
      replaying: this.#replayer.queue.size,
      replayingBytes: this.#replayer.queue.bytes,
      invalidationMs:
        latency === undefined ? undefined : { p50: latency.percentile(0.5), p99: latency.percentile(0.99) },
    }
  }

  /** Ends everything: pending calls reject with CLOSED, the store and the bus are closed, and a first tier that was handed in stays. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    const core = this.#core
    core.closed = true
    core.retune()
    const error = closedError()
    for (const flight of core.flights.values()) flight.abort(error)
    core.guard.close()
    this.#link.close()
    this.#replayer.close()
    await Promise.allSettled([...this.#children.values()].map((child) => child.close()))
    await Promise.allSettled([core.bus?.close(), core.l2?.close()])
    await Promise.allSettled(core.background)
    core.events.clear()
    if (this.#ownsL1) this.#l1.close()
    else if (this.#prefix === undefined) taken.delete(this.#l1)
  }

  // ---- reads that are not the usual hit ----

  /** Whether the entry may be served as fresh; counts and tells. */
  #judged(key: CacheKey, entry: Entry<V> | undefined): boolean {
    const core = this.#core
    core.refuseClosed()
    if (entry === undefined || !isServable(core, entry)) return false
    core.gate.hits++
    if (core.events.wants('hit')) core.events.emit('hit', { key: this.#named(key).name, tier: 'l1' })
    return true
  }

  async #readThrough(key: CacheKey, options: CallOptions | undefined): Promise<V | undefined> {
    const core = this.#core
    const named = this.#named(key)
    const entry = await this.#reader.read(named, this.#policies.of(options))
    const found = entry !== undefined && core.time.now() <= entry.freshUntil
    this.#told(named, found)
    return found ? entryValue(entry) : undefined
  }

  #told({ name }: Named, found: boolean): void {
    const { counters, events, gate } = this.#core
    if (found) {
      gate.hits++
      if (events.wants('hit')) events.emit('hit', { key: name, tier: 'l2' })
    } else {
      counters.misses++
      if (events.wants('miss')) events.emit('miss', { key: name })
    }
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
    const named = this.#named(key)
    if (judged === 'fresh' || judged === 'early') {
      core.gate.hits++
      if (core.events.wants('hit')) core.events.emit('hit', { key: named.name, tier: 'l1' })
      if (judged === 'early') this.#refresh(key, named, entry as Entry<V>, factory, options, true)
      return Promise.resolve(entryValue(entry))
    }
    if (typeof factory !== 'function')
      throw new HitpathError('INVALID_ARGUMENT', `a factory is a function; got ${describe(factory)}`)
    if (judged === 'stale') return this.#getStale(key, named, entry as Entry<V>, factory, options)
    return this.#make(key, named, factory, options, this.#policies.of(options), undefined)
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
    return this.#make(key, named, factory, options, policy, stale)
  }

  #make(
    key: CacheKey,
    named: Named,
    factory: Factory<V>,
    options: LoadOptions | undefined,
    policy: Policy,
    stale: Entry<V> | undefined,
  ): Promise<V | undefined> {
    const core = this.#core
    core.counters.misses++
    if (core.events.wants('miss')) core.events.emit('miss', { key: named.name })
    const tags = options?.tags === undefined ? NO_TAGS : tagList(options.tags)
    const { signal } = options ?? {}
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const flight = this.#loader.flight({ key, named, policy, tags, factory, stale, read: false })
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

  #servedStale({ name }: Named, reason: 'slow' | 'error' | 'revalidate' | 'retry'): void {
    const core = this.#core
    core.counters.staleServed++
    if (core.events.wants('stale')) core.events.emit('stale', { key: name, reason })
  }

  #named(key: CacheKey): Named {
    return this.#core.names.named(key)
  }

  #outgoing(
    key: CacheKey,
    value: V,
    options: WriteOptions | undefined,
  ): { named: Named; value: V; policy: Policy; tags: readonly string[] } {
    if (value === undefined)
      throw new HitpathError('INVALID_VALUE', 'undefined cannot be stored: it is how a miss looks')
    return {
      named: this.#named(key),
      value,
      policy: this.#policies.of(options),
      tags: options?.tags === undefined ? NO_TAGS : tagList(options.tags),
    }
  }
}

function isServable<V>(core: Core<V>, entry: Entry<V>): boolean {
  const judged = core.judge(entry)
  return judged === 'fresh' || judged === 'early'
}

const INSIDE: unique symbol = Symbol('inside')
interface Inside {
  readonly [INSIDE]?: string
}

/** The name under which a namespace uses another's first tier. */
function insideOf(options: TieredCacheOptions & Inside): string | undefined {
  return options[INSIDE]
}

function claim(l1: FirstTier, namespace: string): void {
  const by = taken.get(l1)
  if (by !== undefined) {
    throw new HitpathError(
      'INVALID_OPTION',
      `TieredCache.l1 serves the namespace ${describe(by)} already: use its namespace(), or a first tier of its own`,
    )
  }
  taken.set(l1, namespace)
}

const ORIGIN_AT = Generations.BYTES + Claims.BYTES
const ORIGIN_BYTES = 6

function newThreads(): SharedArrayBuffer {
  const threads = new SharedArrayBuffer(ORIGIN_AT + 8)
  new Uint8Array(threads).set(randomBytes(ORIGIN_BYTES), ORIGIN_AT)
  return threads
}

/** Threads that share a first tier write as one: what one of them removed is removed for all. */
function originOf(threads: SharedArrayBuffer): string {
  return Buffer.from(new Uint8Array(threads).slice(ORIGIN_AT, ORIGIN_AT + ORIGIN_BYTES)).toString('base64url')
}

export type { Bus }
