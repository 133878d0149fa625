/**
 * A reader of every entry, which keeps its own position.
 *
 * Always true: the position is the last entry that is done with all before it; an entry that fails is read again over the next connection;
 * entries that went unread, and a stream that is not the one that was read, are a gap.
 */
import type { Conversation } from '../../coherence/conversation.js'
import { asError } from '../../coherence/conversation.js'
import { FIRST_ID, rowsOfXread, type StreamRow } from '../../coherence/stream-message.js'
import { HitpathError } from '../../errors.js'
import type { Intake } from './feed.js'
import { type EventClient, hasLost, isReset, ordinalAfterLoss, stateOf } from './redis-events.js'
import { type FollowOptions, StreamFeed } from './stream-feed.js'

export class PositionFeed<E> extends StreamFeed<E> {
  #position: string | undefined
  #ordinal: number | undefined

  constructor(intake: Intake<E>, client: EventClient, options: FollowOptions<E>) {
    super(intake, client, options)
    if (options.consumer !== undefined)
      throw new HitpathError('INVALID_OPTION', 'follow.consumer is for a group; without one there is none')
    this.open()
  }

  override get position(): string | undefined {
    return this.#position
  }

  protected override async converse(talk: Conversation, up: () => void): Promise<void> {
    let position = this.#position ?? (await this.#begin(talk))
    await this.mend()
    position = await this.#check(talk, position)
    up()
    while (!this.closing) {
      const how = ['COUNT', this.batch, 'BLOCK', this.timing.heartbeatMs]
      const rows = rowsOfXread(await this.ask(talk, 'XREAD', ...how, 'STREAMS', this.stream, position))
      position = await this.uncut(() => this.#finish(rows, position))
      if (!this.closing) position = await this.#check(talk, position)
    }
  }

  async #begin(talk: Conversation): Promise<string> {
    const state = await stateOf(talk, this.timing.graceMs, this.stream)
    if (this.from === '$') this.#ordinal = state.added
    else if (Number(this.from) === 0) this.#ordinal = state.removed
    return this.#at(this.from === '$' ? state.lastId : Number(this.from) === 0 ? FIRST_ID : this.from)
  }

  #at(position: string): string {
    this.#position = position
    return position
  }

  async #finish(rows: readonly StreamRow[], position: string): Promise<string> {
    if (rows.length === 0) return position
    const { failedAt, cause } = await this.handle(rows)
    const done = failedAt < 0 ? rows.length : failedAt
    if (this.#ordinal !== undefined) this.#ordinal += done
    const last = rows[done - 1]
    const now = last === undefined ? position : this.#at(last.id)
    if (failedAt >= 0) throw asError(cause)
    return now
  }

  async #check(talk: Conversation, position: string): Promise<string> {
    const state = await stateOf(talk, this.timing.graceMs, this.stream)
    const progress = { position, ordinal: this.#ordinal }
    if (isReset(state, progress)) {
      this.miss()
      this.#ordinal = state.added
      this.#at(state.lastId)
    } else if (hasLost(state, progress)) {
      this.miss()
      this.#ordinal = ordinalAfterLoss(state, position)
    } else if (state.lastId === position) {
      this.#ordinal ??= state.added
    }
    await this.mend()
    return this.#position as string
  }
}
