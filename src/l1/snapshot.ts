/**
 * save() and restore() of a cache: its live entries into a file, and out of one.
 *
 * Nobody stands still for either: a slice at a time, with turns of the event loop between. Always true: a file that is not
 * exactly what save() wrote restores nothing, since all of it is verified before the first entry is stored.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { types } from 'node:util'
import { HitpathError } from '../errors.js'
import type { Signal } from '../platform.js'
import { shared } from '../shared.js'
import { SnapshotWriter } from './snapshot-file.js'
import type { FileCounts } from './snapshot-format.js'
import type { RestoreOptions, RestoreResult, SaveOptions, SaveResult } from './snapshot-options.js'
import { ahead, type SnapshotPort, type Taken, type Taking, verify } from './snapshot-port.js'
import { SnapshotReader } from './snapshot-reader.js'

export async function saveSnapshot(
  port: SnapshotPort,
  path: string,
  { signal, onProgress }: SaveOptions,
): Promise<SaveResult> {
  const began = performance.now()
  signal?.throwIfAborted()
  const total = port.size()
  const header = { kind: port.kind, savedAt: Date.now() }
  const file = await filed(path, SnapshotWriter.begin(path, header, port.engine.binding))
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
  const sum = { restored: 0, kept: 0, expired: 0, rejected: 0, foreign: 0 }
  const elapsedMs = (): number => performance.now() - began
  let file: SnapshotReader
  try {
    file = await filed(path, SnapshotReader.open(path, port.engine.binding))
  } catch (error) {
    if (ifExists !== true || !isMissing(error)) throw error
    return { ...sum, entries: 0, bytes: 0, savedAt: undefined, elapsedMs: elapsedMs() }
  }
  try {
    const { savedAt } = file.header
    await Promise.all([port.expect(file.bytes), filed(path, verifyAll(file, port, signal))])
    const { records: total } = file.counts as FileCounts
    let done = 0
    let stored = 0
    // A clock that was set back must not make anything live longer than it had to live when it was saved.
    const taking = (): Taking => ({
      wallNow: Math.max(Date.now(), savedAt),
      replace: onConflict === 'replace',
    })
    const storeAll = async (): Promise<void> => {
      for await (const { taken, records, bytes } of port.restore(file.stretches(), file.seed, taking)) {
        add(sum, taken)
        done += records
        stored += bytes
        onProgress?.({ done, total, bytes: stored, elapsedMs: elapsedMs() })
        signal?.throwIfAborted()
      }
    }
    await filed(path, storeAll())
    return { ...sum, entries: done, bytes: file.bytes, savedAt, elapsedMs: elapsedMs() }
  } finally {
    await file.close()
  }
}

function add(sum: Taken, part: Taken): void {
  sum.restored += part.restored
  sum.kept += part.kept
  sum.expired += part.expired
  sum.rejected += part.rejected
  sum.foreign += part.foreign
}

/** Reads the whole file: every checksum, every length. */
async function verifyAll(
  file: SnapshotReader,
  { engine }: SnapshotPort,
  signal: Signal | undefined,
): Promise<void> {
  const verified = ahead(file.stretches(), (stretch) => verify(engine, stretch, file.seed))
  for await (const _ of verified) signal?.throwIfAborted()
  signal?.throwIfAborted()
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
