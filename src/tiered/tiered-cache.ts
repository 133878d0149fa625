/**
 * TieredCache: read-through over a first tier in this process and a second that processes share.
 *
 * Always true: a hit in the first tier is one lookup and one comparison, and allocates the promise that was asked for; a read
 * never fails for want of the second tier; what COHERENCE promises holds whichever process, thread or call makes the change.
 */

import type { Bus } from '../coherence/bus.js'
import { describe, HitpathError } from '../errors.js'
import type { PreparedKey } from '../key/prepared.js'
import type { IteratedKey } from '../l1/base-cache.js'
import type { CacheKey } from '../l1/engine.js'
import { LocalCache } from '../l1/local-cache.js'
import { keyList } from '../l1/options.js'
import type { HottestOptions } from '../l2/store.js'
import { RECORDER, type Recorder } from '../observe/recorder.js'
import type { Location } from '../platform.js'
import { Batches, isFresh, type ManyFactory } from './batches.js'
import { Core } from './core.js'
import type { Entry, Gate } from './entry.js'
import { hitChannel, type Listener, type TieredEvent } from './events.js'
import { explain } from './explain.js'
import type { Explanation } from './explanation.js'
import type { FirstTier } from './first-tier.js'
import {
  claimFirstTier,
  inside,
  insideOf,
  isOwnFirstTier,
  newThreads,
  originOf,
  ownFirstTier,
  releaseFirstTier,
} from './first-tier-use.js'
import { optionsFrom } from './from-config.js'
import { closedError } from './guard.js'
import { keysOf } from './keys.js'
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
import { RowAccess } from './row-access.js'
import { busOf, storeWithin } from './second-tier.js'
import { SlowReads } from './slow-reads.js'
import { Start } from './start.js'
import { type TieredStats, tieredStats } from './stats.js'
import { type HottestKeys, hottestKeys, type Promoted, promoteNamed } from './warming.js'
import { type DeleteResult, type PatternResult, type WriteResult, Writer } from './writer.js'

export class TieredCache<V = unknown> {
  readonly namespaceName: string
  readonly #options: TieredCacheOptions
  readonly #core: Core<V>
  readonly #gate: Gate
  readonly #l1: FirstTier
  readonly #policies: Policies
  readonly #start: Start
  readonly #link: BusLink
  readonly #replayer: Replayer
  readonly #reader: Reader<V>
  readonly #writer: Writer<V>
  readonly #loader: Loader<V>
  readonly #batches: Batches<V>
  readonly #slow: SlowReads<V>
  /** @internal For rows of predictions. */
  readonly rows: RowAccess
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
    const within = insideOf(options)
    this.#l1 = options.l1 ?? (new LocalCache(settings.clock && { clock: settings.clock }) as FirstTier)
    this.#ownsL1 = options.l1 === undefined || (within === undefined && isOwnFirstTier(options.l1))
    if (within === undefined) claimFirstTier(this.#l1, settings.namespace)
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
      prefix: within,
      threads: this.#threads,
      origin: originOf(this.#threads),
    })
    this.#core = core
    this.#gate = core.gate
    const anonymous = core as unknown as Core<unknown>
    const hasChildren = (): boolean => this.#children.size > 0
    this.#replayer = new Replayer(anonymous)
    this.#start = new Start(anonymous)
    this.#link = new BusLink(anonymous, () => void this.#replayer.drain(), hasChildren)
    this.#reader = new Reader(core, this.#start, this.#replayer)
    this.#writer = new Writer(core, this.#start, this.#replayer, hasChildren)
    this.#loader = new Loader(core, this.#reader, this.#replayer, this.#link)
    this.#batches = new Batches(core, this.#reader, this.#loader)
    this.#slow = new SlowReads(core, this.#policies, this.#reader, this.#loader)
    core.recorder.facts = {
      l2: l2 !== undefined,
      bus: core.bus !== undefined,
      replayMaxEntries: settings.replay.maxEntries,
      replayMaxBytes: settings.replay.maxBytes,
      invalidation: core.bus?.latency,
    }
    this.rows = new RowAccess(anonymous, this.#policies, this.#start, this.#reader as Reader<unknown>)
    this.#start.begin()
  }

  /**
   * The cache that a YAML or JSON file describes; src/config/CONFIGURATION.md lists its entries.
   * @throws HitpathError INVALID_CONFIG naming the entry, and what the tiers throw
   */
  static fromConfig<V = unknown>(path: string | Location): TieredCache<V> {
    const options = optionsFrom(path)
    ownFirstTier(options.l1)
    return new TieredCache<V>(options)
  }

  // The usual hit stands in each of the three calls that have one, and nothing else does: V8 inlines a getSync of 130 bytes of bytecode with all
  // that it calls, and not one of 300 (bench/README.md, "Inlining"). A closure made here would take memory on each hit.

  /** The value if the first tier has it, synchronously. @throws HitpathError INVALID_KEY, CLOSED */
  getSync(key: CacheKey): V | undefined {
    const gate = this.#gate
    if (gate.hits >= gate.unusualAt) return this.#unusualSync(key)
    const entry = this.#l1.get(key) as Entry<V> | undefined
    if (entry !== undefined && !hitChannel.hasSubscribers) {
      const { pass } = entry
      if (pass === gate.pass || pass === gate.tagPass) {
        gate.hits++
        return entry.value as V
      }
    }
    return this.#slow.getSync(key, entry)
  }

  /**
   * The value, from the first tier or the second; undefined when neither has it or the second does not answer.
   * @throws HitpathError INVALID_KEY, CLOSED
   */
  get(key: CacheKey, options?: CallOptions): Promise<V | undefined> {
    try {
      const gate = this.#gate
      if (gate.hits >= gate.unusualAt) return this.#unusualGet(key, options)
      const entry = this.#l1.get(key) as Entry<V> | undefined
      if (entry !== undefined && !hitChannel.hasSubscribers) {
        const { pass } = entry
        if (pass === gate.pass || pass === gate.tagPass) {
          gate.hits++
          return Promise.resolve(entry.value as V)
        }
      }
      return this.#slow.get(key, entry, options)
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
      const gate = this.#gate
      if (gate.hits >= gate.unusualAt) return this.#unusualGetOrSet(key, factory, options)
      const entry = this.#l1.get(key) as Entry<V> | undefined
      if (entry !== undefined && !hitChannel.hasSubscribers) {
        const { pass } = entry
        if (pass === gate.pass || pass === gate.tagPass) {
          gate.hits++
          return Promise.resolve(entry.value as V)
        }
      }
      return this.#slow.getOrSet(key, entry, factory, options)
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

  /**
   * The values of many keys, aligned: what the first tier lacks comes in one call of the second.
   *
   * With `tier: 'l2'` the first tier is neither looked into nor filled, and arrays of up to 4 KB may share memory: `value.buffer` is then larger
   * than the array (its `byteOffset` and `byteLength` say where it lies), and one array that is kept keeps up to 16 KB alive. `slice()` makes
   * one that stands alone.
   */
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

  /**
   * The values of many keys, aligned; the factory gets the missing ones together and gives an array of as many values, or a Map.
   * @throws what the factory throws; HitpathError INVALID_VALUE for another number of values; the reason of the signal
   */
  async getOrSetMany<K extends CacheKey>(
    keys: readonly K[],
    factory: ManyFactory<V, K>,
    options?: LoadOptions,
  ): Promise<(V | undefined)[]> {
    const policy = this.#policies.of(options)
    const tags = tagList(options?.tags)
    return await this.#batches.getOrSetMany(keyList(keys) as K[], factory, policy, tags, options?.signal)
  }

  /** Makes every entry that carries the tag invalid, everywhere. O(1) in their number. */
  invalidateTag(tag: string): Promise<WriteResult> {
    return this.#writer.invalidateTag(tag)
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
      present !== undefined && isFresh(core, present)
        ? present
        : await this.#reader.read(named, this.#policies.standard)
    if (entry === undefined || entry.negative) return undefined
    const left = entry.freshUntil - core.time.now()
    return left > 0 ? left : undefined
  }

  /**
   * The keys of live entries of the first tier, then those that only the second holds, each once and in no order. An array's key comes as a
   * prepared key. Scans the second tier, where an entry may be invalid by now: reading it is a miss then. Keeps the names that were shown.
   * @throws HitpathError INVALID_OPTION when the store cannot list; L2_TIMEOUT, L2_UNAVAILABLE, L2_ERROR, CLOSED
   */
  keys(): AsyncGenerator<IteratedKey> {
    return keysOf(this.#core, this.#start)
  }

  /** @internal What a Monitor reads. */
  get [RECORDER](): Recorder {
    return this.#core.recorder
  }

  /**
   * Keys of the second tier that are asked for most, the hottest first; none when there is no second tier. warmFromStore() reads them.
   * @throws HitpathError INVALID_OPTION when the store does not know; L2_TIMEOUT, L2_UNAVAILABLE, L2_ERROR, CLOSED; the reason of the signal
   */
  async hottest(options: HottestOptions): Promise<HottestKeys> {
    return await hottestKeys(this.#core, this.#start, options)
  }

  /**
   * Reads entries of the second tier into the first, under all guards of a read, and counts neither hits nor misses. What the first has
   * stays.
   */
  async promote(keys: readonly CacheKey[]): Promise<Promoted> {
    const named = keyList(keys).map((key) => this.#named(key))
    return await promoteNamed(this.#core, this.#reader, named, this.#policies.standard)
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
    const store = l2 === undefined ? {} : { l2: storeWithin(l2, full) }
    const child = new TieredCache<W>(inside({ ...inherited, ...store }, full))
    this.#children.set(name, child as unknown as TieredCache<never>)
    return child
  }

  /**
   * What a read of this key would meet in both tiers, and why: to be looked at, or printed with `String()`. Counts and changes nothing.
   * @throws HitpathError INVALID_KEY, CLOSED. A second tier that does not answer is told, not thrown.
   */
  async explain(key: CacheKey, options?: CallOptions): Promise<Explanation> {
    return await explain(this.#core, this.#replayer, this.#named(key), this.#policies.of(options))
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
    return tieredStats(this.#core, this.#replayer)
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
    else if (core.names.prefix === undefined) releaseFirstTier(this.#l1)
  }

  // Reads that are to be timed, or whose key is to be joined with the name of the namespace.

  #unusualSync(key: CacheKey): V | undefined {
    const gate = this.#gate
    if (gate.hits >= gate.sampleAt) return this.#timedSync(key)
    const entry = this.#within(key)
    if (entry !== undefined && !hitChannel.hasSubscribers) {
      const { pass } = entry
      if (pass === gate.pass || pass === gate.tagPass) {
        gate.hits++
        return entry.value as V
      }
    }
    return this.#slow.getSync(key, entry)
  }

  #timedSync(key: CacheKey): V | undefined {
    return this.#slow.timed(key, () => this.getSync(key))
  }

  #unusualGet(key: CacheKey, options: CallOptions | undefined): Promise<V | undefined> {
    if (this.#slow.isSampled()) return this.#slow.timed(key, () => this.get(key, options))
    return this.#slow.get(key, this.#within(key), options)
  }

  #unusualGetOrSet(
    key: CacheKey,
    factory: Factory<V>,
    options: LoadOptions | undefined,
  ): Promise<V | undefined> {
    if (this.#slow.isSampled()) return this.#slow.timed(key, () => this.getOrSet(key, factory, options))
    return this.#slow.getOrSet(key, this.#within(key), factory, options)
  }

  /** What the first tier has for a key of this namespace. */
  #within(key: CacheKey): Entry<V> | undefined {
    return this.#l1.get(this.#core.names.within(key)) as Entry<V> | undefined
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

export type { Bus }
