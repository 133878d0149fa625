/**
 * A consumer of a group: Redis remembers who got what, and gives again what was not acknowledged.
 *
 * Each conversation begins with what this consumer was given and did not acknowledge. Always true: an entry is acknowledged after
 * it is done; one that fails stays with this consumer and is taken up again, by whoever claims it first; entries that went before the
 * group got them, and a group that went, are a gap.
 */
import type { Conversation } from '../../coherence/conversation.js'
import { rowsOf, rowsOfXread, type StreamRow } from '../../coherence/stream-message.js'
import type { Intake } from './feed.js'
import { type EventClient, hasLost, ordinalAfterLoss, progressOf, stateOf } from './redis-events.js'
import { type FollowOptions, named, StreamFeed } from './stream-feed.js'

const FIRST = '0-0'

export class GroupFeed<E> extends StreamFeed<E> {
  readonly #group: string
  readonly #consumer: string
  #joined = false
  #claimedAt = Number.NEGATIVE_INFINITY
  #position: string | undefined

  constructor(intake: Intake<E>, client: EventClient, options: FollowOptions<E>) {
    super(intake, client, options)
    this.#group = named(options.group, 'follow.group')
    this.#consumer = named(options.consumer, 'follow.consumer')
    this.open()
  }

  override get position(): string | undefined {
    return this.#position
  }

  protected override async converse(talk: Conversation, up: () => void): Promise<void> {
    await this.#join(talk)
    await this.mend()
    await this.#takeUp(talk)
    up()
    let mayHaveLost = true
    while (!this.closing) {
      if (mayHaveLost) await this.#lookForLoss(talk)
      if (this.timing.now() - this.#claimedAt >= this.claimIdleMs) await this.#claim(talk)
      const rows = await this.#read(talk, '>', 'BLOCK', this.timing.heartbeatMs)
      await this.#finish(talk, rows)
      mayHaveLost = rows.length > 0
    }
  }

  /** A group that was there and is no more begins with the oldest entry, and what it lost is a gap. */
  async #join(talk: Conversation): Promise<void> {
    const from = this.#joined ? '0' : this.from
    try {
      await this.ask(talk, 'XGROUP', 'CREATE', this.stream, this.#group, from, 'MKSTREAM')
      if (this.#joined) this.miss()
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error
    }
    this.#joined = true
  }

  /** What this consumer was given before and did not finish. */
  async #takeUp(talk: Conversation): Promise<void> {
    for (let after = FIRST; !this.closing; ) {
      const rows = await this.#read(talk, after)
      const last = rows.at(-1)
      if (last === undefined) return
      await this.#finish(talk, rows)
      after = last.id
    }
  }

  async #read(talk: Conversation, after: string, ...how: (string | number)[]): Promise<StreamRow[]> {
    const group = ['GROUP', this.#group, this.#consumer, 'COUNT', this.batch, ...how]
    return rowsOfXread(await this.ask(talk, 'XREADGROUP', ...group, 'STREAMS', this.stream, after))
  }

  /** Takes over what others, or this consumer, have left. */
  async #claim(talk: Conversation): Promise<void> {
    for (let cursor = FIRST; !this.closing; ) {
      const who = [this.stream, this.#group, this.#consumer, this.claimIdleMs]
      const reply = await this.ask(talk, 'XAUTOCLAIM', ...who, cursor, 'COUNT', this.batch)
      const [next, rows, deleted] = Array.isArray(reply) ? reply : []
      if (Array.isArray(deleted) && deleted.length > 0) this.miss()
      await this.#finish(talk, rowsOf(rows))
      if (typeof next !== 'string' || next === FIRST) break
      cursor = next
    }
    this.#claimedAt = this.timing.now()
    await this.mend()
  }

  #finish(talk: Conversation, rows: readonly StreamRow[]): Promise<void> {
    return this.uncut(async () => {
      if (rows.length === 0) return
      // One that was trimmed after it was given out has no fields any more.
      if (rows.some(({ fields }) => !Array.isArray(fields))) this.miss()
      const { done } = await this.handle(rows.filter(({ fields }) => Array.isArray(fields)))
      await this.mend()
      const gone = rows.filter(({ fields }) => !Array.isArray(fields)).map(({ id }) => id)
      const over = [...done, ...gone]
      if (over.length > 0) await this.ask(talk, 'XACK', this.stream, this.#group, ...over)
      this.#position = done.at(-1) ?? this.#position
    })
  }

  async #lookForLoss(talk: Conversation): Promise<void> {
    const { graceMs } = this.timing
    const [state, progress] = await Promise.all([
      stateOf(talk, graceMs, this.stream),
      progressOf(talk, graceMs, this.stream, this.#group),
    ])
    if (progress === undefined || !hasLost(state, progress)) return
    this.miss()
    await this.mend()
    const ordinal = ordinalAfterLoss(state, progress.position)
    if (ordinal === undefined) return
    // Or the same loss would be seen again. What another consumer read meanwhile is given out once more, which does no harm.
    const read = ['ENTRIESREAD', ordinal]
    await this.ask(talk, 'XGROUP', 'SETID', this.stream, this.#group, progress.position, ...read)
  }
}
