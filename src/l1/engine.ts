/**
 * What LocalCache and SharedCache have in common: one opened region, keys of every kind, and the calls that do not touch values.
 *
 * Always true: a call stages this cache's number and, with a clock of the user's, the time; user code runs before staging, never
 * between it and the call. An entry's slot does not move while it lives, and its sequence word changes when it does.
 */
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike } from '../key/ndarray.js'
import { PreparedKey } from '../key/prepared.js'
import { digestBytes, stageArray } from '../key/stage.js'
import {
  doubles,
  type Native,
  type NativeStats,
  native,
  scratch,
  type Token,
  words,
} from '../native/binding.js'
import {
  BIT_PEEK,
  FLAG_FOREIGN_CLOCK,
  FLAG_LRU,
  FORM_DIGEST,
  FORM_NUMBER,
  HEADER_BYTES,
  QUEUE_SMALL,
  SHARD_HEADER_SMALL_SEQ,
  SHARD_HEADER_SMALL_YOUNG,
  SLOT_BYTES,
  SLOT_FREQ,
  SLOT_QUEUE,
  SLOT_SEQ,
  SLOT_STAMP,
  STAGING_BITS,
  STAGING_CACHE,
  STAGING_DEADLINE,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_NOW,
  STAGING_SLOT,
  STAGING_STATUS,
} from '../native/layout.js'

/** What may be a key. Strings and numbers are themselves; an ndarray is its dtype, shape and elements. */
export type CacheKey = string | number | NdArrayLike | PreparedKey

/** A clock of the user's, for instance `performance` or a fake in a test. Milliseconds. */
export interface Clock {
  now(): number
}

export const NO_SLOT = 0xffff_ffff

// Status of native/core/cache.h.
const FAULTS = [
  undefined,
  undefined,
  ['TOO_LARGE', 'the key and value do not fit: a single entry may take half of a shard'],
  ['OUT_OF_MEMORY', 'no room: the views that are still held, or pinned, leave no free piece of that size'],
  ['CLOSED', 'the cache is closed'],
  ['DTYPE_MISMATCH', 'the stored value has another element type than the output'],
  ['SHAPE_MISMATCH', 'the array cannot be read: it is detached, or shape and strides leave its data'],
  ['OUT_TOO_SMALL', 'the output has less room than the stored value'],
  ['REGION_CORRUPT', 'a lock or the index of tags is damaged: create another cache'],
] as const

/** Entries that iteration fetches at a time come in fours. */
export interface Found {
  readonly slot: number
  readonly seq: number
  readonly key: string | number | PreparedKey
}

export class Engine {
  /** The functions of this cache's engine, for calls that are rare. */
  readonly binding: Native
  /** The same when it is not the process's engine. A hot call takes `native` else, which V8 knows as a constant. */
  readonly other: Native | undefined
  readonly token: Token
  /** The region, in the widths that hits read. */
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly region: SharedArrayBuffer
  /** Whether hits may be judged in JavaScript: not with a foreign clock, and not when a hit changes an order (LRU). */
  readonly quick: boolean
  readonly #clock: Clock | undefined
  /** Index of the shard's first word when there is one shard, else 0. */
  readonly #onlyShard: number
  #closed = false
  /** Closed, or with a clock of the user's. */
  #unusual: boolean

  constructor(region: SharedArrayBuffer, token: Token, clock: Clock | undefined, binding: Native = native) {
    this.binding = binding
    this.other = binding.engine === native.engine ? undefined : binding
    this.region = region
    this.token = token
    this.words = new Int32Array(region, 0, Math.floor(region.byteLength / 4))
    this.bytes = new Uint8Array(region)
    this.quick = (token.flags & (FLAG_FOREIGN_CLOCK | FLAG_LRU)) === 0
    this.#clock = clock
    this.#unusual = clock !== undefined
    this.#onlyShard = token.shards === 1 ? HEADER_BYTES / 4 : 0
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Marks the cache as closed. Its bytes stay until close() of the binding, or until nothing refers to the token. */
  retire(): void {
    this.#closed = true
    this.#unusual = true
  }

  /** Stages this cache for a call that must work after retire() too. */
  address(): void {
    words[STAGING_CACHE / 4] = this.token.id
  }

  /** Begins a call: which cache, what time. */
  begin(bits: number): void {
    if (this.#unusual) this.#beginUnusual()
    this.address()
    words[STAGING_BITS / 4] = bits
  }

  #beginUnusual(): void {
    if (!this.#closed && this.#clock !== undefined) stageNow(this.#clock)
    if (this.#closed) throw closedError() // perhaps by the clock
  }

  /** Begins a call on a key that is no string. Returns the array to hand over, if it is one. */
  beginKeyed(key: Exclude<CacheKey, string>, bits: number, scope: number): unknown {
    if (typeof key !== 'number' && !(key instanceof PreparedKey)) return this.beginArray(key, bits, scope)
    const plain = typeof key === 'number' ? key : this.inner(key)
    this.begin(bits)
    if (typeof plain === 'number') {
      words[STAGING_FORM / 4] = FORM_NUMBER
      doubles[STAGING_EXTRA / 8] = plain
    } else {
      words[STAGING_FORM / 4] = FORM_DIGEST
      scratch.set(plain as Uint8Array)
    }
    return undefined
  }

  /** Begins a call on an array. Returns what to hand over; undefined when native code knows the array. */
  beginArray(key: NdArrayLike, bits: number, scope: number): unknown {
    if (this.#unusual) return this.#beginArrayUnusual(key, bits, scope)
    const array = stageArray(key, bits, scope, this.other === undefined)
    if (this.#closed) throw closedError() // by a getter of the array
    this.address()
    return array
  }

  #beginArrayUnusual(key: NdArrayLike, bits: number, scope: number): unknown {
    this.#beginUnusual()
    const now = doubles[STAGING_NOW / 8] as number
    const array = stageArray(key, bits, scope, this.other === undefined) // whose getters may have staged another time
    if (this.#closed) throw closedError()
    doubles[STAGING_NOW / 8] = now
    this.address()
    return array
  }

  /** The key in a prepared key. @throws HitpathError INVALID_KEY when another cache made it */
  inner(key: PreparedKey): string | number | Uint8Array {
    if (key.owner !== this) throw new HitpathError('INVALID_KEY', 'the prepared key belongs to another cache')
    return key.key
  }

  prepare(key: CacheKey, scope = 0): PreparedKey {
    if (key instanceof PreparedKey) {
      this.inner(key)
      return key
    }
    if (typeof key === 'string' || typeof key === 'number') return new PreparedKey(this, key)
    return new PreparedKey(this, digestBytes(key, scope, this.binding))
  }

  // The hot calls, after begin().

  findString(key: string): void {
    if (this.other === undefined) native.findString(key)
    else this.other.findString(key)
  }

  findStaged(array: unknown): void {
    if (this.other === undefined) native.findStaged(array)
    else this.other.findStaged(array)
  }

  /** Without a value, which JavaScript keeps. */
  setString(key: string, tags: readonly string[] | undefined): void {
    if (this.other !== undefined) this.other.setString(key, undefined, tags)
    else if (tags === undefined) native.setString(key)
    else native.setString(key, undefined, tags)
  }

  setStaged(array: unknown, tags: readonly string[] | undefined): void {
    if (this.other === undefined) native.setStaged(array, undefined, tags)
    else this.other.setStaged(array, undefined, tags)
  }

  findMany(keys: readonly unknown[]): void {
    if (this.other === undefined) native.findMany(keys)
    else this.other.findMany(keys)
  }

  /** Finds an entry by an array; its slot, or NO_SLOT. */
  findArray(key: NdArrayLike, bits: number, scope: number): number {
    const array = this.beginArray(key, bits, scope)
    if (array === undefined) native.findKnown?.()
    else this.findStaged(array)
    const slot = words[STAGING_SLOT / 4] as number
    if (slot === NO_SLOT) this.check()
    return slot
  }

  /** Finds an entry; its slot, or NO_SLOT. */
  find(key: CacheKey, bits: number, scope = 0): number {
    const plain = key instanceof PreparedKey ? this.inner(key) : key
    if (typeof plain === 'string') {
      this.begin(bits)
      this.findString(plain)
    } else {
      this.findStaged(this.beginKeyed(key as Exclude<CacheKey, string>, bits, scope))
    }
    const slot = words[STAGING_SLOT / 4] as number
    if (slot === NO_SLOT) this.check()
    return slot
  }

  /** Throws for a status that is no result: that of the last call. */
  check(status = words[STAGING_STATUS / 4] as number): void {
    if (status >= 2) throw fault(status)
  }

  /** Milliseconds until the entry's deadline, Infinity without one, undefined when there is no live entry. */
  remaining(key: CacheKey, scope = 0): number | undefined {
    const plain = key instanceof PreparedKey ? this.inner(key) : key
    if (typeof plain === 'string') {
      this.begin(BIT_PEEK)
      this.binding.lookString(plain)
    } else {
      this.binding.lookStaged(this.beginKeyed(key as Exclude<CacheKey, string>, BIT_PEEK, scope))
    }
    if (words[STAGING_SLOT / 4] === NO_SLOT) {
      this.check()
      return undefined
    }
    return (doubles[STAGING_DEADLINE / 8] as number) - (doubles[STAGING_EXTRA / 8] as number)
  }

  /** Whether there was a live entry. */
  erase(key: CacheKey, scope = 0): boolean {
    const plain = key instanceof PreparedKey ? this.inner(key) : key
    if (typeof plain === 'string') {
      this.begin(0)
      this.binding.eraseString(plain)
    } else {
      this.binding.eraseStaged(this.beginKeyed(key as Exclude<CacheKey, string>, 0, scope))
    }
    this.check()
    return words[STAGING_STATUS / 4] === 0
  }

  eraseTag(tag: string): number {
    if (typeof tag !== 'string')
      throw new HitpathError('INVALID_ARGUMENT', `a tag is a string; got ${describe(tag)}`)
    return this.#whole(() => this.binding.eraseTag(tag))
  }

  /** `longKeysAt`: slots of matching strings that only JavaScript knows, in ascending order. */
  erasePattern(glob: string, longKeysAt: (glob: string) => Uint32Array): number {
    if (typeof glob !== 'string') {
      throw new HitpathError('INVALID_ARGUMENT', `a pattern is a string; got ${describe(glob)}`)
    }
    const slots = longKeysAt(glob)
    return this.#whole(() => this.binding.erasePattern(glob, slots))
  }

  clear(): void {
    this.#whole(() => this.binding.clear())
  }

  /** Live entries. Reclaims some expired ones first, so that a small cache is exact. */
  size(): number {
    return this.#whole(() => {
      this.binding.advance(4096)
      return this.binding.size()
    })
  }

  stats(): NativeStats {
    return this.#whole(() => this.binding.stats())
  }

  probeLengths(): { readonly mean: number; readonly longest: number } {
    return this.#whole(() => this.binding.probeLengths())
  }

  /** A call about the whole cache: cold, and checked for the one thing that it may have to say, that the cache was closed. */
  #whole<T>(call: () => T): T {
    this.begin(0)
    words[STAGING_STATUS / 4] = 0
    const result = call()
    this.check()
    return result
  }

  /** @throws HitpathError REGION_CORRUPT naming the invariant that does not hold */
  validate(): void {
    const problem = this.#whole(() => this.binding.validate())
    if (problem !== null) throw new HitpathError('REGION_CORRUPT', problem)
  }

  /** Reclaims expired entries, at most `budget`; milliseconds until there is more to do. */
  advance(budget: number): number {
    this.begin(0)
    const left = this.binding.advance(budget)
    this.check()
    return left === 0 ? 0 : (doubles[STAGING_DEADLINE / 8] as number) - (doubles[STAGING_EXTRA / 8] as number)
  }

  /** Walks the live entries, slot by slot; what is inserted or removed meanwhile may or may not be seen, all else once. */
  *scan(): Generator<Found> {
    for (let cursor = 0; cursor !== NO_SLOT; ) {
      this.begin(BIT_PEEK)
      const batch = this.binding.scan(cursor)
      this.check()
      cursor = words[STAGING_SLOT / 4] as number
      for (let i = 0; i < batch.length; i += 4) {
        const slot = batch[i] as number
        const seq = batch[i + 1] as number
        if (this.closed) return
        if (this.seqOf(slot) !== seq) continue
        const raw = batch[i + 3] as string | number | Uint8Array
        const key = typeof raw === 'object' ? new PreparedKey(this, raw) : raw
        yield { slot, seq, key }
      }
    }
  }

  /** Index of the first 32-bit word of a slot. */
  wordOf(slot: number): number {
    const { slots, slotsAt, shardBytes } = this.token
    const shard = Math.floor(slot / slots)
    return (slotsAt + shard * shardBytes + (slot - shard * slots) * SLOT_BYTES) / 4
  }

  /** Entries, of which a few may have expired, without reclaiming any. */
  count(): number {
    this.address()
    return this.binding.size()
  }

  seqOf(slot: number): number {
    return Atomics.load(this.words, this.wordOf(slot) + SLOT_SEQ / 4) >>> 0
  }

  /** What a hit in JavaScript does to the eviction policy: as Eviction::touch in native/core/eviction.h. */
  touch(word: number): void {
    const at = word * 4
    if (((this.bytes[at + SLOT_QUEUE] as number) & 15) === QUEUE_SMALL) {
      const shard = this.#onlyShard === 0 ? this.#shardOf(word) : this.#onlyShard
      const age =
        ((this.words[shard + SHARD_HEADER_SMALL_SEQ / 4] as number) -
          (this.words[word + SLOT_STAMP / 4] as number)) |
        0
      if (age < (this.words[shard + SHARD_HEADER_SMALL_YOUNG / 4] as number)) return
    }
    this.bytes[at + SLOT_FREQ] = (this.bytes[at + SLOT_FREQ] as number) + 1
  }

  /** Index of the first word of the shard that a slot's word lies in. */
  #shardOf(word: number): number {
    const { shardBytes } = this.token
    return (HEADER_BYTES + Math.floor((word * 4 - HEADER_BYTES) / shardBytes) * shardBytes) / 4
  }
}

/** Reads a clock of the user's for the next call. @throws HitpathError INVALID_CLOCK */
export function stageNow(clock: Clock): void {
  const now: unknown = clock.now()
  if (typeof now !== 'number' || !Number.isFinite(now)) {
    throw new HitpathError(
      'INVALID_CLOCK',
      `clock.now() must return a number of milliseconds; got ${describe(now)}`,
    )
  }
  doubles[STAGING_NOW / 8] = now
}

/** Whether an error says that the region is refused from now on: closed everywhere, or damaged. */
export function isRefusal(error: unknown): boolean {
  return error instanceof HitpathError && (error.code === 'CLOSED' || error.code === 'REGION_CORRUPT')
}

function fault(status: number): HitpathError {
  const [code, message] = FAULTS[status] ?? (['REGION_CORRUPT', `unexpected status ${status}`] as const)
  return new HitpathError(code, message)
}

function closedError(): HitpathError {
  return new HitpathError('CLOSED', 'the cache is closed')
}
