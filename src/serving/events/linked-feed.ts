/** A source over a connection of its own, which is made anew, with growing pauses, until the feed is closed. */
import type { BusClient } from '../../coherence/bus.js'
import type { Conversation } from '../../coherence/conversation.js'
import { Link, type Timing, timingOf } from '../../coherence/link.js'
import { type Duration, parseDuration } from '../../duration.js'
import { BaseFeed, type Intake } from './feed.js'

export interface LinkOptions {
  /** Between two signs of life. Default 1 s. A link that fell silent is noticed within `heartbeat` and `grace`. */
  readonly heartbeat?: Duration
  /** How late an answer may be. Default 1 s. */
  readonly grace?: Duration
}

export const LINK_OPTIONS = ['heartbeat', 'grace'] as const

export abstract class LinkedFeed<E> extends BaseFeed {
  protected readonly intake: Intake<E>
  protected readonly timing: Timing
  readonly #link: Link
  #missed = false

  /** @throws HitpathError INVALID_TTL */
  protected constructor(
    intake: Intake<E>,
    options: LinkOptions,
    path: string,
    connect: () => BusClient | Promise<BusClient>,
  ) {
    super()
    this.intake = intake
    this.timing = timingOf({
      heartbeatMs: wholeMs(options.heartbeat ?? 1000, `${path}.heartbeat`),
      graceMs: wholeMs(options.grace ?? 1000, `${path}.grace`),
    })
    this.#link = new Link({
      connect,
      converse: (talk, up) => this.converse(talk, up),
      timing: this.timing,
      onChange: (up) => this.link(up),
      onError: (error) => intake.report(error),
    })
  }

  /** To be called once the feed is complete. */
  protected open(): void {
    this.#link.open()
  }

  protected abstract converse(talk: Conversation, up: () => void): Promise<void>

  /** Events may have been missed: to be made good by `mend`, in this conversation or the next. */
  protected miss(): void {
    this.#missed = true
  }

  protected async mend(): Promise<void> {
    if (!this.#missed) return
    await this.intake.gap()
    this.#missed = false
  }

  protected override async stop(): Promise<void> {
    await this.#link.close()
    await this.intake.idle()
  }
}

/** What waits in Redis counts in whole milliseconds. */
export function wholeMs(value: Duration, path: string): number {
  return Math.max(1, Math.round(parseDuration(value, path)))
}
