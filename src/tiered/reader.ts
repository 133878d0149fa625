/**
 * Reads of the second tier: what is believed of an envelope, and how it gets into the first tier.
 *
 * Always true: the generation token is taken before the read (R1, R2, R17); an envelope is believed only if its epoch and every tag are
 * known and current (R4, R6) and its time is not over (R14). Everything else is a miss, with a reason that is counted. A read never
 * fails for want of the server: that is a miss too.
 */
import { decodePayload, type EnvelopeHeader, readHeader } from '../codec/envelope.js'
import { decodeValue } from '../codec/value.js'
import type { Token } from '../coherence/generations.js'
import type { TagState } from '../coherence/tag-versions.js'
import { HitpathError } from '../errors.js'
import type { L2Store } from '../l2/store.js'
import type { L2Miss } from '../observe/recorder.js'
import { type Core, entryOf } from './core.js'
import type { Entry } from './entry.js'
import { isOutage, reasonOf } from './guard.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import type { Replayer } from './replayer.js'
import type { Start } from './start.js'

const NOTHING: readonly TagState[] = []

export class Reader<V> {
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
    const core = this.#core
    if (core.l2 === undefined || !policy.l2) return Promise.resolve(undefined)
    const { name } = named
    const under = core.reads.get(name)
    if (
      under !== undefined &&
      core.generations.unchanged(under.token) &&
      core.ownWrites.unchanged(under.ownWrites)
    )
      return under.entry
    const token = core.generations.token(name)
    const ownWrites = core.ownWrites.token(name)
    const entry = this.#read(named, policy, token, ownWrites)
    const read = { token, ownWrites, entry }
    core.reads.set(name, read)
    const end = (): void => {
      if (core.reads.get(name) === read) core.reads.delete(name)
    }
    entry.then(end, end)
    return entry
  }

  async #read(named: Named, policy: Policy, token: Token, ownWrites: Token): Promise<Entry<V> | undefined> {
    const core = this.#core
    const l2 = core.l2 as L2Store
    try {
      if (!(await this.#mayRead(named.name))) return core.recorder.missedL2('queued')
      const [bytes] = await Promise.all([
        core.guard.run(() => l2.get(named.name)),
        core.linked && core.epochKnown ? undefined : this.#start.readEpoch(),
      ])
      if (bytes === null) return this.#missed('absent')
      const entry = await this.#believed(named, bytes)
      return this.#kept(named, entry, policy, token, ownWrites)
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** As `read` for many, in one call of the store; aligned. */
  async readMany(all: readonly Named[], policy: Policy): Promise<(Entry<V> | undefined)[]> {
    const core = this.#core
    const { l2 } = core
    if (l2 === undefined || !policy.l2 || all.length === 0) return all.map(() => undefined)
    const tokens = all.map(({ name }) => core.generations.token(name))
    const ownWrites = all.map(({ name }) => core.ownWrites.token(name))
    try {
      await this.#start.ready()
      await this.#replayer.beforeRead(all)
      const wanted: number[] = []
      for (let i = 0; i < all.length; i++) {
        if (!this.#replayer.queue.blocks((all[i] as Named).name)) wanted.push(i)
      }
      const [found] = await Promise.all([
        wanted.length === 0
          ? []
          : core.guard.run(() => l2.getMany(wanted.map((i) => (all[i] as Named).name))),
        core.linked && core.epochKnown ? undefined : this.#start.readEpoch(),
      ])
      const entries = new Array<Entry<V> | undefined>(all.length).fill(undefined)
      const heads = found.map((bytes) => (bytes === null ? undefined : readHeader(bytes)))
      const states = await this.#statesOf(heads)
      for (const [at, i] of wanted.entries()) {
        const named = all[i] as Named
        const bytes = found[at] ?? null
        if (bytes === null) {
          this.#missed('absent')
          continue
        }
        const head = heads[at]
        const entry =
          head === undefined ? await this.#foreign(named, bytes) : this.#entry(bytes, head, states)
        entries[i] = this.#kept(named, entry, policy, tokens[i] as Token, ownWrites[i] as Token)
      }
      return entries
    } catch (error) {
      this.#failed(error)
      return all.map(() => undefined)
    }
  }

  async #mayRead(name: string): Promise<boolean> {
    await this.#start.ready()
    if (!this.#replayer.queue.blocks(name)) return true
    await this.#replayer.beforeRead([{ name }])
    return !this.#replayer.queue.blocks(name)
  }

  async #believed(named: Named, bytes: Buffer): Promise<Entry<V> | undefined> {
    const head = readHeader(bytes)
    if (head === undefined) return this.#foreign(named, bytes)
    return this.#entry(bytes, head, await this.#statesOf([head]))
  }

  /** The states of all tags that the heads name. */
  async #statesOf(heads: readonly (EnvelopeHeader | undefined)[]): Promise<ReadonlyMap<string, TagState>> {
    const core = this.#core
    let names: Set<string> | undefined
    for (const head of heads) {
      if (head === undefined) continue
      for (const tag of head.tags) {
        names ??= new Set()
        names.add(tag.name)
      }
    }
    if (names === undefined) return EMPTY
    const states = await core.tagStates([...names])
    return new Map(states.map((state) => [state.tag, state]))
  }

  #entry(bytes: Buffer, head: EnvelopeHeader, states: ReadonlyMap<string, TagState>): Entry<V> | undefined {
    const core = this.#core
    if (head.epoch > core.epoch) core.raiseEpoch(head.epoch)
    if (head.epoch !== core.epoch) return core.recorder.missedL2('invalidated')
    const offset = core.serverOffset
    if (head.deadAt - offset < core.time.now()) return core.recorder.missedL2('expired')
    const tags = head.tags.length === 0 ? NOTHING : head.tags.map(({ name }) => states.get(name) as TagState)
    for (let i = 0; i < tags.length; i++) {
      const { name, version } = head.tags[i] as { name: string; version: number }
      // Someone invalidated the tag and made this entry since; the message is still on its way.
      core.tags.merge(name, version)
      if (!(version >= (tags[i] as TagState).version)) return core.recorder.missedL2('tag')
    }
    let value: V | undefined
    if (!head.negative) {
      const payload = decodePayload(bytes, head)
      if (payload === undefined) {
        core.counters.foreignBytes++
        return core.recorder.missedL2('foreign')
      }
      value = payload.value as V
      if (value === undefined) return core.recorder.missedL2('foreign')
    }
    return entryOf<V>(value, head.negative, {
      freshUntil: head.freshUntil - offset,
      deadAt: head.deadAt - offset,
      version: head.version,
      epoch: head.epoch,
      factoryMs: head.factoryMs,
      tags,
      tagVersions: head.tags.map(({ version }) => version),
    })
  }

  /** Bytes that hitpath did not write. */
  async #foreign({ name }: Named, bytes: Buffer): Promise<Entry<V> | undefined> {
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
      tags: NOTHING,
      tagVersions: [],
    })
  }

  #kept(
    named: Named,
    entry: Entry<V> | undefined,
    policy: Policy,
    token: Token,
    ownWrites: Token,
  ): Entry<V> | undefined {
    const core = this.#core
    if (entry === undefined) return this.#missed()
    core.counters.l2Hits++
    if (core.put(named, entry, token, policy, ownWrites) && core.events.wants('promote'))
      core.events.emit('promote', { key: named.name })
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

const EMPTY: ReadonlyMap<string, TagState> = new Map()
