/** The calls on records of snapshots: as native/addon/snapshots.cc, of a LocalCache. */
import { Buffer } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import type { Native } from '../binding.js'
import {
  KEY_DIGEST,
  STAGING_BITS,
  STAGING_COUNT,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_LENGTH,
  STAGING_SLOT,
  STAGING_STATUS,
} from '../layout.js'
import { BLOCK_HEAD_BYTES, BLOCK_ROW, PLACE_WORDS, PLACED_REPLACED } from '../record.js'
import { areRecords, RecordView, writeRecord } from './records.js'
import { NO_SLOT, OK, type Session, SHAPE_MISMATCH } from './session.js'
import { NONE } from './slots.js'
import type { Store } from './store.js'
import { xxh3Of64 } from './xxh3.js'

type Calls = Pick<Native, 'saveRecords' | 'sumRecords' | 'verifyBlocks' | 'restoreRecords'>

const EXTRA = STAGING_EXTRA / 8

export function snapshotCallsOf(session: Session): Calls {
  const { words, doubles, scratch, current, fail, now, report } = session
  const slots = new Uint32Array(scratch.buffer, scratch.byteOffset, Math.floor(scratch.length / 4))

  return {
    saveRecords(bytes) {
      const store = current()
      if (store === undefined) return
      const count = words[STAGING_COUNT / 4] as number
      if (count > slots.length) {
        fail(SHAPE_MISMATCH)
        return
      }
      const out = bufferOf(bytes)
      const time = now(store)
      const shift = (doubles[EXTRA] as number) - time
      let records = 0
      let used = 0
      let wanted = 0
      const next = store.visit(words[STAGING_SLOT / 4] as number, count, time, (slot) => {
        const size = writeRecord(out, used, {
          deadline: store.slots.deadline(slot) + shift,
          heat: store.heatOf(slot),
          tags: store.tags.digestsOf(slot),
          kind: store.slots.kind(slot),
          key: store.keyOf(slot),
        })
        if (size > out.length - used) {
          if (records === 0) wanted = size
          return false
        }
        slots[records++] = slot
        used += size
        return true
      })
      words[STAGING_SLOT / 4] = next === NONE ? NO_SLOT : next
      words[STAGING_COUNT / 4] = records
      doubles[STAGING_LENGTH / 8] = used
      doubles[EXTRA + 1] = wanted
      words[STAGING_STATUS / 4] = OK
    },
    sumRecords(bytes, seed, out) {
      bufferOf(out).writeBigUInt64LE(xxh3Of64(bytes, bufferOf(seed).readBigUInt64LE()))
      words[STAGING_STATUS / 4] = OK
    },
    async verifyBlocks(bytes, seed, table) {
      words[STAGING_STATUS / 4] = OK
      const all = bufferOf(bytes)
      const start = bufferOf(seed).readBigUInt64LE()
      for (let i = 0; i < table.length; i += BLOCK_ROW) {
        const [at, length, records] = table.subarray(i, i + BLOCK_ROW) as unknown as [number, number, number]
        const end = at + BLOCK_HEAD_BYTES + length
        // 1 + 2 * the block's number, and 1 more when it is its records.
        const fault = 1 + (2 * i) / BLOCK_ROW
        if (xxh3Of64(all.subarray(at + 8, end), start) !== all.readBigUInt64LE(at)) return fault
        if (!areRecords(all.subarray(at + BLOCK_HEAD_BYTES, end), records)) return fault + 1
        await turn()
      }
      return 0
    },
    restoreRecords(bytes, where) {
      const store = current()
      if (store === undefined) return
      const records = words[STAGING_COUNT / 4] as number
      const block = bufferOf(bytes)
      // Whoever calls has checked them; the file may have changed since.
      if (!areRecords(block, records)) {
        fail(SHAPE_MISMATCH)
        return
      }
      const how = {
        time: now(store),
        wallNow: doubles[EXTRA] as number,
        replace: ((words[STAGING_BITS / 4] as number) & 1) !== 0,
        dtypes: words[STAGING_FORM / 4] as number,
      }
      const counts = { restored: 0, kept: 0, expired: 0, rejected: 0, foreign: 0 }
      for (let i = 0, at = 0; i < records; i++) {
        const record = new RecordView(block, at)
        at += record.size
        counts[restore(store, record, how, where, PLACE_WORDS * i)]++
      }
      // A later record may have pushed an earlier one out.
      for (let i = 0; i < PLACE_WORDS * records; i += PLACE_WORDS) {
        const slot = where[i] as number
        if (slot !== NO_SLOT && store.slots.seq(slot) >>> 0 !== where[i + 1]) where[i] = NO_SLOT
      }
      doubles[EXTRA] = counts.restored
      doubles[EXTRA + 1] = counts.kept
      doubles[EXTRA + 2] = counts.expired
      doubles[STAGING_LENGTH / 8] = counts.foreign
      words[STAGING_COUNT / 4] = counts.rejected
      words[STAGING_STATUS / 4] = OK
      report(store)
    },
  }
}

interface Restoring {
  readonly time: number
  readonly wallNow: number
  /** Live entries too. */
  readonly replace: boolean
  readonly dtypes: number
}

/** Stores one record; where it went stands at `i` of `where`. */
function restore(
  store: Store,
  record: RecordView,
  { time, wallNow, replace, dtypes }: Restoring,
  where: Uint32Array,
  i: number,
): 'restored' | 'kept' | 'expired' | 'rejected' | 'foreign' {
  where[i] = NO_SLOT
  where[i + 2] = record.at / 8
  const deadline = record.deadline + (time - wallNow)
  if (time > deadline) return 'expired'
  if (record.keyKind === KEY_DIGEST) return 'foreign' // the native engine's
  if (!record.hasValue(dtypes)) return 'rejected'
  const key = record.key()
  const kind = record.storeKind
  const found = store.find(kind, key)
  if (!replace && found !== undefined && store.isLive(found, time)) return 'kept'
  const slot = store.set(kind, key, undefined, deadline, time, record.heat)
  store.tags.putDigests(slot, record.tags())
  where[i] = slot
  where[i + 1] = store.slots.seq(slot)
  where[i + 3] = store.replaced ? PLACED_REPLACED : 0
  return 'restored'
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
