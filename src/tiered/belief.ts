/**
 * What is believed of bytes that the second tier gave for a name, and what entry they make.
 *
 * Always true: an envelope is believed only if its epoch and every tag are known and current (R4, R6) and its time is not over (R14).
 */
import { ArrayEnvelopes } from '../codec/array-envelopes.js'
import { decodePayload, type EnvelopeHeader } from '../codec/envelope.js'
import type { TagState } from '../coherence/tag-versions.js'
import { type Core, entryOf } from './core.js'
import { type Entry, makeEntry } from './entry.js'

export const NO_STATES: readonly TagState[] = []
const NO_TAGS_KNOWN: ReadonlyMap<string, TagState> = new Map()

/** The states of all tags that the heads name. @throws HitpathError when they cannot be read */
export async function statesOf(
  core: Core<unknown>,
  heads: readonly (EnvelopeHeader | undefined)[],
): Promise<ReadonlyMap<string, TagState>> {
  const names = new Set<string>()
  for (const head of heads) {
    if (head !== undefined) for (const tag of head.tags) names.add(tag.name)
  }
  if (names.size === 0) return NO_TAGS_KNOWN
  const states = await core.tagStates([...names])
  return new Map(states.map((state) => [state.tag, state]))
}

/** Whether an envelope of that epoch and deadline (server's ms) may be believed, its tags aside; why not is counted. */
export function isCurrent(
  core: Core<unknown>,
  { epoch, deadAt }: { readonly epoch: number; readonly deadAt: number },
  offset: number,
  now: number,
): boolean {
  if (epoch > core.epoch) core.raiseEpoch(epoch)
  if (epoch === core.epoch && !(deadAt - offset < now)) return true
  core.recorder.missedL2(epoch === core.epoch ? 'expired' : 'invalidated')
  return false
}

/** The entry of an envelope that may be believed, and whose value can be decoded; why not is counted. @param states of all its tags */
export function believed<V>(
  core: Core<V>,
  bytes: Uint8Array,
  head: EnvelopeHeader,
  states: ReadonlyMap<string, TagState> = NO_TAGS_KNOWN,
): Entry<V> | undefined {
  const offset = core.serverOffset
  if (!isCurrent(core as Core<unknown>, head, offset, core.time.now())) return undefined
  const tags = head.tags.length === 0 ? NO_STATES : head.tags.map(({ name }) => states.get(name) as TagState)
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

/** Reads what most values of a feature store are. What is read of one envelope must be used before the next. */
export const envelopes = new ArrayEnvelopes()

/** Whether arrays need memory of their own, since they may stand in the first tier for long; a SharedCache copies them. */
export function ownsArrays(core: Core<unknown>, { l1 }: { readonly l1: boolean }): boolean {
  return l1 && !core.shared
}

/** The entry of the array that `envelopes` has just read. */
export function entryOfArray<V>(value: V, offset: number): Entry<V> {
  const entry = makeEntry(value, false)
  entry.freshUntil = envelopes.freshUntil - offset
  entry.deadAt = envelopes.deadAt - offset
  entry.version = envelopes.version
  entry.epoch = envelopes.epoch
  entry.factoryMs = envelopes.factoryMs
  return entry
}
