/**
 * The metrics of a Monitor through a meter of OpenTelemetry: counters and levels are observed when they are collected, latencies are
 * recorded as they happen, from the registration on.
 *
 * @opentelemetry/api is not imported: the caller's meter is all that is needed.
 */
import { describe, HitpathError } from '../errors.js'
import { refuseUnknownOptions } from '../options.js'
import { Collection } from './collection.js'
import { EDGES_NS, type Labels, METRICS, type MetricOfCounts } from './metrics.js'
import type { Monitor } from './monitor.js'

interface Instrument {
  readonly description?: string
  readonly unit?: string
  readonly advice?: { explicitBucketBoundaries?: number[] }
}

interface ObservableResult {
  observe(observable: never, value: number, attributes?: Labels): void
}

/** What is needed of a `Meter` of @opentelemetry/api 1. */
export interface OpenTelemetryMeter {
  createObservableCounter(name: string, options?: Instrument): unknown
  createObservableGauge(name: string, options?: Instrument): unknown
  createHistogram(
    name: string,
    options?: Instrument,
  ): { record(value: number, attributes?: Record<string, string>): void }
  addBatchObservableCallback(callback: (result: ObservableResult) => void, observables: never[]): void
  removeBatchObservableCallback(callback: (result: ObservableResult) => void, observables: never[]): void
}

export interface OpenTelemetryOptions {
  /** Begins the names of all instruments. Default `'hitpath.'`. */
  readonly prefix?: string
}

/**
 * Makes the instruments: `hitpath.requests`, `hitpath.l1.entries`, `hitpath.latency` in seconds, and so on. It ends when what is
 * returned is called, or the monitor is closed. Invalidation latencies are not among them: they are counted by the bus.
 *
 * @throws HitpathError INVALID_ARGUMENT when it is no meter, INVALID_OPTION
 */
export function registerOpenTelemetry(
  monitor: Monitor,
  meter: OpenTelemetryMeter,
  options: OpenTelemetryOptions = {},
): () => void {
  refuseUnknownOptions(options, 'registerOpenTelemetry', ['prefix'])
  const { prefix = 'hitpath.' } = options
  if (typeof prefix !== 'string')
    throw new HitpathError(
      'INVALID_OPTION',
      `registerOpenTelemetry.prefix must be a string; got ${describe(prefix)}`,
    )
  if (typeof meter?.addBatchObservableCallback !== 'function')
    throw new HitpathError('INVALID_ARGUMENT', `a meter of OpenTelemetry is needed; got ${describe(meter)}`)

  const collection = new Collection(monitor)
  const instruments = METRICS.map((metric) => [metric, instrument(meter, prefix, metric)] as const)
  const observables = instruments.map(([, observable]) => observable as never)
  const observe = (result: ObservableResult): void => {
    for (const [metric, observable] of instruments)
      for (const { labels, value } of collection.samplesOf(metric))
        result.observe(observable as never, value, labels)
  }
  meter.addBatchObservableCallback(observe, observables)

  const latency = meter.createHistogram(`${prefix}latency`, {
    description: 'Latency of sampled hits of the first tier, of calls of the second tier, and of factories.',
    unit: 's',
    advice: { explicitBucketBoundaries: EDGES_NS.map((edge) => edge / 1e9) },
  })
  const stopHearing = monitor.onLatency((cache, tier, ns) => latency.record(ns / 1e9, { cache, tier }))

  const forget = monitor.onClose(() => end())
  const end = (): void => {
    forget()
    stopHearing()
    meter.removeBatchObservableCallback(observe, observables)
  }
  return end
}

function instrument(meter: OpenTelemetryMeter, prefix: string, metric: MetricOfCounts): unknown {
  const name = prefix + metric.name.replace(/_total$/, '').replace(/^(l1|replay|tier|factory)_/, '$1.')
  const described = { description: metric.help, unit: metric.unit }
  return metric.kind === 'counter'
    ? meter.createObservableCounter(name, described)
    : meter.createObservableGauge(name, described)
}
