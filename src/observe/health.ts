/**
 * What is wrong with a cache, and what to do about it, judged by the last minute. Ratios are judged only when enough happened.
 *
 * Rules are data: a new one is an entry of RULES. Each has one code, and a test that provokes it.
 */
import type { HeavyHitter } from './heavy-hitters.js'
import type { Counts, L1Counts, Reading } from './reading.js'

export type Severity = 'info' | 'warning' | 'critical'
export type FindingCode =
  | 'TOO_SMALL'
  | 'TTL_TOO_SHORT'
  | 'HOT_KEY'
  | 'LINK_DOWN'
  | 'CIRCUIT_OPEN'
  | 'REPLAY_FILLING'
  | 'REPLAY_DROPPED'
  | 'L2_SLOW'
  | 'FOREIGN_BYTES'
  | 'STALE_HIGH'
  | 'NEGATIVE_HIGH'
  | 'PINNED_HIGH'
  | 'FACTORY_FAILING'
  | 'NOTHING_ANSWERS'
  | 'CLOSED'

export interface Finding {
  readonly cache: string
  readonly code: FindingCode
  readonly severity: Severity
  readonly message: string
  readonly advice: string
}

export interface Health {
  /** `down` with a critical finding, `degraded` with a warning. */
  readonly status: 'ok' | 'degraded' | 'down'
  readonly findings: readonly Finding[]
}

/** What a rule looks at: the last minute, and the levels of now. */
export interface Minute extends Reading {
  readonly hottest: HeavyHitter | undefined
  /** Keys that the hottest one was found among. */
  readonly sampledKeys: number
  readonly slowL2Ms: number
}

type Found = Pick<Finding, 'severity' | 'message' | 'advice'> | undefined

/** Fewer reads, or sampled keys, say nothing. */
const ENOUGH = 50
/** Fewer calls of factories or of the second tier say nothing. */
const SOME = 10

const RULES: Readonly<Record<Exclude<FindingCode, 'CLOSED'>, (minute: Minute) => Found>> = {
  TOO_SMALL({ counts, levels }) {
    const { l1, sampled } = counts
    const reads = readsOf(counts)
    if (l1 === undefined || reads < ENOUGH || l1.evictions === 0) return undefined
    const missRatio = 1 - l1HitsOf(l1) / Math.max(1, l1HitsOf(l1) + sum(l1.misses))
    if (missRatio < 0.2) return undefined
    const absent = sampled === undefined ? 0 : sum(sampled.absent)
    const evicted =
      absent >= ENOUGH ? (sampled?.absent.evicted ?? 0) / absent : l1.evictions / Math.max(1, l1.sets)
    if (evicted < 0.3) return undefined
    return warning(
      `${percent(missRatio)} of the reads miss the first tier, ${l1.evictions} living entries were evicted`,
      `raise maxEntries (now ${levels.maxEntries}) or maxBytes, or keep out what is read once (tier: 'l2')`,
    )
  },

  TTL_TOO_SHORT({ counts: { sampled } }) {
    if (sampled === undefined) return undefined
    const { changed, unchanged } = sampled.recomputed
    const absent = sum(sampled.absent)
    if (absent < ENOUGH || changed + unchanged < SOME) return undefined
    const same = unchanged / (changed + unchanged)
    const expired = sampled.absent.expired / absent
    if (expired < 0.5 || same < 0.8) return undefined
    return warning(
      `${percent(expired)} of the misses are of expired keys, and ${percent(same)} of the values came out as before`,
      'raise the ttl, or let AdaptiveTtl learn it',
    )
  },

  HOT_KEY({ hottest, sampledKeys }) {
    if (hottest === undefined || sampledKeys < ENOUGH || hottest.share < 0.2) return undefined
    return info(
      `${percent(hottest.share)} of the reads are of ${JSON.stringify(hottest.key)}`,
      'prepare it once with cache.key(), and see that its value is refreshed early (earlyRefresh)',
    )
  },

  LINK_DOWN({ levels }) {
    if (levels.linked !== false) return undefined
    return warning(
      'the invalidation link is down: what others change is not heard',
      'see to the connection of the bus; whenUnlinked decides what is served meanwhile',
    )
  },

  CIRCUIT_OPEN({ levels }) {
    if (levels.circuit === undefined || levels.circuit === 'closed') return undefined
    return warning(
      `the circuit of the second tier is ${levels.circuit}`,
      'see to Redis and the network; the first tier and the factories answer, changes wait in the replay queue',
    )
  },

  REPLAY_FILLING({ levels }) {
    const {
      replayEntries = 0,
      replayMaxEntries = Infinity,
      replayBytes = 0,
      replayMaxBytes = Infinity,
    } = levels
    const filled = Math.max(replayEntries / replayMaxEntries, replayBytes / replayMaxBytes)
    if (filled < 0.5) return undefined
    return warning(
      `the replay queue is ${percent(filled)} full (${replayEntries} changes, ${replayBytes} bytes)`,
      'see to the second tier, or raise replay.maxEntries and replay.maxBytes: sets that do not fit are dropped',
    )
  },

  REPLAY_DROPPED({ counts: { replay } }) {
    if (replay === undefined || replay.dropped === 0) return undefined
    return warning(
      `${replay.dropped} things were dropped: queued sets, foreign bytes, or entries that the first tier refused`,
      'the event `drop` says which and why',
    )
  },

  L2_SLOW({ counts, latencies: { l2 }, slowL2Ms }) {
    if (l2 === undefined || l2.count < SOME) return undefined
    const p90 = l2.quantileMs(0.9)
    const timeouts = counts.l2?.misses.timeout ?? 0
    if (p90 < slowL2Ms && timeouts < SOME) return undefined
    return warning(
      `a tenth of the calls of the second tier take ${p90.toFixed(1)} ms or more; ${timeouts} reads were given up`,
      'look at the slow log and the load of Redis and at its network, at large values, and at the delay of the event loop',
    )
  },

  FOREIGN_BYTES({ counts: { l2 } }) {
    if (l2 === undefined || l2.misses.foreign < SOME) return undefined
    const share = l2.misses.foreign / (l2.hits + sum(l2.misses))
    if (share < 0.01) return undefined
    return warning(
      `${percent(share)} of the reads of the second tier met bytes that hitpath cannot read`,
      "another program or a newer hitpath writes under this namespace: change the namespace, or read with foreign: 'msgpack'",
    )
  },

  STALE_HIGH({ counts }) {
    const reads = readsOf(counts)
    const { revalidate, ...rest } = counts.stale ?? NO_STALE
    const share = sum(rest) / Math.max(1, reads)
    if (reads < ENOUGH || share < 0.1) return undefined
    return warning(
      `${percent(share)} of the reads were given stale values, because factories failed or were slow`,
      'see to the factories; the event `stale` gives the reasons',
    )
  },

  NEGATIVE_HIGH({ counts }) {
    const reads = readsOf(counts)
    const negative = counts.l1?.hits.negative ?? 0
    if (reads < ENOUGH || negative / reads < 0.5) return undefined
    return info(
      `${percent(negative / reads)} of the reads are of keys that are known to have no value`,
      'look who asks for them; a negativeTtl that is too long hides new values',
    )
  },

  PINNED_HIGH({ levels: { pinnedBytes = 0, maxPinnedBytes = 0 } }) {
    if (maxPinnedBytes === 0 || pinnedBytes < 0.8 * maxPinnedBytes) return undefined
    return warning(
      `views hold ${pinnedBytes} of the ${maxPinnedBytes} bytes that may be pinned: reads begin to copy`,
      'release views sooner (using, release()), read with getInto, or raise maxPinned',
    )
  },

  FACTORY_FAILING({ counts: { factory } }) {
    if (factory === undefined || factory.calls < SOME || factory.errors < 0.2 * factory.calls)
      return undefined
    return warning(
      `${factory.errors} of ${factory.calls} calls of factories failed`,
      'see to what the factories ask; a grace serves stale values meanwhile',
    )
  },

  NOTHING_ANSWERS({ counts: { factory }, levels }) {
    if (factory === undefined || levels.circuit !== 'open') return undefined
    if (factory.calls < SOME || factory.errors < 0.9 * factory.calls) return undefined
    return {
      severity: 'critical',
      message:
        'the second tier is out of reach and the factories fail: only what the first tier holds is served',
      advice: 'see to the network of this host first',
    }
  },
}

const NO_STALE = { revalidate: 0, error: 0, slow: 0, lease: 0, retry: 0 }

export function findingsOf(cache: string, minute: Minute): Finding[] {
  const findings: Finding[] = []
  for (const [code, rule] of Object.entries(RULES)) {
    const found = rule(minute)
    if (found !== undefined) findings.push({ cache, code: code as FindingCode, ...found })
  }
  return findings
}

export function healthOf(findings: readonly Finding[]): Health {
  const has = (severity: Severity): boolean => findings.some((finding) => finding.severity === severity)
  return { status: has('critical') ? 'down' : has('warning') ? 'degraded' : 'ok', findings }
}

function warning(message: string, advice: string): Found {
  return { severity: 'warning', message, advice }
}

function info(message: string, advice: string): Found {
  return { severity: 'info', message, advice }
}

function readsOf({ hits, misses, stale }: Counts): number {
  return hits + misses + (stale?.retry ?? 0) + (stale?.revalidate ?? 0)
}

function l1HitsOf({ hits }: L1Counts): number {
  return hits.fresh + hits.early + hits.negative
}

export function sum(counts: Readonly<Record<string, number>>): number {
  let all = 0
  for (const count of Object.values(counts)) all += count
  return all
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
}
