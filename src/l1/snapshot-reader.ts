/**
 * Reading of snapshot files: a stretch of whole blocks at a time, the next one while others are worked on.
 *
 * Always true: nothing of a stretch is believed but the lengths in the heads of its blocks, which are compared with those of the file.
 */
import { Buffer } from 'node:buffer'
import { type FileHandle, open } from 'node:fs/promises'
import { HitpathError } from '../errors.js'
import { BLOCK_HEAD_BYTES, BLOCK_ROW } from '../native/record.js'
import {
  BLOCK_BYTES,
  checkEnd,
  corrupt,
  decodeEnd,
  decodeHeader,
  FILE_HEADER_BYTES,
  type FileCounts,
  type FileHeader,
  type RecordSums,
  readHead,
  seedOf,
} from './snapshot-format.js'

/** Blocks that are read at once. Fewer cost more calls and pauses, more need more memory: there are three stretches. */
const STRETCH_BYTES = 8 * (BLOCK_HEAD_BYTES + BLOCK_BYTES)
/** One is stored, one is verified, one is read. */
const STRETCHES = 3

/** Blocks of records that lie one behind the other, as read. */
export interface Stretch {
  /** Of its first block, counted from 0. */
  readonly first: number
  /** Overwritten with the stretch that comes three later. */
  readonly bytes: Buffer
  /** A row for each block: offset of its head in `bytes`, bytes of its records, records. */
  readonly table: Float64Array
  readonly records: number
  /** Of the records. */
  readonly recordBytes: number
}

/** Heads and bodies that a reading has brought, up to where the next one begins. */
interface Reading {
  readonly stretch: Stretch
  /** In the file; undefined: the end was among them. */
  readonly next: number | undefined
}

export class SnapshotReader {
  readonly header: FileHeader
  /** Of the file. */
  readonly bytes: number
  /** Of the checksums of its blocks. */
  readonly seed: Buffer
  readonly #handle: FileHandle
  readonly #sums: RecordSums
  readonly #buffers: Buffer[] = []
  #counts: FileCounts | undefined

  private constructor(handle: FileHandle, bytes: number, start: Buffer, sums: RecordSums) {
    this.#handle = handle
    this.bytes = bytes
    this.#sums = sums
    this.header = decodeHeader(start, sums)
    this.seed = seedOf(start)
  }

  static async open(path: string, sums: RecordSums): Promise<SnapshotReader> {
    const handle = await open(path, 'r')
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) throw new HitpathError('INVALID_SNAPSHOT', `${path} is no file`)
      const start = Buffer.alloc(Math.min(stat.size, FILE_HEADER_BYTES))
      await readAll(handle, start, 0)
      return new SnapshotReader(handle, stat.size, start, sums)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** What the end says, once stretches() came to it. */
  get counts(): FileCounts | undefined {
    return this.#counts
  }

  /**
   * All blocks of records in order; the next are being read meanwhile.
   * @throws HitpathError SNAPSHOT_CORRUPT
   */
  async *stretches(): AsyncGenerator<Stretch> {
    let records = 0
    let recordBytes = 0
    let next = this.#read(FILE_HEADER_BYTES, 0, 0)
    try {
      for (let turn = 1; ; turn++) {
        const reading = await next
        const { stretch } = reading
        records += stretch.records
        recordBytes += stretch.recordBytes
        if (reading.next !== undefined) {
          next = this.#read(reading.next, stretch.first + stretch.table.length / BLOCK_ROW, turn % STRETCHES)
          next.catch(() => {}) // awaited in the next round
        } else if (this.#counts?.records !== records || this.#counts.bytes !== recordBytes) {
          throw corrupt('it counts other records than it has')
        }
        if (stretch.table.length > 0) yield stretch
        if (reading.next === undefined) return
      }
    } finally {
      await next.catch(() => {})
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  /** Reads whole blocks from `position` on, where number `first` begins: as many as the buffer holds, or one that is larger. */
  async #read(position: number, first: number, own: number, least = STRETCH_BYTES): Promise<Reading> {
    const left = this.bytes - position
    const bytes = this.#buffer(own, Math.min(left, least))
    await readAll(this.#handle, bytes, position)
    const rows: number[] = []
    let at = 0
    let records = 0
    let recordBytes = 0
    for (;;) {
      const index = first + rows.length / BLOCK_ROW
      if (left - at < BLOCK_HEAD_BYTES) throw corrupt('it ends within a block')
      if (bytes.length - at < BLOCK_HEAD_BYTES) break
      const head = readHead(bytes.subarray(at, at + BLOCK_HEAD_BYTES), index)
      const end = at + BLOCK_HEAD_BYTES + head.bytes
      if (end > left) throw corrupt('it ends within a block')
      if (end > bytes.length) {
        if (rows.length === 0) return await this.#read(position, first, own, end)
        break
      }
      if (head.end) {
        if (end !== left) throw corrupt('something follows its end')
        const block = bytes.subarray(at, end)
        checkEnd(block, index, this.seed, this.#sums)
        this.#counts = decodeEnd(block.subarray(BLOCK_HEAD_BYTES))
        at = left
        break
      }
      rows.push(at, head.bytes, head.records)
      records += head.records
      recordBytes += head.bytes
      at = end
    }
    const stretch = { first, bytes, table: Float64Array.from(rows), records, recordBytes }
    return { stretch, next: at === left ? undefined : position + at }
  }

  /** One that once held a large record does not keep its memory. */
  #buffer(own: number, bytes: number): Buffer {
    const buffer = this.#buffers[own]
    if (buffer !== undefined && buffer.length >= bytes && buffer.length <= STRETCH_BYTES)
      return buffer.subarray(0, bytes)
    const made = Buffer.allocUnsafeSlow(bytes)
    this.#buffers[own] = made
    return made
  }
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
