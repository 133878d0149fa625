/**
 * SharedCache: one store in a SharedArrayBuffer for all threads of the process.
 *
 * Values are bytes. Arrays come back as views of the region, pinned while the view lives; what has to be decoded is decoded once
 * a thread and version. Always true: what a read gives is one stored version, whole; and the bytes under a view do not change
 * while it lives. Treat what comes back as read-only: other callers of this thread get the same object.
 */
import { randomBytes } from 'node:crypto'
import { types } from 'node:util'
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike, TypedArray } from '../key/ndarray.js'
import { type DTypeCode, dtypeOf, isTypedArray, viewOf } from '../key/ndarray.js'
import { PreparedKey } from '../key/prepared.js'
import { doubles, native, words } from '../native/binding.js'
import {
  BIT_PEEK,
  BIT_PIN,
  COPIED,
  DELIVERED,
  FLAG_FOREIGN_CLOCK,
  PINNED,
  REMEMBERED,
  SLOT_FREQ,
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
import { refuseUnknownOptions } from '../options.js'
import { BaseCache, type IteratedKey } from './base-cache.js'
import { type CacheKey, type Clock, Engine, isRefusal, NO_SLOT, stageNow } from './engine.js'
import { Front, TICK_SLACK_MS } from './front.js'
import { maintain } from './maintenance.js'
import { Memory, MOST_REMEMBERED } from './memory.js'
import { clockOption, type SetOptions, tagsOf, ttlOf } from './options.js'
import { holdView, type Pin, type Pinned, pinned, unpin } from './pins.js'
import { createRegion, refusal } from './region.js'
import type { Rows } from './row-matrix.js'
import { findRows, getRows, type RowSearch, type RowValues, setRows, storeRows } from './rows.js'
import { Scope, scopeWord } from './scope.js'
import { regionConfig, type SharedCacheOptions } from './shared-options.js'
import { type CacheStats, statsOf } from './stats.js'
import {
  decodeCopy,
  decodeScratch,
  decodeView,
  type Encoded,
  encode,
  scalar,
  smallArray,
  stage,
  stageSmall,
} from './stored-value.js'

/** What another thread needs to attach; goes through `workerData` and `postMessage` as it is. */
export interface SharedCacheHandle {
  readonly kind: 'hitpath.SharedCache'
  readonly region: SharedArrayBuffer
}

export interface AttachOptions {
  /** The clock that the cache was created with, if it was: CLOCK_REQUIRED without. Default: the native monotonic clock. */
  readonly clock?: Clock
}

export interface RowOptions {
  /** The name of the scope that the rows are keys of, as in `cache.scope(name)`. Default: none, the cache itself. */
  readonly scope?: string | undefined
}

const TICK = STAGING_TICK / 8
/** Strings of any length stand in the region. */
const NO_LONG_KEYS = new Uint32Array(0)

export class SharedCache<V = unknown> extends BaseCache<V> {
  readonly #engine: Engine
  readonly #front: Front
  readonly #memory: Memory
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #stopMaintenance: () => void
  /** Hand this to another thread. */
  readonly handle: SharedCacheHandle
  #prepared = 0
  /** Of the last call on rows in a scope: the next is most likely in the same. */
  #lastScope = { name: '', word: 0 }

  /** Makes a cache. @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY */
  static create<V = unknown>(options: SharedCacheOptions = {}): SharedCache<V> {
    const { config, clock } = regionConfig(options)
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
    if (handle?.kind !== 'hitpath.SharedCache' || !types.isSharedArrayBuffer(region)) {
      throw new HitpathError(
        'INVALID_HANDLE',
        `attach() expects the handle of a SharedCache; got ${describe(handle)}`,
      )
    }
    return new SharedCache<V>(region, clockOption(options.clock, 'SharedCache.attach.clock'))
  }

  private constructor(region: SharedArrayBuffer, clock: Clock | undefined) {
    if (!types.isSharedArrayBuffer(region)) {
      throw new HitpathError(
        'INVALID_ARGUMENT',
        'SharedCache.create(options) makes a cache, SharedCache.attach(handle) opens that of another thread; `new` does neither',
      )
    }
    const token = native.open(new Uint8Array(region))
    if (typeof token === 'number') throw refusal(token)
    if (((token.flags & FLAG_FOREIGN_CLOCK) !== 0) !== (clock !== undefined)) {
      throw new HitpathError(
        'CLOCK_REQUIRED',
        'the cache has a clock of its own: give attach() the same, and only then',
      )
    }
    const engine = new Engine(region, token, clock)
    super(engine)
    this.#engine = engine
    this.#front = new Front(engine, MOST_REMEMBERED)
    this.#memory = new Memory(this.#engine)
    this.#words = this.#engine.words
    this.#bytes = this.#engine.bytes
    this.handle = Object.freeze({ kind: 'hitpath.SharedCache', region })
    this.#stopMaintenance = maintain(this)
  }

  get(key: CacheKey): V | undefined {
    if (typeof key === 'string') {
      const slot = this.#front.lookup(key)
      if (slot >= 0) {
        const value = this.#memory.at(slot)
        if (value !== undefined) return value as V
        this.#front.retract()
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
    if (delivery === DELIVERED) {
      const value = scalar(tag)
      if (!this.#isKept(key)) return value
      this.#memory.keep(slot, seq, value)
    } else if (delivery !== REMEMBERED) {
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

  /** Whether a number, a boolean or null that was found by this key is remembered: where the next hit will find it without a crossing. */
  #isKept(key: CacheKey): boolean {
    return (
      this.#memory.isSmall && (typeof key === 'string' ? this.#front.isAwake : key instanceof PreparedKey)
    )
  }

  /** Makes the value of the hit that was just found. */
  #deliver(key: CacheKey, tag: number, scope: number): unknown {
    const length = doubles[STAGING_LENGTH / 8] as number
    const delivery = words[STAGING_DELIVERY / 4]
    if (delivery === COPIED) return decodeScratch(tag, length)
    if (delivery === PINNED) {
      const pin = this.#pin()
      const offset = doubles[STAGING_OFFSET / 8] as number
      const seq = words[STAGING_SEQ / 4] as number
      if (tag >= TAG_BUFFER) {
        const value = decodeView(tag, this.#engine.region, offset, length)
        holdView(value, pin)
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
   * @param options the scope in which the rows were stored. Default: none
   * @returns how many rows were found
   * @throws HitpathError DTYPE_MISMATCH, SHAPE_MISMATCH when a stored row is of another type or length than a row of out; OUT_TOO_SMALL
   */
  getRows(matrix: NdArrayLike, out: NdArrayLike, found: Uint8Array, options?: RowOptions): number {
    return getRows(this.#engine, matrix, out, found, this.#scopeOf(options))
  }

  /**
   * Stores the rows that getRows did not find: values[i] under row i of matrix where found[i] is 0.
   * @returns how many rows were stored
   */
  setRows(
    matrix: NdArrayLike,
    values: NdArrayLike,
    found: Uint8Array,
    options?: RowOptions & SetOptions,
  ): number {
    return setRows(this.#engine, matrix, values, found, ttlOf(options), this.#scopeOf(options))
  }

  /** @internal As getRows(), on rows that are described already. */
  findRows(keys: Rows, values: Rows, found: Uint8Array, search: RowSearch): number {
    return findRows(this.#engine, keys, values, found, search)
  }

  /** @internal Stores rows under the digests that findRows() gave. */
  storeRows(digests: Uint8Array, values: RowValues): number {
    return storeRows(this.#engine, digests, values)
  }

  #scopeOf(options: RowOptions | undefined): number {
    const name = options?.scope
    if (name === undefined) return 0
    if (name !== this.#lastScope.name) this.#lastScope = { name, word: scopeWord(name) }
    return this.#lastScope.word
  }

  /**
   * Stores a copy of the value.
   * @throws HitpathError UNSUPPORTED_VALUE, INVALID_VALUE (undefined), TOO_LARGE, OUT_OF_MEMORY (pins hold the room), INVALID_KEY
   */
  set(key: CacheKey, value: V, options?: SetOptions): this {
    const dtype = typeof key === 'string' ? smallArray(value) : undefined
    if (dtype === undefined) this.#set(key, encode(value), options, 0)
    else this.#setSmall(key as string, value as TypedArray, dtype, options)
    return this
  }

  #setSmall(key: string, value: TypedArray, dtype: DTypeCode, options: SetOptions | undefined): void {
    const ttl = options === undefined ? Number.NaN : ttlOf(options)
    const tags = options === undefined ? undefined : tagsOf(options)
    this.#engine.begin(0)
    doubles[STAGING_TTL / 8] = ttl
    stageSmall(value, dtype)
    if (tags === undefined) native.setString(key)
    else native.setString(key, undefined, tags)
    if (words[STAGING_STATUS / 4] !== 0) this.#engine.check()
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

  delete(key: CacheKey): boolean {
    return this.#engine.erase(key)
  }

  /** Removes all entries, for all threads. */
  clear(): void {
    this.#engine.clear()
    this.#front.clear()
  }

  /** Removes the entries that carry a tag; how many. Costs what it removes. */
  invalidateTag(tag: string): number {
    return this.#engine.eraseTag(tag)
  }

  /** Removes the entries whose key is a string that matches a glob, as LocalCache.invalidatePattern. */
  invalidatePattern(glob: string): number {
    return this.#engine.erasePattern(glob, () => NO_LONG_KEYS)
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

  *keys(): Generator<IteratedKey> {
    for (const { key } of this.#engine.scan()) yield key
  }

  /** Counters of all threads; those of others are up to a quarter of a second old. */
  stats(): CacheStats {
    return statsOf(this.#engine, this.#takeHits())
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

  /** @internal */
  protected valueOf(slot: number): V | undefined {
    return this.#memory.at(slot) as V | undefined
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
