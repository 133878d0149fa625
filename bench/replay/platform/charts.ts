/** The plots of the platform's page; legends are the page's, once for all plots. */
import { colour, type Layer, type Palette, svg } from '../../plots/draw.js'
import type { InvalidationCount, LatencyBin, RatioPoint, TimePoint } from './series.js'

const DURATION_LABELS =
  "datum.value < 1000 ? datum.value + ' µs' : datum.value < 1e6 ? datum.value / 1000 + ' ms' : datum.value / 1e6 + ' s'"
const DECADES = [1, 10, 100, 1000, 10_000, 100_000]

function microseconds(title: string): Layer {
  return { title, values: DECADES, labelExpr: DURATION_LABELS, grid: true }
}

function bars(swapAt: number | undefined): Layer[] {
  if (swapAt === undefined) return []
  // One datum of their own: else they are drawn once for each of the plot's.
  const data = { values: [{}] }
  const at = { datum: swapAt }
  return [
    { data, mark: { type: 'rule', color: 'var(--muted)', strokeDash: [3, 3] }, encoding: { x: at } },
    {
      data,
      mark: {
        type: 'text',
        align: 'left',
        baseline: 'top',
        dx: 5,
        dy: -14,
        color: 'var(--muted)',
        fontSize: 11,
        text: 'model v2',
      },
      encoding: { x: at, y: { value: 2 } },
    },
  ]
}

const BAR_AXIS = {
  field: 'bar',
  type: 'quantitative',
  scale: { nice: false },
  axis: { title: 'bars received', grid: false },
} as const

export function latencyChart(bins: readonly LatencyBin[], palette: Palette): Promise<string> {
  const x = {
    field: 'us',
    type: 'quantitative',
    scale: { type: 'log', domain: [0.5, 30_000], clamp: true },
    axis: microseconds('time of a request (logarithmic)'),
  }
  const y = {
    field: 'share',
    type: 'quantitative',
    stack: null,
    axis: { title: '% of requests', tickCount: 4 },
  }
  const encoding = { x, y, color: colour('contender', palette) }
  return svg(bins, [
    { mark: { type: 'area', interpolate: 'step-after', opacity: 0.22 }, encoding },
    { mark: { type: 'line', interpolate: 'step-after', strokeWidth: 1.6 }, encoding },
  ])
}

export function ratioChart(points: readonly RatioPoint[], palette: Palette, swapAt: number): Promise<string> {
  const y = {
    field: 'hits',
    type: 'quantitative',
    scale: { domain: [0, 100] },
    axis: { title: '% answered from the cache', tickCount: 5 },
  }
  return svg(points, [
    {
      mark: { type: 'line', strokeWidth: 2, interpolate: 'monotone' },
      encoding: { x: BAR_AXIS, y, color: colour('stage', palette) },
    },
    ...bars(swapAt),
  ])
}

export function durationChart(
  points: readonly TimePoint[],
  palette: Palette,
  swapAt: number,
): Promise<string> {
  const values = points.map((point) => point.value)
  const domain = [
    10 ** Math.floor(Math.log10(Math.min(...values))),
    10 ** Math.ceil(Math.log10(Math.max(...values))),
  ]
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { type: 'log', domain },
    axis: microseconds('time to invalidate, median'),
  }
  return svg(points, [
    {
      mark: { type: 'line', strokeWidth: 2 },
      encoding: { x: BAR_AXIS, y, color: colour('contender', palette) },
    },
    ...bars(swapAt),
  ])
}

export function rowsChart(points: readonly TimePoint[], palette: Palette, swapAt: number): Promise<string> {
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { type: 'log' },
    axis: {
      title: 'rows computed so far (logarithmic)',
      format: '~s',
      values: [100, 1000, 10_000, 100_000, 1e6],
    },
  }
  // Contenders with the same rows lie on one another: the one below is the wider.
  const lines = palette.names.map((name, i) => ({
    transform: [{ filter: { field: 'contender', equal: name } }],
    mark: { type: 'line', strokeWidth: i === 1 ? 7 : 2 },
    encoding: { x: BAR_AXIS, y, color: colour('contender', palette) },
  }))
  return svg(points, [...lines, ...bars(swapAt)])
}

export function staleChart(points: readonly TimePoint[], palette: Palette, swapAt: number): Promise<string> {
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { domain: [0, 100] },
    axis: { title: '% of signals that are out of date', tickCount: 5 },
  }
  return svg(points, [
    {
      mark: { type: 'line', strokeWidth: 2 },
      encoding: { x: BAR_AXIS, y, color: colour('contender', palette) },
    },
    ...bars(swapAt),
  ])
}

export function countChart(counts: readonly InvalidationCount[], fill: string): Promise<string> {
  const x = {
    field: 'signals',
    type: 'ordinal',
    axis: { title: 'signals that a bar made invalid', labelAngle: 0 },
  }
  const y = { field: 'bars', type: 'quantitative', axis: { title: 'bars', tickCount: 4 } }
  return svg(counts, [{ mark: { type: 'bar', color: fill }, encoding: { x, y } }])
}

export interface Amount {
  readonly contender: string
  readonly part: string
  readonly value: number
}

/** Horizontal bars, a part in lighter ink beside the other. */
export function memoryChart(amounts: readonly Amount[], palette: Palette): Promise<string> {
  const y = {
    field: 'contender',
    type: 'nominal',
    sort: null,
    axis: { title: null, labelFontSize: 12, labelLimit: 200, ticks: false, domain: false },
  }
  const x = { field: 'value', type: 'quantitative', axis: { title: 'MB held at the end', tickCount: 5 } }
  const opacity = {
    field: 'part',
    sort: ['JavaScript heap', 'outside the heap'],
    type: 'nominal',
    scale: { domain: ['JavaScript heap', 'outside the heap'], range: [1, 0.45] },
    legend: null,
  }
  return svg(
    amounts,
    [{ mark: { type: 'bar', height: 26 }, encoding: { x, y, opacity, color: colour('contender', palette) } }],
    {
      height: 150,
    },
  )
}
