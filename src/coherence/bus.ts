/**
 * What a bus must do: tell this process which entries others changed, and tell when it may have missed something.
 *
 * Always true: between two `gap` events every change that the server made is reported, each once and in the order of its bucket;
 * while the link is up it is reported within the network's time; a link that fell silent is down within heartbeat + grace.
 * A link comes up only after what it missed was reported or a `gap` was.
 */

import type { Histogram } from '../observe/histogram.js'
import type { Signal } from '../platform.js'

export type BusMessageKind = 'set' | 'delete' | 'tag' | 'pattern' | 'clear'

export interface BusMessage {
  readonly kind: BusMessageKind
  /** Name of the entry, the tag, or the glob; empty for a clear. */
  readonly name: string
  /** Version of the change; Infinity when the bus cannot tell it, so that it is newer than anything. */
  readonly version: number
  /** Who made the change; empty when the bus cannot tell. */
  readonly origin: string
  readonly bucket: number
}

/**
 * Why changes may have been missed:
 * `start`: the bus began here, entries made before it were not guarded by it;
 * `trimmed`: messages were dropped from the stream before they were read here;
 * `reset`: the stream is not the one that was read: flushed, restored, or of a replica that had not caught up;
 * `unreadable`: a message that this version does not understand;
 * `reconnect`: the link keeps nothing while it is down;
 * `flushed`: the server said that everything changed.
 */
export type GapReason = 'start' | 'trimmed' | 'reset' | 'unreadable' | 'reconnect' | 'flushed'

/** Ends the listening. */
export type Unsubscribe = () => void

export interface Bus {
  /**
   * Connects, and keeps connecting until `close`. Calls after the first wait for the same.
   *
   * @param signal ends the attempt and closes the bus
   * @returns when the link is up for the first time
   * @throws HitpathError CLOSED if the bus is or gets closed; the signal's reason if it was aborted
   */
  start(signal?: Signal): Promise<void>
  /** Leaves no connection, timer or listener of its own behind. May be called again. */
  close(): Promise<void>
  /** Whether every link is up. A flag, told by `onLink` when it changes. */
  readonly healthy: boolean
  /**
   * Milliseconds since the server was last heard, on the quietest link; Infinity while one is down. After the event loop or the whole process
   * stood still `healthy` may be older than the truth; this is not.
   */
  readonly silentMs: number
  /** Milliseconds from a change in the server until it was heard here; empty where the bus cannot tell. */
  readonly latency: Histogram
  onMessage(listener: (message: BusMessage) => void): Unsubscribe
  /** What the first tier holds must be dropped, and fills under way must be broken. */
  onGap(listener: (reason: GapReason, bucket: number) => void): Unsubscribe
  /** Each change of `healthy`; `cause` says why a link went down. */
  onLink(listener: (up: boolean, cause: Error | undefined) => void): Unsubscribe
  /** Failed attempts, and listeners that threw. Without a listener the latter become process warnings. */
  onError(listener: (error: Error) => void): Unsubscribe
}

/**
 * What a bus needs of a connection: an ioredis 5 or 6 client of its own, recognised by its shape. It is closed by the bus and never used again
 * after its connection ended, so `retryStrategy: () => null` suits it; no `commandTimeout` (reads block), no `keyPrefix`.
 */
export interface BusClient {
  readonly status: string
  connect(): Promise<unknown>
  call(command: string, ...args: (string | number)[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  disconnect(): void
}

/** Makes a connection; asked again for each attempt, so that it may go to the node that is right by then. */
export type BusConnect<Where> = (where: Where) => BusClient | Promise<BusClient>

export interface BusTiming {
  /** Milliseconds between signs of life, default 1,000. */
  readonly heartbeatMs?: number
  /** Milliseconds that an answer may be late before the link counts as dead, default 1,000. */
  readonly graceMs?: number
  /** First and longest milliseconds between attempts, default 50 and 5,000; doubled each time, and jittered by half. */
  readonly backoffMs?: readonly [first: number, longest: number]
  /** Local monotonic milliseconds; default `performance.now`. */
  readonly now?: () => number
  /** From 0 to 1, for the jitter; default `Math.random`. */
  readonly random?: () => number
}
