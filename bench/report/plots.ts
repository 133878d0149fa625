/** The plots that README.md shows, each a file that stands alone. */
import type { Results } from '../harness/results.js'
import { standalone } from '../plots/draw.js'
import { barChart, lineChart, quantileChart } from './charts.js'
import { amountsOf } from './page.js'
import { paletteOf } from './palette.js'

const LATENCY = 'get-built-1k'
const MEMORY = 'bytes-1m'
/** File by curve. */
const CURVES: Readonly<Record<string, string>> = {
  'cost-by-entries-built': 'entries.svg',
  'storm-delay': 'storm.svg',
  'hit-ratio-mean': 'hit-ratio.svg',
  'tiers-outage': 'outage.svg',
}

/** By file name; what the run did not measure is not there. */
export async function readmePlots({ figures, curves }: Results): Promise<ReadonlyMap<string, string>> {
  const plots = new Map<string, string>()
  for (const figure of figures) {
    const { title, latency } = figure
    if (figure.id === LATENCY && latency !== undefined) {
      const drawn = await quantileChart(latency, paletteOf(Object.keys(latency)), { title })
      plots.set('latency.svg', standalone(drawn))
    }
    if (figure.id === MEMORY) {
      const amounts = amountsOf(figure)
      const palette = paletteOf(amounts.map(({ contender }) => contender))
      plots.set('memory.svg', standalone(await barChart(amounts, 'bytes', palette, { title })))
    }
  }
  for (const curve of curves) {
    const file = CURVES[curve.id]
    if (file === undefined) continue
    const palette = paletteOf(curve.lines.map(({ name }) => name))
    plots.set(file, standalone(await lineChart(curve, palette, { title: curve.title })))
  }
  return plots
}
