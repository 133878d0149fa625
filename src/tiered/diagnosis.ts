/**
 * What a read of an entry of the first tier would meet, and why. Looks only: it binds nothing, draws no random number, counts nothing.
 * It says what `Core.judge` says, except that within reach of an early refresh that draws, this gives `early`.
 */
import type { TagState } from '../coherence/tag-versions.js'
import type { L1Miss } from '../observe/recorder.js'
import type { Core } from './core.js'
import { type Entry, earliestRefresh, NO_PASS } from './entry.js'

export interface Diagnosis {
  readonly state: 'fresh' | 'early' | 'stale' | 'invalid' | 'absent'
  /** Why it is not fresh. */
  readonly reason: L1Miss | undefined
  /** The tag that makes it invalid, whose version is NaN when it is not known here. */
  readonly tag: TagState | undefined
}

const FRESH: Diagnosis = { state: 'fresh', reason: undefined, tag: undefined }
const EARLY: Diagnosis = { state: 'early', reason: undefined, tag: undefined }
const ABSENT: Diagnosis = { state: 'absent', reason: 'absent', tag: undefined }

export function diagnose<V>(core: Core<V>, entry: Entry<V> | undefined): Diagnosis {
  if (entry === undefined) return ABSENT
  if (entry.bound !== core.pass && !mayBeBound(core, entry)) return because('invalid', 'invalidated')
  const tag = brokenTag(core, entry)
  if (tag !== undefined) return { state: 'invalid', reason: 'tag', tag }
  const now = core.time.now()
  const keeps = entry.deadAt > entry.freshUntil
  if (core.unlinkedSince !== undefined && core.slow) {
    const confirmed = Math.max(core.unlinkedSince, entry.born)
    if (now >= confirmed + core.settings.whenUnlinked)
      return because(now <= entry.deadAt && keeps ? 'stale' : 'invalid', 'unlinked')
  }
  if (now > entry.deadAt) return because('invalid', 'expired')
  if (now > entry.until) return because(keeps ? 'stale' : 'invalid', 'expired')
  return now >= earliestRefresh(entry.freshUntil, entry.factoryMs, entry.beta) ? EARLY : FRESH
}

/** Why a read of the first tier was a miss. */
export function missReason<V>(core: Core<V>, entry: Entry<V> | undefined): L1Miss {
  return entry === undefined ? 'absent' : (diagnose(core, entry).reason ?? 'expired')
}

function because(state: 'stale' | 'invalid', reason: L1Miss): Diagnosis {
  return { state, reason, tag: undefined }
}

/** Whether this thread would believe what another put there. */
function mayBeBound<V>(core: Core<V>, entry: Entry<V>): boolean {
  return core.shared && entry.bound === NO_PASS && entry.born > core.bornAfter && entry.epoch === core.epoch
}

function brokenTag<V>(core: Core<V>, { tags, tagNames, tagVersions }: Entry<V>): TagState | undefined {
  if (tagNames === null) return undefined
  for (const [i, tag] of tagNames.entries()) {
    const state = tags?.[i] ?? core.tags.known(tag) ?? { tag, version: Number.NaN }
    if (!((tagVersions?.[i] as number) >= state.version)) return state
  }
  return undefined
}
