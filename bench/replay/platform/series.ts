/** The data of the plots: histograms, windows over time, medians. */
import { quantile } from './figures.js'
import type { PlatformRun } from './run.js'
import { STAGES } from './script.js'

const BINS_PER_DECADE = 8
/** Points along the time axis. */
const POINTS = 40

export interface LatencyBin {
  readonly contender: string
  /** Left edge and right edge. */
  readonly us: number
  readonly usEnd: number
  /** Percent of the requests. */
  readonly share: number
}

/** Shares of requests by latency, in bins that are equally wide on a logarithmic axis. */
export function latencyBins(runs: readonly PlatformRun[], stage: number): LatencyBin[] {
  return runs.flatMap((run) => {
    const latency = run.latencyMs[stage] as Float64Array
    const bins = new Map<number, number>()
    for (const ms of latency) {
      const bin = Math.floor(BINS_PER_DECADE * Math.log10(Math.max(1e-4, ms * 1000)))
      bins.set(bin, (bins.get(bin) ?? 0) + 1)
    }
    const keys = [...bins.keys()]
    const [first, last] = [Math.min(...keys), Math.max(...keys)]
    // An empty bin on either side brings the outline down to the axis.
    return Array.from({ length: last - first + 3 }, (_, i) => {
      const bin = first - 1 + i
      return {
        contender: run.name,
        us: 10 ** (bin / BINS_PER_DECADE),
        usEnd: 10 ** ((bin + 1) / BINS_PER_DECADE),
        share: (100 * (bins.get(bin) ?? 0)) / latency.length,
      }
    })
  })
}

/** The last bar of each of some equal stretches of the run. */
function stretches(bars: number): readonly (readonly [from: number, to: number])[] {
  const points = Math.min(POINTS, bars)
  const edge = (point: number): number => Math.round((point * bars) / points)
  return Array.from({ length: points }, (_, point) => [edge(point), edge(point + 1)] as const)
}

export interface RatioPoint {
  readonly stage: string
  readonly bar: number
  /** Percent of what was asked in the stretch. */
  readonly hits: number
}

export function hitRatios(run: PlatformRun): RatioPoint[] {
  return STAGES.flatMap((stage, index) => {
    const [asked, computed] = [run.asked[index] as Float64Array, run.computed[index] as Float64Array]
    return stretches(asked.length).flatMap(([from, to]) => {
      const of = (series: Float64Array): number => (series[to - 1] ?? 0) - (series[from - 1] ?? 0)
      return of(asked) === 0 ? [] : [{ stage, bar: to, hits: 100 * (1 - of(computed) / of(asked)) }]
    })
  })
}

export interface TimePoint {
  readonly contender: string
  readonly bar: number
  readonly value: number
}

/** Median microseconds of the invalidations of each stretch. */
export function invalidationTimes(runs: readonly PlatformRun[]): TimePoint[] {
  return runs.flatMap((run) =>
    stretches(run.invalidationMs.length).map(([from, to]) => ({
      contender: run.name,
      bar: to,
      value: 1000 * quantile(run.invalidationMs.slice(from, to), 0.5),
    })),
  )
}

/** Rows of predictions that the model computed so far; 1 at least, for a logarithmic axis. */
export function modelRows(runs: readonly PlatformRun[]): TimePoint[] {
  return runs.flatMap((run) => {
    const rows = run.rows
    return stretches(rows.length).map(([, to]) => ({
      contender: run.name,
      bar: to,
      value: Math.max(1, rows[to - 1] ?? 1),
    }))
  })
}

export interface InvalidationCount {
  /** Signals that one bar made invalid. */
  readonly signals: number
  readonly bars: number
}

export function invalidationCounts(run: PlatformRun): InvalidationCount[] {
  const counts = new Map<number, number>()
  for (const signals of run.invalidated) counts.set(signals, (counts.get(signals) ?? 0) + 1)
  return [...counts].map(([signals, bars]) => ({ signals, bars })).sort((a, b) => a.signals - b.signals)
}

/** Percent of the signals of each stretch that are not the right ones. */
export function staleShares(runs: readonly PlatformRun[], reference: PlatformRun): TimePoint[] {
  return runs.flatMap((run) => {
    const { asked, signals } = { asked: run.asked[STAGES.length - 1] as Float64Array, signals: run.signals }
    return stretches(asked.length).flatMap(([from, to]) => {
      const [first, last] = [asked[from - 1] ?? 0, asked[to - 1] ?? 0]
      let stale = 0
      for (let at = first; at < last; at++) if (!Object.is(signals[at], reference.signals[at])) stale++
      return last === first ? [] : [{ contender: run.name, bar: to, value: (100 * stale) / (last - first) }]
    })
  })
}
