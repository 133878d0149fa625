/**
 * Reading and writing of snapshot files.
 *
 * Always true: a file appears under its name whole, on the disk, or not at all: what is being written has another name until it
 * is complete. One block is read or written while another is being worked on.
 */
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HitpathError } from '../errors.js'
import {
  BLOCK_BYTES,
  BLOCK_HEAD_BYTES,
  type BlockHead,
  checkBlock,
  corrupt,
  decodeEnd,
  decodeHeader,
  encodeEnd,
  encodeHeader,
  FILE_HEADER_BYTES,
  type FileCounts,
  type FileHeader,
  type RecordSums,
  readHead,
  sealRecords,
  seedOf,
} from './snapshot-format.js'

/** A block being filled: room for its head, then records. */
export class OpenBlock {
  buffer: Buffer
  records = 0
  /** Bytes of records so far. */
  used = 0

  constructor(bytes = BLOCK_BYTES) {
    this.buffer = Buffer.allocUnsafeSlow(BLOCK_HEAD_BYTES + bytes)
  }

  /** Room behind the records so far. */
  get room(): Buffer {
    return this.buffer.subarray(BLOCK_HEAD_BYTES + this.used)
  }

  /** Empties the block and gives it room for at least so many bytes. */
  reset(bytes: number): void {
    this.records = 0
    this.used = 0
    const wanted = BLOCK_HEAD_BYTES + Math.max(bytes, BLOCK_BYTES)
    // A block that once held a large record does not keep its memory.
    if (this.buffer.length < wanted || this.buffer.length > 2 * wanted)
      this.buffer = Buffer.allocUnsafeSlow(wanted)
  }

  get sealed(): Buffer {
    return this.buffer.subarray(0, BLOCK_HEAD_BYTES + this.used)
  }
}

export class SnapshotWriter {
  readonly #path: string
  readonly #temporary: string
  readonly #handle: FileHandle
  readonly #seed: Buffer
  readonly #sums: RecordSums
  #writing: Promise<unknown> = Promise.resolve()
  #index = 0
  #at = 0
  #records = 0
  #recordBytes = 0

  private constructor(path: string, temporary: string, handle: FileHandle, seed: Buffer, sums: RecordSums) {
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
    this.#seed = seed
    this.#sums = sums
  }

  static async begin(path: string, header: FileHeader, sums: RecordSums): Promise<SnapshotWriter> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    const bytes = encodeHeader(header, sums)
    // What a cache holds is its owner's alone.
    const handle = await open(temporary, 'wx', 0o600)
    const writer = new SnapshotWriter(path, temporary, handle, Buffer.from(seedOf(bytes)), sums)
    writer.#write(bytes)
    return writer
  }

  get records(): number {
    return this.#records
  }

  get bytes(): number {
    return this.#at
  }

  /** The block may be filled anew once the next one was taken. */
  async add(block: OpenBlock): Promise<void> {
    const bytes = block.sealed
    sealRecords(bytes, block.records, this.#index++, this.#seed, this.#sums)
    this.#records += block.records
    this.#recordBytes += block.used
    await this.#writing
    this.#write(bytes)
  }

  /** Puts the file in its place. */
  async finish(skipped: number): Promise<void> {
    const counts = { records: this.#records, skipped, bytes: this.#recordBytes }
    await this.#writing
    this.#write(encodeEnd(counts, this.#index, this.#seed, this.#sums))
    await this.#writing
    await this.#handle.sync()
    await this.#handle.close()
    await rename(this.#temporary, this.#path)
    await syncFolder(dirname(this.#path))
  }

  /** Leaves what stood under the name as it is. */
  async abandon(): Promise<void> {
    await this.#writing.catch(() => {})
    await this.#handle.close().catch(() => {})
    await rm(this.#temporary, { force: true }).catch(() => {})
  }

  #write(bytes: Buffer): void {
    const at = this.#at
    this.#at += bytes.length
    this.#writing = writeAll(this.#handle, bytes, at)
    this.#writing.catch(() => {}) // awaited before the next one
  }
}

/** A block of records as read: its checksum holds, its records are not looked at. */
export interface ReadBlock {
  readonly index: number
  readonly records: number
  /** Overwritten with the block that comes two later. */
  readonly body: Buffer
}

export class SnapshotReader {
  readonly header: FileHeader
  readonly bytes: number
  readonly #handle: FileHandle
  readonly #seed: Buffer
  readonly #sums: RecordSums
  readonly #firstHead: Buffer
  #counts: FileCounts | undefined

  private constructor(handle: FileHandle, bytes: number, start: Buffer, sums: RecordSums) {
    this.#handle = handle
    this.bytes = bytes
    this.#sums = sums
    this.header = decodeHeader(start, sums)
    if (start.length < FILE_HEADER_BYTES + BLOCK_HEAD_BYTES) throw corrupt('it has no block')
    this.#seed = seedOf(start)
    this.#firstHead = start.subarray(FILE_HEADER_BYTES)
  }

  static async open(path: string, sums: RecordSums): Promise<SnapshotReader> {
    const handle = await open(path, 'r')
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) throw new HitpathError('INVALID_SNAPSHOT', `${path} is no file`)
      const start = Buffer.alloc(Math.min(stat.size, FILE_HEADER_BYTES + BLOCK_HEAD_BYTES))
      await readAll(handle, start, 0)
      return new SnapshotReader(handle, stat.size, start, sums)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** What the end says, once blocks() came to it. */
  get counts(): FileCounts | undefined {
    return this.#counts
  }

  /**
   * All blocks of records in order; the next is being read meanwhile.
   * @throws HitpathError SNAPSHOT_CORRUPT
   */
  async *blocks(): AsyncGenerator<ReadBlock> {
    const buffers = [Buffer.alloc(0), Buffer.alloc(0)]
    let at = FILE_HEADER_BYTES + BLOCK_HEAD_BYTES
    let records = 0
    let recordBytes = 0
    let next = this.#begin(this.#firstHead, 0, at, buffers)
    try {
      for (let index = 0; ; index++) {
        const { head, block, following } = await next
        at += head.bytes + BLOCK_HEAD_BYTES
        if (following !== undefined) {
          next = this.#begin(following, index + 1, at, buffers)
          next.catch(() => {}) // awaited in the next round
        }
        checkBlock(block, index, this.#seed, this.#sums)
        const body = block.subarray(BLOCK_HEAD_BYTES)
        if (head.end) {
          this.#end(decodeEnd(body), records, recordBytes)
          return
        }
        records += head.records
        recordBytes += head.bytes
        yield { index, records: head.records, body }
      }
    } finally {
      await next.catch(() => {})
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  /** Reads the body of a block whose head is known, and the head of the one behind it. */
  async #begin(headBytes: Buffer, index: number, at: number, buffers: Buffer[]): Promise<Reading> {
    const head = readHead(headBytes, index)
    const left = this.bytes - at - head.bytes
    if (head.end ? left !== 0 : left < BLOCK_HEAD_BYTES)
      throw corrupt(left > 0 ? 'something follows its end' : 'it ends within a block')
    const wanted = head.bytes + (head.end ? 0 : BLOCK_HEAD_BYTES)
    const own = index % buffers.length
    let buffer = buffers[own] as Buffer
    if (buffer.length < BLOCK_HEAD_BYTES + wanted) {
      buffer = Buffer.allocUnsafeSlow(Math.max(BLOCK_HEAD_BYTES + wanted, BLOCK_BYTES + 2 * BLOCK_HEAD_BYTES))
      buffers[own] = buffer
    }
    headBytes.copy(buffer)
    await readAll(this.#handle, buffer.subarray(BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES + wanted), at)
    const end = BLOCK_HEAD_BYTES + head.bytes
    const following = head.end ? undefined : buffer.subarray(end, end + BLOCK_HEAD_BYTES)
    return { head, block: buffer.subarray(0, end), following }
  }

  #end(counts: FileCounts, records: number, bytes: number): void {
    if (counts.records !== records || counts.bytes !== bytes)
      throw corrupt('it counts other records than it has')
    this.#counts = counts
  }
}

interface Reading {
  readonly head: BlockHead
  readonly block: Buffer
  readonly following: Buffer | undefined
}

async function readAll(handle: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await handle.read(
      into,
      done,
      Math.min(into.length - done, 2 ** 30),
      position + done,
    )
    if (bytesRead === 0) throw corrupt('it became shorter while it was read')
    done += bytesRead
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const part = Math.min(bytes.length - done, 2 ** 30)
    done += (await handle.write(bytes, done, part, position + done)).bytesWritten
  }
}

/** So that the new name survives a loss of power, where folders can be synced. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch {
    // Windows has no such thing; the file itself is on the disk.
  }
}
