/**
 * What LocalCache and SharedCache do alike, over get(), set() and delete(): the rest of the surface.
 */
import type { PreparedKey } from '../key/prepared.js'
import { doubles, scratch, words } from '../native/binding.js'
import { STAGING_COUNT, STAGING_OFFSET } from '../native/layout.js'
import { type CacheKey, type Engine, NO_SLOT } from './engine.js'
import { keyList, type SetOptions } from './options.js'
import { refuseEntrusted, restoreSnapshot, saveSnapshot } from './snapshot.js'
import {
  checkRestore,
  checkSave,
  type RestoreOptions,
  type RestoreResult,
  type SaveOptions,
  type SaveResult,
} from './snapshot-options.js'
import type { SnapshotPort } from './snapshot-port.js'
import { RegionPort } from './snapshot-region.js'
import type { CacheStats } from './stats.js'

/** Keys of one crossing: as many as slots fit the scratch. */
const MANY = 8192
/** In place of a slot: the key must be asked for alone. */
const SINGLE = NO_SLOT - 1

/** A key as iteration gives it: an array's comes as a prepared key. */
export type IteratedKey = string | number | PreparedKey

export abstract class BaseCache<V> {
  readonly #engine: Engine

  /** @internal */
  protected constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Which engine keeps the entries: the native one, or the portable one in TypeScript. */
  get engine(): 'native' | 'portable' {
    return this.#engine.binding.engine
  }

  /** The value, or undefined when there is no live entry. Counts as a hit or a miss. */
  abstract get(key: CacheKey): V | undefined
  /** As get(), but counts nothing and changes no order. */
  abstract peek(key: CacheKey): V | undefined
  abstract set(key: CacheKey, value: V, options?: SetOptions): this
  /** Removes an entry; whether there was a live one. */
  abstract delete(key: CacheKey): boolean
  /** The keys of live entries, in no order. Survives any change meanwhile. An array's key comes as a prepared key. */
  abstract keys(): Generator<IteratedKey>
  abstract stats(): CacheStats
  abstract close(): void
  /** @internal The value of a slot that findMany() gave. */
  protected abstract valueOf(slot: number): V | undefined

  /** Whether a live entry exists. Counts nothing. */
  has(key: CacheKey): boolean {
    return this.#engine.remaining(key) !== undefined
  }

  /** Milliseconds that the entry has still to live, `Infinity` without a deadline, undefined when there is none. */
  remainingTtl(key: CacheKey): number | undefined {
    return this.#engine.remaining(key)
  }

  /** The value, computed and stored when there is none. An undefined result is returned and not stored. */
  getOrCompute<K extends CacheKey>(key: K, compute: (key: K) => V, options?: SetOptions): V {
    const found = this.get(key)
    if (found !== undefined) return found
    const value = compute(key)
    if (value !== undefined) this.set(key, value, options)
    return value
  }

  /** The values of many keys, aligned with them. One crossing for strings, which hides the latency of memory. */
  getMany(wanted: readonly CacheKey[]): (V | undefined)[] {
    const keys = keyList(wanted)
    const out = new Array<V | undefined>(keys.length).fill(undefined)
    const slots = new Uint32Array(scratch.buffer, scratch.byteOffset, MANY)
    for (let from = 0; from < keys.length; from += MANY) {
      const count = Math.min(MANY, keys.length - from)
      this.#engine.begin(0)
      doubles[STAGING_OFFSET / 8] = from
      words[STAGING_COUNT / 4] = count
      this.#engine.findMany(keys)
      this.#engine.check()
      const found = slots.slice(0, count)
      // What is at hand first: asking for the others may push it out.
      for (let i = 0; i < count; i++) {
        if ((found[i] as number) < SINGLE) out[from + i] = this.valueOf(found[i] as number)
      }
      for (let i = 0; i < count; i++) {
        if (found[i] === SINGLE) out[from + i] = this.get(keys[from + i] as CacheKey)
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

  /** A key made once and used often: its hits cost a few nanoseconds. It belongs to this cache, in this thread. */
  key(key: CacheKey): PreparedKey {
    return this.#engine.prepare(key)
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value
  }

  *entries(): Generator<[key: IteratedKey, value: V]> {
    for (const key of this.keys()) {
      // The entry was alive when its batch was fetched; the caller may have taken his time since.
      const value = this.peek(key)
      if (value !== undefined) yield [key, value]
    }
  }

  [Symbol.iterator](): Generator<[key: IteratedKey, value: V]> {
    return this.entries()
  }

  /**
   * Writes the live entries to a file, while the cache is used; each as it was at some moment of the call. The file is complete, and on the
   * disk, or is left as it was. Deadlines are kept by the wall clock.
   * @throws HitpathError SNAPSHOT_IO, CLOSED, INVALID_ARGUMENT, INVALID_OPTION; the reason of the signal
   */
  async save(path: string, options: SaveOptions = {}): Promise<SaveResult> {
    refuseEntrusted(this)
    return await saveSnapshot(this.snapshotPort(options) as SnapshotPort, checkSave(path, options), options)
  }

  /**
   * Stores the entries of a file that save() of any LocalCache or SharedCache wrote, with what they have still to live. The file is verified whole
   * before the first is stored. Sizes may differ: what does not fit is evicted or rejected.
   * @throws HitpathError INVALID_SNAPSHOT for a foreign file, SNAPSHOT_VERSION, SNAPSHOT_CORRUPT for a damaged or truncated one, SNAPSHOT_IO,
   *   CLOSED, INVALID_ARGUMENT, INVALID_OPTION; the reason of the signal
   */
  async restore(path: string, options: RestoreOptions = {}): Promise<RestoreResult> {
    refuseEntrusted(this)
    return await restoreSnapshot(this.snapshotPort({}) as SnapshotPort, checkRestore(path, options), options)
  }

  /** @internal A SnapshotPort. Not declared as one, since that would bring Buffer, and so the types of Node, into the declarations. */
  protected snapshotPort(_options: SaveOptions): object {
    return new RegionPort(this.#engine)
  }

  /** Groups that a search looks at, over all entries. Walks them all. */
  probeLengths(): { readonly mean: number; readonly longest: number } {
    return this.#engine.probeLengths()
  }

  /** For tests, while no thread writes. @throws HitpathError REGION_CORRUPT when an invariant of the store does not hold */
  validate(): void {
    this.#engine.validate()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
