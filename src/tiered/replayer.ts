/**
 * Brings what was queued during an outage to the second tier, in order, before the second tier is believed again (R9).
 *
 * Always true: one drain at a time, through the breaker, so that a recovery is one probe and then a stream of batches. What fails stays
 * queued. While something is queued a timer asks again, no sooner than the breaker would let it through, and somewhat
 * later at random, so that processes do not come back together.
 */
import { HitpathError } from '../errors.js'
import { globMatches } from '../l2/glob.js'
import { type QueuedWrite, ReplayQueue } from '../l2/replay-queue.js'
import type { L2Store, L2Write } from '../l2/store.js'
import type { Core } from './core.js'

const MIN_WAIT_MS = 20
const JITTER = 0.25
/** How often a batch may be refused by the server before its sets are given up. */
const MAX_REFUSALS = 3

export class Replayer {
  readonly queue: ReplayQueue
  readonly #core: Core<unknown>
  #draining: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #refusals = 0
  /** What was invalidated in this replay: sets that were queued after it were made after it. */
  readonly #tags = new Map<string, Raised>()
  readonly #patterns: { readonly glob: string; readonly at: ReadonlyMap<number, number> }[] = []
  #epoch: Raised | undefined

  constructor(core: Core<unknown>) {
    this.#core = core
    const { maxEntries, maxBytes } = core.settings.replay
    this.queue = new ReplayQueue({
      maxSets: maxEntries,
      maxInvalidations: 2 * maxEntries,
      maxBytes,
      onDrop: (reason, sets) => core.tellDrop(`replay: ${reason}`, sets),
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
      if (this.queue.size > 0) this.#schedule()
      else {
        this.#tags.clear()
        this.#patterns.length = 0
        this.#epoch = undefined
      }
    })
    return this.#draining
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #drain(): Promise<void> {
    const core = this.#core
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
    const by = { origin: core.origin }
    const first = batch[0] as QueuedWrite
    switch (first.kind) {
      case 'set': {
        const writes = (batch as readonly L2Write[]).map((write) => ({
          ...write,
          bytes: restamped(write.bytes, this.#tags, this.#epoch, core.serverClock.uncertainty * 1000),
          notAfter: this.#notAfter(write),
        }))
        const versions = await core.guard.run(() => l2.setMany(writes, by))
        for (const [i, { name }] of writes.entries()) {
          // Somebody wrote it meanwhile: theirs holds.
          const l1 = versions[i] === undefined ? core.names.l1Of(name) : undefined
          if (l1 !== undefined) core.drop({ name, l1 }, Infinity)
        }
        return
      }
      case 'delete': {
        const names = batch.map((write) => (write as { readonly name: string }).name)
        await core.guard.run(() => l2.deleteMany(names, by))
        return
      }
      case 'tag':
        for (const write of batch) {
          const { tag } = write as { readonly tag: string }
          let from = Infinity
          const onReplaced = (version: number): void => {
            from = version
          }
          const to = await core.guard.run(() => l2.invalidateTag(tag, { ...by, onReplaced }))
          core.tags.merge(tag, to)
          this.#tags.set(tag, { from, to })
          this.queue.done([write])
        }
        return
      case 'pattern':
        for (const write of batch) {
          const { glob } = write as { readonly glob: string }
          await core.guard.run(() => l2.deletePattern(glob, by), Infinity)
          this.#patterns.push({ glob, at: await this.#clocks() })
          this.queue.done([write])
        }
        return
      case 'clear': {
        let from = Infinity
        const onReplaced = (epoch: number): void => {
          from = epoch
        }
        const to = await core.guard.run(() => l2.clear({ ...by, onReplaced }))
        this.#epoch = { from, to }
        core.raiseEpoch(to)
      }
    }
  }

  /**
   * A set that was queued after a pattern or a clear comes after it, whatever its own time: what that removed cannot win over it. Anything
   * written since is newer still.
   */
  #notAfter({ name, notAfter }: L2Write): number {
    let latest = Math.max(notAfter as number, this.#epoch?.to ?? 0)
    for (const { glob, at } of this.#patterns) {
      if (name.startsWith('s') && globMatches(glob, name.slice(1)))
        latest = Math.max(latest, at.get((this.#core.l2 as L2Store).bucketOf(name)) ?? 0)
    }
    return latest
  }

  /** What the version clock of each bucket says. */
  async #clocks(): Promise<ReadonlyMap<number, number>> {
    const l2 = this.#core.l2 as L2Store
    const probes = new Map<number, string>()
    for (let i = 0; probes.size < l2.buckets; i++) probes.set(l2.bucketOf(`s${i}`), `s${i}`)
    const fences = await this.#core.guard.run(() => l2.fences([...probes.values()]))
    return new Map([...probes.keys()].map((bucket, i) => [bucket, fences[i]?.version ?? 0]))
  }

  #refused(batch: readonly QueuedWrite[], error: unknown): void {
    const core = this.#core
    core.report(error)
    if (!(error instanceof HitpathError && error.code === 'L2_ERROR') || ++this.#refusals < MAX_REFUSALS)
      return
    this.#refusals = 0
    const sets = batch.filter((write) => write.kind === 'set')
    if (sets.length === 0) return
    for (const { name } of sets) this.queue.delete(name)
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

const TAGS_AT = 48
const TAG_HEAD_BYTES = 10

/** A version that a replayed invalidation replaced, and the one that it was given. */
interface Raised {
  readonly from: number
  readonly to: number
}

/**
 * The envelope, made under the versions that invalidations queued before it were given. Where the version that these replaced is newer than
 * the one that the envelope was made under, somebody else invalidated too, perhaps after it was made: it keeps its version, and is invalid.
 * `doubt`: µs by which the estimate of the server's clock, that made the version, may be wrong.
 */
function restamped(
  bytes: Uint8Array,
  tags: ReadonlyMap<string, Raised>,
  epoch: Raised | undefined,
  doubt: number,
): Uint8Array {
  if (tags.size === 0 && epoch === undefined) return bytes
  const copy = Buffer.from(bytes)
  raise(copy, TAGS_AT - 8, epoch, doubt)
  for (let left = copy.readUInt16LE(36), at = TAGS_AT; left > 0; left--) {
    const nameBytes = copy.readUInt16LE(at + 8)
    const tag = copy.toString('utf8', at + TAG_HEAD_BYTES, at + TAG_HEAD_BYTES + nameBytes)
    raise(copy, at, tags.get(tag), doubt)
    at += TAG_HEAD_BYTES + nameBytes
  }
  return copy
}

function raise(bytes: Buffer, at: number, raised: Raised | undefined, doubt: number): void {
  if (raised === undefined) return
  const made = bytes.readDoubleLE(at)
  const older = raised.from === made || raised.from <= made - doubt
  if (older && made < raised.to) bytes.writeDoubleLE(raised.to, at)
}
