/**
 * Writing of snapshot files.
 *
 * Always true: a file appears under its name whole, on the disk, or not at all: what is being written has another name until it
 * is complete. One block is written while another is being filled.
 */
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BLOCK_HEAD_BYTES } from '../native/record.js'
import {
  BLOCK_BYTES,
  encodeEnd,
  encodeHeader,
  type FileHeader,
  type RecordSums,
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
