/** The report of one results file. */
import { rounded } from '../harness/judge.js'
import type { FigureResult, Latency, Results, VerdictResult } from '../harness/results.js'
import { median, spread } from '../harness/statistics.js'
import { escapeHtml, footer, legend, page, panel, tiles } from '../plots/page.js'
import { barChart, lineChart, quantileChart, targetsChart } from './charts.js'
import { paletteOf } from './palette.js'
import { type Panel, sectionsOf } from './sections.js'

const RULINGS = {
  names: ['met', 'within noise', 'missed'],
  colours: ['var(--met)', 'var(--noise)', 'var(--missed)'],
}
const SHOWN = { met: 'met', noise: 'within noise', near: 'missed', missed: 'missed', unlimited: '' } as const
/** Traces beyond these are folded. */
const OPEN_PANELS = 8

export async function reportPage(results: Results, endurance?: Results): Promise<string> {
  const sections = await Promise.all(
    sectionsOf(results, endurance).map(async ({ heading, lead, panels }) => {
      const drawn = await Promise.all(panels.map(drawnPanel))
      const rest = drawn.slice(OPEN_PANELS)
      const folded =
        rest.length === 0
          ? ''
          : `<details><summary>${rest.length} more</summary><div class="grid">${rest.join('')}</div></details>`
      return `<section>\n<h2>${escapeHtml(heading)}</h2>\n<p class="note">${escapeHtml(lead)}</p>\n<div class="grid">${drawn.slice(0, OPEN_PANELS).join('\n')}</div>${folded}\n</section>`
    }),
  )
  const { met, all } = tally(results.verdicts)
  return page(
    'hitpath: the measured report',
    `<header>
<h1>hitpath, measured</h1>
<p class="lead">Ratios to named peers, measured in turn in one run: ${met} of ${all} targets are met. Plots show what was measured, medians of rounds unless they say otherwise; no number here was typed by hand.</p>
</header>
${inLarge(results)}
<section>
<h2>Targets</h2>
${legend(RULINGS)}
<div class="wide">${await targets(results)}</div>
<p class="note">A ratio divides hitpath’s time by its peer’s, round by round. Within noise: beyond the limit by less than the same contender is from itself.</p>
</section>
${sections.join('\n')}
<section>
<h2>In figures</h2>
${figureTable(results)}
</section>
${footer(made(results))}`,
  )
}

async function drawnPanel(shown: Panel): Promise<string> {
  if (shown.kind === 'latency') {
    const { title, latency = {} } = shown.figure
    const palette = paletteOf(Object.keys(latency))
    return panel(title, await quantileChart(latency, palette), legend(palette) + tails(latency))
  }
  if (shown.kind === 'bars') {
    const { title, unit } = shown.figure
    const amounts = amountsOf(shown.figure)
    const palette = paletteOf(amounts.map(({ contender }) => contender))
    return panel(title, await barChart(amounts, unit === 'B' ? 'bytes' : unit, palette), '')
  }
  const { title, marks = [] } = shown.curve
  const note = [shown.curve.note, ...marks.map((mark) => mark.title).filter((text) => text.includes(':'))]
    .filter((text) => text !== undefined)
    .join(' ')
  const palette = paletteOf(shown.curve.lines.map(({ name }) => name))
  const below = note === '' ? '' : `<p>${escapeHtml(note)}</p>`
  return panel(title, await lineChart(shown.curve, palette), legend(palette) + below)
}

/** One value a contender: the median of its rounds. */
export function amountsOf({ contenders }: FigureResult): { contender: string; value: number }[] {
  return Object.entries(contenders).map(([contender, rounds]) => ({ contender, value: median(rounds) }))
}

function tails(latency: Readonly<Record<string, Latency>>): string {
  const parts = Object.entries(latency).map(
    ([name, { p50, p99, p999, max }]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${[p50, p99, p999, max].map((ns) => `<td>${time(ns)}</td>`).join('')}</tr>`,
  )
  return `<details><summary>p50, p99, p99.9, longest</summary><table><thead><tr><th></th><th>p50</th><th>p99</th><th>p99.9</th><th>longest</th></tr></thead><tbody>${parts.join('')}</tbody></table></details>`
}

function targets({ verdicts, figures }: Results): Promise<string> {
  const judged = verdicts.filter(({ ruling }) => ruling !== 'unlimited')
  const rows = judged.flatMap((verdict) => {
    const share = shareOfLimit(verdict)
    const title = figures.find(({ id }) => id === verdict.figure)?.title ?? verdict.figure
    const against = verdict.peer === undefined ? '' : ` / ${verdict.peer}`
    return share === undefined
      ? []
      : [{ title: `${title}${against}`, share, ruling: SHOWN[verdict.ruling] as never }]
  })
  return targetsChart(rows, RULINGS)
}

/** Result over limit, the other way round for a minimum; undefined where the quotient says nothing (a limit or a result of zero or below). */
export function shareOfLimit({ result, limit }: Pick<VerdictResult, 'result' | 'limit'>): number | undefined {
  const bound = limit.max ?? limit.min
  if (bound === undefined || bound <= 0 || !Number.isFinite(result.median)) return undefined
  const value = Math.max(result.median, bound / 1000)
  return limit.max === undefined ? bound / value : value / bound
}

function tally(verdicts: readonly VerdictResult[]): { met: number; all: number } {
  const judged = verdicts.filter(({ ruling }) => ruling !== 'unlimited')
  return { met: judged.filter(({ ruling }) => ruling === 'met').length, all: judged.length }
}

/** What a reader should see first, where the run has it. */
const LARGE: readonly (readonly [target: string, label: string])[] = [
  ['get-built-1k', 'of lru-cache’s time for a hit, key built for the call'],
  ['get-built-1m', 'the same at a million entries'],
  ['shared-get', 'of lmdb’s time for a value read by every thread'],
  ['array-60x5-md5', 'of md5 and a Map’s for a window of market data'],
  ['tiered-get-bentocache', 'of bentocache’s for a hit through two tiers'],
]

function inLarge({ verdicts }: Results): string {
  const entries = LARGE.flatMap(([id, label]) => {
    const found = verdicts.find((verdict) => verdict.id === id)
    return found === undefined ? [] : [[percent(found.result.median), label] as const]
  })
  return tiles(entries)
}

function figureTable({ figures, verdicts }: Results): string {
  const rows = figures.map((figure) => {
    const limits = verdicts.filter(
      (verdict) => verdict.figure === figure.id && verdict.ruling !== 'unlimited',
    )
    const cells = Object.entries(figure.contenders).map(([name, rounds]) => {
      const { median: middle, low, high } = spread(rounds)
      const range = rounds.length > 1 ? ` (${rounded(low)} to ${rounded(high)})` : ''
      return `<tr><td>${escapeHtml(name)}</td><td>${rounded(middle)}${range}</td></tr>`
    })
    const judged = limits.map(
      ({ of, peer, result, limit, ruling }) =>
        `<p>${escapeHtml(`${of}${peer === undefined ? '' : ` / ${peer}`}: ${rounded(result.median)}, ${limit.max === undefined ? `at least ${limit.min}` : `at most ${limit.max}`}: ${SHOWN[ruling]}`)}</p>`,
    )
    return `<details><summary>${escapeHtml(figure.title)}, ${escapeHtml(figure.unit)}</summary><table><tbody>${cells.join('')}</tbody></table>${judged.join('')}</details>`
  })
  return `<div class="scroll">${rows.join('\n')}</div>`
}

function made({ machine, versions, startedAt, durationMs, revision, noise }: Results): string[] {
  const own = versions['hitpath']
  const peers = Object.entries(versions).filter(
    ([name, version]) => version !== 'absent' && name !== 'hitpath',
  )
  return [
    `${machine.cpu.trim()}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}, kernel ${machine.kernel}; load ${machine.load.toFixed(2)} before the run.`,
    `hitpath ${own ?? ''}${revision === undefined ? '' : ` (${revision})`}; ${peers.map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${Math.round(durationMs / 1000)} s.${noise === undefined ? '' : ` The same contender against itself differs by ${percent(noise.median)} in the middle and ${percent(noise.worst)} at worst (${noise.worstFigure}).`}`,
  ]
}

function percent(share: number): string {
  return `${rounded(share * 100)} %`
}

function time(ns: number): string {
  if (ns >= 1e6) return `${rounded(ns / 1e6)} ms`
  return ns >= 1e3 ? `${rounded(ns / 1e3)} µs` : `${rounded(ns)} ns`
}
