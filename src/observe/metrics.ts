/**
 * The metrics, once for all systems: name, unit and what is read for them. Names and units are those of Prometheus: seconds, bytes,
 * `_total` for what only rises.
 *
 * Labels: `cache` is the name in the Monitor, `tier` is l1, l2, factory or invalidation, `reason` and `result` say what the counts are split by.
 * Always true: every metric has the same labels at all times, and a label's values are from a fixed list, the cache's name apart.
 */
import type { Finding } from './health.js'
import type { Reading } from './reading.js'

export type Labels = Readonly<Record<string, string>>
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

export interface MetricOfCounts {
  /** Without prefix. */
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly help: string
  /** As OpenTelemetry writes it (UCUM). */
  readonly unit: string
  readonly labels: readonly string[]
  /** The samples of one cache, without its name. */
  read(reading: Reading, findings: readonly Finding[]): readonly Sample[]
}

export const LATENCY = {
  name: 'latency_seconds',
  help: 'Latency: sampled hits of the first tier (l1), calls of the second tier (l2), factories, and invalidations from the server to here.',
  labels: ['cache', 'tier'],
} as const

/** Upper edges of the buckets: powers of two of nanoseconds, which the histogram counts exactly. 64 ns to 17 s in steps of two, then 69 s. */
export const EDGES_NS: readonly number[] = [...Array.from({ length: 29 }, (_, i) => 2 ** (i + 6)), 2 ** 36]

export const METRICS: readonly MetricOfCounts[] = [
  counter('requests_total', 'Reads, by whether any tier answered.', '{request}', ['result'], ({ counts }) =>
    by('result', { hit: counts.hits, miss: counts.misses }),
  ),
  counter(
    'tier_hits_total',
    'Reads that a tier answered: fresh, early (a refresh began), negative (known to have no value), found.',
    '{request}',
    ['tier', 'reason'],
    ({ counts: { l1, l2 } }) => [
      ...by('reason', l1?.hits, { tier: 'l1' }),
      ...by('reason', l2 && { found: l2.hits }, { tier: 'l2' }),
    ],
  ),
  counter(
    'tier_misses_total',
    'Reads that a tier could not answer, and why.',
    '{request}',
    ['tier', 'reason'],
    ({ counts: { l1, l2 } }) => [
      ...by('reason', l1?.misses, { tier: 'l1' }),
      ...by('reason', l2?.misses, { tier: 'l2' }),
    ],
  ),
  counter(
    'stale_total',
    'Reads that were given a stale value, and why.',
    '{request}',
    ['reason'],
    ({ counts }) => by('reason', counts.stale),
  ),
  counter('factory_calls_total', 'Calls of factories.', '{call}', ['result'], ({ counts: { factory } }) =>
    by('result', factory && { ok: factory.calls - factory.errors, error: factory.errors }),
  ),
  counter(
    'absent_sampled_total',
    'Keys that the first tier did not have, of a sample: new, expired, evicted while alive, removed.',
    '{key}',
    ['reason'],
    ({ counts }) => by('reason', counts.sampled?.absent),
  ),
  counter(
    'recomputed_sampled_total',
    'Values that were computed again after they had expired, of a sample.',
    '{value}',
    ['result'],
    ({ counts }) => by('result', counts.sampled?.recomputed),
  ),
  counter(
    'invalidations_total',
    'Invalidations heard of other processes, and tags, patterns and clears of this one.',
    '{invalidation}',
    ['reason'],
    ({ counts }) => by('reason', counts.invalidations),
  ),
  counter('l1_sets_total', 'Writes of the first tier.', '{entry}', [], ({ counts: { l1 } }) => one(l1?.sets)),
  counter('l1_evictions_total', 'Entries that the policy chose.', '{entry}', [], ({ counts: { l1 } }) =>
    one(l1?.evictions),
  ),
  counter('l1_expirations_total', 'Entries whose time was over.', '{entry}', [], ({ counts: { l1 } }) =>
    one(l1?.expirations),
  ),
  counter('l1_rejections_total', 'Writes that the first tier refused.', '{entry}', [], ({ counts: { l1 } }) =>
    one(l1?.rejections),
  ),
  counter(
    'replay_changes_total',
    'Changes for the second tier that were queued, replayed, or dropped.',
    '{change}',
    ['result'],
    ({ counts }) => by('result', counts.replay),
  ),
  counter(
    'fenced_out_total',
    'Values that were not kept because something changed while they were computed.',
    '{value}',
    [],
    ({ counts }) => one(counts.fencedOut),
  ),
  counter('errors_total', 'Errors that reached no caller.', '{error}', [], ({ counts }) =>
    one(counts.errors),
  ),
  gauge('l1_entries', 'Entries in the first tier.', '{entry}', [], ({ levels }) => one(levels.entries)),
  gauge('l1_entries_limit', 'Entries that it may hold.', '{entry}', [], ({ levels }) =>
    one(levels.maxEntries),
  ),
  gauge('l1_used_bytes', 'Bytes of keys, values and tags in the first tier.', 'By', [], ({ levels }) =>
    one(levels.usedBytes),
  ),
  gauge('l1_limit_bytes', 'Bytes that there are for them.', 'By', [], ({ levels }) => one(levels.maxBytes)),
  gauge('l1_pinned_bytes', 'Bytes that views hold in place.', 'By', [], ({ levels }) =>
    one(levels.pinnedBytes),
  ),
  gauge('l1_pinned_limit_bytes', 'Bytes that they may.', 'By', [], ({ levels }) =>
    one(levels.maxPinnedBytes),
  ),
  gauge('link_up', 'Whether the bus hears what others change.', '1', [], ({ levels: { linked } }) =>
    one(linked === undefined ? undefined : Number(linked)),
  ),
  gauge(
    'circuit_state',
    '1 for the state of the circuit of the second tier.',
    '1',
    ['state'],
    ({ levels }) =>
      levels.circuit === undefined
        ? []
        : by('state', {
            closed: Number(levels.circuit === 'closed'),
            open: Number(levels.circuit === 'open'),
            'half-open': Number(levels.circuit === 'half-open'),
          }),
  ),
  gauge('replay_entries', 'Changes that wait for the second tier.', '{change}', [], ({ levels }) =>
    one(levels.replayEntries),
  ),
  gauge('replay_bytes', 'Bytes of them.', 'By', [], ({ levels }) => one(levels.replayBytes)),
  gauge('findings', '1 for each finding of health().', '1', ['code', 'severity'], (_, findings) =>
    findings.map(({ code, severity }) => ({ labels: { code, severity }, value: 1 })),
  ),
]

function counter(
  name: string,
  help: string,
  unit: string,
  labels: readonly string[],
  read: MetricOfCounts['read'],
): MetricOfCounts {
  return { name, kind: 'counter', help, unit, labels: ['cache', ...labels], read }
}

function gauge(
  name: string,
  help: string,
  unit: string,
  labels: readonly string[],
  read: MetricOfCounts['read'],
): MetricOfCounts {
  return { name, kind: 'gauge', help, unit, labels: ['cache', ...labels], read }
}

function by(
  label: string,
  counts: Readonly<Record<string, number>> | undefined,
  labels: Labels = {},
): readonly Sample[] {
  return Object.entries(counts ?? {}).map(([name, value]) => ({
    labels: { ...labels, [label]: name },
    value,
  }))
}

function one(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: {}, value }]
}
