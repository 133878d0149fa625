/** Opening and closing, and the calls on the whole cache: as native/addon/whole.cc. */
import { HitpathError } from '../../errors.js'
import { globMatches } from '../../glob.js'
import type { Native, RegionConfig, Token } from '../binding.js'
import {
  FLAG_FOREIGN_CLOCK,
  FLAG_SHARED,
  HEADER_FLAGS,
  KEY_DIGEST,
  STAGING_CACHE,
  STAGING_COUNT,
  STAGING_DEADLINE,
  STAGING_EXTRA,
  STAGING_NOW,
  STAGING_SLOT,
  STAGING_STATUS,
} from '../layout.js'
import { monotonicMs } from './clock.js'
import { digestBytesOf, markedDigest } from './digest-key.js'
import { OK, type Session } from './session.js'
import { readHeader, regionBytes, SLOTS_AT, writeHeader } from './slots.js'
import { Store } from './store.js'
import { unsupported } from './unsupported.js'

/** A Map holds 2^24 keys, of which half may be the traces of removed ones. */
const MAX_ENTRIES = 2 ** 23
/** Slots that a call of scan() looks at. */
const SCANNED = 1024
/** RegionFault of native/core/region.h: the bytes are no region. */
const NOT_A_REGION = 1

type Calls = Pick<
  Native,
  | 'victim'
  | 'regionBytes'
  | 'create'
  | 'open'
  | 'close'
  | 'advance'
  | 'size'
  | 'drainRemovals'
  | 'eraseTag'
  | 'erasePattern'
  | 'clear'
  | 'scan'
  | 'stats'
  | 'probeLengths'
  | 'validate'
  | 'matches'
>

export function wholeCallsOf(session: Session): Calls {
  const { words, doubles, scratch, current, now, report, adopt, keep, release } = session
  const pairs = new Uint32Array(scratch.buffer, scratch.byteOffset, Math.floor(scratch.length / 4))
  const seeds = new WeakMap<ArrayBufferLike, number>()

  return {
    victim() {
      const store = current()
      if (store !== undefined) words[STAGING_SLOT / 4] = store.victim(now(store))
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
      keep(token, store)
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
      words[STAGING_COUNT / 4] = store.takeRemovals(pairs, Math.floor(scratch.length / 8))
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
          kind === KEY_DIGEST ? markedDigest(digestBytesOf(key as string)) : key,
        )
        return true
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
    matches: globMatches,
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
