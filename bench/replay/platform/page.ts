/** The page of the platform's replay. */
import type { Palette } from '../../plots/draw.js'
import { escapeHtml, footer, legend, page, panel, tiles } from '../../plots/page.js'
import {
  countChart,
  durationChart,
  latencyChart,
  memoryChart,
  ratioChart,
  rowsChart,
  staleChart,
} from './charts.js'
import { count, duration, percent, type RunFigures } from './figures.js'
import type { PlatformRun } from './run.js'
import { STAGES } from './script.js'
import {
  hitRatios,
  invalidationCounts,
  invalidationTimes,
  latencyBins,
  modelRows,
  staleShares,
} from './series.js'

export interface PageInput {
  /** No cache, the original design, hitpath; and hitpath without events. */
  readonly runs: readonly [PlatformRun, PlatformRun, PlatformRun]
  readonly deaf: PlatformRun
  readonly figures: readonly [RunFigures, RunFigures, RunFigures]
  readonly deafFigures: RunFigures
  readonly swapAt: number
  readonly symbols: readonly string[]
  /** Machine, versions, seed: a line each. */
  readonly made: readonly string[]
}

const DEAF = 'hitpath, bars not heard'

export async function writePage(input: PageInput): Promise<string> {
  const { runs, deaf, figures, swapAt } = input
  const [none, original, hitpath] = runs
  const contenders: Palette = {
    names: runs.map((run) => run.name),
    colours: ['var(--none)', 'var(--original)', 'var(--hitpath)'],
  }
  const stages: Palette = { names: STAGES, colours: STAGES.map((_, i) => `var(--stage${i + 1})`) }
  const [bare] = figures
  const amounts = figures.flatMap(({ name, heapBytes, offHeapBytes }) => [
    { contender: name, part: 'JavaScript heap', value: heapBytes / 1e6 },
    { contender: name, part: 'outside the heap', value: offHeapBytes / 1e6 },
  ])
  const latencies = await Promise.all(
    STAGES.map(async (stage, index) =>
      panel(title(stage), await latencyChart(latencyBins(runs, index), contenders), medians(figures, index)),
    ),
  )
  const staleRuns = [hitpath, { ...deaf, name: DEAF }]
  const stalePalette: Palette = { names: [hitpath.name, DEAF], colours: ['var(--hitpath)', 'var(--none)'] }
  const chips = legend(contenders)
  const bars = hitpath.invalidationMs.length
  return page(
    'hitpath: the platform replay',
    `<header>
<h1>A trading platform, replayed with and without a cache</h1>
<p class="lead">${count(bars)} real bars of ${input.symbols.length} symbols arrive one by one. Each brings requests for technical features, features of a CNN+LSTM network, its predictions, and signals made of all three. All three contenders gave the same ${count(answers(bare))} answers, bit for bit.</p>
</header>
${inLarge(input)}
<section>
<h2>How long a request takes</h2>
${chips}
<div class="grid">${latencies.join('')}</div>
<p class="note">Hits and misses are the two humps. A signal that misses asks for the other three; a batch of predictions asks the model for its unknown rows alone.</p>
</section>
<section>
<h2>What the cache had, and what the model was spared</h2>
<div class="grid">
${panel('Answered by hitpath without computing', await ratioChart(hitRatios(hitpath), stages, swapAt), legend(stages))}
${panel('Rows of predictions that the model computed', await rowsChart(modelRows(runs), contenders, swapAt), `${chips}<p>${count(bare.modelRows)} without a cache, ${count(figures[1].modelRows)} with the original design, ${count(figures[2].modelRows)} with hitpath.</p>`)}
</div>
</section>
<section>
<h2>What a bar invalidates</h2>
<div class="grid">
${panel('Time until nothing stale is left', await durationChart(invalidationTimes([original, hitpath]), contenders, swapAt), `${legend({ names: contenders.names.slice(1), colours: contenders.colours.slice(1) })}<p>The original compares a pattern with every key, ${count(original.held.entries)} at the end; hitpath changes the version of two tags, whatever carries them.</p>`)}
${panel('Signals out of date, with and without', await staleChart(staleShares(staleRuns, none), stalePalette, swapAt), `${legend(stalePalette)}<p>The ttl alone (60 s) would have served ${count(input.deafFigures.staleSignals)} signals of an older bar.</p>`)}
${panel('Entries that one bar made invalid', await countChart(invalidationCounts(hitpath), 'var(--hitpath)'), '<p>Windows of the past stay: they are found by what they hold, and a new bar changes nothing in them.</p>')}
${panel('Memory that the answers take', await memoryChart(amounts, contenders), '<p>After a full collection; most of it are technical features, 7 KB a window. The lighter part, if one sees it, is the region with the predictions.</p>')}
</div>
</section>
<section>
<h2>In figures</h2>
${stageTable(figures)}
<p class="note">Hits are of the answers asked for, rows of predictions one by one. What nobody has asked before has to be computed by all: the last line.</p>
</section>
${footer(input.made)}`,
  )
}

function inLarge({ figures, deafFigures }: PageInput): string {
  const [bare, original, hitpath] = figures
  return tiles([
    [
      `${(bare.totalMs / hitpath.totalMs).toFixed(1)} ×`,
      `less time than without a cache; ${(bare.totalMs / original.totalMs).toFixed(1)} × with the original design`,
    ],
    [
      percent(1 - hitpath.modelRows / bare.modelRows),
      `of ${count(bare.modelRows)} model rows were not computed`,
    ],
    [
      duration(hitpath.invalidationP50Us),
      `from bar to nothing stale; ${duration(original.invalidationP50Us)} in the original`,
    ],
    [
      `${count(hitpath.staleSignals)} stale`,
      `signals; ${count(deafFigures.staleSignals)} when bars are not heard`,
    ],
    [
      duration(hitpath.swapMs * 1000),
      `pause for the new model; ${duration(original.swapMs * 1000)} in the original`,
    ],
  ])
}

function medians(figures: readonly RunFigures[], stage: number): string {
  const parts = figures.map(
    ({ name, stages }) => `${escapeHtml(name)} ${duration(stages[stage]?.p50Us ?? 0)}`,
  )
  return `<p>Medians: ${parts.join(', ')}.</p>`
}

function stageTable(figures: readonly RunFigures[]): string {
  const heads = figures.map(({ name }) => `<th colspan="3">${escapeHtml(name)}</th>`).join('')
  const columns = figures.map(() => '<th>hits</th><th>median</th><th>total</th>').join('')
  const rows = STAGES.map((stage, index) => {
    const cells = figures.map(({ stages }) => {
      const { hitRatio = 0, p50Us = 0, totalMs = 0 } = stages[index] ?? {}
      return `<td>${percent(hitRatio)}</td><td>${duration(p50Us)}</td><td>${duration(totalMs * 1000)}</td>`
    })
    const asked = count(figures[0]?.stages[index]?.asked ?? 0)
    return `<tr><th scope="row">${title(stage)}</th><td>${asked}</td>${cells.join('')}</tr>`
  })
  const invalidations = figures.map(
    ({ invalidationP50Us, name }) =>
      `<td></td><td>${name === figures[0]?.name ? '' : duration(invalidationP50Us)}</td><td></td>`,
  )
  const totals = figures.map(({ totalMs }) => `<td></td><td></td><td><b>${duration(totalMs * 1000)}</b></td>`)
  const computing = figures.map(
    ({ computingMs }) => `<td></td><td></td><td>${duration(computingMs * 1000)}</td>`,
  )
  return `<div class="scroll"><table>
<thead><tr><th></th><th></th>${heads}</tr><tr><th></th><th>asked</th>${columns}</tr></thead>
<tbody>${rows.join('\n')}
<tr><th scope="row">Invalidation of a bar</th><td></td>${invalidations.join('')}</tr>
<tr><th scope="row">All</th><td></td>${totals.join('')}</tr>
<tr><th scope="row">of which computing</th><td></td>${computing.join('')}</tr></tbody>
</table></div>`
}

function answers({ stages }: RunFigures): number {
  return stages.reduce((total, stage) => total + stage.asked, 0)
}

function title(stage: string): string {
  return stage.charAt(0).toUpperCase() + stage.slice(1)
}
