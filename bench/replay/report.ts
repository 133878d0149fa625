/** Figures of a run, how two runs agree, and the table that says both. */

import type { Run } from './replay.js'
import type { Outcome } from './strategy.js'
import { compareSamples } from './verification.js'

/** Times in microseconds, over the calls of `extract` alone; the timer's own cost is in them. */
export interface Figures {
  readonly name: string
  readonly requests: number
  readonly requestsPerSecond: number
  /** Requests answered without extraction, 0 to 1. */
  readonly hitRatio: number
  readonly p50Us: number
  readonly p99Us: number
  readonly p999Us: number
  /** Medians; undefined when there was none. */
  readonly hitUs: number | undefined
  readonly missUs: number | undefined
}

export function figuresOf(run: Run): Figures {
  const sorted = Float64Array.from(run.latencyMs).sort()
  const hits = run.latencyMs.filter((_, request) => run.missed[request] === 0).sort()
  const misses = run.latencyMs.filter((_, request) => run.missed[request] !== 0).sort()
  const totalMs = run.latencyMs.reduce((sum, latency) => sum + latency, 0)
  return {
    name: run.name,
    requests: run.requests,
    requestsPerSecond: (1000 * run.requests) / totalMs,
    hitRatio: hits.length / run.requests,
    p50Us: quantileUs(sorted, 0.5) ?? 0,
    p99Us: quantileUs(sorted, 0.99) ?? 0,
    p999Us: quantileUs(sorted, 0.999) ?? 0,
    hitUs: quantileUs(hits, 0.5),
    missUs: quantileUs(misses, 0.5),
  }
}

/** Nearest rank. */
function quantileUs(sortedMs: Float64Array, quantile: number): number | undefined {
  const latency = sortedMs[Math.max(0, Math.ceil(quantile * sortedMs.length) - 1)]
  return latency === undefined ? undefined : latency * 1000
}

/** Median of back-to-back readings of the clock that times the requests, in nanoseconds. */
export function timerCostNs(readings = 20_000): number {
  const gaps = new Float64Array(readings)
  for (let index = 0; index < readings; index++) {
    const start = performance.now()
    gaps[index] = performance.now() - start
  }
  return gaps.sort()[readings >> 1]! * 1e6
}

/** How `run` departs from `reference`, a sentence each; empty when every answer and every outcome is the same. */
export function differences(reference: Run, run: Run): string[] {
  const found: string[] = []
  if (run.evidence.digest !== reference.evidence.digest) {
    found.push(
      `the digest of all features is ${hex(run.evidence.digest)}, not ${hex(reference.evidence.digest)}`,
    )
  }
  found.push(...compareSamples(reference.evidence, run.evidence))
  run.outcomes.forEach((outcome, index) => {
    const expected = reference.outcomes[index]
    const same = expected?.signals === outcome.signals && Object.is(expected.value, outcome.value)
    if (!same)
      found.push(`${outcome.strategy} ended with ${describe(outcome)}, not ${expected && describe(expected)}`)
  })
  return found
}

const COLUMNS = [
  '',
  'requests/s',
  'hit ratio',
  'p50',
  'p99',
  'p99.9',
  'a hit',
  'a miss',
  'speed-up',
  'hit, ÷ md5',
] as const

/** The first run is what speed-ups are against; the second is the original design. */
export function table(figures: readonly Figures[]): string {
  const [base, original] = figures
  const rows = figures.map((run) => [
    run.name,
    Math.round(run.requestsPerSecond).toLocaleString('en-US'),
    `${(100 * run.hitRatio).toFixed(2)} %`,
    microseconds(run.p50Us),
    microseconds(run.p99Us),
    microseconds(run.p999Us),
    microseconds(run.hitUs),
    microseconds(run.missUs),
    base === undefined ? '' : `${(run.requestsPerSecond / base.requestsPerSecond).toFixed(1)} ×`,
    run.hitUs === undefined || original?.hitUs === undefined ? '-' : (run.hitUs / original.hitUs).toFixed(3),
  ])
  return align([[...COLUMNS], ...rows])
}

export function outcomeTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => [
    outcome.strategy,
    outcome.signals.toLocaleString('en-US'),
    `${outcome.value.toFixed(2)} (${outcome.measure})`,
  ])
  return align([['strategy', 'signals', 'outcome'], ...rows])
}

/** First column to the left, the others to the right. */
export function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  '),
  )
  lines.splice(1, 0, '-'.repeat(lines[0]!.length))
  return lines.join('\n')
}

function microseconds(value: number | undefined): string {
  return value === undefined ? '-' : `${value.toFixed(value < 10 ? 2 : 1)} µs`
}

function describe(outcome: Outcome): string {
  return `${outcome.signals} signals and ${outcome.value} (${outcome.measure})`
}

function hex(digest: bigint): string {
  return digest.toString(16).padStart(16, '0')
}
