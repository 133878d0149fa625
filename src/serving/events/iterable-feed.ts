/**
 * Events of an iterable, a Readable among them: at most `window` are ahead of their invalidation, so the source is read no faster than
 * that.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Signal } from '../../platform.js'
import { BaseFeed, closeOn, type Intake } from './feed.js'

export interface ConsumeOptions {
  /** Ends the reading, as `close` does. Default: none. */
  readonly signal?: Signal
  /** Events read ahead of their invalidation; those of one key are coalesced. Default 64. */
  readonly window?: number
}

export class IterableFeed<E> extends BaseFeed {
  readonly #intake: Intake<E>
  readonly #window: number
  readonly #iterator: AsyncIterator<E> | Iterator<E>
  #handling: Promise<unknown>[] = []

  constructor(
    intake: Intake<E>,
    events: AsyncIterable<E> | Iterable<E>,
    window: number,
    signal: Signal | undefined,
  ) {
    super()
    this.#intake = intake
    this.#window = window
    this.#iterator =
      Symbol.asyncIterator in events ? events[Symbol.asyncIterator]() : events[Symbol.iterator]()
    this.link(true)
    closeOn(signal, this)
    void this.#read()
  }

  /** A source that never gives its next event is let go of. */
  protected override async stop(): Promise<void> {
    const returned = this.#iterator.return?.()
    if (returned instanceof Promise) returned.catch(() => {})
    await this.#settled()
  }

  async #read(): Promise<void> {
    try {
      while (!this.closing) {
        const next = await this.#iterator.next()
        if (this.closing) return
        if (next.done === true) break
        this.#take(next.value)
        if (this.#handling.length < this.#window) continue
        await this.#settled()
        await turn() // or a source that always has one, before caches that answer at once, would hold the event loop
      }
      this.ended()
    } catch (error) {
      this.#intake.report(error)
      this.ended(error)
    }
  }

  #take(event: E): void {
    try {
      this.#handling.push(this.#intake.accept(event))
    } catch {
      // counted and reported
    }
  }

  async #settled(): Promise<void> {
    const handling = this.#handling
    this.#handling = []
    await Promise.allSettled(handling)
  }
}
