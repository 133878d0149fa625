/**
 * What a read would meet in the second tier. In the order in which Reader looks, and by the same rules; it reads past the guard, so that the
 * circuit is not told.
 */
import { decodePayload, type EnvelopeHeader, readHeader } from '../codec/envelope.js'
import { HitpathError } from '../errors.js'
import type { L2Store } from '../l2/store.js'
import type { Core } from './core.js'
import { type ExplainedEntry, type ExplainedL2, ms } from './explanation.js'
import { reasonOf } from './guard.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import type { Replayer } from './replayer.js'

export async function explainL2<V>(
  core: Core<V>,
  replayer: Replayer,
  named: Named,
  policy: Policy,
): Promise<ExplainedL2> {
  const { l2 } = core
  if (l2 === undefined) return unasked('none', 'there is none')
  if (!policy.l2) return unasked('tier', "not asked: the policy says tier: 'l1'")
  if (core.guard.open) return unasked('circuit', 'not asked: the circuit is open')
  if (replayer.queue.blocks(named.name))
    return unasked('queued', 'not believed: a change of this key waits in the replay queue')
  try {
    return await bounded(asked(core, l2, named.name), core.settings.l2TimeoutMs)
  } catch (error) {
    const reason = error instanceof HitpathError ? reasonOf(error, false) : 'error'
    const message = error instanceof Error ? error.message : String(error)
    return { asked: true, state: 'unknown', reason, because: message, bytes: undefined, entry: undefined }
  }
}

function unasked(reason: ExplainedL2['reason'], because: string): ExplainedL2 {
  return { asked: false, state: 'unknown', reason, because, bytes: undefined, entry: undefined }
}

async function asked<V>(core: Core<V>, l2: L2Store, name: string): Promise<ExplainedL2> {
  const [bytes, epoch] = await Promise.all([l2.get(name), core.epochKnown ? core.epoch : l2.epoch()])
  if (bytes === null)
    return {
      asked: true,
      state: 'absent',
      reason: 'absent',
      because: 'absent',
      bytes: undefined,
      entry: undefined,
    }
  const about = { asked: true, bytes: bytes.byteLength } as const
  const head = readHeader(bytes)
  if (head === undefined) return { ...about, ...foreign(core), entry: undefined }
  const entry = await entryOfL2(core, l2, head)
  return { ...about, ...judge(core, bytes, entry, epoch), entry }
}

type Judged = Pick<ExplainedL2, 'state' | 'reason' | 'because'>

function foreign<V>(core: Core<V>): Judged {
  if (core.settings.foreign === 'msgpack')
    return {
      state: 'fresh',
      reason: undefined,
      because: 'no envelope: read as msgpack, for a minute at most',
    }
  return {
    state: 'invalid',
    reason: 'foreign',
    because: 'not believed: these bytes are no envelope of hitpath',
  }
}

/** In the order in which a read looks. */
function judge<V>(core: Core<V>, bytes: Buffer | Uint8Array, entry: ExplainedEntry, epoch: number): Judged {
  const now = Math.max(epoch, core.epoch)
  if (entry.epoch < now)
    return {
      state: 'invalid',
      reason: 'invalidated',
      because: `not believed: the namespace was cleared at version ${now}, it was made under ${entry.epoch}`,
    }
  if (entry.deadIn < 0)
    return { state: 'invalid', reason: 'expired', because: `not believed: expired ${ms(-entry.deadIn)} ago` }
  const broken = entry.tags.find(({ version, current }) => current === null || version < current)
  if (broken !== undefined)
    return {
      state: 'invalid',
      reason: 'tag',
      because: `not believed: the tag ${broken.name} was invalidated at version ${broken.current}, it was made under ${broken.version}`,
    }
  const head = readHeader(bytes) as EnvelopeHeader
  if (!entry.negative && decodePayload(bytes, head) === undefined)
    return { state: 'invalid', reason: 'foreign', because: 'not believed: the payload cannot be read' }
  if (entry.freshFor < 0)
    return {
      state: 'stale',
      reason: 'expired',
      because: `stale: expired ${ms(-entry.freshFor)} ago, kept for its grace`,
    }
  return {
    state: 'fresh',
    reason: undefined,
    because: entry.negative ? 'fresh: known to have no value' : 'fresh',
  }
}

async function entryOfL2<V>(core: Core<V>, l2: L2Store, head: EnvelopeHeader): Promise<ExplainedEntry> {
  const now = core.time.now() + core.serverOffset
  const unknown = head.tags.filter(({ name }) => core.tags.known(name) === undefined || !core.linked)
  const versions =
    unknown.length === 0
      ? []
      : await l2.tagVersions(
          unknown.map(({ name }) => name),
          core.tagLifeMs,
        )
  const fetched = new Map(unknown.map(({ name }, i) => [name, versions[i]]))
  return {
    version: head.version,
    epoch: head.epoch,
    negative: head.negative,
    freshFor: head.freshUntil - now,
    deadIn: head.deadAt - now,
    factoryMs: head.factoryMs,
    tags: head.tags.map(({ name, version }) => ({
      name,
      version,
      current: knownVersion(fetched.get(name) ?? core.tags.known(name)?.version),
    })),
  }
}

/** Outside of the guard, which would count it; but as patient. */
function bounded<T>(call: Promise<T>, timeoutMs: number): Promise<T> {
  if (timeoutMs === Infinity) return call
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new HitpathError('L2_TIMEOUT', `the second tier did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    )
    call.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Null for one that is not known. */
export function knownVersion(version: number | undefined): number | null {
  return version === undefined || Number.isNaN(version) ? null : version
}
