/**
 * Reads of the second tier: when they may be made, and how what they gave gets into the first tier.
 *
 * Always true: the generation token is taken before the read (R1, R2, R17); what is believed of the bytes, belief.ts says. Everything
 * else is a miss, with a reason that is counted. A read never fails for want of the server: that is a miss too.
 */
import { AsyncResource } from 'node:async_hooks'
import { type EnvelopeHeader, readHeader } from '../codec/envelope.js'
import { decodeValue } from '../codec/value.js'
import type { TagState } from '../coherence/tag-versions.js'
import { HitpathError } from '../errors.js'
import { type L2Store, tellOf } from '../l2/store.js'
import type { L2Miss } from '../observe/recorder.js'
import type { Bytes } from '../platform.js'
import { type Asked, BatchRead } from './batch-read.js'
import { believed, entryOfArray, envelopes, isCurrent, NO_STATES, ownsArrays, statesOf } from './belief.js'
import { type Core, entryOf } from './core.js'
import type { Entry } from './entry.js'
import { isOutage, reasonOf } from './guard.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import { type Judge, type OnEntry, type OnError, Reading } from './reading.js'
import type { Replayer } from './replayer.js'
import type { Start } from './start.js'

/** What is told of a read by what comes to a reader; SlowReads tells the rest. */
const HEARD = ['promote', 'error', 'drop'] as const

export class Reader<V> implements Judge<V> {
  readonly #core: Core<V>
  readonly #start: Start
  readonly #replayer: Replayer

  constructor(core: Core<V>, start: Start, replayer: Replayer) {
    this.#core = core
    this.#start = start
    this.#replayer = replayer
  }

  /** The entry of the second tier, fresh or stale, put into the first; undefined for a miss. Calls for one name at a time share a read. */
  read(named: Named, policy: Policy): Promise<Entry<V> | undefined> {
    return new Promise((resolve, reject) => this.tell(named, policy, resolve, reject))
  }

  /** As `read`, told in the turn in which the answer came. */
  tell(named: Named, policy: Policy, onEntry: OnEntry<V>, onError: OnError): void {
    const core = this.#core
    if (core.l2 === undefined || !policy.l2) {
      onEntry(undefined)
      return
    }
    const counter = core.names.counterOf(named)
    const under = core.reads.of(named.name, counter)
    if (
      under !== undefined &&
      core.generations.unchanged(under.token) &&
      core.ownWrites.unchanged(under.ownWrites)
    ) {
      under.join(onEntry, onError)
      return
    }
    const token = core.generations.token(named.name, counter)
    const ownWrites = core.ownWrites.token(named.name, counter)
    const scope = this.#isHeard ? new AsyncResource('hitpath.read') : undefined
    const reading = new Reading<V>(this, named, policy, counter, token, ownWrites, onEntry, onError, scope)
    core.reads.add(reading)
    this.#ask(reading, core.l2)
  }

  #ask(reading: Reading<V>, l2: L2Store): void {
    const tell = tellOf(l2)
    try {
      const mayRead = this.#replayer.queue.size === 0 && this.#start.isReady()
      if (tell !== undefined && mayRead && this.#epochIsKept)
        this.#core.guard.tell((receiver) => tell.call(l2, reading.named.name, receiver), reading)
      else void this.#await(reading, l2, mayRead)
    } catch (error) {
      this.lost(reading, error)
    }
  }

  /** Asks for what has to be waited for. */
  async #await(reading: Reading<V>, l2: L2Store, mayRead: boolean): Promise<void> {
    const core = this.#core
    const { name } = reading.named
    let bytes: Bytes | null
    try {
      if (!mayRead && !(await this.#mayRead(name))) {
        core.recorder.missedL2('queued')
        return this.#end(reading, undefined)
      }
      const asked = core.guard.run(() => l2.get(name))
      bytes = this.#epochIsKept ? await asked : (await Promise.all([asked, this.#start.readEpoch()]))[0]
    } catch (error) {
      return this.lost(reading, error)
    }
    this.taken(reading, bytes)
  }

  /** What came for a name is judged, and what may be believed is put into the first tier. */
  taken(reading: Reading<V>, bytes: Bytes | null): void {
    let entry: Entry<V> | Promise<Entry<V> | undefined> | undefined
    try {
      if (bytes === null) entry = this.#missed('absent')
      else {
        const { named, policy } = reading
        const array = envelopes.read(bytes, ownsArrays(this.#core as Core<unknown>, policy)) as V | undefined
        entry = array === undefined ? this.#believed(named, bytes) : this.#ofArray(array)
        if (entry instanceof Promise) {
          entry
            .then((known) => this.#keep(reading, known))
            .catch((error: unknown) => this.lost(reading, error))
          return
        }
        entry = this.#kept(reading, entry)
      }
    } catch (error) {
      this.lost(reading, error)
      return
    }
    this.#end(reading, entry)
  }

  /** A read that failed is a miss, unless the cache was closed. */
  lost(reading: Reading<V>, error: unknown): void {
    try {
      this.#end(reading, this.#failed(error))
    } catch (final) {
      this.#core.reads.delete(reading)
      reading.fail(final)
    }
  }

  #keep(reading: Reading<V>, entry: Entry<V> | undefined): void {
    this.#end(reading, this.#kept(reading, entry))
  }

  #end(reading: Reading<V>, entry: Entry<V> | undefined): void {
    this.#core.reads.delete(reading)
    reading.end(entry)
  }

  /** As `read` for many, in one call of the store. What was found stands in the batch, and is never more than a miss for want of the server. `onBytes` is told how many bytes came. */
  async readMany(asked: Asked, policy: Policy, onBytes?: (bytes: number) => void): Promise<BatchRead<V>> {
    const core = this.#core
    const { l2 } = core
    const batch = new BatchRead<V>(core, asked, policy)
    if (l2 === undefined || !policy.l2 || asked.names.length === 0) return batch
    try {
      if (!this.#start.isReady()) await this.#start.ready()
      if (this.#replayer.queue.size > 0 && !(await this.#mayReadSome(batch))) return batch
      const isKept = this.#epochIsKept
      const reading = core.guard.run(() => l2.getMany(batch.names, isKept ? batch.take : undefined))
      const found = isKept ? await reading : (await Promise.all([reading, this.#start.readEpoch()]))[0]
      onBytes?.(found.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0))
      batch.take(found, 0)
      await this.#takeLeft(batch, found)
    } catch (error) {
      this.#failed(error)
    } finally {
      batch.end()
    }
    return batch
  }

  /** What has tags, or is no envelope. */
  async #takeLeft(batch: BatchRead<V>, found: readonly (Bytes | null)[]): Promise<void> {
    const places = batch.left()
    if (places.length === 0) return
    const heads = places.map((place) => readHeader(found[place] as Bytes))
    const states = await this.#states(heads)
    for (const [i, place] of places.entries()) {
      const bytes = found[place] as Bytes
      const head = heads[i]
      const entry =
        head === undefined
          ? await this.#foreign(batch.names[place] as string, bytes)
          : believed(this.#core, bytes, head, states)
      batch.settle(place, entry)
    }
  }

  /** Whether somebody would hear what becomes of a read, besides its callers. */
  get #isHeard(): boolean {
    const { events, settings } = this.#core
    return settings.onError !== undefined || HEARD.some((event) => events.wants(event))
  }

  /** Whether the bus tells of each clear: if not, the epoch is asked for with each read. */
  get #epochIsKept(): boolean {
    return this.#core.linked && this.#core.epochKnown
  }

  /** Takes names that wait to be written out of the batch; whether any is left. */
  async #mayReadSome(batch: BatchRead<V>): Promise<boolean> {
    const { queue } = this.#replayer
    await this.#replayer.beforeRead(batch.names.map((name) => ({ name })))
    let left = batch.names.length
    for (const [place, name] of batch.names.entries()) {
      if (!queue.blocks(name)) continue
      batch.refuse(place)
      left--
    }
    return left > 0
  }

  async #mayRead(name: string): Promise<boolean> {
    await this.#start.ready()
    if (!this.#replayer.queue.blocks(name)) return true
    await this.#replayer.beforeRead([{ name }])
    return !this.#replayer.queue.blocks(name)
  }

  /** Of what `envelopes` has just read. */
  #ofArray(array: V): Entry<V> | undefined {
    const core = this.#core
    const offset = core.serverOffset
    if (!isCurrent(core as Core<unknown>, envelopes, offset, core.time.now())) return undefined
    return entryOfArray(array, offset)
  }

  #believed({ name }: Named, bytes: Bytes): Promise<Entry<V> | undefined> | Entry<V> | undefined {
    const core = this.#core
    const head = readHeader(bytes)
    if (head === undefined) return this.#foreign(name, bytes)
    if (head.tags.length === 0) return believed(core, bytes, head)
    return this.#states([head]).then((states) => believed(core, bytes, head, states))
  }

  #states(heads: readonly (EnvelopeHeader | undefined)[]): Promise<ReadonlyMap<string, TagState>> {
    return statesOf(this.#core as Core<unknown>, heads)
  }

  /** Bytes that hitpath did not write. */
  async #foreign(name: string, bytes: Bytes): Promise<Entry<V> | undefined> {
    const core = this.#core
    core.counters.foreignBytes++
    if (core.settings.foreign === 'miss') {
      core.tellDrop('foreign bytes', 1)
      return core.recorder.missedL2('foreign')
    }
    const asked = core.time.now()
    const left = await core.guard.run(() => (core.l2 as L2Store).remaining(name))
    if (left === undefined) return core.recorder.missedL2('absent')
    let value: unknown
    try {
      value = decodeValue(bytes)
    } catch {
      return core.recorder.missedL2('foreign')
    }
    if (value === undefined) return core.recorder.missedL2('foreign')
    // A `set` without a ttl would live for ever here.
    const until = asked + Math.min(left, 60_000)
    return entryOf<V>(value as V, false, {
      freshUntil: until,
      deadAt: until,
      version: 0,
      epoch: core.epoch,
      factoryMs: 0,
      tags: NO_STATES,
      tagVersions: [],
    })
  }

  #kept({ named, policy, token, ownWrites }: Reading<V>, entry: Entry<V> | undefined): Entry<V> | undefined {
    const core = this.#core
    if (entry === undefined) return this.#missed()
    core.counters.l2Hits++
    core.promote(named, entry, token, policy, ownWrites)
    return entry
  }

  /** Without a reason: it was counted already. */
  #missed(reason?: L2Miss): undefined {
    this.#core.counters.l2Misses++
    if (reason !== undefined) this.#core.recorder.missedL2(reason)
    return undefined
  }

  #failed(error: unknown): undefined {
    if (error instanceof HitpathError && error.code === 'CLOSED') throw error
    if (isOutage(error)) this.#core.outages++
    this.#core.report(error)
    return this.#core.recorder.missedL2(reasonOf(error, this.#core.guard.open))
  }
}
