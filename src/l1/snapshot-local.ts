/**
 * The snapshot of a LocalCache, whose values stand in JavaScript.
 *
 * Native code writes and reads what is around a value: key, deadline, tags, heat. A value takes the form that it would have in a SharedCache,
 * so either kind of cache reads the files of both. It is decoded when it is restored, not when it is first asked for: a hit
 * stays a hit. Always true: the key and the value of a record belonged to one entry at one moment, whatever encoding a value may run.
 */
import { Buffer } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import { PreparedKey } from '../key/prepared.js'
import { doubles, scratch, words } from '../native/binding.js'
import {
  CELL_BYTES,
  KEY_DIGEST,
  KEY_LONG,
  KEY_NUMBER,
  KEY_PORTABLE,
  MAX_TAGS,
  STAGING_COUNT,
  STAGING_EXTRA,
  STAGING_LENGTH,
  STAGING_SLOT,
} from '../native/layout.js'
import { markedDigest } from '../native/portable/digest-key.js'
import {
  align8,
  BLOCK_HEAD_BYTES,
  BLOCK_ROW,
  keyOffset,
  PLACE_WORDS,
  PLACED_LONG,
  PLACED_REPLACED,
  RECORD_DIGEST_BYTES,
  RECORD_HEAD_BYTES,
  RECORD_KEY_KIND,
  RECORD_KEY_LENGTH,
  RECORD_TAG_BYTES,
  RECORD_VALUE_LENGTH,
  RECORD_VALUE_TAG,
  stringKeyEncoding,
  stringKeyKind,
  stringKeyOf,
} from '../native/record.js'
import type { IteratedKey } from './base-cache.js'
import { type Engine, NO_SLOT } from './engine.js'
import { OpenBlock } from './snapshot-file.js'
import { BLOCK_BYTES, KIND } from './snapshot-format.js'
import {
  ahead,
  type SnapshotPort,
  stageSlice,
  stageTaking,
  type Taken,
  type TakenRecords,
  type Taking,
  verify,
} from './snapshot-port.js'
import type { Stretch } from './snapshot-reader.js'
import { decodeStored, encodeStored } from './stored-value.js'

const EXTRA = STAGING_EXTRA / 8

/** Slots of one call: of values that cost a few microseconds each, a millisecond. */
const SLOTS = 256
/** Their records without values: head, all tags, and a key of the length that native code has; a longer one ends a slice. */
const HEADS_BYTES = SLOTS * (RECORD_HEAD_BYTES + MAX_TAGS * RECORD_TAG_BYTES + CELL_BYTES)

/** What native code says of an entry that it has placed. */
export interface PlaceFlags {
  /** The key is a string of which native code has a digest only. */
  readonly long: boolean
  /** Another value of the key stood there. */
  readonly replaced: boolean
}

/** What the file needs of a LocalCache. */
export interface LocalEntries<V> {
  readonly engine: Engine
  at(slot: number): V | undefined
  longKeyAt(slot: number): string | undefined
  /** Takes out what the last call removed; the function returned tells the listener. */
  collect(): () => void
  /** Puts a value where its key is already; `key` only when a listener, or a long key, needs it. */
  put(slot: number, value: V, key: () => IteratedKey, flags: PlaceFlags): void
  delete(key: IteratedKey): void
}

export class LocalPort<V> implements SnapshotPort {
  readonly kind: number = KIND.local
  readonly engine: Engine
  readonly #entries: LocalEntries<V>
  readonly #refuse: boolean
  #skipped = 0
  #where = new Uint32Array(0)

  constructor(entries: LocalEntries<V>, refuse: boolean) {
    this.#entries = entries
    this.engine = entries.engine
    this.#refuse = refuse
  }

  get skipped(): number {
    return this.#skipped
  }

  size(): number {
    return this.#entries.engine.size()
  }

  *blocks(): Generator<OpenBlock | undefined, void> {
    const { engine } = this.#entries
    let heads = Buffer.allocUnsafeSlow(HEADS_BYTES)
    let block = new OpenBlock()
    let other = new OpenBlock()
    for (let cursor = 0; cursor !== NO_SLOT; ) {
      const wanted = stageSlice(engine, cursor, SLOTS, heads)
      if (wanted !== 0) heads = Buffer.allocUnsafeSlow(wanted) // a key longer than all of them
      cursor = words[STAGING_SLOT / 4] as number
      const count = words[STAGING_COUNT / 4] as number
      const bytes = doubles[STAGING_LENGTH / 8] as number
      const slots = new Uint32Array(scratch.buffer, scratch.byteOffset, count)
      // All of them now: encoding runs code of the user's, which may change the cache.
      const found = Array.from(
        slots,
        (slot) => [this.#entries.at(slot), this.#entries.longKeyAt(slot)] as const,
      )
      for (let i = 0, at = 0; at < bytes; i++) {
        const { length, prefix, kind } = headAt(heads, at)
        at += length
        const [value, longKey] = found[i] as readonly [V | undefined, string | undefined]
        const stored =
          value === undefined || (kind === KEY_LONG && longKey === undefined)
            ? undefined
            : this.#encode(value)
        if (stored === undefined) continue
        const key = kind === KEY_LONG ? keyBytes(longKey as string) : undefined
        const size = align8(
          (key === undefined ? prefix.length : prefix.length - RECORD_DIGEST_BYTES + key.bytes.length) +
            stored.bytes.length,
        )
        if (block.used > 0 && block.used + size > BLOCK_BYTES) {
          yield block
          ;[block, other] = [other, block]
          block.reset(size)
        } else if (block.room.length < size) {
          block.reset(size)
        }
        append(block, prefix, key, stored)
      }
      yield undefined
    }
    if (block.records > 0) yield block
  }

  /** Undefined when the value has no stored form. */
  #encode(value: V): { readonly tag: number; readonly bytes: Uint8Array } | undefined {
    try {
      return encodeStored(value)
    } catch (error) {
      if (this.#refuse) throw error
      this.#skipped++
      return undefined
    }
  }

  expect(): undefined {}

  async *restore(
    stretches: AsyncIterable<Stretch>,
    seed: Uint8Array,
    taking: () => Taking,
  ): AsyncGenerator<TakenRecords> {
    for await (const { bytes, table } of ahead(stretches, (stretch) => verify(this.engine, stretch, seed)))
      for (let row = 0; row < table.length; row += BLOCK_ROW) {
        const [at, length, records] = table.subarray(row) as unknown as [number, number, number]
        const body = bytes.subarray(at + BLOCK_HEAD_BYTES, at + BLOCK_HEAD_BYTES + length)
        yield { taken: this.#take(body, records, taking()), records, bytes: length }
        await turn()
      }
  }

  #take(body: Buffer, records: number, taking: Taking): Taken {
    const entries = this.#entries
    if (this.#where.length < PLACE_WORDS * records) this.#where = new Uint32Array(PLACE_WORDS * records)
    const where = this.#where
    stageTaking(entries.engine, taking)
    words[STAGING_COUNT / 4] = records
    entries.engine.binding.restoreRecords(body, where)
    entries.engine.check()
    const [restored, kept, expired] = doubles.subarray(EXTRA, EXTRA + 3) as unknown as [
      number,
      number,
      number,
    ]
    const rejected = words[STAGING_COUNT / 4] as number
    const foreign = doubles[STAGING_LENGTH / 8] as number
    const taken = { restored, kept, expired, rejected, foreign }
    const announce = entries.collect()
    const unreadable: IteratedKey[] = []
    for (let i = 0; i < PLACE_WORDS * records; i += PLACE_WORDS) {
      const slot = where[i] as number
      if (slot === NO_SLOT) continue
      const at = (where[i + 2] as number) * 8
      const flags = where[i + 3] as number
      const key = (): IteratedKey => keyAt(entries.engine, body, at)
      const value = valueAt(body, at) as V | undefined
      if (value === undefined) unreadable.push(key())
      else
        entries.put(slot, value, key, {
          long: (flags & PLACED_LONG) !== 0,
          replaced: (flags & PLACED_REPLACED) !== 0,
        })
    }
    for (const key of unreadable) entries.delete(key)
    announce()
    taken.restored -= unreadable.length
    taken.rejected += unreadable.length
    return taken
  }
}

interface Head {
  /** Of the record. */
  readonly length: number
  /** Head, tags and key. */
  readonly prefix: Buffer
  readonly kind: number
}

function headAt(heads: Buffer, at: number): Head {
  const end = keyOffset(heads, at) + heads.readUInt32LE(at + RECORD_KEY_LENGTH)
  return {
    length: align8(end - at),
    prefix: heads.subarray(at, end),
    kind: heads[at + RECORD_KEY_KIND] as number,
  }
}

/** `key` in place of the sixteen bytes that stand for a long one. */
function append(
  block: OpenBlock,
  prefix: Buffer,
  key: { readonly kind: number; readonly bytes: Buffer } | undefined,
  { tag, bytes }: { readonly tag: number; readonly bytes: Uint8Array },
): void {
  const { room } = block
  let end =
    key === undefined ? prefix.copy(room) : prefix.copy(room, 0, 0, prefix.length - RECORD_DIGEST_BYTES)
  room.writeUInt32LE(bytes.length, RECORD_VALUE_LENGTH)
  room[RECORD_VALUE_TAG] = tag
  if (key !== undefined) {
    room.writeUInt32LE(key.bytes.length, RECORD_KEY_LENGTH)
    room[RECORD_KEY_KIND] = key.kind
    end += key.bytes.copy(room, end)
  }
  room.set(bytes, end)
  end += bytes.length
  const padded = align8(end)
  room.fill(0, end, padded)
  block.used += padded
  block.records++
}

function keyBytes(key: string): { readonly kind: number; readonly bytes: Buffer } {
  const kind = stringKeyKind(key)
  return { kind, bytes: Buffer.from(key, stringKeyEncoding(kind)) }
}

function keyAt(engine: Engine, body: Buffer, at: number): IteratedKey {
  const from = keyOffset(body, at)
  const bytes = body.subarray(from, from + body.readUInt32LE(at + RECORD_KEY_LENGTH))
  const kind = body[at + RECORD_KEY_KIND] as number
  switch (kind) {
    case KEY_NUMBER:
      return bytes.readDoubleLE()
    case KEY_DIGEST:
      return new PreparedKey(engine, Uint8Array.from(bytes))
    case KEY_PORTABLE:
      return new PreparedKey(engine, markedDigest(bytes))
    default:
      return stringKeyOf(kind, bytes)
  }
}

/** Undefined when the bytes are no value. */
function valueAt(body: Buffer, at: number): unknown {
  const from = keyOffset(body, at) + body.readUInt32LE(at + RECORD_KEY_LENGTH)
  const length = body.readUInt32LE(at + RECORD_VALUE_LENGTH)
  try {
    return decodeStored(body[at + RECORD_VALUE_TAG] as number, body.subarray(from, from + length))
  } catch {
    return undefined
  }
}
