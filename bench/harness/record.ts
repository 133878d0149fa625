/** Puts together what a run found: the results file of results.ts out of subjects and their answers. */
import type { Limit } from '../targets.js'
import { figureCurves } from './figure-curves.js'
import { marginOf, type Verdict } from './judge.js'
import { type describeMachine, revision, versions } from './machine.js'
import {
  type CurveResult,
  type FigureResult,
  type NoiseSummary,
  type Results,
  type ResultsForm,
  SCHEMA,
  type SubjectResult,
  type VerdictResult,
} from './results.js'
import { median } from './statistics.js'
import type { Answer, Subject } from './subject.js'

export interface Outcome {
  readonly suite: string
  readonly subject: Pick<Subject, 'id' | 'figures'>
  readonly answer: Answer
  readonly verdicts: readonly Verdict[]
  readonly durationMs: number
}

export interface Failure {
  readonly subject: string
  readonly message: string
}

export interface RunFacts {
  readonly form: ResultsForm
  readonly startedAt: Date
  readonly root: string
  readonly machine: ReturnType<typeof describeMachine>
  readonly outcomes: readonly Outcome[]
  readonly failures: readonly Failure[]
}

export function recordOf({ form, startedAt, root, machine, outcomes, failures }: RunFacts): Results {
  const figures = outcomes.flatMap(figuresOf)
  const commit = revision(root)
  const noise = noiseOf(figures)
  return {
    schema: SCHEMA,
    form,
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    ...(commit !== undefined && { revision: commit }),
    machine,
    versions: versions(root),
    ...(noise !== undefined && { noise }),
    subjects: outcomes.map(subjectOf),
    figures,
    curves: [...outcomes.flatMap(curvesOf), ...figureCurves(figures)],
    verdicts: outcomes.flatMap(({ verdicts }) => verdicts.map(verdictOf)),
    failures,
  }
}

function figuresOf({ suite, subject, answer }: Outcome): readonly FigureResult[] {
  return subject.figures.flatMap((figure) => {
    const measured = answer.figures[figure.id]
    return measured === undefined ? [] : [{ ...figure, subject: subject.id, suite, ...measured }]
  })
}

function curvesOf({ suite, subject, answer }: Outcome): readonly CurveResult[] {
  return (answer.curves ?? []).map((curve) => ({ ...curve, subject: subject.id, suite }))
}

function subjectOf({ suite, subject, answer, durationMs }: Outcome): SubjectResult {
  const { skipped, notes } = answer
  return { id: subject.id, suite, durationMs, ...(skipped && { skipped }), ...(notes && { notes }) }
}

function verdictOf({ target, limit, result, margin, ruling }: Verdict): VerdictResult {
  const judged: { judged?: Limit } = limit === undefined ? {} : { judged: limit }
  return { ...target, ...judged, result, margin, ruling }
}

/** Over the figures whose first contender was timed against itself. */
export function noiseOf(figures: readonly FigureResult[]): NoiseSummary | undefined {
  const timed = figures.filter(({ noise }) => noise !== undefined)
  if (timed.length === 0) return undefined
  const margins = timed.map(marginOf)
  const worst = margins.indexOf(Math.max(...margins))
  return {
    figures: timed.length,
    median: median(margins),
    worst: margins[worst]!,
    worstFigure: timed[worst]!.id,
  }
}
