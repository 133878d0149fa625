/** What the runs of the platform come to: the figures of the tables, the page and the JSON file. */
import type { PlatformRun } from './run.js'
import { STAGES } from './script.js'

export interface StageFigures {
  readonly stage: string
  readonly requests: number
  /** Answers, or rows of predictions. */
  readonly asked: number
  readonly computed: number
  /** Share of `asked` that was not computed, 0 to 1. */
  readonly hitRatio: number
  readonly p50Us: number
  readonly p99Us: number
  readonly totalMs: number
}

export interface RunFigures {
  readonly name: string
  readonly stages: readonly StageFigures[]
  /** All requests and all invalidations. */
  readonly totalMs: number
  /** Of which inside extraction and network, waiting for them included. */
  readonly computingMs: number
  /** Rows that went through the network for predictions, those inside signals too. */
  readonly modelRows: number
  readonly invalidationP50Us: number
  readonly invalidationP99Us: number
  readonly swapMs: number
  /** Signals that are not those of the reference. */
  readonly staleSignals: number
  readonly heapBytes: number
  readonly offHeapBytes: number
  readonly notes: readonly string[]
}

export function figuresOf(run: PlatformRun, reference: PlatformRun): RunFigures {
  const stages = STAGES.map((stage, index) => {
    const latency = run.latencyMs[index] as Float64Array
    const asked = run.asked[index]?.at(-1) ?? 0
    const computed = run.computed[index]?.at(-1) ?? 0
    return {
      stage,
      requests: latency.length,
      asked,
      computed,
      hitRatio: asked === 0 ? 0 : 1 - computed / asked,
      p50Us: quantile(latency, 0.5) * 1000,
      p99Us: quantile(latency, 0.99) * 1000,
      totalMs: sum(latency),
    }
  })
  return {
    name: run.name,
    stages,
    totalMs: stages.reduce((total, stage) => total + stage.totalMs, 0) + sum(run.invalidationMs),
    computingMs: run.work.spentMs.reduce((total, ms) => total + ms, 0),
    modelRows: run.work.computed[STAGES.indexOf('predictions')] ?? 0,
    invalidationP50Us: quantile(run.invalidationMs, 0.5) * 1000,
    invalidationP99Us: quantile(run.invalidationMs, 0.99) * 1000,
    swapMs: run.swapMs,
    staleSignals: run.signals.filter((signal, at) => !Object.is(signal, reference.signals[at])).length,
    heapBytes: run.heapBytes,
    offHeapBytes: run.held.offHeapBytes,
    notes: run.notes,
  }
}

/** How the answers of `run` depart from those of `reference`, a sentence each. */
export function departures(reference: PlatformRun, run: PlatformRun): string[] {
  return STAGES.flatMap((stage, index) =>
    run.digests[index] === reference.digests[index]
      ? []
      : [
          `${run.name}: the digest of all ${stage} is ${run.digests[index]?.toString(16)}, not ${reference.digests[index]?.toString(16)}`,
        ],
  )
}

/** Nearest rank. */
export function quantile(values: Float64Array, q: number): number {
  const sorted = values.slice().sort()
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0
}

export function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Microseconds or milliseconds, three digits. */
export function duration(us: number): string {
  if (us < 1000) return `${us < 100 ? us.toPrecision(2) : us.toFixed(0)} µs`
  return us < 1e6 ? `${(us / 1000).toPrecision(3)} ms` : `${(us / 1e6).toFixed(2)} s`
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

export function count(value: number): string {
  return value.toLocaleString('en-US')
}
