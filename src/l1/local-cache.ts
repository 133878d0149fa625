/**
 * LocalCache: any JavaScript value by reference, on one thread.
 *
 * The engine's store holds keys, deadlines and eviction state; the values stand in an array indexed by slot. Always true: a
 * value is in the array exactly while its slot is taken, so what leaves the cache can be collected.
 */
import { randomBytes } from 'node:crypto'
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import { PreparedKey } from '../key/prepared.js'
import { bindingOf, doubles, scratch, words } from '../native/binding.js'
import { engineOption } from '../native/choice.js'
import {
  BIT_PEEK,
  FLAG_FOREIGN_CLOCK,
  FLAG_LRU,
  KEY_LONG,
  SLOT_FREQ,
  STAGING_COUNT,
  STAGING_DEADLINE,
  STAGING_FORM,
  STAGING_REMOVED,
  STAGING_REMOVED_SLOT,
  STAGING_REMOVED_WHY,
  STAGING_SEQ,
  STAGING_SLOT,
  STAGING_STATUS,
  STAGING_TICK,
  STAGING_TTL,
  STAGING_VALUE_FORM,
  STAGING_VALUE_TAG,
  TAG_LINK_BYTES,
  VALUE_NONE,
} from '../native/layout.js'
import { functionOption, integerOption, oneOfOption, refuseUnknownOptions } from '../options.js'
import { BaseCache, type IteratedKey } from './base-cache.js'
import { type CacheKey, type Clock, Engine, NO_SLOT, stageNow } from './engine.js'
import { Front, TICK_SLACK_MS } from './front.js'
import { maintain } from './maintenance.js'
import { clockOption, type SetOptions, tagsOf, ttlOf } from './options.js'
import { createRegion } from './region.js'
import { Scope, scopeWord } from './scope.js'
import { LocalPort, type PlaceFlags } from './snapshot-local.js'
import type { SaveOptions } from './snapshot-options.js'
import { type CacheStats, statsOf } from './stats.js'

/** Why an entry left: the policy chose it, its time was over, delete(), clear(), a tag or pattern, a newer value. */
export type RemovalReason = 'evicted' | 'expired' | 'deleted' | 'cleared' | 'invalidated' | 'replaced'

type Removal<V> = readonly [key: IteratedKey | undefined, value: V, reason: RemovalReason]

const REASONS: readonly (RemovalReason | undefined)[] = [
  undefined,
  'evicted',
  'expired',
  'deleted',
  'cleared',
  'invalidated',
  'replaced',
]

export interface LocalCacheOptions<V> {
  /** Entries that the cache may hold, 1 to 2^28. Default 10,000. */
  readonly maxEntries?: number
  /** Time to live of entries that are set without one. Default `Infinity`. */
  readonly ttl?: Duration
  /** `xg` (default) keeps what is hit again; `lru` is exact, and its hits always cross to native code. */
  readonly policy?: 'xg' | 'lru'
  /** Milliseconds for deadlines. Default: the native monotonic clock. Another one is read with each call. */
  readonly clock?: Clock
  /**
   * Called after each removal, once the call that caused it is complete; what it throws becomes a process warning. A key
   * that is an array comes as a prepared key. Default: none.
   */
  readonly onRemoval?: (key: IteratedKey, value: V, reason: RemovalReason) => void
  /**
   * `native`: the addon, or NATIVE_LOAD. `portable`: the same cache in TypeScript, on any platform, of at most 2^23 entries.
   * `auto` (default): what the environment variable `HITPATH_ENGINE` says; without it native where the binary loads, else portable after one
   * warning (HITPATH_PORTABLE).
   */
  readonly engine?: 'native' | 'portable' | 'auto'
}

const TICK = STAGING_TICK / 8

/** A unit that stands on the second line of its string, if that has two; V8 puts 16 bytes before the units. */
const SECOND_LINE = 24
/** Of more slots than these hardly a key is in the processor's caches when it is asked for. */
const LARGE_SLOTS = 2 ** 18

// Bytes in which an entry says that it carries six tags; memory that is not touched costs nothing.
const TAG_BYTES = 16 + 6 * TAG_LINK_BYTES

// And fifteen entries with the most tags: what is replaced or evicted goes after the new links have their place.
const SPARE_TAG_BYTES = 16_384

export class LocalCache<V = unknown> extends BaseCache<V> {
  readonly #engine: Engine
  readonly #front: Front
  readonly #large: boolean
  readonly #values: (V | undefined)[]
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #stopMaintenance: () => void
  /** Strings beyond CELL_BYTES, of which native code keeps a digest only, by slot. */
  readonly #longKeys = new Map<number, string>()
  readonly #onRemoval: LocalCacheOptions<V>['onRemoval']
  /** Keys by slot, kept only for a removal listener. */
  readonly #keys: (IteratedKey | undefined)[] | undefined
  #prepared = 0

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY, NATIVE_LOAD */
  constructor(options: LocalCacheOptions<V> = {}) {
    refuseUnknownOptions(options, 'LocalCache', [
      'maxEntries',
      'ttl',
      'policy',
      'clock',
      'onRemoval',
      'engine',
    ])
    const maxEntries = integerOption(options.maxEntries ?? 10_000, 'LocalCache.maxEntries', {
      min: 1,
      max: 2 ** 28,
    })
    const ttl =
      options.ttl === undefined
        ? Infinity
        : parseDuration(options.ttl, 'LocalCache.ttl', { allowInfinity: true })
    const policy = oneOfOption(options.policy ?? 'xg', 'LocalCache.policy', ['xg', 'lru'])
    const clock = clockOption(options.clock, 'LocalCache.clock')
    if (options.onRemoval !== undefined) functionOption(options.onRemoval, 'LocalCache.onRemoval')
    const binding = bindingOf(
      options.engine === undefined ? undefined : engineOption(options.engine, 'LocalCache.engine'),
    )
    const flags = (policy === 'lru' ? FLAG_LRU : 0) | (clock === undefined ? 0 : FLAG_FOREIGN_CLOCK)
    const arenaBytes = Math.ceil((maxEntries * TAG_BYTES + SPARE_TAG_BYTES) / 64) * 64
    const config = [1, maxEntries, Math.min(arenaBytes, 2 ** 33), ttl, flags, 0] as const

    const region = createRegion(binding.regionBytes(...config))
    if (clock !== undefined) stageNow(clock)
    binding.create(new Uint8Array(region), randomBytes(16), ...config)
    const token = binding.open(new Uint8Array(region))
    if (typeof token === 'number')
      throw new HitpathError('REGION_CORRUPT', `a new region is refused (${token})`)

    const engine = new Engine(region, token, clock, binding)
    super(engine)
    this.#engine = engine
    this.#front = new Front(engine)
    this.#words = this.#engine.words
    this.#bytes = this.#engine.bytes
    this.#large = token.slots > LARGE_SLOTS
    this.#values = new Array<V | undefined>(token.slots).fill(undefined)
    this.#onRemoval = options.onRemoval
    this.#keys = options.onRemoval === undefined ? undefined : []
    this.#stopMaintenance = maintain(this)
  }

  get(key: CacheKey): V | undefined {
    if (typeof key === 'string') {
      const slot = this.#front.lookup(key)
      return slot >= 0 ? this.#values[slot] : this.#getString(key)
    }
    return key instanceof PreparedKey ? this.#getPrepared(key) : this.#getOther(key)
  }

  // Not in get(), which V8 inlines with what it calls only while all of it together is short.
  #getOther(key: Exclude<CacheKey, string | PreparedKey>): V | undefined {
    return typeof key === 'object' && key !== null
      ? this.#valueAt(this.#engine.findArray(key, 0, 0))
      : this.#valueAt(this.#engine.find(key, 0))
  }

  #getString(key: string): V | undefined {
    this.#engine.begin(0)
    // The call asks for a key's second line only once it has the first; asked for here, they come from memory side by side. What is written
    // stands where the call writes the slot.
    if (this.#large && key.length > SECOND_LINE) words[STAGING_SLOT / 4] = key.charCodeAt(SECOND_LINE)
    this.#engine.findString(key)
    const slot = words[STAGING_SLOT / 4] as number
    if (slot === NO_SLOT) return this.#missed()
    if (words[STAGING_FORM / 4] === KEY_LONG && this.#longKeys.get(slot) !== key) return undefined
    this.#front.remember(key, slot, words[STAGING_SEQ / 4] as number, doubles[STAGING_DEADLINE / 8] as number)
    return this.#values[slot]
  }

  #getPrepared(key: PreparedKey): V | undefined {
    const { word } = key
    if (
      this.#words[word] === key.seq &&
      (doubles[TICK] as number) <= key.safeUntil &&
      key.owner === this.#engine
    ) {
      if ((this.#bytes[4 * word + SLOT_FREQ] as number) < 3) this.#engine.touch(word)
      const value = this.#values[key.slot]
      if (value !== undefined) {
        this.#prepared++
        return value
      } // undefined: the cache is closed, which the call below says
    }
    return this.#findPrepared(key)
  }

  #findPrepared(key: PreparedKey): V | undefined {
    const slot = this.#engine.find(key, 0)
    if (slot === NO_SLOT) return this.#missed()
    if (typeof key.key === 'string' && !this.#isLong(slot, key.key)) return undefined
    if (this.#engine.quick) {
      key.slot = slot
      key.word = this.#engine.wordOf(slot)
      key.seq = (words[STAGING_SEQ / 4] as number) | 0
      key.safeUntil = (doubles[STAGING_DEADLINE / 8] as number) - TICK_SLACK_MS
    }
    return this.#values[slot]
  }

  peek(key: CacheKey): V | undefined {
    return this.#peek(key, 0)
  }

  #peek(key: CacheKey, scope: number): V | undefined {
    const slot = this.#engine.find(key, BIT_PEEK, scope)
    const plain = key instanceof PreparedKey ? key.key : key
    return typeof plain === 'string' && !this.#isLong(slot, plain) ? undefined : this.#valueAt(slot)
  }

  /**
   * Stores a value.
   * @throws HitpathError INVALID_VALUE for undefined, which is how a miss looks; INVALID_KEY; INVALID_TTL
   */
  set(key: CacheKey, value: V, options?: SetOptions): this {
    this.#set(key, value, options, 0)
    return this
  }

  #set(key: CacheKey, value: V, options: SetOptions | undefined, scope: number): void {
    if (value === undefined)
      throw new HitpathError('INVALID_VALUE', 'undefined cannot be stored: it is how a miss looks')
    const ttl = options === undefined ? Number.NaN : ttlOf(options)
    const tags = options === undefined ? undefined : tagsOf(options)
    const engine = this.#engine
    const plain = key instanceof PreparedKey ? engine.inner(key) : key
    const array =
      typeof plain === 'string' ? undefined : engine.beginKeyed(key as Exclude<CacheKey, string>, 0, scope)
    if (typeof plain === 'string') engine.begin(0)
    doubles[STAGING_TTL / 8] = ttl
    words[STAGING_VALUE_FORM / 4] = VALUE_NONE
    words[STAGING_VALUE_TAG / 4] = 0
    if (typeof plain === 'string') engine.setString(plain, tags)
    else engine.setStaged(array, tags)
    if (words[STAGING_STATUS / 4] !== 0) this.#refuse()
    const slot = words[STAGING_SLOT / 4] as number
    const replaced = words[STAGING_COUNT / 4] === 1
    const long = words[STAGING_FORM / 4] === KEY_LONG
    const removals = words[STAGING_REMOVED / 4] === 0 ? undefined : this.#collect()
    const old = this.#values[slot]
    this.#values[slot] = value
    if (long) this.#longKeys.set(slot, plain as string)
    if (this.#keys !== undefined) {
      const kept = this.#keys[slot]
      this.#keys[slot] =
        typeof plain === 'string' || typeof plain === 'number' ? plain : engine.prepare(key, scope)
      if (replaced) this.#notify(kept, old as V, 'replaced')
    }
    if (removals !== undefined) this.#announce(removals)
  }

  delete(key: CacheKey): boolean {
    return this.#delete(key, 0)
  }

  #delete(key: CacheKey, scope: number): boolean {
    const erased = this.#engine.erase(key, scope)
    this.#settle()
    return erased
  }

  /** Removes all entries. */
  clear(): void {
    this.#engine.clear()
    this.#front.clear()
    this.#settle()
  }

  /** Removes the entries that carry a tag; how many. Costs what it removes. */
  invalidateTag(tag: string): number {
    const removed = this.#engine.eraseTag(tag)
    this.#settle()
    return removed
  }

  /**
   * Removes the entries whose key is a string that matches a glob, as in Redis: `*`, `?`, `[a-z]`, `[^a]`, `\`. Looks at every
   * entry; how many it removed.
   */
  invalidatePattern(glob: string): number {
    const removed = this.#engine.erasePattern(glob, (pattern) => this.#longKeysAt(pattern))
    this.#settle()
    return removed
  }

  /** A key space of its own in this cache: keys of two scopes never meet, all share the capacity. */
  scope(name: string): Scope<V> {
    const word = scopeWord(name)
    return new Scope<V>(name, {
      get: (key) =>
        key instanceof PreparedKey
          ? this.#getPrepared(key)
          : this.#valueAt(this.#engine.findArray(key, 0, word)),
      peek: (key) => this.#peek(key, word),
      set: (key, value, options) => this.#set(key, value, options, word),
      delete: (key) => this.#delete(key, word),
      remainingTtl: (key) => this.#engine.remaining(key, word),
      prepare: (key) => this.#engine.prepare(key, word),
      getString: (key) => this.get(key),
    })
  }

  /** Live entries; a few that have expired may still be counted. */
  get size(): number {
    const size = this.#engine.size()
    this.#settle()
    return size
  }

  *keys(): Generator<IteratedKey> {
    for (const { slot, key } of this.#engine.scan()) {
      const long = key instanceof PreparedKey ? this.#longKeys.get(slot) : undefined
      yield long ?? key
    }
  }

  stats(): CacheStats {
    return statsOf(this.#engine, this.#takeHits())
  }

  /** Lets go of everything. Later calls throw CLOSED. */
  close(): void {
    if (this.#engine.closed) return
    this.#engine.address()
    this.#engine.binding.close()
    this.#engine.retire()
    this.#front.forget()
    this.#stopMaintenance()
    this.#values.length = 0
    this.#longKeys.clear()
    if (this.#keys !== undefined) this.#keys.length = 0
  }

  /** @internal Called by the timer. */
  maintain(budget: number): number {
    if (this.#engine.closed) return Number.POSITIVE_INFINITY
    try {
      return this.#engine.advance(budget)
    } finally {
      this.#settle()
    }
  }

  /** @internal */
  protected valueOf(slot: number): V | undefined {
    return this.#values[slot]
  }

  /** @internal */
  protected override snapshotPort({ unsupported }: SaveOptions): object {
    let replaced: Removal<V>[] = []
    const entries = {
      engine: this.#engine,
      at: (slot: number) => this.#values[slot],
      longKeyAt: (slot: number) => this.#longKeys.get(slot),
      collect: () => {
        const removals = words[STAGING_REMOVED / 4] === 0 ? undefined : this.#collect()
        replaced = []
        return () => this.#announce([...(removals ?? []), ...replaced])
      },
      put: (slot: number, value: V, key: () => IteratedKey, flags: PlaceFlags) =>
        this.#put(slot, value, key, flags, replaced),
      delete: (key: IteratedKey) => this.#delete(key, 0),
    }
    return new LocalPort<V>(entries, unsupported === 'refuse')
  }

  #put(slot: number, value: V, key: () => IteratedKey, flags: PlaceFlags, replaced: Removal<V>[]): void {
    const old = this.#values[slot]
    this.#values[slot] = value
    if (flags.long) this.#longKeys.set(slot, key() as string)
    if (this.#keys === undefined) return
    if (flags.replaced && old !== undefined) replaced.push([this.#keys[slot], old, 'replaced'])
    this.#keys[slot] = key()
  }

  #valueAt(slot: number): V | undefined {
    return slot === NO_SLOT ? this.#missed() : this.#values[slot]
  }

  #missed(): undefined {
    this.#engine.check()
    this.#settle()
    return undefined
  }

  #longKeysAt(glob: string): Uint32Array {
    const slots: number[] = []
    for (const [slot, key] of this.#longKeys) if (this.#engine.binding.matches(glob, key)) slots.push(slot)
    return Uint32Array.from(slots).sort()
  }

  #isLong(slot: number, key: string): boolean {
    if (slot === NO_SLOT || words[STAGING_FORM / 4] !== KEY_LONG) return true
    return this.#longKeys.get(slot) === key
  }

  /** A write that did not succeed may have pushed entries out all the same. */
  #refuse(): void {
    try {
      this.#engine.check()
    } finally {
      this.#settle()
    }
  }

  #takeHits(): number {
    const hits = this.#prepared + this.#front.takeHits()
    this.#prepared = 0
    return hits
  }

  /** Takes what the last call removed out of the arrays, and tells the listener. */
  #settle(): void {
    if (words[STAGING_REMOVED / 4] === 0) return
    const removals = this.#collect()
    if (removals !== undefined) this.#announce(removals)
  }

  /** Empties the places of what the last call removed; what a listener is to be told. */
  #collect(): Removal<V>[] | undefined {
    const removals: Removal<V>[] | undefined = this.#onRemoval === undefined ? undefined : []
    if (words[STAGING_REMOVED / 4] === 1) {
      this.#empty(
        words[STAGING_REMOVED_SLOT / 4] as number,
        words[STAGING_REMOVED_WHY / 4] as number,
        removals,
      )
    } else {
      const pairs = new Uint32Array(scratch.buffer, scratch.byteOffset)
      do {
        this.#engine.binding.drainRemovals()
        for (let i = 0; i < (words[STAGING_COUNT / 4] as number); i++)
          this.#empty(pairs[2 * i] as number, pairs[2 * i + 1] as number, removals)
      } while ((words[STAGING_COUNT / 4] as number) === Math.floor(scratch.length / 8))
    }
    words[STAGING_REMOVED / 4] = 0
    return removals
  }

  #empty(slot: number, why: number, removals: Removal<V>[] | undefined): void {
    if (removals !== undefined)
      removals.push([this.#keys?.[slot], this.#values[slot] as V, REASONS[why] ?? 'deleted'])
    this.#values[slot] = undefined
    if (this.#keys !== undefined) this.#keys[slot] = undefined
    if (this.#longKeys.size !== 0) this.#longKeys.delete(slot)
  }

  #announce(removals: readonly Removal<V>[]): void {
    for (const [key, value, reason] of removals) this.#notify(key, value, reason)
  }

  #notify(key: IteratedKey | undefined, value: V, reason: RemovalReason): void {
    if (key === undefined) return
    try {
      this.#onRemoval?.(key, value, reason)
    } catch (error) {
      process.emitWarning(`onRemoval threw: ${describe(error)}`, 'HitpathWarning', 'HITPATH_LISTENER')
    }
  }
}
