/**
 * What a run leaves behind as JSON, and the one thing that the report, the README's figures and comparisons read.
 *
 * Three kinds of measurement: a figure is one quantity by which contenders are compared, round by round; a latency is
 * the distribution of single operations of one contender of a figure; a curve is a quantity over another (time, size,
 * threads), one line a contender. Numbers that were infinite are null in the file.
 */
import type { Limit, Target } from '../targets.js'
import type { Ruling } from './judge.js'
import type { Machine } from './machine.js'
import type { Spread } from './statistics.js'
import type { Figure, Form, Measured } from './subject.js'

export const SCHEMA = 'hitpath-bench/2'

/** `endurance` is written by bench/endurance: it holds curves and notes, no figures. */
export type ResultsForm = Form | 'endurance'

export interface Results {
  readonly schema: typeof SCHEMA
  readonly form: ResultsForm
  /** ISO 8601. */
  readonly startedAt: string
  readonly durationMs: number
  /** Short commit id, with `+` when the tree differed from it; absent outside a repository. */
  readonly revision?: string
  readonly machine: Machine
  /** By package; `node` and `v8` too. `absent` when a peer is not installed. */
  readonly versions: Readonly<Record<string, string>>
  /** What the same contender against itself showed over the whole run; absent when nothing was timed. */
  readonly noise?: NoiseSummary
  readonly subjects: readonly SubjectResult[]
  readonly figures: readonly FigureResult[]
  readonly curves: readonly CurveResult[]
  readonly verdicts: readonly VerdictResult[]
  readonly failures: readonly { readonly subject: string; readonly message: string }[]
}

export interface SubjectResult {
  readonly id: string
  readonly suite: string
  readonly durationMs: number
  /** Why nothing was measured. */
  readonly skipped?: string
  /** Lines that were printed beside the figures. */
  readonly notes?: readonly string[]
}

/** `contenders`: aligned rounds by contender. `noise`: the first against itself, round by round. */
export interface FigureResult extends Figure, Measured {
  readonly subject: string
  readonly suite: string
}

/** Single operations, each timed alone, in nanoseconds; the clock's own reading is taken off. */
export interface Latency {
  readonly samples: number
  /** What was taken off each sample: the median of an empty measurement. Anything below it is not resolved. */
  readonly clockNs: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** Pairs of share and time, ascending, from 0 to 1: enough to draw the distribution. */
  readonly quantiles: readonly (readonly [share: number, ns: number])[]
}

export interface Axis {
  readonly title: string
  /** `ms`, `MiB`, `ns`, `%`, `entries`, `B`, `threads`, ... */
  readonly unit: string
  readonly scale: 'linear' | 'log'
}

export interface Line {
  /** The contender or policy. */
  readonly name: string
  /** `measured` ran in this run; `reference` is a published or simulated result drawn beside. */
  readonly kind: 'measured' | 'reference'
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** A moment or a stretch of the x axis that has a name: the deadline of a storm, "Redis frozen". */
export interface Mark {
  readonly title: string
  readonly from: number
  readonly to?: number
}

export interface Curve {
  /** Stable: the report finds its plots by it. bench/README.md lists them. */
  readonly id: string
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly lines: readonly Line[]
  readonly marks?: readonly Mark[]
  /** What a reader must know to read it right: "synthetic ttl", "own time". */
  readonly note?: string
}

export interface CurveResult extends Curve {
  readonly subject: string
  readonly suite: string
}

export interface VerdictResult extends Target {
  /** What it was held against: `limit` in the full form, `gate` in the CI form; absent when that has none. */
  readonly judged?: Limit
  /** Median and middle half of the ratios (differences, values) of rounds. */
  readonly result: Spread
  /** What is beyond its limit by less than this share of it is neither met nor missed: what the figure's A/A rounds spread over. */
  readonly margin: number
  readonly ruling: Ruling
}

/** Ratios of the same contender against itself, over all timed figures. */
export interface NoiseSummary {
  readonly figures: number
  /** The median of the figures' margins. */
  readonly median: number
  readonly worst: number
  readonly worstFigure: string
}
