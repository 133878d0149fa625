/**
 * What changed between two measurements of one figure, beyond noise.
 *
 * Two results files: hitpath is taken relative to the peer that its target names, round by round, so that a machine that was
 * slower on one day slows both; the ratio of the two medians gets a bootstrap interval of 99 %. Two revisions that were timed
 * in turn: the ratios of rounds side by side, and the interval of their median. A change counts when the interval leaves 1
 * out and the change is larger than what the same contender shows against itself.
 */
import { marginOf } from '../harness/judge.js'
import type { FigureResult, Results } from '../harness/results.js'
import { median, spread } from '../harness/statistics.js'
import { type Interval, medianInterval, ratioOfMedians } from './bootstrap.js'

/** `unknown`: too few rounds to tell. */
export type Direction = 'same' | 'better' | 'worse' | 'unknown'

export interface Change {
  readonly figure: string
  readonly title: string
  readonly contender: string
  /** What it is relative to; undefined when absolute rounds are compared, as where one of the two has no such peer. */
  readonly peer?: string
  readonly unit: string
  readonly before: number
  readonly after: number
  /** After divided by before. */
  readonly ratio: number
  readonly interval?: Interval
  /** What the same contender shows against itself, relative. */
  readonly margin: number
  readonly direction: Direction
}

/** Changes of every contender of hitpath, by its name or by what a target judges, in the figures that both results have. */
export function compareResults(before: Results, after: Results): readonly Change[] {
  const later = new Map(after.figures.map((figure) => [figure.id, figure]))
  return before.figures.flatMap((earlier) => {
    const figure = later.get(earlier.id)
    if (figure === undefined) return []
    const isOurs = (name: string): boolean =>
      name.startsWith('hitpath') ||
      before.verdicts.some((verdict) => verdict.figure === earlier.id && verdict.of === name)
    const names = Object.keys(earlier.contenders).filter(
      (name) => isOurs(name) && figure.contenders[name] !== undefined,
    )
    return names.map((name) => changeOf(name, earlier, figure, before))
  })
}

function changeOf(name: string, earlier: FigureResult, later: FigureResult, results: Results): Change {
  const judged = results.verdicts.filter(({ figure, of }) => figure === earlier.id && of === name)
  const target = judged.find(({ statistic }) => statistic === 'ratio') ?? judged[0]
  const wanted = target?.statistic === 'ratio' ? target.peer : undefined
  const isInBoth = wanted !== undefined && [earlier, later].every(({ contenders }) => wanted in contenders)
  const peer = isInBoth ? wanted : undefined
  const before = relative(earlier, name, peer)
  const after = relative(later, name, peer)
  const ratio = median(after) / median(before)
  const interval = ratioOfMedians(before, after)
  const margin = Math.max(marginOf(earlier), marginOf(later))
  return {
    figure: earlier.id,
    title: earlier.title,
    contender: name,
    ...(peer !== undefined && { peer }),
    unit: peer === undefined ? earlier.unit : '×',
    before: median(before),
    after: median(after),
    ratio,
    ...(interval && { interval }),
    margin,
    direction: directionOf(ratio, interval, margin, target?.limit.min !== undefined),
  }
}

function relative({ contenders }: FigureResult, name: string, peer: string | undefined): readonly number[] {
  const own = contenders[name]!
  return peer === undefined ? own : own.map((value, round) => value / contenders[peer]![round]!)
}

/** Rounds of two revisions that ran side by side; `again` is the earlier revision in another process. */
export interface PairedRounds {
  readonly before: readonly number[]
  readonly again: readonly number[]
  readonly after: readonly number[]
}

export function comparePaired(
  figure: { readonly id: string; readonly title: string; readonly unit: string },
  contender: string,
  { before, again, after }: PairedRounds,
): Change {
  const ratios = after.map((value, round) => value / before[round]!)
  const self = spread(again.map((value, round) => value / before[round]!))
  const margin = Math.max(Math.abs(self.low - 1), Math.abs(self.high - 1))
  const interval = medianInterval(ratios)
  const ratio = median(ratios)
  return {
    figure: figure.id,
    title: figure.title,
    contender,
    unit: figure.unit,
    before: median(before),
    after: median(after),
    ratio,
    ...(interval && { interval }),
    margin,
    direction: directionOf(ratio, interval, margin, false),
  }
}

function directionOf(
  ratio: number,
  interval: Interval | undefined,
  margin: number,
  moreIsBetter: boolean,
): Direction {
  if (interval === undefined || !Number.isFinite(ratio)) return 'unknown'
  const isBeyond = interval.low > 1 || interval.high < 1
  if (!isBeyond || Math.abs(ratio - 1) <= margin) return 'same'
  return ratio > 1 === moreIsBetter ? 'better' : 'worse'
}

/** Why absolute figures of the two may differ without a change of code. */
export function differencesOfSetting(before: Results, after: Results): readonly string[] {
  const told: string[] = []
  const tell = (what: string, a: unknown, b: unknown): void => {
    if (a !== b) told.push(`${what}: ${a} before, ${b} after`)
  }
  tell('form', before.form, after.form)
  tell('processor', before.machine.cpu.trim(), after.machine.cpu.trim())
  tell('cores', before.machine.cores, after.machine.cores)
  for (const name of Object.keys(before.versions)) {
    if (name !== 'hitpath') tell(name, before.versions[name], after.versions[name])
  }
  return told
}
