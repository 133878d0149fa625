/** What save() and restore() take and give, checked at the edge. */
import { describe, HitpathError } from '../errors.js'
import { booleanOption, functionOption, oneOfOption, refuseUnknownOptions } from '../options.js'
import type { Signal } from '../platform.js'

/** How far a long call has come. */
export interface SnapshotProgress {
  /** Entries written or looked at. */
  readonly done: number
  /** Entries there are; of a cache that is being saved, about. */
  readonly total: number
  readonly bytes: number
  readonly elapsedMs: number
}

export interface SaveOptions {
  /** Ends the saving; what stood in the file before stays. Default: none. */
  readonly signal?: Signal | undefined
  /** Told now and then how far it has come. Default: none. */
  readonly onProgress?: (progress: SnapshotProgress) => void
  /**
   * What a value without a stored form does, as a function or a class instance that cannot be encoded: `skip` (default) leaves the entry
   * out and counts it, `refuse` ends the saving with its error. A SharedCache has none.
   */
  readonly unsupported?: 'skip' | 'refuse'
}

export interface RestoreOptions {
  /** Ends the restoring; what was stored until then stays. Default: none. */
  readonly signal?: Signal | undefined
  /** Told now and then how far it has come. Default: none. */
  readonly onProgress?: (progress: SnapshotProgress) => void
  /** What happens to a live entry of the cache whose key is in the file: `keep` (default) or `replace` it. */
  readonly onConflict?: 'keep' | 'replace'
  /** Whether a missing file is a result, nothing restored, and no error. Default false. */
  readonly ifExists?: boolean
}

export interface SaveResult {
  /** Entries in the file. */
  readonly entries: number
  /** Entries left out, since their values have no stored form. */
  readonly skipped: number
  /** Of the file. */
  readonly bytes: number
  readonly elapsedMs: number
}

export interface RestoreResult {
  /** Entries in the file: the sum of the five that follow. */
  readonly entries: number
  readonly restored: number
  /** A live entry of the cache stood in their place. */
  readonly kept: number
  /** Their deadline has passed meanwhile. */
  readonly expired: number
  /** Too large for this cache, no room, or a value that this build does not know. */
  readonly rejected: number
  /** Their keys are arrays of which the file has the digests of the other engine, by which nothing would find them here. */
  readonly foreign: number
  readonly bytes: number
  /** Wall clock in ms at which the file was written; undefined when there was none. */
  readonly savedAt: number | undefined
  readonly elapsedMs: number
}

/** @throws HitpathError INVALID_ARGUMENT, INVALID_OPTION */
export function checkSave(path: unknown, options: SaveOptions): string {
  refuseUnknownOptions(options, 'save', ['signal', 'onProgress', 'unsupported'])
  oneOfOption(options.unsupported ?? 'skip', 'save.unsupported', ['skip', 'refuse'])
  return checked('save', path, options)
}

/** @throws HitpathError INVALID_ARGUMENT, INVALID_OPTION */
export function checkRestore(path: unknown, options: RestoreOptions): string {
  refuseUnknownOptions(options, 'restore', ['signal', 'onProgress', 'onConflict', 'ifExists'])
  oneOfOption(options.onConflict ?? 'keep', 'restore.onConflict', ['keep', 'replace'])
  booleanOption(options.ifExists ?? false, 'restore.ifExists')
  return checked('restore', path, options)
}

function checked(call: string, path: unknown, { onProgress, signal }: SaveOptions | RestoreOptions): string {
  if (onProgress !== undefined) functionOption(onProgress, `${call}.onProgress`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new HitpathError('INVALID_OPTION', `${call}.signal must be an AbortSignal; got ${describe(signal)}`)
  if (typeof path === 'string' && path !== '') return path
  throw new HitpathError('INVALID_ARGUMENT', `${call}() expects the path of a file; got ${describe(path)}`)
}
