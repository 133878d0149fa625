/**
 * The bytes of a portable cache: a header, one shard's header and its slots, with the fields and offsets of layout.ts.
 *
 * The same words as in the native store, so that hits judged in JavaScript (the front, prepared keys) read either alike. Groups, wheel,
 * ghosts and arena are not here: keys stand in a Map, the rest in arrays of its owner.
 *
 *   | header | shard header | slot 0 | slot 1 | ... |     each part starts on a 64-byte line
 */
import {
  HEADER_BYTES,
  HEADER_DEFAULT_TTL,
  HEADER_FLAGS,
  HEADER_MAGIC,
  HEADER_MAX_ENTRIES,
  HEADER_STATE,
  SHARD_HEADER_BYTES,
  SLOT_BYTES,
  SLOT_DEADLINE,
  SLOT_KEY_SHAPE,
  SLOT_QUEUE,
  SLOT_SEQ,
  STATE_OPEN,
} from '../layout.js'

/** No slot, where links are 32-bit words. */
export const NONE = -1
/** "HITPORTA": tells a portable region from one that native code laid out. */
const MAGIC = 0x4154_524f_5054_4948n

const SHARD = HEADER_BYTES
export const SLOTS_AT = SHARD + Math.ceil(SHARD_HEADER_BYTES / SLOT_BYTES) * SLOT_BYTES
const FIRST = SLOTS_AT / SLOT_BYTES

export interface PortableConfig {
  readonly maxEntries: number
  readonly defaultTtl: number
  readonly flags: number
}

export function regionBytes(maxEntries: number): number {
  return SLOTS_AT + maxEntries * SLOT_BYTES
}

/** Formats zeroed bytes. */
export function writeHeader(region: Uint8Array, { maxEntries, defaultTtl, flags }: PortableConfig): void {
  const view = new DataView(region.buffer, region.byteOffset)
  view.setBigUint64(HEADER_MAGIC, MAGIC, true)
  view.setUint32(HEADER_MAX_ENTRIES, maxEntries, true)
  view.setFloat64(HEADER_DEFAULT_TTL, defaultTtl, true)
  view.setUint32(HEADER_FLAGS, flags, true)
  view.setUint32(HEADER_STATE, STATE_OPEN, true)
}

/** What writeHeader() wrote; undefined when the bytes are no portable region. */
export function readHeader(region: Uint8Array): PortableConfig | undefined {
  if (region.byteLength < SLOTS_AT) return undefined
  const view = new DataView(region.buffer, region.byteOffset)
  if (view.getBigUint64(HEADER_MAGIC, true) !== MAGIC) return undefined
  const maxEntries = view.getUint32(HEADER_MAX_ENTRIES, true)
  if (region.byteLength < regionBytes(maxEntries)) return undefined
  return {
    maxEntries,
    defaultTtl: view.getFloat64(HEADER_DEFAULT_TTL, true),
    flags: view.getUint32(HEADER_FLAGS, true),
  }
}

/** Views of the slots, and where the fields of one stand in them. */
export class Slots {
  readonly count: number
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly doubles: Float64Array

  constructor(region: Uint8Array, count: number) {
    this.count = count
    this.words = new Int32Array(region.buffer, region.byteOffset, Math.floor(region.byteLength / 4))
    this.doubles = new Float64Array(region.buffer, region.byteOffset, Math.floor(region.byteLength / 8))
    this.bytes = region
  }

  /** Index of a slot's first word. */
  at(slot: number): number {
    return (FIRST + slot) << 4
  }

  seq(slot: number): number {
    return this.words[this.at(slot) + SLOT_SEQ / 4] as number
  }

  /** After a change: whoever remembers the slot sees another sequence word, an even one. */
  bump(slot: number): void {
    const word = this.at(slot) + SLOT_SEQ / 4
    this.words[word] = (this.words[word] as number) + 2
  }

  deadline(slot: number): number {
    return this.doubles[(this.at(slot) >> 1) + SLOT_DEADLINE / 8] as number
  }

  setDeadline(slot: number, deadline: number): void {
    this.doubles[(this.at(slot) >> 1) + SLOT_DEADLINE / 8] = deadline
  }

  /** Which queue of the policy the slot is in; 0: it is free. */
  queue(slot: number): number {
    return this.bytes[this.at(slot) * 4 + SLOT_QUEUE] as number
  }

  setQueue(slot: number, queue: number): void {
    this.bytes[this.at(slot) * 4 + SLOT_QUEUE] = queue
  }

  /** A KEY_ number of layout.ts. */
  kind(slot: number): number {
    return this.bytes[this.at(slot) * 4 + SLOT_KEY_SHAPE] as number
  }

  setKind(slot: number, kind: number): void {
    this.bytes[this.at(slot) * 4 + SLOT_KEY_SHAPE] = kind
  }

  /** A word of the shard's header, by its offset in layout.ts. */
  shardWord(offset: number): number {
    return this.words[(SHARD + offset) / 4] as number
  }

  setShardWord(offset: number, value: number): void {
    this.words[(SHARD + offset) / 4] = value
  }
}
