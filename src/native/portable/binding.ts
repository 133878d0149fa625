/**
 * The portable engine: the functions of native/addon in TypeScript, over the same staging words. For a LocalCache; what needs memory that
 * threads share is refused with UNSUPPORTED.
 *
 * Always true: as in the addon, a call reads the staging area when it begins and writes it when it ends, and no code of the user's runs
 * between. A cache is its number in `stores`; it goes when it is closed, or when nothing refers to its token.
 */
import { HitpathError } from '../../errors.js'
import { globMatches } from '../../glob.js'
import type { Native, RegionConfig, Token } from '../binding.js'
import {
  BIT_PEEK,
  FLAG_FOREIGN_CLOCK,
  FLAG_SHARED,
  FORM_ARRAY,
  FORM_DIGEST,
  FORM_NUMBER,
  HEADER_FLAGS,
  KEY_DIGEST,
  KEY_LATIN1,
  KEY_NUMBER,
  STAGING_BITS,
  STAGING_CACHE,
  STAGING_COUNT,
  STAGING_DEADLINE,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_NOW,
  STAGING_OFFSET,
  STAGING_REMOVED,
  STAGING_REMOVED_SLOT,
  STAGING_REMOVED_WHY,
  STAGING_SEQ,
  STAGING_SLOT,
  STAGING_STATUS,
  STAGING_TTL,
} from '../layout.js'
import { monotonicMs } from './clock.js'
import { arrayDigest, DIGEST_BYTES, MARK } from './digest.js'
import { NONE, readHeader, regionBytes, SLOTS_AT, writeHeader } from './slots.js'
import type { StagingArea } from './staging.js'
import { type Key, Store } from './store.js'
import { unsupported } from './unsupported.js'

/** A Map holds 2^24 keys, of which half may be the traces of removed ones. */
export const MAX_ENTRIES = 2 ** 23

// Status of native/core/cache.h.
const OK = 0
const MISS = 1
const CLOSED = 4
const SHAPE_MISMATCH = 6

const NO_SLOT = 0xffff_ffff
/** In place of a slot: the key must be asked for alone. */
const SINGLE = NO_SLOT - 1
/** Slots that a call of scan() looks at. */
const SCANNED = 1024
/** RegionFault of native/core/region.h: the bytes are no region. */
const NOT_A_REGION = 1

export function portableBinding(staging: StagingArea): Native {
  const { words, doubles, scratch } = staging
  const stores: (Store | undefined)[] = [undefined]
  const freeIds: number[] = []
  const seeds = new WeakMap<ArrayBufferLike, number>()
  const digest = new Uint8Array(DIGEST_BYTES)
  const digestView = new DataView(digest.buffer)
  const pairs = new Uint32Array(scratch.buffer, scratch.byteOffset, Math.floor(scratch.length / 4))
  const abandoned = new FinalizationRegistry<{ readonly id: number; readonly store: WeakRef<Store> }>(
    ({ id, store }) => {
      if (stores[id] !== undefined && stores[id] === store.deref()) release(id)
    },
  )

  function release(id: number): void {
    stores[id] = undefined
    freeIds.push(id)
  }

  /** The cache that the call is about; undefined, with the status set, when it is closed. */
  function current(): Store | undefined {
    const store = stores[words[STAGING_CACHE / 4] as number]
    if (store === undefined) fail(CLOSED)
    return store
  }

  function fail(status: number): void {
    words[STAGING_STATUS / 4] = status
    words[STAGING_SLOT / 4] = NO_SLOT
  }

  function now(store: Store): number {
    return store.foreignClock ? (doubles[STAGING_NOW / 8] as number) : monotonicMs()
  }

  function isAlive(store: Store, slot: number): boolean {
    const deadline = store.slots.deadline(slot)
    return deadline === Number.POSITIVE_INFINITY || now(store) <= deadline
  }

  /** Ends a call: which entries it removed. */
  function report(store: Store): void {
    const { removals } = store
    words[STAGING_REMOVED / 4] = removals.length / 2
    if (removals.length === 0) return
    words[STAGING_REMOVED_SLOT / 4] = removals[0] as number
    words[STAGING_REMOVED_WHY / 4] = removals[1] as number
    if (removals.length !== 2) return
    removals.pop() // a third of the cost of setting the length
    removals.pop()
  }

  /** The key that the staging area describes: its kind, and itself in `stagedKey`. NONE, with the status set, when it is none. */
  let stagedKey: Key = ''
  function readStaged(array: unknown): number {
    switch ((words[STAGING_FORM / 4] as number) & 0xff) {
      case FORM_NUMBER:
        stagedKey = (doubles[STAGING_EXTRA / 8] as number) + 0 // -0 is 0
        return KEY_NUMBER
      case FORM_ARRAY:
        if (!arrayDigest().write(staging, array, digestView)) break
        stagedKey = digestKey(digest)
        return KEY_DIGEST
      case FORM_DIGEST:
        stagedKey = digestKey(scratch)
        return KEY_DIGEST
    }
    fail(SHAPE_MISMATCH)
    return NONE
  }

  function found(store: Store, slot: number, kind: number): void {
    words[STAGING_SLOT / 4] = slot
    words[STAGING_SEQ / 4] = store.slots.seq(slot)
    doubles[STAGING_DEADLINE / 8] = store.slots.deadline(slot)
    words[STAGING_FORM / 4] = kind
  }

  function find(store: Store, slot: number | undefined, kind: number): void {
    words[STAGING_STATUS / 4] = OK
    words[STAGING_REMOVED / 4] = 0
    const peek = ((words[STAGING_BITS / 4] as number) & BIT_PEEK) !== 0
    if (slot !== undefined && isAlive(store, slot)) {
      if (!peek) {
        store.counts.hits++
        store.touch(slot)
      }
      found(store, slot, kind)
      return
    }
    if (!peek) {
      store.counts.misses++
      if (slot !== undefined) {
        store.expire(slot)
        report(store)
      }
    }
    fail(MISS)
  }

  function look(store: Store, slot: number | undefined, kind: number): void {
    words[STAGING_BITS / 4] = (words[STAGING_BITS / 4] as number) | BIT_PEEK
    find(store, slot, kind)
    if (words[STAGING_SLOT / 4] !== NO_SLOT) doubles[STAGING_EXTRA / 8] = now(store)
  }

  function set(store: Store, kind: number, key: Key, tags: readonly string[] | undefined): void {
    const wanted = doubles[STAGING_TTL / 8] as number
    const ttl = Number.isNaN(wanted) ? store.config.defaultTtl : wanted
    // Where nothing has a deadline no clock is read.
    const time = ttl === Number.POSITIVE_INFINITY && !store.timed ? 0 : now(store)
    const deadline = time + ttl
    const slot = store.set(kind, key, tags, deadline, time)
    words[STAGING_STATUS / 4] = OK
    words[STAGING_COUNT / 4] = store.replaced ? 1 : 0
    found(store, slot, kind)
    report(store)
  }

  function erase(store: Store, slot: number | undefined): void {
    const erased = slot !== undefined && store.erase(slot, now(store))
    words[STAGING_STATUS / 4] = erased ? OK : MISS
    report(store)
  }

  /** Finds a key, or puts it in after the entry of slot staging.count was let go. */
  function take(store: Store, kind: number, key: Key): void {
    words[STAGING_STATUS / 4] = OK
    const there = store.find(kind, key)
    if (there === undefined) {
      store.eraseAt(words[STAGING_COUNT / 4] as number)
      found(store, store.set(kind, key, undefined, Number.POSITIVE_INFINITY, 0), kind)
      store.removals.length = 0
    } else found(store, there, kind)
    words[STAGING_COUNT / 4] = there === undefined ? 0 : 1
  }

  /** The binding's own number of a new cache over formatted bytes. */
  function adopt(store: Store): number {
    const id = freeIds.pop() ?? stores.length
    stores[id] = store
    words[STAGING_CACHE / 4] = id
    return id
  }

  return {
    engine: 'portable',
    digestBytes: DIGEST_BYTES + 1,

    findString(key) {
      const store = current()
      if (store !== undefined) find(store, store.findPlain(key), KEY_LATIN1)
    },
    findStaged(array) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) find(store, store.find(kind, stagedKey), kind)
    },
    lookString(key) {
      const store = current()
      if (store !== undefined) look(store, store.findPlain(key), KEY_LATIN1)
    },
    lookStaged(array) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) look(store, store.find(kind, stagedKey), kind)
    },
    setString(key, _value, tags) {
      const store = current()
      if (store !== undefined) set(store, KEY_LATIN1, key, tags)
    },
    setStaged(array, _value, tags) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) set(store, kind, stagedKey, tags)
    },
    eraseString(key) {
      const store = current()
      if (store !== undefined) erase(store, store.findPlain(key))
    },
    eraseStaged(array) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) erase(store, store.find(kind, stagedKey))
    },
    takeString(key) {
      const store = current()
      if (store !== undefined) take(store, KEY_LATIN1, key)
    },
    takeStaged() {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(undefined)
      if (store !== undefined && kind !== NONE) take(store, kind, stagedKey)
    },
    eraseAt() {
      const store = current()
      if (store === undefined) return
      store.eraseAt(words[STAGING_COUNT / 4] as number)
      store.removals.length = 0
    },
    victim() {
      const store = current()
      if (store !== undefined) words[STAGING_SLOT / 4] = store.victim(now(store))
    },
    digestStaged(array) {
      words[STAGING_STATUS / 4] = OK
      if (!arrayDigest().write(staging, array, digestView)) {
        fail(SHAPE_MISMATCH)
        return
      }
      scratch.set(digest)
      scratch[DIGEST_BYTES] = MARK
    },
    findMany(keys) {
      const store = current()
      if (store === undefined) return
      const from = doubles[STAGING_OFFSET / 8] as number
      const count = words[STAGING_COUNT / 4] as number
      for (let i = 0; i < count; i++) {
        const key = keys[from + i]
        if (typeof key !== 'string') {
          pairs[i] = SINGLE
          continue
        }
        const slot = store.findPlain(key)
        const alive = slot !== undefined && isAlive(store, slot)
        pairs[i] = alive ? slot : NO_SLOT
        if (alive) {
          store.counts.hits++
          store.touch(slot)
        } else store.counts.misses++
      }
      words[STAGING_STATUS / 4] = OK
    },

    regionBytes(...config: RegionConfig) {
      const [shards, maxEntries, , defaultTtl, flags] = config
      if (shards !== 1 || (flags & FLAG_SHARED) !== 0) throw unsupported('a SharedCache')
      if (maxEntries > MAX_ENTRIES) {
        throw new HitpathError(
          'OUT_OF_MEMORY',
          `a cache of the portable engine holds ${MAX_ENTRIES} entries at most; ${maxEntries} were asked for`,
        )
      }
      return maxEntries > 0 && defaultTtl > 0 ? regionBytes(maxEntries) : Number.NaN
    },
    create(region, random, ...config) {
      const [, maxEntries, , defaultTtl, flags] = config
      writeHeader(region, { maxEntries, defaultTtl, flags })
      seeds.set(region.buffer, new DataView(random.buffer, random.byteOffset).getInt32(0, true))
      words[STAGING_STATUS / 4] = OK
    },
    open(region): Token | number {
      const config = readHeader(region)
      if (config === undefined) {
        const shared = region.byteLength >= SLOTS_AT && ((region[HEADER_FLAGS] as number) & FLAG_SHARED) !== 0
        if (shared) throw unsupported('a SharedCache')
        return NOT_A_REGION
      }
      const foreign = (config.flags & FLAG_FOREIGN_CLOCK) !== 0
      const begin = foreign ? (doubles[STAGING_NOW / 8] as number) : monotonicMs()
      const store = new Store(region, config, seeds.get(region.buffer) ?? 0, begin)
      const token = {
        id: adopt(store),
        slots: config.maxEntries,
        slotsAt: SLOTS_AT,
        shardBytes: region.byteLength,
        shards: 1,
        maxEntries: config.maxEntries,
        arenaBytes: 0,
        maxPayload: 0,
        defaultTtl: config.defaultTtl,
        flags: config.flags,
      }
      abandoned.register(token, { id: token.id, store: new WeakRef(store) })
      return token
    },
    close() {
      if (current() !== undefined) release(words[STAGING_CACHE / 4] as number)
    },
    advance(budget) {
      const store = current()
      if (store === undefined) return 0
      const left = store.advance(now(store), budget)
      doubles[STAGING_DEADLINE / 8] = store.nextDue()
      doubles[STAGING_EXTRA / 8] = now(store)
      words[STAGING_STATUS / 4] = OK
      report(store)
      return left
    },
    size() {
      return current()?.size ?? 0
    },
    drainRemovals() {
      const store = current()
      if (store === undefined) return
      const taken = store.removals.splice(0, 2 * Math.floor(scratch.length / 8))
      pairs.set(taken)
      words[STAGING_COUNT / 4] = taken.length / 2
    },
    eraseTag(tag) {
      const store = current()
      if (store === undefined) return 0
      const removed = store.eraseTag(tag, now(store))
      words[STAGING_STATUS / 4] = OK
      report(store)
      return removed
    },
    erasePattern(glob) {
      const store = current()
      if (store === undefined) return 0
      const removed = store.erasePattern(glob, now(store))
      words[STAGING_STATUS / 4] = OK
      report(store)
      return removed
    },
    matches: globMatches,
    clear() {
      const store = current()
      if (store === undefined) return
      store.clear()
      words[STAGING_STATUS / 4] = OK
      report(store)
    },
    scan(cursor) {
      const store = current()
      if (store === undefined) return []
      const batch: unknown[] = []
      const next = store.visit(cursor, SCANNED, now(store), (slot) => {
        const kind = store.slots.kind(slot)
        const key = store.keyOf(slot)
        batch.push(
          slot,
          store.slots.seq(slot) >>> 0,
          kind,
          kind === KEY_DIGEST ? bytesOf(key as string) : key,
        )
      })
      words[STAGING_STATUS / 4] = OK
      words[STAGING_SLOT / 4] = next
      return batch
    },
    stats() {
      const store = current()
      if (store === undefined) return EMPTY
      store.counts.hits += doubles[STAGING_EXTRA / 8 + 1] as number // those that were judged outside
      words[STAGING_STATUS / 4] = OK
      return {
        ...EMPTY,
        ...store.counts,
        entries: store.size,
        tags: store.tags.size,
        regionBytes: regionBytes(store.config.maxEntries),
        slots: store.slots.count,
        smallShare: store.smallShare,
        longestHand: store.longestHand,
      }
    },
    probeLengths() {
      const searched = (current()?.size ?? 0) === 0 ? 0 : 1 // by a Map
      return { mean: searched, longest: searched }
    },
    validate() {
      return current()?.validate() ?? null
    },

    copyString: () => refuse('getInto()'),
    copyStaged: () => refuse('getInto()'),
    getRows: () => refuse('getRows()'),
    setRows: () => refuse('setRows()'),
    saveRecords: () => refuse('save()'),
    sumRecords: () => refuse('a snapshot'),
    checkRecords: () => refuse('a snapshot'),
    restoreRecords: () => refuse('restore()'),
    restoreShared: () => refuse('restore()'),
    expectBytes: () => refuse('restore()'),
    remember: () => refuse('a SharedCache'),
    closeRegion: () => refuse('a SharedCache'),
    unpin: () => undefined, // nothing was pinned
  }
}

const EMPTY = {
  entries: 0,
  hits: 0,
  misses: 0,
  inserts: 0,
  updates: 0,
  deletes: 0,
  evictions: 0,
  expirations: 0,
  invalidations: 0,
  rejections: 0,
  tags: 0,
  arenaBytes: 0,
  freeBytes: 0,
  pinnedBytes: 0,
  largestFreeBytes: 0,
  regionBytes: 0,
  shards: 1,
  slots: 0,
  smallShare: 0,
  longestHand: 0,
}

function refuse(what: string): never {
  throw unsupported(what)
}

/** Eight units, which a Map hashes faster than it does a BigInt. */
function digestKey(bytes: Uint8Array): string {
  return String.fromCharCode(
    (bytes[0] as number) | ((bytes[1] as number) << 8),
    (bytes[2] as number) | ((bytes[3] as number) << 8),
    (bytes[4] as number) | ((bytes[5] as number) << 8),
    (bytes[6] as number) | ((bytes[7] as number) << 8),
    (bytes[8] as number) | ((bytes[9] as number) << 8),
    (bytes[10] as number) | ((bytes[11] as number) << 8),
    (bytes[12] as number) | ((bytes[13] as number) << 8),
    (bytes[14] as number) | ((bytes[15] as number) << 8),
  )
}

/** The digest of a key of digestKey(), with its mark. */
function bytesOf(key: string): Uint8Array {
  const bytes = new Uint8Array(DIGEST_BYTES + 1)
  for (let i = 0; i < 8; i++) {
    bytes[2 * i] = key.charCodeAt(i) & 0xff
    bytes[2 * i + 1] = key.charCodeAt(i) >>> 8
  }
  bytes[DIGEST_BYTES] = MARK
  return bytes
}
