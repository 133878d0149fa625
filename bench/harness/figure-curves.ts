/** Curves that need no measurement of their own: a family of figures is one setting at several sizes. */
import type { CurveResult, FigureResult, Line } from './results.js'
import { median } from './statistics.js'

interface Family {
  readonly id: string
  readonly title: string
  readonly x: CurveResult['x']
  readonly y: CurveResult['y']
  /** Figures by the size at which they were measured, ascending. */
  readonly figures: readonly (readonly [size: number, figure: string])[]
}

const entries = { title: 'entries', unit: 'entries', scale: 'log' } as const
const bytes = { title: 'size of the value', unit: 'B', scale: 'log' } as const

/** The figure ids of `VALUE_BYTES` in suites/value-sizes.ts. */
const byValue = (op: string): Family['figures'] =>
  [8, 64, 512, 4_096, 65_536].map((size) => [size, `value-${op}-${size}`])

const FAMILIES: readonly Family[] = [
  {
    id: 'cost-by-entries-built',
    title: 'A hit by a key that is built for the call, by the number of entries',
    x: entries,
    y: { title: 'a hit', unit: 'ns', scale: 'linear' },
    figures: [
      [1_024, 'get-built-1k'],
      [100_000, 'get-built-100k'],
      [1_000_000, 'get-built-1m'],
    ],
  },
  {
    id: 'cost-by-entries-interned',
    title: 'A hit by a key that exists already, by the number of entries',
    x: entries,
    y: { title: 'a hit', unit: 'ns', scale: 'linear' },
    figures: [
      [1_024, 'get-interned-1k'],
      [10_000, 'get-interned-10k'],
      [100_000, 'get-interned-100k'],
      [1_000_000, 'get-interned-1m'],
    ],
  },
  {
    id: 'cost-by-value-get',
    title: 'SharedCache.get, by the size of the value',
    x: bytes,
    y: { title: 'a get', unit: 'ns', scale: 'log' },
    figures: byValue('get'),
  },
  {
    id: 'cost-by-value-set',
    title: 'SharedCache.set, by the size of the value',
    x: bytes,
    y: { title: 'a set', unit: 'ns', scale: 'log' },
    figures: byValue('set'),
  },
]

/** A family of which fewer than two sizes were measured has no curve. */
export function figureCurves(figures: readonly FigureResult[]): readonly CurveResult[] {
  const byId = new Map(figures.map((figure) => [figure.id, figure]))
  return FAMILIES.flatMap(({ id, title, x, y, figures: members }) => {
    const measured = members.flatMap(([size, figure]) => {
      const known = byId.get(figure)
      return known === undefined ? [] : [{ size, figure: known }]
    })
    if (measured.length < 2) return []
    const { subject, suite } = measured[0]!.figure
    return [{ id, title, x, y, lines: linesOf(measured), subject, suite }]
  })
}

function linesOf(measured: readonly { readonly size: number; readonly figure: FigureResult }[]): Line[] {
  const names = new Set(measured.flatMap(({ figure }) => Object.keys(figure.contenders)))
  return [...names].map((name) => ({
    name,
    kind: 'measured',
    points: measured.flatMap(({ size, figure }) => {
      const rounds = figure.contenders[name]
      return rounds === undefined ? [] : [[size, median(rounds)] as const]
    }),
  }))
}
