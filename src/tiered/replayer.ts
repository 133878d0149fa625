/**
 * Brings what was queued during an outage to the second tier, in order, before the second tier is believed again (R9).
 *
 * Always true: one drain at a time, through the breaker, so that a recovery is one probe and then a stream of batches. What fails stays
 * queued. While something is queued a timer asks again, no sooner than the breaker would let it through, and somewhat
 * later at random, so that processes do not come back together.
 */
import { HitpathError } from '../errors.js'
import type {
  QueuedClear,
  QueuedDelete,
  QueuedPattern,
  QueuedSet,
  QueuedTag,
  QueuedWrite,
} from '../l2/queued.js'
import { type DropReason, ReplayQueue } from '../l2/replay-queue.js'
import type { CallOptions, L2Store, L2Write, Moment } from '../l2/store.js'
import { Changes } from './changes.js'
import type { Core } from './core.js'

const MIN_WAIT_MS = 20
const JITTER = 0.25
/** How often a batch may be refused by the server before its sets are given up. */
const MAX_REFUSALS = 3
const TOLD: Readonly<Record<DropReason, string>> = {
  room: 'no room for a set',
  guests: 'no room for the value of a factory',
  expired: 'the time of a set is over',
  invalidations: 'so many invalidations that they became a clear',
}

export class Replayer {
  readonly queue: ReplayQueue
  readonly changes: Changes
  readonly #core: Core<unknown>
  #draining: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #refusals = 0
  /** The epoch that a clear of this replay made: what stands in the queue behind it was made after it. */
  #ownEpoch: number | undefined
  /** The same of tags: versions given to invalidations of which nobody could say when they were made. */
  readonly #ownTags = new Map<string, number>()

  constructor(core: Core<unknown>) {
    this.#core = core
    this.changes = new Changes(core)
    const { maxEntries, maxBytes } = core.settings.replay
    this.queue = new ReplayQueue({
      maxSets: maxEntries,
      maxInvalidations: 2 * maxEntries,
      maxBytes,
      onDrop: (reason, count) => core.tellDrop(`replay: ${TOLD[reason]}`, count),
    })
  }

  /** Something was put into the queue. */
  queued(): void {
    this.#core.counters.queued++
    this.#schedule()
  }

  /** Replays first when one of the names is blocked and the second tier may be reached. Never rejects. */
  async beforeRead(names: readonly { readonly name: string }[]): Promise<void> {
    if (this.queue.size === 0 || this.#core.guard.open) return
    if (names.some(({ name }) => this.queue.blocks(name))) await this.drain()
  }

  /** Never rejects. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined
      if (this.queue.size > 0) {
        this.#schedule()
        return
      }
      this.#ownEpoch = undefined
      this.#ownTags.clear()
    })
    return this.#draining
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.changes.close()
  }

  async #drain(): Promise<void> {
    const core = this.#core
    await this.changes.settled()
    while (this.queue.size > 0 && !core.closed) {
      const batch = this.queue.next()
      if (batch.length === 0) continue
      try {
        await this.#write(batch)
      } catch (error) {
        this.#refused(batch, error)
        return
      }
      this.#refusals = 0
      this.queue.done(batch)
      core.counters.replayed += batch.length
      core.events.emit('replay', { count: batch.length, left: this.queue.size })
    }
  }

  async #write(batch: readonly QueuedWrite[]): Promise<void> {
    const core = this.#core
    const l2 = core.l2 as L2Store
    const { changes } = this
    switch ((batch[0] as QueuedWrite).kind) {
      case 'set':
        return await this.#set(batch as readonly QueuedSet[])
      case 'delete': {
        const deletions = batch as readonly QueuedDelete[]
        const names = deletions.map(({ name }) => name)
        const notAfter = new Map(
          deletions.flatMap(({ name, at }) => (at === undefined ? [] : [[name, at.to]])),
        )
        await changes.run((by) => l2.deleteMany(names, { ...by, notAfter }))
        return
      }
      case 'tag':
        for (const write of batch as readonly QueuedTag[]) {
          const { tag, at } = write
          const version = await changes.run((by) => l2.invalidateTag(tag, late(by, at)))
          core.tags.merge(tag, version)
          if (at === undefined) this.#ownTags.set(tag, version)
          this.queue.done([write])
        }
        return
      case 'pattern':
        for (const write of batch as readonly QueuedPattern[]) {
          const { glob, at } = write
          await changes.run((by) => l2.deletePattern(glob, late(by, at)), Infinity)
          this.queue.done([write])
        }
        return
      case 'clear': {
        const write = batch[0] as QueuedClear
        const { at } = write
        const epoch = await changes.run((by) => l2.clear(late(by, at)))
        this.#ownEpoch = at === undefined || epoch <= at.to + 1 ? epoch : undefined
        core.raiseEpoch(epoch)
        // A later clear stands for invalidations that came after this one.
        if (this.queue.holds(write)) core.tags.disown((tag) => this.queue.holdsTag(tag))
      }
    }
  }

  /**
   * What this process changed came before, in the order of the queue; of what others changed the server decides which is newer. The value
   * of a factory, that nobody was promised, replaces nothing: two processes may be wrong by some milliseconds about who was first.
   */
  async #set(batch: readonly QueuedSet[]): Promise<void> {
    const core = this.#core
    const l2 = core.l2 as L2Store
    const epoch = await core.guard.run(() => l2.epoch())
    core.raiseEpoch(epoch)
    const versionOf = await this.#tagVersions(batch)
    const writes = batch.map(({ name, bytes, ttlMs, at, guest }): L2Write => {
      // It was made after that clear, whether or not this process had heard of it.
      const valid = at.from >= epoch || (epoch === this.#ownEpoch && !guest)
      const current = under(bytes, valid ? epoch : undefined, (tag, made) => {
        const version = versionOf.get(tag) ?? Infinity
        // Even: invalidated. Odd: never was, but may have got its version after the set was made.
        const before = version % 2 === 1 || version === this.#ownTags.get(tag)
        return version <= made || (before && !guest) ? version : made
      })
      return { name, bytes: current, ttlMs, notAfter: at.from, ownFirst: !guest, onlyIfAbsent: guest }
    })
    const versions = await this.changes.run((by) => l2.setMany(writes, by))
    let untold = 0
    for (const [i, { name, guest, tags, at }] of batch.entries()) {
      const version = versions[i]
      const written = version !== undefined && version > 0
      if (written && (guest || tags.length === 0)) continue
      if (version === 0 && !guest) untold++
      const l1 = core.names.l1Of(name)
      // Of what was written only the second tier knows under which versions of its tags; of what was not, that theirs holds.
      if (l1 !== undefined) core.drop({ name, l1 }, written ? at.from + 1 : Infinity)
    }
    if (untold > 0) core.tellDrop('replay: cannot be told from newer changes', untold)
  }

  /** As they are in the second tier: an entry that says more would make others doubt all that it has of the tag. */
  async #tagVersions(batch: readonly QueuedSet[]): Promise<ReadonlyMap<string, number>> {
    const core = this.#core
    const tags = [...new Set(batch.flatMap((write) => write.tags))]
    if (tags.length === 0) return new Map()
    const versions = await core.guard.run(() => (core.l2 as L2Store).tagVersions(tags, core.tagLifeMs))
    return new Map(tags.map((tag, i) => [tag, versions[i] as number]))
  }

  #refused(batch: readonly QueuedWrite[], error: unknown): void {
    const core = this.#core
    core.report(error)
    if (!(error instanceof HitpathError && error.code === 'L2_ERROR') || ++this.#refusals < MAX_REFUSALS)
      return
    this.#refusals = 0
    const sets = batch.filter((write) => write.kind === 'set')
    if (sets.length === 0) return
    for (const { name, at, guest } of sets) {
      if (guest) this.queue.withdraw(name)
      else this.queue.delete(name, at)
    }
    core.tellDrop('replay: refused by the second tier', sets.length)
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#core.closed) return
    const wait = Math.max(MIN_WAIT_MS, this.#core.guard.breaker.retryInMs)
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        void this.drain()
      },
      wait * (1 + JITTER * this.#core.settings.random()),
    )
    this.#timer.unref()
  }
}

function late(by: CallOptions, made: Moment | undefined): CallOptions {
  return made === undefined ? by : { ...by, made }
}

const EPOCH_AT = 40
const TAG_COUNT_AT = 36
const TAGS_AT = 48
const TAG_HEAD_BYTES = 10

/** The envelope, made under another epoch and other versions of its tags. */
function under(
  bytes: Uint8Array,
  epoch: number | undefined,
  versionOf: (tag: string, made: number) => number,
): Uint8Array {
  const copy = Buffer.from(bytes)
  if (epoch !== undefined) copy.writeDoubleLE(epoch, EPOCH_AT)
  for (let left = copy.readUInt16LE(TAG_COUNT_AT), at = TAGS_AT; left > 0; left--) {
    const nameBytes = copy.readUInt16LE(at + 8)
    const tag = copy.toString('utf8', at + TAG_HEAD_BYTES, at + TAG_HEAD_BYTES + nameBytes)
    copy.writeDoubleLE(versionOf(tag, copy.readDoubleLE(at)), at)
    at += TAG_HEAD_BYTES + nameBytes
  }
  return copy
}
