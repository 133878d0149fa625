/**
 * The metrics of a Monitor in a registry of prom-client.
 *
 * They are read when they are scraped, out of what the caches count anyway, so nothing is counted twice and nothing is counted in between.
 * prom-client is not imported: its registry takes any object with the `get()` that it asks its own metrics for, and its Histogram
 * class could not be filled with counts.
 */
import { describe, HitpathError } from '../errors.js'
import { refuseUnknownOptions } from '../options.js'
import { Collection } from './collection.js'
import { EDGES_NS, LATENCY, type Labels, METRICS } from './metrics.js'
import type { Monitor } from './monitor.js'

/** What is needed of a `Registry` of prom-client 15. */
export interface PrometheusRegistry {
  registerMetric(metric: never): void
  removeSingleMetric(name: string): void
  getSingleMetric(name: string): unknown
}

export interface PrometheusOptions {
  /** Begins the names of all metrics. Default `'hitpath_'`. */
  readonly prefix?: string
}

interface Value {
  readonly labels: Labels
  readonly value: number
  readonly metricName?: string
}

/** As prom-client asks for it. The registry rewrites `name` for OpenMetrics, which `get` must give back. */
interface RegisteredMetric {
  name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly aggregator: 'sum'
  readonly labelNames: readonly string[]
  get(): Promise<{
    readonly name: string
    readonly help: string
    readonly type: string
    readonly values: Value[]
    readonly aggregator: string
  }>
  /** The counts are the caches': there is nothing to reset. */
  reset(): void
}

/**
 * Registers the metrics. They leave the registry when what is returned is called, or the monitor is closed.
 *
 * @throws HitpathError INVALID_ARGUMENT when it is no registry, or one of the names is taken in it: then none is registered;
 *   INVALID_OPTION
 */
export function registerPrometheus(
  monitor: Monitor,
  register: PrometheusRegistry,
  options: PrometheusOptions = {},
): () => void {
  refuseUnknownOptions(options, 'registerPrometheus', ['prefix'])
  const { prefix = 'hitpath_' } = options
  if (typeof prefix !== 'string' || !/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix))
    throw new HitpathError(
      'INVALID_OPTION',
      `registerPrometheus.prefix must be the beginning of a metric's name; got ${describe(prefix)}`,
    )
  if (typeof register?.registerMetric !== 'function' || typeof register.getSingleMetric !== 'function')
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `metrics are registered with a Registry of prom-client; got ${describe(register)}`,
    )
  const collection = new Collection(monitor)
  const metrics = [
    ...METRICS.map((metric) =>
      registered(prefix + metric.name, metric.help, metric.kind, metric.labels, () =>
        collection.samplesOf(metric),
      ),
    ),
    registered(prefix + LATENCY.name, LATENCY.help, 'histogram', LATENCY.labels, () =>
      histograms(collection, prefix + LATENCY.name),
    ),
  ]
  const names = metrics.map(({ name }) => name)
  const taken = names.find((name) => register.getSingleMetric(name) !== undefined)
  if (taken !== undefined)
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `the registry has a metric ${taken} already: give one of the monitors another prefix`,
    )
  for (const metric of metrics) register.registerMetric(metric as never)
  const forget = monitor.onClose(() => leave())
  const leave = (): void => {
    forget()
    for (const name of names.splice(0)) register.removeSingleMetric(name)
  }
  return leave
}

function registered(
  name: string,
  help: string,
  type: RegisteredMetric['type'],
  labelNames: readonly string[],
  values: () => Value[],
): RegisteredMetric {
  return {
    name,
    help,
    type,
    labelNames,
    aggregator: 'sum',
    get() {
      return Promise.resolve({ name: this.name, help, type, values: values(), aggregator: 'sum' })
    },
    reset() {},
  }
}

function histograms(collection: Collection, name: string): Value[] {
  const values: Value[] = []
  for (const [cache, { latencies }] of collection.now.readings) {
    for (const [tier, histogram] of Object.entries(latencies)) {
      const labels = { cache, tier }
      const counts = histogram.cumulative(EDGES_NS)
      for (const [i, edge] of EDGES_NS.entries())
        values.push({
          metricName: `${name}_bucket`,
          labels: { le: String(edge / 1e9), ...labels },
          value: counts[i] as number,
        })
      values.push({ metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: histogram.count })
      values.push({ metricName: `${name}_sum`, labels, value: histogram.sumNs / 1e9 })
      values.push({ metricName: `${name}_count`, labels, value: histogram.count })
    }
  }
  return values
}
