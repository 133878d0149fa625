import { describe, expect, test } from 'vitest'
import { summaryOf } from '../../../bench/endurance/phases.js'
import { figureCurves } from '../../../bench/harness/figure-curves.js'
import { summarize } from '../../../bench/harness/latency.js'
import { noiseOf } from '../../../bench/harness/record.js'
import type { FigureResult } from '../../../bench/harness/results.js'
import { uniform, zipf, zipfWithScans } from '../../../bench/harness/streams.js'

function figure(id: string, ns: number, noise?: readonly number[]): FigureResult {
  return {
    id,
    title: id,
    unit: 'ns',
    subject: id,
    suite: 'l1-read',
    contenders: { hitpath: [ns, ns, ns], Map: [2 * ns, 2 * ns, 2 * ns] },
    ...(noise && { noise }),
  }
}

describe('single operations', () => {
  test('are summed up by their tail', () => {
    const sorted = Float64Array.from({ length: 1_000 }, (_, at) => at + 1)
    const latency = summarize(sorted, 40)
    expect(latency).toMatchObject({
      samples: 1_000,
      clockNs: 40,
      p50: 501,
      p99: 991,
      p999: 1_000,
      max: 1_000,
    })
    expect(latency.quantiles[0]).toEqual([0, 1])
    expect(latency.quantiles.at(-1)).toEqual([1, 1_000])
  })

  test('are none when nothing was timed', () => {
    expect(() => summarize(new Float64Array(), 40)).toThrow('no operation was timed')
  })
})

describe('families of figures', () => {
  test('are drawn by size, ascending', () => {
    const [curve] = figureCurves([figure('get-built-1m', 300), figure('get-built-1k', 100)])
    expect(curve).toMatchObject({ id: 'cost-by-entries-built', x: { scale: 'log' } })
    expect(curve!.lines[0]).toEqual({
      name: 'hitpath',
      kind: 'measured',
      points: [
        [1_024, 100],
        [1_000_000, 300],
      ],
    })
  })

  test('of one size have no curve', () => {
    expect(figureCurves([figure('get-built-1k', 100)])).toEqual([])
  })
})

test('the noise of a run is the median of its figures and the worst of them', () => {
  const noise = noiseOf([figure('a', 1, [0.99, 0.99]), figure('b', 1, [1.05, 1.05]), figure('c', 1)])
  expect(noise).toMatchObject({ figures: 2, worstFigure: 'b' })
  expect(noise!.worst).toBeCloseTo(0.05)
  expect(noiseOf([figure('c', 1)])).toBeUndefined()
})

describe('streams of keys', () => {
  test('are the same for the same seed and stay in range', () => {
    const ids = zipf(10_000, 100, 1, 7)
    expect(ids).toEqual(zipf(10_000, 100, 1, 7))
    expect(Math.max(...ids)).toBeLessThan(100)
    expect(Math.max(...uniform(1_000, 10, 3))).toBeLessThan(10)
  })

  test('of Zipf ask for the first rank about twice as often as for the second', () => {
    const counts = new Map<number, number>()
    for (const id of zipf(100_000, 1_000, 1, 7)) counts.set(id, (counts.get(id) ?? 0) + 1)
    const [first, second] = [...counts.values()].sort((a, b) => b - a)
    expect(first! / second!).toBeGreaterThan(1.7)
    expect(first! / second!).toBeLessThan(2.3)
  })

  test('with scans ask for each scanned key once a pass', () => {
    const ids = zipfWithScans(300, 200, { skew: 1, every: 100, length: 50, seed: 5 })
    const scanned = [...ids.slice(100, 150), ...ids.slice(250, 300)]
    expect(new Set(scanned).size).toBe(100)
    expect(Math.min(...scanned)).toBe(100)
  })
})

test('an endurance run is summed up in a line', () => {
  const window = {
    seconds: 1,
    delayP50Ms: 0.1,
    delayP99Ms: 2,
    delayMaxMs: 20,
    gcPercent: 5,
    gcMaxMs: 12,
    rssMiB: 100,
    operationsPerMs: 1_000,
  }
  const windows = [0, 1, 2, 3].map((at) => ({ ...window, seconds: at, rssMiB: 100 + at }))
  expect(summaryOf('hitpath', windows)).toBe(
    'hitpath: event-loop delay p99 2.0 ms, longest 20 ms; collecting 5.0 % of the time, longest 12 ms; ' +
      '1000 operations/ms; resident 101 MiB in the second quarter, 103 in the last.',
  )
})
