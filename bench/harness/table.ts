/** Results as lines of text. */
import type { Limit } from '../targets.js'
import { rounded, type Verdict } from './judge.js'
import type { Latency, NoiseSummary } from './results.js'
import { median, type Spread, spread } from './statistics.js'
import type { Figure, Measured } from './subject.js'

/** Rows of equal length, the first being the head, padded to columns: text to the left, figures to the right. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const isText = widths.map((_, column) => rows.slice(1).some((row) => /^[A-Za-z@<>]/.test(row[column]!)))
  const pad = (cell: string, column: number): string =>
    isText[column] ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
  return rows.map((row) => row.map(pad).join('  ').trimEnd())
}

/** One row a target: what hitpath took, what the peer took, and how the two compare with the limit. */
export function verdictTable(
  verdicts: readonly { readonly verdict: Verdict; readonly figure: Figure; readonly measured: Measured }[],
): readonly string[] {
  const head = ['figure', 'hitpath', 'peer', 'against', 'result', 'spread', 'target', '']
  const rows = verdicts.map(({ verdict, figure, measured }) => {
    const { target, limit, result, ruling } = verdict
    const took = (name: string | undefined): string => {
      const rounds = name === undefined ? undefined : measured.contenders[name]
      return rounds === undefined ? '' : `${rounded(median(rounds))} ${figure.unit}`
    }
    return [
      figure.title,
      took(target.of),
      took(target.peer),
      target.peer ?? '',
      rounded(result.median),
      between(result),
      limit === undefined ? 'none' : bound(limit),
      { met: 'met', noise: 'within noise', near: 'MISSED, near', missed: 'MISSED', unlimited: '' }[ruling],
    ]
  })
  return columns([head, ...rows])
}

/** One row a contender of a figure: its median, its middle half and, where single operations were timed, their tail. */
export function contenderTable(
  { title, unit }: Figure,
  { contenders, noise, latency, leftOut = [] }: Measured,
): readonly string[] {
  const names = Object.keys(contenders)
  const width = Math.max(...names.map((name) => name.length))
  const rows = names.map((name) => {
    const { median: middle, low, high } = spread(contenders[name]!)
    const range = contenders[name]!.length > 1 ? `  (${rounded(low)} to ${rounded(high)})` : ''
    const tail = latency?.[name]
    return `    ${name.padEnd(width)}  ${rounded(middle).padStart(8)} ${unit}${range}${tail ? tailOf(tail) : ''}`
  })
  const self = noise === undefined ? [] : [`    noise: ${names[0]} against itself ${between(spread(noise))}`]
  const absent = leftOut.map(({ name, reason }) => `    without ${name}: ${reason}`)
  return [`  ${title}`, ...rows, ...self, ...absent]
}

function tailOf({ p50, p99, p999, max }: Latency): string {
  return `  one by one: p50 ${took(p50)}, p99 ${took(p99)}, p99.9 ${took(p999)}, max ${took(max)}`
}

function took(ns: number): string {
  if (ns >= 1e6) return `${rounded(ns / 1e6)} ms`
  return ns >= 1_000 ? `${rounded(ns / 1_000)} us` : `${rounded(ns)} ns`
}

/** What the same contender against itself showed over the run. */
export function noiseLine({ figures, median: middle, worst, worstFigure }: NoiseSummary): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  return `Noise, a contender against itself over ${figures} ${figures === 1 ? 'figure' : 'figures'}: ${percent(middle)} (median), ${percent(worst)} (${worstFigure}); what is beyond its limit by less than a figure's own is neither met nor missed.`
}

function between({ low, high }: Spread): string {
  return `${rounded(low)} to ${rounded(high)}`
}

function bound({ max, min }: Limit): string {
  return max === undefined ? `>= ${min}` : `<= ${max}`
}
