/**
 * A source of events while it is being read: what every source hands back, and what it needs of the invalidator.
 *
 * Always true: nothing that a source brings ends it but its own end, `close` and its signal; an event that makes no sense is counted,
 * reported and passed over.
 */
import type { Signal } from '../../platform.js'

/** What a source hands events to. */
export interface Intake<E> {
  /**
   * Begins the invalidation of an event. The promise settles as it does, and may be left alone.
   * @throws HitpathError INVALID_ARGUMENT for an event that makes no sense, which is counted and reported
   */
  accept(event: E): Promise<unknown>
  /** Makes an event of what came; undefined when there is none in it. @throws HitpathError, counted and reported */
  parsed(parse: () => E | undefined): E | undefined
  /** Events may have been missed. Resolves when nothing stale remains of it. */
  gap(): Promise<void>
  report(error: unknown): void
  /** Resolves when nothing waits or is under way. */
  idle(): Promise<void>
}

/** A source that is being read. */
export interface EventFeed {
  /** Settles when the source is heard: what changed before may be missed. Rejects if it was closed before. */
  readonly ready: Promise<void>
  /** Settles when the source has ended or was closed, and all that came of it is handled. Rejects with what ended the source. */
  readonly done: Promise<void>
  /** Whether the source is heard now. */
  readonly linked: boolean
  /** Of a stream: id of the last entry that is handled with all before it. */
  readonly position: string | undefined
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A promise with its ends, whose rejection is never unhandled. */
export class Deferred {
  readonly promise: Promise<void>
  resolve: () => void = () => {}
  reject: (error: unknown) => void = () => {}

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(() => {})
  }
}

/** What feeds have in common: `stop` ends the reading, and resolves when all that came is handled. */
export abstract class BaseFeed implements EventFeed {
  readonly #ready = new Deferred()
  readonly #done = new Deferred()
  #linked = false
  #closing: Promise<void> | undefined

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  get done(): Promise<void> {
    return this.#done.promise
  }

  get linked(): boolean {
    return this.#linked
  }

  get position(): string | undefined {
    return undefined
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  protected abstract stop(): Promise<void>

  protected get closing(): boolean {
    return this.#closing !== undefined
  }

  protected link(up: boolean): void {
    this.#linked = up
    if (up) this.#ready.resolve()
  }

  /** The source ended by itself. */
  protected ended(error?: unknown): void {
    if (error !== undefined) this.#done.reject(error)
    void this.close()
  }

  async #end(): Promise<void> {
    await Promise.resolve() // let #closing be set
    try {
      await this.stop()
    } finally {
      this.#linked = false
      this.#ready.reject(new DOMException('the source was closed before it was heard', 'AbortError'))
      this.#done.resolve()
    }
  }
}

/** Closes a feed when the signal says so. */
export function closeOn(signal: Signal | undefined, feed: EventFeed): void {
  if (signal === undefined) return
  const close = (): void => void feed.close()
  if (signal.aborted) {
    close()
    return
  }
  signal.addEventListener('abort', close)
  const forget = (): void => signal.removeEventListener('abort', close)
  feed.done.then(forget, forget)
}
