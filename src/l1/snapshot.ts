/**
 * save() and restore() of a cache: its live entries into a file, and out of one.
 *
 * Nobody stands still for either: a slice at a time, with turns of the event loop between. Always true: a file that is not
 * exactly what save() wrote restores nothing, since all of it is verified before the first entry is stored.
 */
import { availableParallelism } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { types } from 'node:util'
import { HitpathError } from '../errors.js'
import { doubles, type Native, type RestoredCounts, words } from '../native/binding.js'
import {
  STAGING_BITS,
  STAGING_COUNT,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_LENGTH,
  STAGING_SLOT,
} from '../native/layout.js'
import type { Signal } from '../platform.js'
import { shared } from '../shared.js'
import { type Engine, NO_SLOT } from './engine.js'
import { OpenBlock, type ReadBlock, SnapshotReader, SnapshotWriter } from './snapshot-file.js'
import { checkRecords, type FileCounts, KIND } from './snapshot-format.js'
import type { RestoreOptions, RestoreResult, SaveOptions, SaveResult } from './snapshot-options.js'
import { plainArrayDtypes } from './stored-value.js'

/** What a block did. */
export interface Taken {
  restored: number
  kept: number
  expired: number
  rejected: number
  foreign: number
}

/** A cache as the file sees it. */
export interface SnapshotPort {
  readonly kind: number
  /** Of the engine that keeps the entries: it reads and writes records. */
  readonly binding: Native
  /** About how many entries there are. */
  size(): number
  /** The live entries; undefined: let others have a turn. A block may be filled anew once two more came. */
  blocks(): Generator<OpenBlock | undefined, void>
  /** Entries that blocks() left out. */
  readonly skipped: number
  /** So many bytes of records are about to come. */
  expect(bytes: number): void
  /** Stores the records of a block, whose bytes must not change until it has. */
  take(body: Buffer, records: number, how: Taking): Taken | Promise<Taken>
}

export interface Taking {
  /** What the deadlines in the file are compared with, in ms. */
  readonly wallNow: number
  readonly replace: boolean
}

/** The pool has four threads unless it is told otherwise, and one of them reads. */
const THREADS = 3
/** Slots of one call: of an empty cache, a millisecond. */
const SLOTS = 32_768

/** Both directions for a cache whose values stand in the region. */
export class RegionPort implements SnapshotPort {
  readonly kind: number = KIND.shared
  readonly skipped: number = 0
  readonly binding: Native
  readonly #engine: Engine
  /** Threads that store a block, each the records of its shards: so they do not wait for one another. */
  readonly #parts: number

  constructor(engine: Engine) {
    this.#engine = engine
    this.binding = engine.binding
    this.#parts = Math.min(THREADS, availableParallelism(), engine.token.shards)
  }

  size(): number {
    return this.#engine.size()
  }

  *blocks(): Generator<OpenBlock | undefined, void> {
    const blocks = [new OpenBlock(), new OpenBlock()] as const
    let [block, other] = blocks
    for (let cursor = 0; cursor !== NO_SLOT; ) {
      const wanted = stageSlice(this.#engine, cursor, SLOTS, block.room)
      if (wanted === 0) {
        cursor = words[STAGING_SLOT / 4] as number
        block.records += words[STAGING_COUNT / 4] as number
        block.used += doubles[STAGING_LENGTH / 8] as number
        yield undefined
      } else if (block.records === 0) {
        block.reset(wanted)
      } else {
        yield block
        ;[block, other] = [other, block]
        block.reset(wanted)
      }
    }
    if (block.records > 0) yield block
  }

  expect(bytes: number): void {
    this.#engine.begin(0)
    doubles[STAGING_LENGTH / 8] = bytes
    this.binding.expectBytes()
    this.#engine.check()
  }

  /** In threads of the pool, so that neither the event loop nor one core is held. */
  async take(body: Buffer, records: number, how: Taking): Promise<Taken> {
    const parts: Promise<RestoredCounts>[] = []
    try {
      for (let part = 0; part < this.#parts; part++) {
        stageBlock(this.#engine, records, how, part, this.#parts)
        const counts = this.binding.restoreShared(body)
        this.#engine.check()
        parts.push(counts as Promise<RestoredCounts>)
      }
    } finally {
      await Promise.all(parts) // they read the body
    }
    const sum = nothingTaken()
    for (const [status, restored, kept, expired, rejected, foreign] of await Promise.all(parts)) {
      this.#engine.check(status)
      add(sum, { restored, kept, expired, rejected, foreign })
    }
    return sum
  }
}

function nothingTaken(): Taken {
  return { restored: 0, kept: 0, expired: 0, rejected: 0, foreign: 0 }
}

function add(sum: Taken, part: Taken): void {
  sum.restored += part.restored
  sum.kept += part.kept
  sum.expired += part.expired
  sum.rejected += part.rejected
  sum.foreign += part.foreign
}

/** Writes records into `out`. Gives the bytes that the first wants when it does not fit, else 0. */
export function stageSlice(engine: Engine, cursor: number, slots: number, out: Buffer): number {
  engine.begin(0)
  words[STAGING_SLOT / 4] = cursor
  words[STAGING_COUNT / 4] = slots
  doubles[STAGING_EXTRA / 8] = Date.now()
  engine.binding.saveRecords(out)
  engine.check()
  return doubles[STAGING_EXTRA / 8 + 1] as number
}

/** For a call that stores so many records. */
export function stageBlock(
  engine: Engine,
  records: number,
  { wallNow, replace }: Taking,
  part = 0,
  parts = 1,
): void {
  engine.begin(0)
  words[STAGING_BITS / 4] = (replace ? 1 : 0) | (part << 8) | (parts << 16)
  words[STAGING_FORM / 4] = plainArrayDtypes
  words[STAGING_COUNT / 4] = records
  doubles[STAGING_EXTRA / 8] = wallNow
}

export async function saveSnapshot(
  port: SnapshotPort,
  path: string,
  { signal, onProgress }: SaveOptions,
): Promise<SaveResult> {
  const began = performance.now()
  signal?.throwIfAborted()
  const total = port.size()
  const header = { kind: port.kind, savedAt: Date.now() }
  const file = await filed(path, SnapshotWriter.begin(path, header, port.binding))
  try {
    for (const block of port.blocks()) {
      await (block === undefined ? turn() : filed(path, file.add(block)))
      signal?.throwIfAborted()
      if (block !== undefined)
        onProgress?.({ done: file.records, total, bytes: file.bytes, elapsedMs: performance.now() - began })
    }
    await filed(path, file.finish(port.skipped))
  } catch (error) {
    await file.abandon()
    throw error
  }
  const { records: entries, bytes } = file
  return { entries, skipped: port.skipped, bytes, elapsedMs: performance.now() - began }
}

export async function restoreSnapshot(
  port: SnapshotPort,
  path: string,
  { signal, onProgress, onConflict, ifExists }: RestoreOptions,
): Promise<RestoreResult> {
  const began = performance.now()
  signal?.throwIfAborted()
  const sum = nothingTaken()
  const elapsedMs = (): number => performance.now() - began
  let file: SnapshotReader
  try {
    file = await filed(path, SnapshotReader.open(path, port.binding))
  } catch (error) {
    if (ifExists !== true || !isMissing(error)) throw error
    return { ...sum, entries: 0, bytes: 0, savedAt: undefined, elapsedMs: elapsedMs() }
  }
  try {
    const { savedAt } = file.header
    await filed(path, verify(file, port.binding, signal))
    const { records: total, bytes: recordBytes } = file.counts as FileCounts
    port.expect(recordBytes)
    let done = 0
    let bytes = 0
    const store = async (body: Buffer, records: number): Promise<void> => {
      // A clock that was set back must not make anything live longer than it had to live when it was saved.
      const how = { wallNow: Math.max(Date.now(), savedAt), replace: onConflict === 'replace' }
      add(sum, await port.take(body, records, how))
      done += records
      bytes += body.length
      onProgress?.({ done, total, bytes, elapsedMs: elapsedMs() })
    }
    await filed(path, inOrder(file.blocks(), store, signal))
    return { ...sum, entries: done, bytes: file.bytes, savedAt, elapsedMs: elapsedMs() }
  } finally {
    await file.close()
  }
}

/** Acts on one block after the other, while the next is being read. */
async function inOrder(
  blocks: AsyncIterable<ReadBlock>,
  act: (body: Buffer, records: number) => Promise<void>,
  signal: Signal | undefined,
): Promise<void> {
  for await (const { records, body } of blocks) {
    signal?.throwIfAborted()
    await act(body, records)
  }
  signal?.throwIfAborted()
}

/** Reads the whole file: every checksum, every length. */
async function verify(file: SnapshotReader, binding: Native, signal: Signal | undefined): Promise<void> {
  for await (const { index, records, body } of file.blocks()) {
    signal?.throwIfAborted()
    checkRecords(body, records, index, binding)
  }
}

/** Errors of the file system, by one code. What else is thrown stays: the reason of a signal, or a HitpathError. */
async function filed<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (!types.isNativeError(cause) || !('syscall' in cause)) throw cause
    throw new HitpathError('SNAPSHOT_IO', `${path}: ${cause.message}`, { cause })
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof HitpathError &&
    error.code === 'SNAPSHOT_IO' &&
    (error.cause as { readonly code?: unknown }).code === 'ENOENT'
  )
}

const entrusted = shared('entrusted caches', () => new WeakSet<object>())

/** Says that a cache is the first tier of a TieredCache: what it holds are entries, which may be invalid by the time they come back. */
export function entrust(cache: object): void {
  entrusted.add(cache)
}

/** @throws HitpathError INVALID_ARGUMENT */
export function refuseEntrusted(cache: object): void {
  if (!entrusted.has(cache)) return
  throw new HitpathError(
    'INVALID_ARGUMENT',
    'the first tier of a TieredCache has no snapshot: nobody would know what was invalidated meanwhile; warm it with warmFromStore()',
  )
}
