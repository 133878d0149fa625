/** The plots of the report. */
import type { Curve, Latency, VerdictResult } from '../harness/results.js'
import { colour, type Layer, type Palette, svg } from '../plots/draw.js'

/** For a plot that stands alone: its title, and its own legend. */
export interface Alone {
  readonly title: string
}

const TIMES: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, us: 1e3, ms: 1e6, s: 1e9 }

/** A label of an axis whose values are in `unit`; durations change their unit on the way. */
function labels(unit: string): Layer {
  const scale = TIMES[unit]
  if (unit === 'B') {
    return {
      labelExpr:
        "datum.value >= 1048576 ? format(datum.value / 1048576, '~g') + ' MiB' : datum.value >= 1024 ? format(datum.value / 1024, '~g') + ' KiB' : format(datum.value, '~g')",
    }
  }
  if (scale === undefined) return { format: unit === '%' ? '~r' : '~s' }
  const ns = `(datum.value * ${scale})`
  const labelExpr = [
    `abs(${ns}) >= 1e9 ? format(${ns} / 1e9, '~g') + ' s'`,
    `abs(${ns}) >= 1e6 ? format(${ns} / 1e6, '~g') + ' ms'`,
    `abs(${ns}) >= 1e3 ? format(${ns} / 1e3, '~g') + ' µs'`,
    `${ns} == 0 ? '0' : format(${ns}, '~g') + ' ns'`,
  ].join(' : ')
  return { labelExpr }
}

/** Powers of ten within the values, so that a logarithmic axis is labelled where its grid is. */
function decades(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0)
  const from = Math.floor(Math.log10(Math.min(...positive)))
  const to = Math.ceil(Math.log10(Math.max(...positive)))
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
}

function axisTitle(title: string, unit: string): string {
  return unit === title || TIMES[unit] !== undefined ? title : `${title}, ${unit}`
}

function sized(alone: Alone | undefined): Layer {
  return alone === undefined ? {} : { title: alone.title, width: 640, height: 330 }
}

function legendOf(alone: Alone | undefined): Layer | null {
  return alone === undefined ? null : { title: null, orient: 'bottom', columns: 4 }
}

/** One line a contender; references are dashed, marks are bands or rules with their name. */
export function lineChart(
  { x, y, lines, marks = [] }: Curve,
  palette: Palette,
  alone?: Alone,
): Promise<string> {
  const values = lines.flatMap(({ name, kind, points }) =>
    points
      .filter(([, value]) => y.scale === 'linear' || value > 0)
      .map(([at, value]) => ({ contender: name, kind, x: at, y: value })),
  )
  const xs = values.map((value) => value.x)
  const ys = values.map((value) => value.y)
  const xAxis = {
    title: axisTitle(x.title, x.unit),
    grid: false,
    ...labels(x.unit),
    ...(x.scale === 'log' && { values: [...new Set(xs)], labelOverlap: true }),
    ...(x.unit === 'threads' && { values: [...new Set(xs)], format: 'd' }),
  }
  const yAxis = {
    title: axisTitle(y.title, y.unit),
    ...labels(y.unit),
    ...(y.scale === 'log' ? { values: decades(ys) } : { tickCount: 5 }),
  }
  const encoding = {
    x: { field: 'x', type: 'quantitative', scale: { type: x.scale, nice: false }, axis: xAxis },
    y: {
      field: 'y',
      type: 'quantitative',
      scale: { type: y.scale, ...(y.scale === 'linear' && { zero: true }) },
      axis: yAxis,
    },
    color: colour('contender', palette, legendOf(alone)),
    // hitpath above the others
    order: { field: 'x', type: 'quantitative' },
    strokeDash: {
      field: 'kind',
      type: 'nominal',
      scale: {
        domain: ['measured', 'reference'],
        range: [
          [1, 0],
          [5, 3],
        ],
      },
      legend: null,
    },
  }
  const each = [...palette.names].reverse().map((name) => ({
    transform: [{ filter: { field: 'contender', equal: name } }],
    mark: {
      type: 'line',
      strokeWidth: name.startsWith('hitpath') ? 2.4 : 1.5,
      ...(xs.length / palette.names.length <= 8 && { point: { size: 22, filled: true } }),
    },
    encoding,
  }))
  return svg(values, [...bands(marks), ...each, ...names(marks)], sized(alone))
}

type Marks = NonNullable<Curve['marks']>

function bands(marks: Marks): Layer[] {
  return marks.map(({ from, to }, i) => {
    const ruled = to === undefined
    return {
      data: { values: [{ from, to: to ?? from }] },
      mark: ruled
        ? { type: 'rule', color: 'var(--muted)', strokeDash: [3, 3] }
        : { type: 'rect', color: 'var(--muted)', opacity: i % 2 === 0 ? 0.04 : 0.12 },
      encoding: {
        x: { field: 'from', type: 'quantitative' },
        ...(!ruled && { x2: { field: 'to' } }),
      },
    }
  })
}

function names(marks: Marks): Layer[] {
  // A narrow band has room for one word; what follows the colon is for the text below.
  return marks.map(({ title, from }) => ({
    data: { values: [{ from, title: title.split(':')[0] }] },
    mark: { type: 'text', align: 'left', baseline: 'bottom', dx: 4, color: 'var(--muted)', fontSize: 11 },
    encoding: {
      x: { field: 'from', type: 'quantitative' },
      y: { value: -2 },
      text: { field: 'title' },
    },
  }))
}

const NINES = [0.5, 0.9, 0.99, 0.999, 0.9999]
/** The axis ends where samples do. */
const LAST_NINE = 4

function nines(share: number): number {
  return Math.min(LAST_NINE, -Math.log10(Math.max(1 - share, 1e-12)))
}

/** Time of single operations by the share that is as fast, which is stretched towards one. */
export function quantileChart(
  latency: Readonly<Record<string, Latency>>,
  palette: Palette,
  alone?: Alone,
): Promise<string> {
  const values = Object.entries(latency).flatMap(([contender, { quantiles }]) =>
    quantiles
      .filter(([share, ns]) => share < 1 && ns > 0)
      .map(([share, ns]) => ({ contender, x: nines(share), ns })),
  )
  const ticks = NINES.map(nines)
  const labelExpr = NINES.map(
    (share) => `abs(datum.value - ${nines(share)}) < 1e-6 ? '${100 * share} %'`,
  ).join(' : ')
  const encoding = {
    x: {
      field: 'x',
      type: 'quantitative',
      scale: { nice: false, domain: [0, LAST_NINE] },
      axis: {
        title: 'share of operations that are as fast',
        values: ticks,
        labelExpr: `${labelExpr} : ''`,
        labelOverlap: false,
      },
    },
    y: {
      field: 'ns',
      type: 'quantitative',
      scale: { type: 'log' },
      axis: {
        title: 'one operation (logarithmic)',
        values: decades(values.map(({ ns }) => ns)),
        ...labels('ns'),
      },
    },
    color: colour('contender', palette, legendOf(alone)),
  }
  const each = [...palette.names].reverse().map((name) => ({
    transform: [{ filter: { field: 'contender', equal: name } }],
    mark: { type: 'line', strokeWidth: name.startsWith('hitpath') ? 2.4 : 1.5 },
    encoding,
  }))
  return svg(values, each, sized(alone))
}

/** Horizontal bars, one a contender, each with its number. */
export function barChart(
  amounts: readonly { readonly contender: string; readonly value: number }[],
  title: string,
  palette: Palette,
  alone?: Alone,
): Promise<string> {
  const y = {
    field: 'contender',
    type: 'nominal',
    sort: null,
    axis: { title: null, labelFontSize: 12, labelLimit: 220, ticks: false, domain: false },
  }
  const x = { field: 'value', type: 'quantitative', axis: { title, tickCount: 5 } }
  const height = 44 + 34 * amounts.length
  return svg(
    amounts,
    [
      { mark: { type: 'bar', height: 20 }, encoding: { x, y, color: colour('contender', palette) } },
      {
        mark: { type: 'text', align: 'left', dx: 4, fontSize: 11, color: 'var(--text)' },
        encoding: { x, y, text: { field: 'value', type: 'quantitative', format: '.0f' } },
      },
    ],
    { ...sized(alone), height: alone === undefined ? height : height + 30 },
  )
}

/** How far the targets are off: one dot each, the limit at one, better to the left. */
export function targetsChart(
  rows: readonly {
    readonly title: string
    readonly share: number
    readonly ruling: VerdictResult['ruling']
  }[],
  palette: Palette,
): Promise<string> {
  const y = {
    field: 'title',
    type: 'nominal',
    sort: null,
    axis: { title: null, labelLimit: 560, labelFontSize: 11, ticks: false, domain: false, grid: true },
  }
  const x = {
    field: 'share',
    type: 'quantitative',
    scale: { type: 'log', domain: [0.1, 10], clamp: true },
    axis: {
      title: 'result / limit; left of the line is within it',
      values: [0.1, 0.2, 0.5, 1, 2, 5, 10],
      format: '~g',
    },
  }
  return svg(
    rows,
    [
      {
        data: { values: [{ limit: 1 }] },
        mark: { type: 'rule', color: 'var(--text)', strokeWidth: 1.2 },
        encoding: { x: { field: 'limit', type: 'quantitative' } },
      },
      {
        mark: { type: 'point', filled: true, size: 70, opacity: 1 },
        encoding: { x, y, color: colour('ruling', palette) },
      },
    ],
    { width: 1160, height: 50 + 17 * rows.length },
  )
}
