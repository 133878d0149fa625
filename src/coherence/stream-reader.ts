/**
 * Reads one bucket's stream and never loses its place: position, chain and heartbeat, over whatever connection it is given.
 *
 * Each entry names the one before it. Always true: `#position` is the id of the last entry reported, or the stream's last id when a
 * gap was reported; an entry whose predecessor is not the position is reported after a gap. What no entry can tell, a stream that
 * was flushed and is quiet since, is found at the next heartbeat by asking for the last id.
 */
import type { GapReason } from './bus.js'
import type { Conversation } from './conversation.js'
import type { Timing } from './link.js'
import { ServerClock, timeReplyMs } from './server-clock.js'
import {
  compareIds,
  entriesOf,
  entriesOfXread,
  FIRST_ID,
  type StreamEntry,
  type StreamMessage,
} from './stream-message.js'

/** Entries of one reply: what arrives after a cut is handed on in turns of the event loop. */
const BATCH = 500
/** Samples of the server's clock for each new connection: the first are slowed by a cold path. */
const FIRST_SAMPLES = 3

export interface StreamReaderOptions {
  readonly key: string
  readonly timing: Timing
  readonly onMessage: (message: StreamMessage) => void
  readonly onGap: (reason: GapReason) => void
}

export class StreamReader {
  readonly clock: ServerClock
  readonly #key: string
  readonly #timing: Timing
  readonly #onMessage: StreamReaderOptions['onMessage']
  readonly #onGap: StreamReaderOptions['onGap']
  #position: string | undefined
  #checkedAt = 0

  constructor(options: StreamReaderOptions) {
    this.#key = options.key
    this.#timing = options.timing
    this.#onMessage = options.onMessage
    this.#onGap = options.onGap
    this.clock = new ServerClock({ now: options.timing.now })
  }

  /** Id of the last entry that was reported; undefined before the first connection. */
  get position(): string | undefined {
    return this.#position
  }

  async converse(talk: Conversation, up: () => void): Promise<void> {
    const { heartbeatMs, now } = this.#timing
    this.clock.renew()
    for (let i = 0; i < FIRST_SAMPLES; i++) await this.#sampleClock(talk)
    if (this.#position === undefined) this.#restart(await this.#lastId(talk), 'start')
    else while ((await this.#read(talk)) === BATCH) {}
    await this.#check(talk)
    up()
    for (;;) {
      const got = await this.#read(talk, heartbeatMs)
      if (got === 0 || now() - this.#checkedAt >= heartbeatMs) await this.#check(talk)
    }
  }

  /** How many entries came; with `blockMs` it waits for the first. */
  async #read(talk: Conversation, blockMs?: number): Promise<number> {
    const position = this.#position ?? FIRST_ID
    const words = ['COUNT', BATCH, ...(blockMs === undefined ? [] : ['BLOCK', blockMs])]
    const limitMs = (blockMs ?? 0) + this.#timing.graceMs
    const reply = await talk.ask(limitMs, 'XREAD', ...words, 'STREAMS', this.#key, position)
    const entries = entriesOfXread(reply)
    for (const entry of entries) this.#take(entry)
    return entries.length
  }

  #take({ id, message }: StreamEntry): void {
    const position = this.#position ?? FIRST_ID
    if (compareIds(id, position) <= 0) return
    this.#position = id
    if (message === undefined) {
      this.#onGap('unreadable')
      return
    }
    if (message.previous !== position) {
      this.#onGap(compareIds(message.previous, position) > 0 ? 'trimmed' : 'reset')
    }
    this.#onMessage(message)
  }

  /** Entries beyond the position come with the next read, and prove themselves by their chain. */
  async #check(talk: Conversation): Promise<void> {
    this.#checkedAt = this.#timing.now()
    const [last] = await Promise.all([this.#lastId(talk), this.#sampleClock(talk)])
    if (compareIds(last, this.#position ?? FIRST_ID) < 0) this.#restart(last, 'reset')
  }

  #restart(position: string, reason: GapReason): void {
    this.#position = position
    this.#onGap(reason)
  }

  async #lastId(talk: Conversation): Promise<string> {
    const reply = await talk.ask(this.#timing.graceMs, 'XREVRANGE', this.#key, '+', '-', 'COUNT', 1)
    return entriesOf(reply)[0]?.id ?? FIRST_ID
  }

  async #sampleClock(talk: Conversation): Promise<void> {
    const { graceMs, now } = this.#timing
    const sent = now()
    const reply = await talk.ask(graceMs, 'TIME')
    this.clock.sample(sent, now(), timeReplyMs(reply))
  }
}
