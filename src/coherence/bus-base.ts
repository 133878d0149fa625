/**
 * What the buses share: who listens, whether all links are up, and how a bus begins and ends.
 *
 * Always true: a listener that throws or rejects harms nobody else; no event is told after `close` returned, except the last link going down.
 */
import { HitpathError } from '../errors.js'
import { Histogram } from '../observe/histogram.js'
import type { Bus, BusMessage, GapReason, Unsubscribe } from './bus.js'
import { asError } from './conversation.js'
import type { Link } from './link.js'

interface Waiter {
  resolve(): void
  reject(cause: unknown): void
}

export abstract class BusBase implements Bus {
  readonly latency = new Histogram()
  readonly #message = new Set<(message: BusMessage) => void>()
  readonly #gap = new Set<(reason: GapReason, bucket: number) => void>()
  readonly #link = new Set<(up: boolean, cause: Error | undefined) => void>()
  readonly #error = new Set<(error: Error) => void>()
  readonly #waiters = new Set<Waiter>()
  #healthy = false
  #wasHealthy = false
  #opened = false
  #closing: Promise<void> | undefined

  /** Begins to open the links. */
  protected abstract open(): void
  /** Closes all that `open` and later work made. */
  protected abstract shut(): Promise<void>
  /** Links that must be up for the bus to be healthy; empty while they are not known. */
  protected abstract links(): Iterable<Link>

  get healthy(): boolean {
    return this.#healthy
  }

  get silentMs(): number {
    if (!this.#healthy) return Number.POSITIVE_INFINITY
    let longest = 0
    for (const link of this.links()) longest = Math.max(longest, link.silentMs)
    return longest
  }

  start(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        void this.close()
        return reject(signal.reason)
      }
      if (this.#closing !== undefined) return reject(closed())
      if (!this.#opened) {
        this.#opened = true
        this.open()
      }
      if (this.#healthy) return resolve()
      const abort = () => {
        settle()
        void this.close()
        reject(signal?.reason)
      }
      const settle = () => {
        this.#waiters.delete(waiter)
        signal?.removeEventListener('abort', abort)
      }
      const waiter: Waiter = {
        resolve: () => {
          settle()
          resolve()
        },
        reject: (cause) => {
          settle()
          reject(cause)
        },
      }
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', abort)
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  onMessage(listener: (message: BusMessage) => void): Unsubscribe {
    return listen(this.#message, listener)
  }

  onGap(listener: (reason: GapReason, bucket: number) => void): Unsubscribe {
    return listen(this.#gap, listener)
  }

  onLink(listener: (up: boolean, cause: Error | undefined) => void): Unsubscribe {
    return listen(this.#link, listener)
  }

  onError(listener: (error: Error) => void): Unsubscribe {
    return listen(this.#error, listener)
  }

  /** Whether the bus was healthy at any time. */
  protected get wasHealthy(): boolean {
    return this.#wasHealthy
  }

  protected get closing(): boolean {
    return this.#closing !== undefined
  }

  protected tellMessage(message: BusMessage): void {
    if (this.closing) return
    for (const listener of this.#message) safely(listener, [message], this.#thrown)
  }

  protected tellGap(reason: GapReason, bucket: number): void {
    if (this.closing) return
    for (const listener of this.#gap) safely(listener, [reason, bucket], this.#thrown)
  }

  protected tellError(error: Error): void {
    for (const listener of this.#error) safely(listener, [error], warn)
  }

  /** To be called whenever a link changed or the links became others. */
  protected judge(cause: Error | undefined): void {
    const links = [...this.links()]
    const healthy = !this.closing && links.length > 0 && links.every((link) => link.up)
    if (healthy === this.#healthy) return
    this.#healthy = healthy
    this.#wasHealthy ||= healthy
    for (const listener of this.#link) safely(listener, [healthy, cause], this.#thrown)
    if (healthy) for (const waiter of this.#waiters) waiter.resolve()
  }

  async #close(): Promise<void> {
    // Let `#closing` be set before anything asks for it.
    await Promise.resolve()
    for (const waiter of this.#waiters) waiter.reject(closed())
    this.judge(closed())
    await this.shut()
  }

  readonly #thrown = (error: unknown): void => {
    if (this.#error.size === 0) warn(error)
    else this.tellError(asError(error))
  }
}

function listen<L>(listeners: Set<L>, listener: L): Unsubscribe {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function safely<A extends unknown[]>(
  listener: (...args: A) => unknown,
  args: A,
  onThrown: (error: unknown) => void,
): void {
  try {
    const result = listener(...args)
    if (result instanceof Promise) result.catch(onThrown)
  } catch (error) {
    onThrown(error)
  }
}

function closed(): HitpathError {
  return new HitpathError('CLOSED', 'the bus is closed')
}

function warn(error: unknown): void {
  process.emitWarning(
    `a listener of the bus failed: ${asError(error).message}`,
    'HitpathWarning',
    'HITPATH_BUS',
  )
}
