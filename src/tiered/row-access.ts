/**
 * A TieredCache as the second tier of rows: what a cache of predictions asks of it.
 *
 * Rows are named by digests and live in the second tier alone. A stamp says under which epoch and which versions of tags something was
 * made: what is kept elsewhere under a stamp is not met again once a tag or the namespace was invalidated, here at once, elsewhere when the
 * bus says so. Always true: a row is written with the stamp that was taken before it was computed (R4), and never queued: while the
 * second tier is away rows are computed again.
 */
import { encodeEnvelope } from '../codec/envelope.js'
import { isKnown } from '../coherence/tag-versions.js'
import { HitpathError } from '../errors.js'
import type { L2Store } from '../l2/store.js'
import type { Core } from './core.js'
import { closedError } from './guard.js'
import type { Named } from './names.js'
import type { Policies } from './options.js'
import type { Reader } from './reader.js'
import type { Start } from './start.js'

/** Epoch of the namespace and versions of tags. */
export interface RowStamp {
  readonly epoch: number
  /** Aligned with the tags that were asked for. */
  readonly versions: readonly number[]
}

export interface StoredRow {
  readonly value: unknown
  /** Milliseconds that it has still to live. */
  readonly ttl: number
}

export interface OutgoingRow {
  /** 32 hexadecimal digits. */
  readonly digest: string
  readonly value: unknown
}

export class RowAccess {
  readonly #core: Core<unknown>
  readonly #policies: Policies
  readonly #start: Start
  readonly #reader: Reader<unknown>

  constructor(core: Core<unknown>, policies: Policies, start: Start, reader: Reader<unknown>) {
    this.#core = core
    this.#policies = policies
    this.#start = start
    this.#reader = reader
  }

  /**
   * The stamp of now, or undefined when it has to be read first. Without a link of the bus what was known is believed for as long as
   * `whenUnlinked` allows.
   */
  stamp(tags: readonly string[]): RowStamp | undefined {
    const core = this.#core
    if (core.closed || !core.epochKnown || !this.#trusted(tags.length)) return undefined
    const versions: number[] = []
    for (const tag of tags) {
      const known = core.tags.known(tag)
      if (known === undefined) return undefined
      versions.push(known.version)
    }
    return { epoch: core.epoch, versions }
  }

  /** The same, read where it is not known. @throws HitpathError what the second tier says when it does not answer */
  async readStamp(tags: readonly string[]): Promise<RowStamp> {
    const core = this.#core
    if (core.closed) throw closedError()
    await this.#start.ready()
    if (core.l2 !== undefined && !(core.linked && core.epochKnown)) await this.#start.readEpoch()
    const states = tags.length === 0 ? [] : await core.tagStates(tags)
    if (!states.every(isKnown))
      throw new HitpathError('L2_UNAVAILABLE', 'a gap of the bus made the tags unknown')
    return { epoch: core.epoch, versions: states.map(({ version }) => version) }
  }

  /** Whether what is known of epoch and tags may still be believed. */
  #trusted(tags: number): boolean {
    const { linked, bus, unlinkedSince, settings, time } = this.#core
    if (linked) return true
    if (bus === undefined || unlinkedSince === undefined) return tags === 0
    return time.now() < unlinkedSince + settings.whenUnlinked
  }

  /** The rows of the second tier, aligned, in one call of the store; a store that does not answer has none. @throws HitpathError CLOSED */
  async read(digests: readonly string[]): Promise<(StoredRow | undefined)[]> {
    const core = this.#core
    core.refuseClosed()
    const names = digests.map((digest) => this.#named(digest).name)
    const batch = await this.#reader.readMany({ names, named: undefined }, this.#policies.of({ tier: 'l2' }))
    const now = core.time.now()
    return batch.values.map((value, i) => {
      const ttl = batch.freshFor(i, now)
      return value !== undefined && ttl > 0 ? { value, ttl } : undefined
    })
  }

  /**
   * Stores rows in one call of the store; none when the second tier may not have the tags as the stamp says.
   * @param stamp taken before the rows were computed
   * @throws HitpathError what the second tier says
   */
  async write(
    rows: readonly OutgoingRow[],
    ttlMs: number,
    tags: readonly string[],
    stamp: RowStamp,
  ): Promise<void> {
    const core = this.#core
    core.refuseClosed()
    const l2: L2Store | undefined = core.l2
    if (l2 === undefined || rows.length === 0) return
    if (!tags.every((tag, i) => core.tags.vouches(tag, stamp.versions[i] as number))) return
    const until = Math.max(0, core.time.now() + ttlMs + core.serverOffset)
    const meta = {
      freshUntil: until,
      deadAt: until,
      epoch: stamp.epoch,
      tags: tags.map((name, i) => ({ name, version: stamp.versions[i] as number })),
    }
    const { compressAbove } = core.settings
    const writes = rows.map(({ digest, value }) => ({
      name: `d${digest}`,
      bytes: encodeEnvelope(meta, value, { compressAbove }),
      ttlMs,
    }))
    await core.guard.run(() => l2.setMany(writes, core.bySet()))
  }

  #named(digest: string): Named {
    const name = `d${digest}`
    return { name, l1: this.#core.names.l1Of(name) as Named['l1'] }
  }
}
