/** What the report shows, in its order: each section finds its plots by the ids of figures and curves. */
import type { CurveResult, FigureResult, Results } from '../harness/results.js'

export interface Section {
  readonly heading: string
  /** Markup under the heading is kept to a sentence. */
  readonly lead: string
  readonly panels: readonly Panel[]
}

export type Panel =
  | { readonly kind: 'latency'; readonly figure: FigureResult }
  | { readonly kind: 'bars'; readonly figure: FigureResult }
  | { readonly kind: 'curve'; readonly curve: CurveResult }

/** Sections with something to show. A curve that no section asks for comes last rather than nowhere. */
export function sectionsOf(results: Results, endurance: Results | undefined): Section[] {
  const curves = [...results.curves, ...(endurance?.curves ?? [])].filter(({ lines }) =>
    lines.some(({ points }) => points.length > 0),
  )
  const shown = new Set<string>()
  const curve = (test: (id: string) => boolean): Panel[] =>
    curves
      .filter(({ id }) => !shown.has(id) && test(id))
      .map((found) => {
        shown.add(found.id)
        return { kind: 'curve', curve: found }
      })
  const begins = (prefix: string): Panel[] => curve((id) => id.startsWith(prefix))
  const bars = (id: string): Panel[] =>
    results.figures.filter((figure) => figure.id === id).map((figure) => ({ kind: 'bars', figure }))
  const latencies = results.figures
    .filter(({ latency }) => latency !== undefined && Object.keys(latency).length > 0)
    .map((figure): Panel => ({ kind: 'latency', figure }))

  const sections: Section[] = [
    {
      heading: 'How long one operation takes',
      lead: 'Each operation timed alone: half of them are as fast as the line at 50 %, one in a thousand is slower than the line at 99.9 %. What the clock itself takes is taken off.',
      panels: latencies,
    },
    {
      heading: 'What size costs',
      lead: 'A hit in a small cache is arithmetic; in a large one it is misses of the processor’s caches.',
      panels: begins('cost-by-'),
    },
    {
      heading: 'Threads',
      lead: 'Reads of one store by several threads at once.',
      panels: begins('throughput-'),
    },
    {
      heading: 'An expiry storm',
      lead: 'Everything dies in the same instant: how long does the event loop stand still?',
      panels: begins('storm-'),
    },
    { heading: 'Memory', lead: 'What an entry takes beyond its key and value.', panels: bars('bytes-1m') },
    {
      heading: 'Hit ratio',
      lead: 'Recorded traces replayed. Dashed lines are simulated reference policies; opt knows the future.',
      panels: [
        ...curve((id) => id === 'hit-ratio-mean'),
        ...begins('hit-ratio-'),
        ...begins('byte-hit-ratio'),
      ],
    },
    {
      heading: 'Redis healthy, slow and gone',
      lead: 'Reads through two tiers while the server behind them is disturbed.',
      panels: begins('tiers-'),
    },
    {
      heading: 'Endurance',
      lead: 'Event loop, garbage collection and memory over time, under a load that does not end.',
      panels: begins('endurance-'),
    },
    { heading: 'More', lead: '', panels: curve(() => true) },
  ]
  return sections.filter(({ panels }) => panels.length > 0)
}
