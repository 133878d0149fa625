/**
 * SharedCache: one store in a SharedArrayBuffer for all threads of the process.
 *
 * Values are bytes. Arrays come back as views of the region, pinned while the view lives; what has to be decoded is decoded once
 * a thread and version. Always true: what a read gives is one stored version, whole; and the bytes under a view do not change
 * while it lives. Treat what comes back as read-only: other callers of this thread get the same object.
 */
import { randomBytes } from 'node:crypto'
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike, TypedArray } from '../key/ndarray.js'
import { dtypeOf, isTypedArray, viewOf } from '../key/ndarray.js'
import { PreparedKey } from '../key/prepared.js'
import { doubles, native, scratch, words } from '../native/binding.js'
import {
  BIT_PEEK,
  BIT_PIN,
  COPIED,
  DELIVERED,
  FLAG_FOREIGN_CLOCK,
  FLAG_SHARED,
  PINNED,
  REMEMBERED,
  SLOT_FREQ,
  STAGING_COUNT,
  STAGING_DEADLINE,
  STAGING_DELIVERY,
  STAGING_EXTRA,
  STAGING_LENGTH,
  STAGING_OFFSET,
  STAGING_SEQ,
  STAGING_STATUS,
  STAGING_TICK,
  STAGING_TTL,
  STAGING_VALUE_TAG,
  TAG_BUFFER,
} from '../native/layout.js'
import { integerOption, refuseUnknownOptions } from '../options.js'
import { type CacheKey, type Clock, Engine, isRefusal, NO_SLOT, stageNow } from './engine.js'
import { Front, TICK_SLACK_MS } from './front.js'
import { createRegion } from './local-cache.js'
import { maintain } from './maintenance.js'
import { Memory } from './memory.js'
import { clockOption, keyList, type SetOptions, tagsOf, ttlOf } from './options.js'
import { getRows, setRows } from './rows.js'
import { Scope, scopeWord } from './scope.js'
import { type CacheStats, statsOf } from './stats.js'
import { decodeCopy, decodeView, type Encoded, encode, scalar, stage } from './stored-value.js'

/** What another thread needs to attach; goes through `workerData` and `postMessage` as it is. */
export interface SharedCacheHandle {
  readonly kind: 'hitpath.SharedCache'
  readonly region: SharedArrayBuffer
}

export interface SharedCacheOptions {
  /**
   * Bytes for keys and values, 4 KiB to 512 GiB. The region reserves about 150 bytes an entry besides, and
   * a block about 12 more. A region of more than 4 GiB needs Node 22. Default 64 MiB.
   */
  readonly maxBytes?: number
  /** Entries that the cache may hold. Default: one for each 256 bytes of `maxBytes`. */
  readonly maxEntries?: number
  /** Time to live of entries that are set without one. Default `Infinity`. */
  readonly ttl?: Duration
  /**
   * Parts with a lock and an arena of their own, 1 to 64. Default: one for each 4 MiB and 1,024 entries, at most 16. One value takes at
   * most half of a shard's bytes.
   */
  readonly shards?: number
  /** Share of a shard's bytes that views may pin before reads give copies, 0 to 1. Default 0.25. */
  readonly maxPinned?: number
  /** Milliseconds for deadlines, the same for all threads. Default: the native monotonic clock. */
  readonly clock?: Clock
}

export interface AttachOptions {
  /** The clock that the cache was created with, if it was. */
  readonly clock?: Clock
}

/** A value whose bytes stay in place until it is released. */
export interface Pinned<V> extends Disposable {
  readonly value: V
  /** Lets the bytes go. The value must not be read afterwards: its memory is given to others. */
  release(): void
}

const TICK = STAGING_TICK / 8
const MANY = 8192
/** Strings of any length stand in the region. */
const NO_LONG_KEYS = new Uint32Array(0)
const MAX_MANY_BYTES = 2 ** 33 - 64

/** In which of the reads of a pinned view its bytes are given back. */
interface Pin {
  readonly engine: Engine
  readonly shard: number
  readonly block: number
}

function unpin({ engine, shard, block }: Pin): void {
  engine.address()
  doubles[STAGING_EXTRA / 8 + 1] = shard
  doubles[STAGING_EXTRA / 8 + 2] = block
  native.unpin()
}

const views = new FinalizationRegistry<Pin>(unpin)

export class SharedCache<V = unknown> {
  readonly #engine: Engine
  readonly #front: Front
  readonly #memory: Memory
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #stopMaintenance: () => void
  /** Hand this to another thread. */
  readonly handle: SharedCacheHandle
  #prepared = 0

  /** Makes a cache. @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY */
  static create<V = unknown>(options: SharedCacheOptions = {}): SharedCache<V> {
    refuseUnknownOptions(options, 'SharedCache', [
      'maxBytes',
      'maxEntries',
      'ttl',
      'shards',
      'maxPinned',
      'clock',
    ])
    const maxBytes = integerOption(options.maxBytes ?? 64 * 2 ** 20, 'SharedCache.maxBytes', {
      min: 4096,
      max: 2 ** 39,
    })
    const byDefault = Math.min(2 ** 28, Math.max(16, Math.floor(maxBytes / 256)))
    const maxEntries = integerOption(options.maxEntries ?? byDefault, 'SharedCache.maxEntries', {
      min: 1,
      max: 2 ** 28,
    })
    const parts = Math.min(16, Math.floor(maxBytes / 2 ** 22), Math.floor(maxEntries / 1024))
    const shards = integerOption(
      options.shards ?? Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, parts)))),
      'SharedCache.shards',
      { min: 1, max: 64 },
    )
    const ttl =
      options.ttl === undefined
        ? Infinity
        : parseDuration(options.ttl, 'SharedCache.ttl', { allowInfinity: true })
    const maxPinned = options.maxPinned ?? 0.25
    if (typeof maxPinned !== 'number' || !(maxPinned >= 0 && maxPinned <= 1)) {
      throw new HitpathError(
        'INVALID_OPTION',
        `SharedCache.maxPinned must be a number from 0 to 1; got ${describe(maxPinned)}`,
      )
    }
    const clock = clockOption(options.clock, 'SharedCache.clock')
    const arenaBytes = Math.floor(maxBytes / shards / 64) * 64
    if (arenaBytes < 512 || arenaBytes > MAX_MANY_BYTES) {
      throw new HitpathError(
        'INVALID_OPTION',
        `SharedCache.shards: ${shards} shards of ${arenaBytes} bytes; a shard has 512 bytes to 8 GiB`,
      )
    }
    const flags = FLAG_SHARED | (clock === undefined ? 0 : FLAG_FOREIGN_CLOCK)
    const config = [shards, maxEntries, arenaBytes, ttl, flags, Math.round(maxPinned * 100)] as const
    const region = createRegion(native.regionBytes(...config))
    if (clock !== undefined) stageNow(clock)
    native.create(new Uint8Array(region), randomBytes(16), ...config)
    return new SharedCache<V>(region, clock)
  }

  /**
   * Opens the cache of another thread, or of this one.
   * @throws HitpathError INVALID_HANDLE, INVALID_REGION, REGION_VERSION, REGION_CORRUPT, CLOSED, CLOCK_REQUIRED
   */
  static attach<V = unknown>(handle: SharedCacheHandle, options: AttachOptions = {}): SharedCache<V> {
    refuseUnknownOptions(options, 'SharedCache.attach', ['clock'])
    const region = (handle as Partial<SharedCacheHandle> | null | undefined)?.region
    if (handle?.kind !== 'hitpath.SharedCache' || !(region instanceof SharedArrayBuffer)) {
      throw new HitpathError(
        'INVALID_HANDLE',
        `attach() expects the handle of a SharedCache; got ${describe(handle)}`,
      )
    }
    return new SharedCache<V>(region, clockOption(options.clock, 'SharedCache.attach.clock'))
  }

  private constructor(region: SharedArrayBuffer, clock: Clock | undefined) {
    const token = native.open(new Uint8Array(region))
    if (typeof token === 'number') throw refusal(token)
    if (((token.flags & FLAG_FOREIGN_CLOCK) !== 0) !== (clock !== undefined)) {
      throw new HitpathError(
        'CLOCK_REQUIRED',
        'the cache has a clock of its own: give attach() the same, and only then',
      )
    }
    this.#engine = new Engine(region, token, clock)
    this.#front = new Front(this.#engine)
    this.#memory = new Memory(this.#engine)
    this.#words = this.#engine.words
    this.#bytes = this.#engine.bytes
    this.handle = Object.freeze({ kind: 'hitpath.SharedCache', region })
    this.#stopMaintenance = maintain(this)
  }

  /** The value, or undefined when there is no live entry. Counts as a hit or a miss. */
  get(key: CacheKey): V | undefined {
    if (typeof key === 'string') {
      const slot = this.#front.lookup(key)
      if (slot >= 0) {
        const value = this.#memory.at(slot)
        if (value !== undefined) return value as V
      }
    } else if (key instanceof PreparedKey) {
      const { word } = key
      if (
        this.#words[word] === key.seq &&
        (doubles[TICK] as number) <= key.safeUntil &&
        key.owner === this.#engine
      ) {
        const value = this.#memory.at(key.slot)
        if (value !== undefined) {
          if ((this.#bytes[4 * word + SLOT_FREQ] as number) < 3) this.#engine.touch(word)
          this.#prepared++
          return value as V
        }
      }
    }
    return this.#read(key, 0, 0) as V | undefined
  }

  /** As get(), but counts nothing and changes no order. */
  peek(key: CacheKey): V | undefined {
    return this.#read(key, BIT_PEEK, 0) as V | undefined
  }

  #read(key: CacheKey, bits: number, scope: number): unknown {
    const slot = this.#engine.find(key, bits, scope)
    if (slot === NO_SLOT) return undefined
    const seq = words[STAGING_SEQ / 4] as number
    const deadline = doubles[STAGING_DEADLINE / 8] as number
    const tag = words[STAGING_VALUE_TAG / 4] as number
    const delivery = words[STAGING_DELIVERY / 4]
    if (delivery === DELIVERED) return scalar(tag)
    if (delivery !== REMEMBERED) {
      const value = this.#deliver(key, tag, scope)
      // Too big and changed meanwhile: there is nothing to remember.
      if (value === undefined || words[STAGING_SEQ / 4] !== seq) return value
      this.#memory.keep(slot, seq, value)
    }
    if (this.#engine.quick) {
      if (typeof key === 'string') this.#front.remember(key, slot, seq, deadline)
      else if (key instanceof PreparedKey) {
        key.slot = slot
        key.word = this.#engine.wordOf(slot)
        key.seq = seq | 0
        key.safeUntil = deadline - TICK_SLACK_MS
      }
    }
    return this.#memory.at(slot)
  }

  /** Makes the value of the hit that was just found. */
  #deliver(key: CacheKey, tag: number, scope: number): unknown {
    const length = doubles[STAGING_LENGTH / 8] as number
    const delivery = words[STAGING_DELIVERY / 4]
    if (delivery === COPIED) return decodeCopy(tag, scratch.buffer, scratch.byteOffset, length)
    if (delivery === PINNED) {
      const pin = this.#pin()
      const offset = doubles[STAGING_OFFSET / 8] as number
      const seq = words[STAGING_SEQ / 4] as number
      if (tag >= TAG_BUFFER) {
        const value = decodeView(tag, this.#engine.region, offset, length)
        views.register(memoryOf(value), pin)
        return value
      }
      try {
        return decodeView(tag, this.#engine.region, offset, length)
      } finally {
        unpin(pin)
        words[STAGING_SEQ / 4] = seq
      }
    }
    return this.#copyLarge(key, length, scope)
  }

  #pin(): Pin {
    const shard = doubles[STAGING_EXTRA / 8 + 1] as number
    return { engine: this.#engine, shard, block: doubles[STAGING_EXTRA / 8 + 2] as number }
  }

  /** A value that neither fits the scratch nor may be pinned. */
  #copyLarge(key: CacheKey, expected: number, scope: number): unknown {
    for (let length = expected; ; ) {
      const out = Buffer.alloc(length)
      const found = this.#copy(key, out, 0, scope)
      if (found === undefined) return undefined
      const actual = doubles[STAGING_LENGTH / 8] as number
      if (found && actual <= length) {
        return decodeCopy(words[STAGING_VALUE_TAG / 4] as number, out.buffer, out.byteOffset, actual)
      }
      length = actual
    }
  }

  /** Copies stored bytes out: true, undefined when there is no entry, false when `out` is too small for them. */
  #copy(key: CacheKey, out: TypedArray, dtype: number, scope: number): boolean | undefined {
    const plain = key instanceof PreparedKey ? this.#engine.inner(key) : key
    const bits = dtype === 0 ? BIT_PEEK : 0
    if (typeof plain === 'string') {
      this.#engine.begin(bits)
      words[STAGING_VALUE_TAG / 4] = dtype
      native.copyString(plain, out)
    } else {
      const array = this.#engine.beginKeyed(key as Exclude<CacheKey, string>, bits, scope)
      words[STAGING_VALUE_TAG / 4] = dtype
      native.copyStaged(array, out)
    }
    const status = words[STAGING_STATUS / 4]
    if (status === 0) return true
    if (status === 1) return undefined
    if (status === 7 && dtype === 0) return false
    this.#engine.check()
    return undefined
  }

  /**
   * Copies a stored array into `out` and tells whether there was one. No allocation.
   *
   * @param out a typed array of the stored element type, with room for all elements; what is beyond them is left alone
   * @throws HitpathError DTYPE_MISMATCH, OUT_TOO_SMALL, INVALID_ARGUMENT
   */
  getInto(key: CacheKey, out: TypedArray): boolean {
    if (!isTypedArray(out))
      throw new HitpathError('INVALID_ARGUMENT', `out must be a typed array; got ${describe(out)}`)
    if (out.length === 0) viewOf(out) // refuses a detached one
    return this.#copy(key, out, dtypeOf(out), 0) === true
  }

  /**
   * The value with its bytes held in place until `release()`, or the end of a `using` block; undefined when there is no live entry.
   * Unlike those of get(), its views are the caller's alone.
   */
  pin(key: CacheKey): Pinned<V> | undefined {
    if (this.#engine.find(key, BIT_PIN) === NO_SLOT) return undefined
    const tag = words[STAGING_VALUE_TAG / 4] as number
    if (words[STAGING_DELIVERY / 4] === DELIVERED) return pinned(scalar(tag) as V, undefined)
    if (words[STAGING_DELIVERY / 4] !== PINNED || tag < TAG_BUFFER) {
      const value = this.#deliver(key, tag, 0) as V | undefined
      return value === undefined ? undefined : pinned(value, undefined)
    }
    const pin = this.#pin()
    const offset = doubles[STAGING_OFFSET / 8] as number
    const length = doubles[STAGING_LENGTH / 8] as number
    return pinned(decodeView(tag, this.#engine.region, offset, length) as V, pin)
  }

  /**
   * Looks many keys up at once: the rows of a matrix.
   *
   * @param matrix n rows of d elements: [n, d], or [n, ...], or a plain typed array whose length is found.length times d
   * @param out n rows of k elements, of the stored element type; row i is filled where found[i] is 1
   * @param found n bytes: 1 for a hit, else 0
   * @returns how many rows were found
   * @throws HitpathError DTYPE_MISMATCH, SHAPE_MISMATCH when a stored row is of another type or length than a row of out; OUT_TOO_SMALL
   */
  getRows(matrix: NdArrayLike, out: NdArrayLike, found: Uint8Array): number {
    return getRows(this.#engine, matrix, out, found)
  }

  /**
   * Stores the rows that getRows did not find: values[i] under row i of matrix where found[i] is 0.
   * @returns how many rows were stored
   */
  setRows(matrix: NdArrayLike, values: NdArrayLike, found: Uint8Array, options?: SetOptions): number {
    return setRows(this.#engine, matrix, values, found, ttlOf(options))
  }

  /** Whether a live entry exists. Counts nothing. */
  has(key: CacheKey): boolean {
    return this.#engine.remaining(key) !== undefined
  }

  /** Milliseconds that the entry has still to live, `Infinity` without a deadline, undefined when there is none. */
  remainingTtl(key: CacheKey): number | undefined {
    return this.#engine.remaining(key)
  }

  /**
   * Stores a copy of the value.
   * @throws HitpathError UNSUPPORTED_VALUE, INVALID_VALUE (undefined), TOO_LARGE, OUT_OF_MEMORY (pins hold the room), INVALID_KEY
   */
  set(key: CacheKey, value: V, options?: SetOptions): this {
    this.#set(key, encode(value), options, 0)
    return this
  }

  #set(key: CacheKey, value: Encoded, options: SetOptions | undefined, scope: number): void {
    const ttl = options === undefined ? Number.NaN : ttlOf(options)
    const tags = options === undefined ? undefined : tagsOf(options)
    const engine = this.#engine
    const plain = key instanceof PreparedKey ? engine.inner(key) : key
    const array =
      typeof plain === 'string' ? undefined : engine.beginKeyed(key as Exclude<CacheKey, string>, 0, scope)
    if (typeof plain === 'string') engine.begin(0)
    doubles[STAGING_TTL / 8] = ttl
    if (typeof plain === 'string') native.setString(plain, stage(value), tags)
    else native.setStaged(array, stage(value), tags)
    if (words[STAGING_STATUS / 4] !== 0) engine.check()
  }

  /** Removes an entry; whether there was a live one. */
  delete(key: CacheKey): boolean {
    return this.#engine.erase(key)
  }

  /** Removes all entries, for all threads. */
  clear(): void {
    this.#engine.clear()
  }

  /** The value, computed and stored when there is none. An undefined result is returned and not stored. */
  getOrCompute<K extends CacheKey>(key: K, compute: (key: K) => V, options?: SetOptions): V {
    const found = this.get(key)
    if (found !== undefined) return found
    const value = compute(key)
    if (value !== undefined) this.set(key, value, options)
    return value
  }

  /** The values of many keys, aligned with them. One crossing for strings whose values this thread has seen. */
  getMany(wanted: readonly CacheKey[]): (V | undefined)[] {
    const keys = keyList(wanted)
    const out = new Array<V | undefined>(keys.length).fill(undefined)
    const slots = new Uint32Array(scratch.buffer, scratch.byteOffset, MANY)
    for (let from = 0; from < keys.length; from += MANY) {
      const count = Math.min(MANY, keys.length - from)
      this.#engine.begin(0)
      doubles[STAGING_OFFSET / 8] = from
      words[STAGING_COUNT / 4] = count
      native.findMany(keys)
      this.#engine.check()
      const found = slots.slice(0, count)
      // What is remembered first: asking for the others may push it out.
      for (let i = 0; i < count; i++) {
        if ((found[i] as number) < NO_SLOT - 1) out[from + i] = this.#memory.at(found[i] as number) as V
      }
      for (let i = 0; i < count; i++) {
        if (found[i] === NO_SLOT - 1) out[from + i] = this.get(keys[from + i] as CacheKey)
      }
    }
    return out
  }

  setMany(entries: Iterable<readonly [key: CacheKey, value: V, options?: SetOptions]>): this {
    for (const [key, value, options] of entries) this.set(key, value, options)
    return this
  }

  /** Removes many entries; for each key whether there was a live one. */
  deleteMany(keys: readonly CacheKey[]): boolean[] {
    return keyList(keys).map((key) => this.delete(key))
  }

  /** Removes the entries that carry a tag; how many. Costs what it removes. */
  invalidateTag(tag: string): number {
    return this.#engine.eraseTag(tag)
  }

  /** Removes the entries whose key is a string that matches a glob, as LocalCache.invalidatePattern. */
  invalidatePattern(glob: string): number {
    return this.#engine.erasePattern(glob, () => NO_LONG_KEYS)
  }

  /** A key made once and used often: its hits cost a few nanoseconds. It belongs to this thread's cache. */
  key(key: CacheKey): PreparedKey {
    return this.#engine.prepare(key)
  }

  /** A key space of its own in this cache: keys of two scopes never meet, all share the capacity. */
  scope(name: string): Scope<V> {
    const word = scopeWord(name)
    return new Scope<V>(name, {
      get: (key) => this.#read(key, 0, word) as V | undefined,
      peek: (key) => this.#read(key, BIT_PEEK, word) as V | undefined,
      set: (key, value, options) => this.#set(key, encode(value), options, word),
      delete: (key) => this.#engine.erase(key, word),
      remainingTtl: (key) => this.#engine.remaining(key, word),
      prepare: (key) => this.#engine.prepare(key, word),
      getString: (key) => this.get(key),
    })
  }

  /** Live entries; a few that have expired may still be counted. */
  get size(): number {
    return this.#engine.size()
  }

  /** The keys of live entries, in no order. Survives any change meanwhile. An array's key comes as a prepared key. */
  *keys(): Generator<string | number | PreparedKey> {
    for (const { key } of this.#engine.scan()) yield key
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value
  }

  *entries(): Generator<[key: string | number | PreparedKey, value: V]> {
    for (const { key } of this.#engine.scan()) {
      const value = this.peek(key)
      if (value !== undefined) yield [key, value]
    }
  }

  [Symbol.iterator](): Generator<[key: string | number | PreparedKey, value: V]> {
    return this.entries()
  }

  /** Counters of all threads; those of others are up to a quarter of a second old. */
  stats(): CacheStats {
    return statsOf(this.#engine, this.#takeHits())
  }

  /** Groups that a search looks at, over all entries. Walks them all. */
  probeLengths(): { readonly mean: number; readonly longest: number } {
    return this.#engine.probeLengths()
  }

  /** For tests, while no thread writes. @throws HitpathError REGION_CORRUPT when an invariant of the store does not hold */
  validate(): void {
    this.#engine.validate()
  }

  /**
   * Ends this thread's use; later calls here throw CLOSED. The other threads go on, and views that this thread still holds stay
   * whole. With `everywhere` the entries go and every thread is refused from now on.
   */
  close(options: { readonly everywhere?: boolean } = {}): void {
    if (this.#engine.closed) return
    try {
      statsOf(this.#engine, this.#takeHits())
      if (options.everywhere === true) {
        this.#engine.clear()
        this.#engine.address()
        native.closeRegion()
      }
    } catch (error) {
      if (!isRefusal(error)) throw error // else another thread was first, or there is nothing left to save
    } finally {
      this.#engine.retire()
      this.#front.forget()
      this.#memory.forget()
      this.#stopMaintenance()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal Called by the timer. */
  maintain(budget: number): number {
    if (this.#engine.closed) return Number.POSITIVE_INFINITY
    this.#memory.sweep()
    return this.#engine.advance(budget)
  }

  #takeHits(): number {
    const hits = this.#prepared + this.#front.takeHits()
    this.#prepared = 0
    return hits
  }
}

/** The typed array of a value, whose life decides on the pin: an ndarray's data may outlive the ndarray. */
function memoryOf(value: unknown): object {
  return isTypedArray(value) ? value : (value as { readonly data: object }).data
}

function pinned<V>(value: V, pin: Pin | undefined): Pinned<V> {
  let held = pin
  const token = {}
  const release = (): void => {
    if (held === undefined) return
    views.unregister(token)
    unpin(held)
    held = undefined
  }
  if (pin !== undefined) views.register(memoryOf(value), pin, token)
  return { value, release, [Symbol.dispose]: release }
}

// RegionFault of native/core/region.h.
function refusal(fault: number): HitpathError {
  switch (fault) {
    case 3:
      return new HitpathError('REGION_VERSION', 'the region was laid out by another version of hitpath')
    case 5:
      return new HitpathError('REGION_CORRUPT', 'the region is damaged')
    case 6:
      return new HitpathError('CLOSED', 'the cache was closed everywhere')
    case 4:
      return new HitpathError('INVALID_REGION', 'the region is truncated')
    default:
      return new HitpathError('INVALID_REGION', 'the buffer does not hold a region')
  }
}
