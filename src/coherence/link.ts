/**
 * A link: one connection at a time, made anew whenever it ended, until it is closed.
 *
 * Always true: `up` is true only between the moment when the conversation said so and the end of its connection; each attempt asks
 * `connect` for a new client, so that a failed-over master or a moved slot is found; nothing is left behind by `close`.
 */
import { HitpathError } from '../errors.js'
import type { BusClient, BusTiming } from './bus.js'
import { asError, Conversation, hangUp, unavailable } from './conversation.js'

export interface Timing {
  readonly heartbeatMs: number
  readonly graceMs: number
  readonly backoffMs: readonly [first: number, longest: number]
  readonly now: () => number
  readonly random: () => number
}

export function timingOf(timing: BusTiming): Timing {
  return {
    heartbeatMs: timing.heartbeatMs ?? 1000,
    graceMs: timing.graceMs ?? 1000,
    backoffMs: timing.backoffMs ?? [50, 5000],
    now: timing.now ?? (() => performance.now()),
    random: timing.random ?? Math.random,
  }
}

export interface LinkOptions {
  readonly connect: () => BusClient | Promise<BusClient>
  /** Talks until the connection ends; calls `up` once the link may be trusted. */
  readonly converse: (talk: Conversation, up: () => void) => Promise<void>
  readonly timing: Timing
  readonly onChange: (up: boolean, cause: Error | undefined) => void
  readonly onError: (error: Error) => void
}

export class Link {
  readonly #options: LinkOptions
  #up = false
  #closing = false
  #talk: Conversation | undefined
  #running: Promise<void> | undefined
  #wake: () => void = () => {}

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get up(): boolean {
    return this.#up
  }

  /** Milliseconds since the server was heard; Infinity while the link is down. */
  get silentMs(): number {
    const talk = this.#talk
    return this.#up && talk !== undefined
      ? this.#options.timing.now() - talk.heardAt
      : Number.POSITIVE_INFINITY
  }

  open(): void {
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#talk?.end(new HitpathError('CLOSED', 'the bus was closed'))
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#closing; failures++) {
      if (await this.#session()) failures = 0
      if (!this.#closing) await this.#rest(failures)
    }
  }

  /** One connection; whether it got as far as being up. */
  async #session(): Promise<boolean> {
    const { converse, timing, onError } = this.#options
    let wasUp = false
    let cause: Error | undefined
    try {
      const client = await this.#connected()
      const talk = new Conversation(client, timing.now)
      this.#talk = talk
      if (this.#closing) throw new HitpathError('CLOSED', 'the bus was closed')
      await talk.ready(timing.heartbeatMs + timing.graceMs)
      await converse(talk, () => {
        wasUp = true
        this.#change(true, undefined)
      })
    } catch (error) {
      cause = asError(error)
      if (!this.#closing) onError(cause)
    }
    this.#talk?.end(cause ?? unavailable('the conversation ended'))
    this.#change(false, cause)
    await this.#talk?.closed
    this.#talk = undefined
    return wasUp
  }

  /** A client that comes after its time, or after `close`, is hung up at once. */
  async #connected(): Promise<BusClient> {
    const { connect, timing } = this.#options
    let waiting = true
    let timer: NodeJS.Timeout | undefined
    const given = Promise.resolve(connect()).then((client) => {
      if (!waiting) {
        client.on('error', () => {})
        hangUp(client)
      }
      return client
    })
    const givenUp = new Promise<never>((_, reject) => {
      const limitMs = timing.heartbeatMs + timing.graceMs
      timer = setTimeout(() => reject(unavailable(`no connection was made in ${limitMs} ms`)), limitMs)
      this.#wake = () => reject(new HitpathError('CLOSED', 'the bus was closed'))
    })
    try {
      return await Promise.race([given, givenUp])
    } finally {
      waiting = false
      clearTimeout(timer)
      this.#wake = () => {}
    }
  }

  #change(up: boolean, cause: Error | undefined): void {
    if (up === this.#up) return
    this.#up = up
    this.#options.onChange(up, cause)
  }

  #rest(failures: number): Promise<void> {
    const { backoffMs, random } = this.#options.timing
    const [first, longest] = backoffMs
    const waitMs = Math.min(longest, first * 2 ** Math.min(failures, 30)) * (0.5 + random() / 2)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
