/** What metrics are made of, read once for all that are asked for in one turn of the event loop. */
import type { Finding } from './health.js'
import type { MetricOfCounts, Sample } from './metrics.js'
import type { Monitor } from './monitor.js'
import type { Reading } from './reading.js'

export interface Collected {
  readonly readings: ReadonlyMap<string, Reading>
  readonly findings: readonly Finding[]
}

export class Collection {
  readonly #monitor: Monitor
  #collected: Collected | undefined

  constructor(monitor: Monitor) {
    this.#monitor = monitor
  }

  get now(): Collected {
    if (this.#collected === undefined) {
      this.#collected = { readings: this.#monitor.readings(), findings: this.#monitor.health().findings }
      setImmediate(() => {
        this.#collected = undefined
      })
    }
    return this.#collected
  }

  /** The samples of all caches. */
  samplesOf(metric: MetricOfCounts): Sample[] {
    const { readings, findings } = this.now
    return [...readings].flatMap(([cache, reading]) =>
      metric
        .read(
          reading,
          findings.filter((finding) => finding.cache === cache),
        )
        .map(({ labels, value }) => ({ labels: { cache, ...labels }, value })),
    )
  }
}
