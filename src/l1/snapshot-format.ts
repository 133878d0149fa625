/**
 * A snapshot file as bytes: a header, blocks of records, an end. SNAPSHOT.md describes it for other readers.
 *
 * Always true: a checksum covers each byte of the file. Those of blocks begin with the header's own, and count the blocks, so that no
 * block of another file, or of another place, passes.
 */
import { Buffer } from 'node:buffer'
import { HitpathError } from '../errors.js'
import type { Native } from '../native/binding.js'
import { BLOCK_HEAD_BYTES, RECORD_HEAD_BYTES } from '../native/record.js'

export const FILE_HEADER_BYTES = 64
export const END_BYTES = 24
/** Records of a block, about: what one crossing restores in a millisecond. */
export const BLOCK_BYTES = 512 * 1024

const MAGIC = Buffer.from('HITPSNAP', 'latin1')
const FORMAT_VERSION = 1
/**
 * Of all digests that stand in records: those of arrays and tags by native/core/digest.h, and those of arrays by the portable engine (keys of
 * kind 5), pairs of XXH64 by native/portable/digest.ts. A change of either is a new version.
 */
const DIGEST_VERSION = 1
const BYTE_ORDER_MARK = 0x0102_0304
const SUMMED_BYTES = FILE_HEADER_BYTES - 8
const NO_SEED = new Uint8Array(8)

const BLOCK = { records: 1, end: 2 } as const

/** Makes checksums. */
export type RecordSums = Pick<Native, 'sumRecords'>

export const KIND = { shared: 1, local: 2 } as const

export interface FileHeader {
  readonly kind: number
  /** Wall clock in ms at which the saving began. */
  readonly savedAt: number
}

/** What stands before the records of a block. */
export interface BlockHead {
  readonly end: boolean
  readonly records: number
  readonly bytes: number
}

/** The header's bytes; the last eight, its checksum, seed those of the blocks. */
export function encodeHeader({ kind, savedAt }: FileHeader, sums: RecordSums): Buffer {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(FORMAT_VERSION, 8)
  bytes[10] = kind
  bytes[11] = DIGEST_VERSION
  bytes.writeUInt32LE(BYTE_ORDER_MARK, 12)
  bytes.writeDoubleLE(savedAt, 16)
  sums.sumRecords(bytes.subarray(0, SUMMED_BYTES), NO_SEED, seedOf(bytes))
  return bytes
}

/** @throws HitpathError INVALID_SNAPSHOT, SNAPSHOT_VERSION, SNAPSHOT_CORRUPT */
export function decodeHeader(bytes: Buffer, sums: RecordSums): FileHeader {
  if (bytes.length < MAGIC.length || !MAGIC.equals(bytes.subarray(0, MAGIC.length)))
    throw new HitpathError('INVALID_SNAPSHOT', 'the file is no snapshot of a hitpath cache')
  if (bytes.length < FILE_HEADER_BYTES) throw corrupt('it ends within its header')
  const version = bytes.readUInt16LE(8)
  if (version !== FORMAT_VERSION) throw otherVersion(`format ${version}; this build reads ${FORMAT_VERSION}`)
  if (bytes.readUInt32LE(12) !== BYTE_ORDER_MARK) throw otherVersion('another byte order')
  const sum = new Uint8Array(8)
  sums.sumRecords(bytes.subarray(0, SUMMED_BYTES), NO_SEED, sum)
  if (!seedOf(bytes).equals(sum)) throw corrupt('the header does not match its checksum')
  const digests = bytes[11]
  if (digests !== DIGEST_VERSION) throw otherVersion(`digests ${digests}; this build makes ${DIGEST_VERSION}`)
  const savedAt = bytes.readDoubleLE(16)
  const kind = bytes[10] as number
  if (!Number.isFinite(savedAt) || (kind !== KIND.shared && kind !== KIND.local))
    throw corrupt('the header contradicts itself')
  return { kind, savedAt }
}

export function seedOf(header: Buffer): Buffer {
  return header.subarray(SUMMED_BYTES, FILE_HEADER_BYTES)
}

/** Writes the head of a block of records, which follow it in `bytes`. */
export function sealRecords(
  bytes: Buffer,
  records: number,
  index: number,
  seed: Uint8Array,
  sums: RecordSums,
): void {
  seal(bytes, BLOCK.records, records, index, seed, sums)
}

/** The block that ends a file. */
export function encodeEnd(counts: FileCounts, index: number, seed: Uint8Array, sums: RecordSums): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEAD_BYTES + END_BYTES)
  bytes.writeDoubleLE(counts.records, BLOCK_HEAD_BYTES)
  bytes.writeDoubleLE(counts.skipped, BLOCK_HEAD_BYTES + 8)
  bytes.writeDoubleLE(counts.bytes, BLOCK_HEAD_BYTES + 16)
  seal(bytes, BLOCK.end, 0, index, seed, sums)
  return bytes
}

/** What the end of a file says of it. */
export interface FileCounts {
  readonly records: number
  /** Entries that were left out, since their values have no stored form. */
  readonly skipped: number
  /** Of the records. */
  readonly bytes: number
}

export function decodeEnd(body: Buffer): FileCounts {
  return { records: body.readDoubleLE(0), skipped: body.readDoubleLE(8), bytes: body.readDoubleLE(16) }
}

/** What a head says, whose checksum is not looked at yet. @throws HitpathError SNAPSHOT_CORRUPT */
export function readHead(head: Buffer, index: number): BlockHead {
  const kind = head.readUInt32LE(8)
  const bytes = Number(head.readBigUInt64LE(16))
  const end = kind === BLOCK.end
  if ((!end && kind !== BLOCK.records) || head.readUInt32LE(12) !== index || head.readUInt32LE(28) !== 0)
    throw corrupt(`block ${index} has no head`)
  if (end && bytes !== END_BYTES) throw corrupt('its end is none')
  const records = head.readUInt32LE(24)
  if (records * RECORD_HEAD_BYTES > bytes) throw corrupt(`block ${index} has less room than records`)
  if (bytes % 8 !== 0) throw corrupt(`block ${index} is not made of its records`)
  return { end, records, bytes }
}

/** `block` is the head and the body of the end. @throws HitpathError SNAPSHOT_CORRUPT */
export function checkEnd(block: Buffer, index: number, seed: Uint8Array, sums: RecordSums): void {
  const sum = new Uint8Array(8)
  sums.sumRecords(block.subarray(8), seed, sum)
  if (!block.subarray(0, 8).equals(sum)) throw mismatched(index)
}

function mismatched(index: number): HitpathError {
  return corrupt(`block ${index} does not match its checksum`)
}

/** For what verifyBlocks() says of the blocks from number `first` on. */
export function faulty(fault: number, first: number): HitpathError {
  const index = first + Math.floor((fault - 1) / 2)
  return fault % 2 === 1 ? mismatched(index) : corrupt(`block ${index} is not made of its records`)
}

export function corrupt(why: string): HitpathError {
  return new HitpathError('SNAPSHOT_CORRUPT', `the snapshot is damaged or truncated: ${why}`)
}

function otherVersion(what: string): HitpathError {
  return new HitpathError('SNAPSHOT_VERSION', `the snapshot was written by another version: ${what}`)
}

function seal(
  bytes: Buffer,
  kind: number,
  records: number,
  index: number,
  seed: Uint8Array,
  sums: RecordSums,
): void {
  bytes.writeUInt32LE(kind, 8)
  bytes.writeUInt32LE(index, 12)
  bytes.writeBigUInt64LE(BigInt(bytes.length - BLOCK_HEAD_BYTES), 16)
  bytes.writeUInt32LE(records, 24)
  bytes.writeUInt32LE(0, 28)
  sums.sumRecords(bytes.subarray(8), seed, bytes)
}
