/**
 * Writes, deletions and invalidations by the caller.
 *
 * Always true: what was removed from the first tier before the second was told is removed once more after, so that a read in between
 * leaves nothing behind; a change that the second tier could not take stands in the replay queue, in the order of the calls, or is a
 * set that was refused for lack of room, and its result says so.
 */
import { encodeEnvelope } from '../codec/envelope.js'
import type { Token } from '../coherence/generations.js'
import { isKnown, type TagState } from '../coherence/tag-versions.js'
import { describe, HitpathError } from '../errors.js'
import type { CallOptions, L2Store, L2Write, Moment, Written } from '../l2/store.js'
import { type Core, entryOf } from './core.js'
import type { Entry } from './entry.js'
import { isOutage } from './guard.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import { erasePattern } from './patterns.js'
import type { Replayer } from './replayer.js'
import type { Start } from './start.js'

export interface WriteResult {
  /**
   * The second tier could not be reached, or a gap of the bus came between: the change stands in the replay queue, and holds in this
   * process until then.
   */
  readonly queued: boolean
  /**
   * Of a set only: the second tier could not be reached, and there was no room in the replay queue, or no way to say when the set was
   * made as the second tier was never reached. The value is in the first tier of this process alone, until the
   * deletion of the name has reached the second.
   */
  readonly refused?: true
}

export interface DeleteResult extends WriteResult {
  /** Whether there was an entry, as far as could be seen. */
  readonly existed: boolean
}

export interface PatternResult extends WriteResult {
  /** Entries removed: from the second tier, or from the first when there is no second or it was not reached. */
  readonly removed: number
}

/** A value to be written, encoded. */
export interface Outgoing<V> {
  readonly named: Named
  readonly value: V
  readonly policy: Policy
  readonly tags: readonly string[]
}

interface Prepared<V> {
  readonly named: Named
  readonly policy: Policy
  readonly entry: Entry<V>
  readonly token: Token
  /** Undefined when the entry is for the first tier alone. */
  readonly write: L2Write | undefined
}

const DONE: WriteResult = Object.freeze({ queued: false })
const QUEUED: WriteResult = Object.freeze({ queued: true })
const REFUSED: WriteResult = Object.freeze({ queued: false, refused: true })

export class Writer<V> {
  readonly #core: Core<V>
  readonly #start: Start
  readonly #replayer: Replayer
  readonly #hasChildren: () => boolean

  constructor(core: Core<V>, start: Start, replayer: Replayer, hasChildren: () => boolean) {
    this.#core = core
    this.#start = start
    this.#replayer = replayer
    this.#hasChildren = hasChildren
  }

  async set(outgoing: Outgoing<V>): Promise<WriteResult> {
    const [result] = await this.setMany([outgoing])
    return result as WriteResult
  }

  /** All in one call of the store. @throws HitpathError for a value that has no stored form, or an error of the second tier */
  async setMany(all: readonly Outgoing<V>[]): Promise<WriteResult[]> {
    const core = this.#core
    core.refuseClosed()
    for (const { named } of all) this.#overtake(named.name)
    const reachable = await this.#reachable(all.map(({ named }) => named))
    const states = await this.#states(all, reachable)
    const { queue } = this.#replayer
    const results = new Array<WriteResult>(all.length)
    const direct: (readonly [at: number, Prepared<V>])[] = []
    for (const [i, outgoing] of all.entries()) {
      const { named, policy } = outgoing
      const shared = core.l2 !== undefined && policy.l2
      if (shared && (!areKnown(states, outgoing.tags) || queue.blocks(named.name)))
        results[i] = this.#enqueue(outgoing)
      else if (shared) direct.push([i, this.#prepare(outgoing, states)])
      else results[i] = this.#stored(this.#prepare(outgoing, states), undefined)
    }
    if (direct.length > 0) {
      const versions = await this.#write(direct.map(([, { write }]) => write as L2Write))
      for (const [at, [i, one]] of direct.entries()) {
        results[i] =
          versions === undefined ? this.#enqueue(all[i] as Outgoing<V>) : this.#stored(one, versions[at])
      }
    }
    return results
  }

  async delete(named: Named): Promise<DeleteResult> {
    const [result] = await this.deleteMany([named])
    return result as DeleteResult
  }

  async deleteMany(all: readonly Named[]): Promise<DeleteResult[]> {
    const core = this.#core
    core.refuseClosed()
    const here = all.map((named) => this.#remove(named))
    const { l2 } = core
    if (l2 === undefined) return here.map((existed) => this.#deleted(existed, false))
    const names = all.map(({ name }) => name)
    const reached =
      (await this.#reachable(all)) && !names.some((name) => this.#replayer.queue.blocks(name))
        ? await this.#change((by) => l2.deleteMany(names, by), INVALIDATION)
        : undefined
    for (const named of all) this.#remove(named)
    if (reached === undefined) {
      for (const name of names) this.#replayer.queue.delete(name, this.#now())
      this.#replayer.queued()
    } else for (const { version } of reached) core.saw(version)
    for (const key of names) core.events.emit('delete', { key, queued: reached === undefined })
    return here.map((existed, i) =>
      this.#deleted(reached === undefined ? existed : (reached[i]?.existed ?? false), reached === undefined),
    )
  }

  async invalidateTag(tag: string): Promise<WriteResult> {
    if (typeof tag !== 'string')
      throw new HitpathError('INVALID_ARGUMENT', `a tag is a string; got ${describe(tag)}`)
    const core = this.#core
    core.refuseClosed()
    this.#overtakeAll()
    const { l2 } = core
    if (l2 === undefined) {
      if (core.tags.known(tag) === undefined) await core.tags.fetch([tag])
      core.tags.merge(tag, core.evenStamp())
      core.generations.bumpAll()
      return this.#invalidated('tag', tag, false)
    }
    const version = (await this.#reachesAll())
      ? await this.#change((by) => l2.invalidateTag(tag, by), INVALIDATION)
      : undefined
    if (version !== undefined) {
      core.saw(version)
      core.tags.merge(tag, version)
    } else {
      // Were it done after all, sets that follow would be older than it.
      await this.#replayer.changes.settled()
      const stamp = core.evenStamp(core.tags.known(tag)?.version)
      core.tags.mergeOwn(tag, stamp)
      core.generations.bumpAll()
      this.#replayer.queue.invalidateTag(tag, this.#replayer.changes.moment(stamp))
      this.#replayer.queued()
    }
    this.#overtakeAll()
    return this.#invalidated('tag', tag, version === undefined)
  }

  async invalidatePattern(glob: string): Promise<PatternResult> {
    const core = this.#core
    core.refuseClosed()
    if (typeof glob !== 'string') throw new HitpathError('INVALID_ARGUMENT', 'a pattern is a string')
    const removed = this.#erase(glob)
    const { l2 } = core
    if (l2 === undefined) return { ...this.#invalidated('pattern', glob, false), removed }
    const reached = (await this.#reachesAll())
      ? await this.#change((by) => l2.deletePattern(glob, by), { ...INVALIDATION, timeoutMs: Infinity })
      : undefined
    this.#erase(glob)
    if (reached === undefined) {
      this.#replayer.queue.invalidatePattern(glob, this.#now())
      this.#replayer.queued()
    }
    return { ...this.#invalidated('pattern', glob, reached === undefined), removed: reached ?? removed }
  }

  async clear(): Promise<WriteResult> {
    const core = this.#core
    core.refuseClosed()
    this.#overtakeAll()
    core.flush()
    const { l2 } = core
    if (l2 === undefined) return this.#invalidated('clear', '', false)
    const epoch = (await this.#reachable())
      ? await this.#change((by) => l2.clear(by), INVALIDATION)
      : undefined
    if (epoch !== undefined) core.raiseEpoch(epoch)
    else {
      await this.#replayer.changes.settled()
      const stamp = core.evenStamp(core.epoch)
      core.raiseEpoch(stamp)
      this.#replayer.queue.clear(this.#replayer.changes.moment(stamp))
      this.#replayer.queued()
    }
    this.#overtakeAll()
    return this.#invalidated('clear', '', epoch === undefined)
  }

  // ---- sets ----

  /** Undefined when the versions of the tags cannot be read now. */
  async #states(
    all: readonly Outgoing<V>[],
    reachable: boolean,
  ): Promise<ReadonlyMap<string, TagState> | undefined> {
    const core = this.#core
    if (core.l2 !== undefined && !reachable) return undefined
    const names = [...new Set(all.flatMap(({ tags }) => tags))]
    if (names.length === 0) return new Map()
    const states = await this.#attempt(() => core.tagStates(names))
    return states === undefined ? undefined : new Map(states.map((state) => [state.tag, state]))
  }

  /** Without `states` it is made as of now: an invalidation of its tags that comes later is newer, one that came before is not. */
  #prepare(outgoing: Outgoing<V>, states: ReadonlyMap<string, TagState> | undefined): Prepared<V> {
    const core = this.#core
    const { named, value, policy, tags } = outgoing
    const token = core.generations.token(named.name)
    const now = core.time.now()
    const ttl = core.jittered(policy.ttl, policy.jitter)
    const known = tags.map((tag) => states?.get(tag) ?? core.tags.known(tag))
    const version = core.stamp()
    const versions = known.map((state) =>
      states === undefined ? Math.max(state?.version ?? 0, version) : (state?.version ?? version),
    )
    const allKnown = known.every((state) => state !== undefined)
    const entry = entryOf<V>(value, false, {
      freshUntil: now + ttl,
      deadAt: now + ttl + policy.grace,
      version,
      epoch: core.epoch,
      factoryMs: 0,
      tags: allKnown ? (known as TagState[]) : [],
      tagVersions: versions,
    })
    // Nobody here would see that a tag was invalidated whose state is not known.
    const kept = allKnown ? policy : { ...policy, l1: false }
    if (core.l2 === undefined || !policy.l2) return { named, policy: kept, entry, token, write: undefined }
    const offset = core.serverOffset
    const bytes = encodeEnvelope(
      {
        freshUntil: Math.max(0, entry.freshUntil + offset),
        deadAt: Math.max(0, entry.deadAt + offset),
        epoch: core.epoch,
        tags: tags.map((name, i) => ({ name, version: versions[i] as number })),
      },
      value,
      { compressAbove: core.settings.compressAbove },
    )
    return {
      named,
      policy: kept,
      entry,
      token,
      write: { name: named.name, bytes, ttlMs: ttl + policy.grace },
    }
  }

  /** Undefined when the second tier could not be reached. */
  #write(writes: readonly L2Write[]): Promise<Written[] | undefined> {
    const core = this.#core
    const l2 = core.l2 as L2Store
    return this.#change(async (by) =>
      writes.length === 1 ? [await l2.set(writes[0] as L2Write, by)] : await l2.setMany(writes, by),
    )
  }

  #stored({ named, policy, entry, token }: Prepared<V>, version: Written): WriteResult {
    const core = this.#core
    if (version !== undefined) {
      entry.version = version
      core.saw(version)
    }
    this.#overtake(named.name)
    core.ownWrites.bump(named.name)
    if (!core.put(named, entry, token, policy)) core.drop(named, entry.version)
    if (core.events.wants('set')) core.events.emit('set', { key: named.name, queued: false })
    return DONE
  }

  #enqueue(outgoing: Outgoing<V>): WriteResult {
    const core = this.#core
    const { changes, queue } = this.#replayer
    const { named, policy, entry, token, write } = this.#prepare(outgoing, undefined)
    const { name } = named
    const { bytes, ttlMs } = write as L2Write
    const at = changes.moment(entry.version)
    const taken = at !== undefined && queue.set({ name, bytes, ttlMs, tags: outgoing.tags, at })
    if (at === undefined) {
      queue.delete(name, undefined)
      // Its version says nothing of the time: what another thread has put there came before it.
      core.drop(named, Infinity)
      core.tellDrop('replay: the server was never reached', 1)
    }
    core.ownWrites.bump(name)
    this.#replayer.queued()
    if (!core.put(named, entry, token, policy)) core.drop(named, entry.version)
    if (core.events.wants('set')) core.events.emit('set', { key: name, queued: taken })
    return taken ? QUEUED : REFUSED
  }

  // ---- removals ----

  /** From the first tier, and from whatever is on its way there. */
  #remove({ name, l1 }: Named): boolean {
    const core = this.#core
    core.generations.bump(name)
    this.#overtake(name)
    const entry = core.peek(l1)
    if (entry === undefined) return false
    const lived = core.judge(entry) !== 'invalid' && !entry.negative
    core.l1.delete(l1)
    core.recorder.fates?.removed(name)
    return lived
  }

  #erase(glob: string): number {
    const core = this.#core
    core.generations.bumpAll()
    this.#overtakeAll()
    return erasePattern(core, glob, this.#hasChildren())
  }

  /** A computation that began before this call brings nothing that may be kept or joined. */
  #overtake(name: string): void {
    const flight = this.#core.flights.get(name)
    if (flight !== undefined) flight.overtake()
    this.#replayer.queue.withdraw(name)
  }

  #overtakeAll(): void {
    for (const flight of this.#core.flights.values()) flight.overtake()
  }

  #deleted(existed: boolean, queued: boolean): DeleteResult {
    return { existed, queued }
  }

  #invalidated(kind: 'tag' | 'pattern' | 'clear', target: string, queued: boolean): WriteResult {
    const { events, recorder } = this.#core
    recorder.invalidated(kind)
    if (events.wants('invalidate')) events.emit('invalidate', { kind, target, foreign: false })
    return queued ? QUEUED : DONE
  }

  // ---- the second tier ----

  /** Whether the second tier may be asked: what must be known of it is, and earlier changes of the names had their chance to reach it. */
  async #reachable(names: readonly Named[] = []): Promise<boolean> {
    const core = this.#core
    if (core.l2 === undefined) return true
    if (core.guard.open) return false
    if (this.#replayer.queue.size > 0) await this.#replayer.beforeRead(names)
    const ready = await this.#attempt(async () => {
      await this.#start.ready()
      return true
    })
    return ready === true
  }

  /** The same for a change that may concern any name: everything queued must have gone before it. */
  async #reachesAll(): Promise<boolean> {
    if (!(await this.#reachable())) return false
    if (this.#replayer.queue.size > 0) await this.#replayer.drain()
    return this.#replayer.queue.size === 0
  }

  /** When a change that is to be queued now is made. */
  #now(): Moment | undefined {
    return this.#replayer.changes.moment(this.#core.stamp())
  }

  #change<T>(call: (by: CallOptions) => Promise<T>, how: Attempt = {}): Promise<T | undefined> {
    return this.#attempt(() => this.#replayer.changes.run(call, how.timeoutMs), how)
  }

  /** Undefined for an outage, which is reported; other errors are the caller's. `call` passes the guard itself. */
  async #attempt<T>(call: () => Promise<T>, how: Attempt = {}): Promise<T | undefined> {
    try {
      return await call()
    } catch (error) {
      const refused = error instanceof HitpathError && error.code === 'L2_ERROR'
      if (!isOutage(error) && !(refused && how.never === 'lost')) throw error
      this.#core.report(error)
      return undefined
    }
  }
}

function areKnown(states: ReadonlyMap<string, TagState> | undefined, tags: readonly string[]): boolean {
  return states !== undefined && tags.every((tag) => isKnown(states.get(tag) as TagState))
}

interface Attempt {
  /** What the server refuses is tried again later too. */
  readonly never?: 'lost'
  readonly timeoutMs?: number
}

const INVALIDATION: Attempt = { never: 'lost' }
