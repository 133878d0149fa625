/**
 * Events published on channels of Redis. Nothing is kept for who is not there: after every connection but the first attempt's, what may have
 * been missed is invalidated, once the channels are heard again.
 */
import { Connector } from '../../coherence/connect.js'
import type { Conversation } from '../../coherence/conversation.js'
import { describe, HitpathError } from '../../errors.js'
import { booleanOption, functionOption, refuseUnknownOptions } from '../../options.js'
import type { Intake } from './feed.js'
import { LINK_OPTIONS, LinkedFeed, type LinkOptions } from './linked-feed.js'
import type { EventClient } from './redis-events.js'

export interface SubscribeOptions<E> extends LinkOptions {
  /** Makes an event of a message; undefined for none. Default: `JSON.parse`. */
  readonly parse?: (message: string, channel: string) => E | undefined
  /** The channels are patterns: PSUBSCRIBE. Default false. */
  readonly patterns?: boolean
}

export class PubSubFeed<E> extends LinkedFeed<E> {
  readonly #channels: readonly string[]
  readonly #patterns: boolean
  readonly #parse: (message: string, channel: string) => E | undefined
  #again = false

  constructor(
    intake: Intake<E>,
    client: EventClient,
    channels: string | readonly string[],
    options: SubscribeOptions<E>,
  ) {
    refuseUnknownOptions(options, 'subscribe', [...LINK_OPTIONS, 'parse', 'patterns'])
    const connector = new Connector(client, 'subscribe.client')
    super(intake, options, 'subscribe', () => {
      if (this.#again) this.miss()
      this.#again = true
      return connector.anywhere()
    })
    this.#channels = channelList(channels)
    this.#patterns = booleanOption(options.patterns ?? false, 'subscribe.patterns')
    this.#parse = functionOption(options.parse ?? parseJson<E>, 'subscribe.parse')
    this.open()
  }

  protected override async converse(talk: Conversation, up: () => void): Promise<void> {
    const { heartbeatMs, graceMs } = this.timing
    // The last two: the channel and the payload; a pattern comes before them.
    talk.client.on(this.#patterns ? 'pmessageBuffer' : 'messageBuffer', (...args) => {
      talk.heard()
      this.#take(String(args.at(-1)), String(args.at(-2)))
    })
    await talk.ask(graceMs, this.#patterns ? 'psubscribe' : 'subscribe', ...this.#channels)
    await this.mend()
    up()
    for (;;) {
      await talk.pause(heartbeatMs)
      await talk.ping(graceMs)
    }
  }

  #take(message: string, channel: string): void {
    if (this.closing) return
    try {
      const event = this.intake.parsed(() => this.#parse(message, channel))
      if (event !== undefined) this.intake.accept(event)
    } catch {
      // counted and reported
    }
  }
}

function parseJson<E>(message: string): E {
  return JSON.parse(message) as E
}

function channelList(channels: string | readonly string[]): readonly string[] {
  const list: readonly unknown[] = Array.isArray(channels) ? channels : [channels]
  if (list.length > 0 && list.every((channel) => typeof channel === 'string' && channel !== ''))
    return list as readonly string[]
  throw new HitpathError(
    'INVALID_ARGUMENT',
    `channels are one or more strings that are not empty; got ${describe(channels)}`,
  )
}
