/**
 * What a second tier must do: keep envelopes by name, give each write a version, and tell when something changed.
 *
 * Names are strings that identify entries within the store's namespace (see names.ts). Always true: of two writes of one name the
 * one with the higher version is the later; a fenced write that finds its fence broken changes nothing.
 * Every promise rejects with a HitpathError: L2_TIMEOUT when the deadline passed, L2_UNAVAILABLE when there is no connection,
 * L2_ERROR when the server answered with an error, CLOSED after close(). `undone` tells of an outage in which nothing was done.
 */
import type { Bytes, Signal } from '../platform.js'

/** Taken before a value is computed; broken by every set, delete, pattern or clear that touches the name afterwards. */
export interface Fence {
  readonly name: string
  readonly generation: string
  /** Version clock of the name's bucket when the fence was taken: a tag invalidated later has a higher version. */
  readonly version: number
  /** Token of the lease, when one was asked for and given. */
  readonly lease?: string
}

export interface L2Write {
  readonly name: string
  /** An envelope whose version the store fills in. */
  readonly bytes: Uint8Array
  /** Milliseconds after which the store forgets the entry: until `dead at`. */
  readonly ttlMs: number
  /** The write happens only while this holds. */
  readonly fence?: Fence
  /** A write that was made at this time, in the server's µs, and comes late: it happens only if the name was not changed since. */
  readonly notAfter?: number
  /** With `notAfter`: what the same origin has changed came before this write, whatever its version. */
  readonly ownFirst?: boolean
  /** With `notAfter`, and not with `ownFirst`: it happens only if there is no entry, however old. */
  readonly onlyIfAbsent?: boolean
}

/**
 * Version of the write; undefined when a fence or a newer change kept it out. 0 when it came late and cannot be told from the
 * changes made since: then the name is deleted.
 */
export type Written = number | undefined

/** When a change was made that comes late: not before `from` and not after `to`, in the server's µs. */
export interface Moment {
  /** Of a tag or a clear it is even, and becomes the version. */
  readonly from: number
  readonly to: number
}

export interface Deleted {
  /** Whether there was an entry. */
  readonly existed: boolean
  readonly version: number
}

export interface CallOptions {
  /** Who writes: messages that come back are recognised by it. */
  readonly origin: string
  /** The server's time in µs from which on nothing may happen, because the caller has given up; then L2_UNAVAILABLE. */
  readonly before?: number
  /** Of invalidations that come late: what is newer stays as it is, and the same call again changes nothing. */
  readonly made?: Moment
}

export interface DeleteOptions extends CallOptions {
  /** Of deletions that come late, by name: an entry that is newer, in the server's µs, stays. */
  readonly notAfter?: ReadonlyMap<string, number>
}

/** Names that a scan went through, for progress. */
export interface PatternProgress {
  readonly scanned: number
  readonly deleted: number
}

/** Values that a read of many has found already: `values[i]` is that of the name at `from + i`, or at `places[from + i]` where places are given. */
export type OnFound = (values: readonly (Bytes | null)[], from: number, places?: readonly number[]) => void

/** Who is told what a read found: one of the two, once. Neither throws. */
export interface Receiver {
  found(bytes: Bytes | null): void
  failed(error: unknown): void
}

/** `get` in another form: the receiver is told instead of a promise settled, within the same deadline and perhaps before the call returns. */
export type Tell = (this: L2Store, name: string, receiver: Receiver) => void

/** By the function itself: whoever wraps or overrides `get`, with all its properties or without, is asked for promises. */
const tells = new WeakMap<L2Store['get'], Tell>()

/** Says that `tell` does what `get` does. */
export function setTell(get: L2Store['get'], tell: Tell): void {
  tells.set(get, tell)
}

/** `get` of the store as it tells a receiver; undefined when it gives promises only. */
export function tellOf({ get }: L2Store): Tell | undefined {
  return tells.get(get)
}

export type OnNames = (names: readonly string[]) => Promise<void>

export interface HottestOptions {
  /** Names wanted, at most. */
  readonly max: number
  /** A glob of the caller's string keys. Default: every entry. */
  readonly pattern?: string | undefined
  /** Ends the search. Default: none. */
  readonly signal?: Signal | undefined
  /** Told how many names were looked at. Default: none. */
  readonly onScanned?: (names: number) => void
}

export interface HottestNames {
  /** The hottest first. */
  readonly names: readonly string[]
  readonly scanned: number
  /** What the server knows of their heat: how often they are read, or how long ago they were. */
  readonly by: 'frequency' | 'idle time'
}

export interface L2Store {
  readonly namespace: string
  /** Buckets of the namespace: each has its own order of versions and its own bus. */
  readonly buckets: number
  /** Milliseconds after which it gives a call up, if it does. */
  readonly timeoutMs?: number
  bucketOf(name: string): number

  get(name: string): Promise<Bytes | null>
  /**
   * Aligned with `names`; one round trip a node.
   *
   * @param onFound a store may show it what has come while the rest is on its way; all of it is in the result too. It may be called after
   *   the call was given up, and never throws
   */
  getMany(names: readonly string[], onFound?: OnFound): Promise<(Bytes | null)[]>
  /** Milliseconds that the server will keep the entry; Infinity without expiry, undefined when there is none. */
  remaining(name: string): Promise<number | undefined>

  set(write: L2Write, options: CallOptions): Promise<Written>
  setMany(writes: readonly L2Write[], options: CallOptions): Promise<Written[]>
  delete(name: string, options: DeleteOptions): Promise<Deleted>
  deleteMany(names: readonly string[], options: DeleteOptions): Promise<Deleted[]>
  /** Deletes what matches the glob (of the caller's string keys; numbers and digests never match), and says how many. */
  deletePattern(
    glob: string,
    options: CallOptions & { onProgress?: (p: PatternProgress) => void; signal?: Signal },
  ): Promise<number>
  /** Makes every entry of the namespace invalid at once, then removes their bytes in the background. Returns the new epoch. */
  clear(options: CallOptions): Promise<number>

  /**
   * Versions of tags, aligned; a tag without one gets an odd one, an invalidation gives an even one: an odd version says that there is
   * no invalidation of which anything is known. They live at least `ttlMs` from now.
   */
  tagVersions(tags: readonly string[], ttlMs: number): Promise<number[]>
  invalidateTag(tag: string, options: CallOptions): Promise<number>
  /** The epoch of the namespace: the version of its last clear, or of when it was first asked for. */
  epoch(): Promise<number>

  /** Fences for names whose values are about to be computed; with `leaseMs` a lease too, undefined in its place when another holds it. */
  fences(names: readonly string[], leaseMs?: number): Promise<Fence[]>
  /** Gives a lease back early. */
  release(fence: Fence): Promise<void>

  /**
   * Shows the names of all entries, some at a time, and goes on when the promise of `onNames` resolves; one may be shown twice. A store that
   * cannot has no such method. Rejects with the reason of the signal too.
   */
  names?(onNames: OnNames, signal?: Signal): Promise<void>
  /** The entries that are asked for most. A store that does not know has no such method. Rejects with the reason of the signal too. */
  hottest?(options: HottestOptions): Promise<HottestNames>

  /** The server's wall clock in milliseconds. */
  serverTime(): Promise<number>
  ping(): Promise<void>
  close(): Promise<void>
}
