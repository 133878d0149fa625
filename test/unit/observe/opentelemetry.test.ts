import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { expect, test } from 'vitest'
import { LocalCache, Monitor, registerOpenTelemetry, TieredCache } from '../../../src/index.js'

interface Point {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly value: unknown
}

/** A provider whose metrics a test reads. */
function provider(): {
  readonly provider: MeterProvider
  collect(): Promise<
    Map<string, { readonly unit: string; readonly type: DataPointType; readonly points: Point[] }>
  >
} {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meters = new MeterProvider({ readers: [reader] })
  return {
    provider: meters,
    async collect() {
      exporter.reset()
      await reader.forceFlush()
      const metrics = exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((s) => s.metrics))
      return new Map(
        metrics.map((metric) => [
          metric.descriptor.name,
          {
            unit: metric.descriptor.unit,
            type: metric.dataPointType,
            points: metric.dataPoints as unknown as Point[],
          },
        ]),
      )
    },
  }
}

function valueAt(points: readonly Point[] | undefined, attributes: Record<string, string>): unknown {
  return points?.find((point) =>
    Object.entries(attributes).every(([name, value]) => point.attributes[name] === value),
  )?.value
}

test('counters, levels and latencies reach the exporter, once', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache({ maxEntries: 7 }) })
  using monitor = new Monitor({ caches: { cache }, sample: 1 })
  const { provider: meters, collect } = provider()
  registerOpenTelemetry(monitor, meters.getMeter('test'))
  await cache.set('key', 1)
  for (let i = 0; i < 5; i++) cache.getSync('key')
  await cache.getOrSet('made', () => new Promise<number>((made) => setTimeout(made, 10, 1)))

  for (let i = 0; i < 2; i++) {
    const metrics = await collect()
    const requests = metrics.get('hitpath.requests')
    expect(requests).toMatchObject({ unit: '{request}', type: DataPointType.SUM })
    expect(valueAt(requests?.points, { cache: 'cache', result: 'hit' })).toBe(5)
    expect(valueAt(requests?.points, { cache: 'cache', result: 'miss' })).toBe(1)
    expect(metrics.get('hitpath.l1.entries_limit')).toMatchObject({ type: DataPointType.GAUGE })
    expect(valueAt(metrics.get('hitpath.l1.entries_limit')?.points, { cache: 'cache' })).toBe(7)
    expect(metrics.get('hitpath.l1.used_bytes')?.unit).toBe('By')
    const latency = metrics.get('hitpath.latency')
    expect(latency).toMatchObject({ unit: 's', type: DataPointType.HISTOGRAM })
    expect(valueAt(latency?.points, { tier: 'l1' })).toMatchObject({ count: 5 })
    const factory = valueAt(latency?.points, { tier: 'factory' }) as { count: number; sum: number }
    expect(factory.count).toBe(1)
    expect(factory.sum).toBeGreaterThan(0.009)
    expect(factory.sum).toBeLessThan(10)
  }
  await meters.shutdown()
})

test('after close nothing is observed or recorded', async () => {
  await using cache = new TieredCache<number>({ l1: new LocalCache() })
  const monitor = new Monitor({ caches: { cache }, sample: 1 })
  const { provider: meters, collect } = provider()
  registerOpenTelemetry(monitor, meters.getMeter('test'), { prefix: 'mine.' })
  await cache.getOrSet('key', () => 1)
  expect((await collect()).get('mine.requests')?.points).toHaveLength(2)
  monitor.close()
  await cache.getOrSet('other', () => 1)
  const after = await collect()
  expect(valueAt(after.get('mine.latency')?.points, { tier: 'factory' })).toMatchObject({ count: 1 })
  expect(valueAt(after.get('mine.requests')?.points, { result: 'miss' }) ?? 1).toBe(1)
  await meters.shutdown()
})

test('wrong use', () => {
  const local = new LocalCache()
  using monitor = new Monitor({ caches: { local } })
  expect(() => registerOpenTelemetry(monitor, {} as never)).toThrowError(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
  )
  expect(() => registerOpenTelemetry(monitor, {} as never, { prefix: 1 } as never)).toThrowError(
    expect.objectContaining({ code: 'INVALID_OPTION' }) as Error,
  )
  local.close()
})
