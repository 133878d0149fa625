/**
 * Entries of a Redis Stream as events: what both ways of reading one share.
 *
 * Always true: an entry counts as done once its invalidation has happened or it makes no sense; the next are read after that. `close` lets
 * the entries at hand be done first.
 */
import { Connector } from '../../coherence/connect.js'
import type { Conversation } from '../../coherence/conversation.js'
import type { StreamRow } from '../../coherence/stream-message.js'
import type { Duration } from '../../duration.js'
import { describe, HitpathError } from '../../errors.js'
import { functionOption, integerOption, refuseUnknownOptions } from '../../options.js'
import type { Intake } from './feed.js'
import { LINK_OPTIONS, LinkedFeed, type LinkOptions, wholeMs } from './linked-feed.js'
import type { EventClient } from './redis-events.js'

export type StreamFields = Readonly<Record<string, string>>

export interface FollowOptions<E> extends LinkOptions {
  /** Key of the stream, without the prefix that the client puts before keys. */
  readonly stream: string
  /**
   * Name of a consumer group: each entry reaches one of its consumers. Right for caches that are coherent through Redis. `false`: this process
   * reads every entry and keeps its own position. Right for caches of its own.
   */
  readonly group: string | false
  /** Name of this consumer in the group: the same after a restart, and no other's at the same time. Default: none; needed with a group. */
  readonly consumer?: string
  /** Where to begin: `$` (default) after what is there, `0` with the oldest, or after an id. A group that exists goes on where it was. */
  readonly from?: string
  /** Entries in one read; those of one key are coalesced. Default 256. */
  readonly batch?: number
  /** Makes an event of an entry; undefined for none. Default: its fields, as strings. */
  readonly parse?: (fields: StreamFields, id: string) => E | undefined
  /** Entries that a consumer has left unacknowledged for so long are taken over. Default 30 s. */
  readonly claimIdle?: Duration
}

const OPTIONS = [...LINK_OPTIONS, 'stream', 'group', 'consumer', 'from', 'batch', 'parse', 'claimIdle']
const FROM = /^(?:\$|\d{1,20}(?:-\d{1,20})?)$/

/** What became of entries. */
export interface Handled {
  /** Ids of those that are done, in order. */
  readonly done: readonly string[]
  /** Place of the first that is not; -1 when all are. */
  readonly failedAt: number
  /** What the first rejected with. */
  readonly cause: unknown
}

export abstract class StreamFeed<E> extends LinkedFeed<E> {
  protected readonly stream: string
  protected readonly from: string
  protected readonly batch: number
  protected readonly claimIdleMs: number
  readonly #parse: (fields: StreamFields, id: string) => E | undefined
  #handling: Promise<unknown> | undefined

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(intake: Intake<E>, client: EventClient, options: FollowOptions<E>) {
    refuseUnknownOptions(options, 'follow', OPTIONS)
    const connector = new Connector(client, 'follow.client')
    const stream = connector.keyPrefix + named(options.stream, 'follow.stream')
    super(intake, options, 'follow', () => connector.ownerOf(stream))
    this.stream = stream
    this.from = options.from ?? '$'
    if (typeof this.from !== 'string' || !FROM.test(this.from))
      throw new HitpathError(
        'INVALID_OPTION',
        `follow.from must be '$' or an id; got ${describe(options.from)}`,
      )
    this.batch = integerOption(options.batch ?? 256, 'follow.batch', { max: 100_000 })
    this.#parse = functionOption(options.parse ?? fieldsAsEvent<E>, 'follow.parse')
    this.claimIdleMs = wholeMs(options.claimIdle ?? 30_000, 'follow.claimIdle')
  }

  protected override async stop(): Promise<void> {
    await this.#handling
    await super.stop()
  }

  /** Handles entries and what follows from it, uncut by `close`. */
  protected async uncut<T>(work: () => Promise<T>): Promise<T> {
    const handling = work()
    this.#handling = handling.catch(() => {})
    return await handling
  }

  protected async handle(rows: readonly StreamRow[]): Promise<Handled> {
    const outcomes = await Promise.allSettled(rows.map((row) => this.#accept(row)))
    const failedAt = outcomes.findIndex(({ status }) => status === 'rejected')
    const failed = outcomes[failedAt]
    return {
      done: rows.filter((_, i) => outcomes[i]?.status === 'fulfilled').map(({ id }) => id),
      failedAt,
      cause: failed?.status === 'rejected' ? failed.reason : undefined,
    }
  }

  /** How long a command that waits for entries may take. */
  protected ask(talk: Conversation, ...words: readonly (string | number)[]): Promise<unknown> {
    const { heartbeatMs, graceMs } = this.timing
    const [command, ...args] = words
    return talk.ask(heartbeatMs + graceMs, String(command), ...args)
  }

  async #accept({ id, fields }: StreamRow): Promise<void> {
    let handled: Promise<unknown> | undefined
    try {
      const event = this.intake.parsed(() => this.#parse(fieldsOf(fields), id))
      if (event !== undefined) handled = this.intake.accept(event)
    } catch {
      return // counted and reported; it would make no more sense another time
    }
    await handled
  }
}

/** @throws HitpathError INVALID_OPTION unless it is a string that is not empty */
export function named(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new HitpathError(
    'INVALID_OPTION',
    `${path} must be a string that is not empty; got ${describe(value)}`,
  )
}

function fieldsOf(fields: unknown): StreamFields {
  const pairs: [string, string][] = []
  if (Array.isArray(fields))
    for (let i = 0; i + 1 < fields.length; i += 2) pairs.push([String(fields[i]), String(fields[i + 1])])
  return Object.fromEntries(pairs)
}

/** What the user declares events to be, if he gives no parser. */
function fieldsAsEvent<E>(fields: StreamFields): E {
  return fields as E
}
