/** A record of a snapshot, as native/core/snapshot.h draws it, and what restoreRecords() says of each. */
import type { Buffer } from 'node:buffer'
import { KEY_LATIN1, KEY_UTF16 } from './layout.js'

export const RECORD_DEADLINE = 0
export const RECORD_VALUE_LENGTH = 8
export const RECORD_KEY_LENGTH = 12
export const RECORD_KEY_KIND = 16
export const RECORD_VALUE_TAG = 17
export const RECORD_TAG_COUNT = 18
export const RECORD_HEAT = 19
export const RECORD_ZERO = 20
export const RECORD_HEAD_BYTES = 24
export const RECORD_TAG_BYTES = 16
/** Of the key of an array. */
export const RECORD_DIGEST_BYTES = 16

/** Of a key that is a string: the longest of V8, so the longest that any set() was given. */
export const MAX_KEY_UNITS = 2 ** 29 - 24

/** Of the byte of heat: the eviction counter, and whether the entry was in the main queue. */
export const HEAT_FREQ = 3
export const HEAT_MAIN = 4

/** Words that restoreRecords() writes for each record: where it went, with which sequence word, where it lies in eights of bytes, flags. */
export const PLACE_WORDS = 4
export const PLACED_LONG = 1
export const PLACED_REPLACED = 2

/** Before the records of a block. */
export const BLOCK_HEAD_BYTES = 32
/** Of the table that verifyBlocks() and loadBlocks() take, a row a block: offset of its head, bytes of its records, how many they are. */
export const BLOCK_ROW = 3
/** Of the room that loadBlocks() takes, for each record. */
export const LOADED_BYTES = 32

/** Of a whole record. */
export function recordBytes(tags: number, keyBytes: number, valueBytes: number): number {
  return align8(RECORD_HEAD_BYTES + RECORD_TAG_BYTES * tags + keyBytes + valueBytes)
}

export function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

/** Where the key of the record at `at` begins. */
export function keyOffset(records: Uint8Array, at: number): number {
  return at + RECORD_HEAD_BYTES + RECORD_TAG_BYTES * (records[at + RECORD_TAG_COUNT] as number)
}

/** Of a string as a key. */
export function stringKeyKind(key: string): number {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 255) return KEY_UTF16
  return KEY_LATIN1
}

export function stringKeyEncoding(kind: number): 'latin1' | 'utf16le' {
  return kind === KEY_LATIN1 ? 'latin1' : 'utf16le'
}

/** The string that the bytes of a key are. */
export function stringKeyOf(kind: number, bytes: Buffer): string {
  return bytes.toString(stringKeyEncoding(kind))
}
