/**
 * What a read of a key would meet, and why: of the first tier, the second, the bus, the circuit and the replay queue.
 *
 * Always true: nothing is counted, promoted, refreshed or joined, and the circuit is not told how the second tier answered. Of the
 * second tier the entry is read, and versions that are not known here (a tag's, the epoch) are asked for as a read would ask.
 */
import type { Core } from './core.js'
import { type Diagnosis, diagnose } from './diagnosis.js'
import type { Entry } from './entry.js'
import { explainL2, knownVersion } from './explain-l2.js'
import {
  type ExplainedEntry,
  type ExplainedL1,
  type ExplainedL2,
  Explanation,
  type ExplanationFacts,
  ms,
} from './explanation.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import type { Replayer } from './replayer.js'

export async function explain<V>(
  core: Core<V>,
  replayer: Replayer,
  named: Named,
  policy: Policy,
): Promise<Explanation> {
  core.refuseClosed()
  const l1 = explainL1(core, named)
  const l2 = await explainL2(core, replayer, named, policy)
  const flight = core.flights.get(named.name)
  return new Explanation({
    name: named.name,
    namespace: core.settings.namespace,
    outcome: outcomeOf(l1, l2, core.peek(named.l1), policy, core.time.now()),
    l1,
    l2,
    underWay: flight !== undefined && !flight.overtaken && !flight.settled,
    link: core.bus === undefined ? 'none' : core.linked ? 'up' : 'down',
    circuit: core.l2 === undefined ? 'none' : core.guard.breaker.state,
    replay: { waiting: replayer.queue.size, blocksThisKey: replayer.queue.blocks(named.name) },
  })
}

function outcomeOf(
  l1: ExplainedL1,
  l2: ExplainedL2,
  entry: Entry<unknown> | undefined,
  policy: Policy,
  now: number,
): ExplanationFacts['outcome'] {
  if (l1.state === 'fresh' || l1.state === 'early') return 'l1'
  if (l1.state === 'stale' && entry !== undefined) {
    if (now < entry.retryAt || now <= entry.freshUntil + policy.revalidate) return 'l1'
  }
  return l2.asked && l2.state === 'fresh' ? 'l2' : 'factory'
}

function explainL1<V>(core: Core<V>, { l1, name }: Named): ExplainedL1 {
  const entry = core.peek(l1)
  const diagnosis = diagnose(core, entry)
  return {
    state: diagnosis.state,
    reason: diagnosis.reason,
    because: whyL1(core, name, entry, diagnosis),
    entry: entry && entryOfL1(core, entry),
  }
}

function whyL1<V>(
  core: Core<V>,
  name: string,
  entry: Entry<V> | undefined,
  { state, reason, tag }: Diagnosis,
): string {
  if (state === 'fresh') return entry?.negative ? 'fresh: known to have no value' : 'fresh'
  if (state === 'early') return 'fresh, and near enough to its end that a getOrSet may refresh it early'
  const kept = state === 'stale' ? ', kept for its grace' : ''
  switch (reason) {
    case 'tag':
      return Number.isNaN(tag?.version)
        ? `invalid: the version of the tag ${tag?.tag} is not known here`
        : `invalid: the tag ${tag?.tag} was invalidated at version ${tag?.version}`
    case 'invalidated':
      return (entry as Entry<V>).epoch < core.epoch
        ? `invalid: the namespace was cleared at version ${core.epoch}`
        : `invalid: it came before the last ${core.recorder.lastFlush === 'gap' ? 'gap of the bus' : 'clear'}`
    case 'unlinked':
      return `${state}: the bus is silent for longer than whenUnlinked${kept}`
    case 'expired':
      return `${state}: expired ${ms(core.time.now() - (entry as Entry<V>).until)} ago${kept}`
    default:
      return `absent${FATES[core.recorder.fates?.of(name, core.time.now()) ?? 'unknown']}`
  }
}

const FATES = {
  new: ': it was not put since a monitor watches',
  expired: ': it expired',
  evicted: ': it was evicted while it was alive',
  removed: ': it was removed',
  unknown: '',
}

function entryOfL1<V>(core: Core<V>, entry: Entry<V>): ExplainedEntry {
  const now = core.time.now()
  return {
    version: entry.version,
    epoch: entry.epoch,
    negative: entry.negative,
    freshFor: entry.until - now,
    deadIn: entry.deadAt - now,
    factoryMs: entry.factoryMs,
    tags: (entry.tagNames ?? []).map((name, i) => ({
      name,
      version: entry.tagVersions?.[i] as number,
      current: knownVersion((entry.tags?.[i] ?? core.tags.known(name))?.version),
    })),
  }
}
