/**
 * Runs the suites, prints their figures beside the targets, and keeps the results as JSON.
 *
 * The full form informs: it exits with 1 only when a contender gave a wrong answer or a subject failed. The CI
 * form is a gate: it also exits with 1, and a sentence, for each gate that is missed. A miss is measured again at the
 * end, twice as long and at most twice, before it counts: a shared machine can be another for a while.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild } from './harness/child.js'
import { type Chosen, choose } from './harness/choose.js'
import { isMissed, judge, sentence, type Verdict } from './harness/judge.js'
import { describeMachine } from './harness/machine.js'
import { type Options, readOptions, USAGE } from './harness/options.js'
import { type Failure, type Outcome, recordOf } from './harness/record.js'
import type { Results } from './harness/results.js'
import type { Answer, Run, Subject, Suite } from './harness/subject.js'
import { contenderTable, noiseLine, verdictTable } from './harness/table.js'
import { type Target, targets } from './targets.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUILT = new URL('./harness/built.ts', import.meta.url).href
/** Of the rounds: what no target judges is there to be looked at, and a run should end within a quarter of an hour. */
const UNJUDGED_SHARE = 0.4
/** Of a subject that missed a gate. */
const REPETITIONS = 2

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // whoever reads the lines may stop before the last; the results are kept all the same
  if (error.code !== 'EPIPE') throw error
})
await main()

async function main(): Promise<void> {
  const options = readOptionsOrExplain()
  if (options === undefined) return
  const suites = await loadSuites()
  if (suites === undefined) return
  if (options.list) return list(suites)

  // Children read traces too.
  process.env['HITPATH_TRACES'] = options.tracesDir
  const startedAt = new Date()
  const machine = describeMachine()
  say(
    `${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(2)}; Node ${process.versions.node}`,
  )
  const named = choose(suites, options.only)
  if (named.length === 0) return fail(`nothing is called ${options.only.join(' or ')}; --list prints the ids`)
  const chosen = named.filter(
    ({ subject }) => options.form === 'full' || targetsOf(subject, options).length > 0,
  )
  if (chosen.length === 0) return fail(`no gate judges ${options.only.join(' or ')}: nothing to measure`)

  const measured = new Map<Chosen, Outcome>()
  const failures: Failure[] = []
  const measureAll = async (those: readonly Chosen[], lengthening = 1): Promise<void> => {
    for (const [index, each] of those.entries()) {
      const secondsSoFar = Math.round((Date.now() - startedAt.getTime()) / 1_000)
      say(`[${index + 1}/${those.length}, ${secondsSoFar} s] ${each.subject.id}`)
      try {
        measured.set(each, await measureJudged(each, options, lengthening))
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        say(`  failed: ${message}`)
        failures.push({ subject: each.subject.id, message })
      }
    }
  }
  await measureAll(chosen)
  for (let again = 0; again < REPETITIONS && options.form === 'ci'; again++) {
    const doubtful = chosen.filter((each) => measured.get(each)?.verdicts.some(isDoubtful))
    if (doubtful.length === 0) break
    say('\nWhat is beyond its gate, again and twice as long:')
    await measureAll(doubtful, 2)
  }
  const outcomes = [...measured.values()]

  const results = recordOf({ form: options.form, startedAt, root: ROOT, machine, outcomes, failures })
  report(results, outcomes)
  mkdirSync(dirname(options.jsonFile), { recursive: true })
  writeFileSync(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  say(
    `\nResults are in ${relative(process.cwd(), options.jsonFile)}; ${Math.round(results.durationMs / 1_000)} s.`,
  )

  for (const { subject, message } of failures) fail(`${subject} failed: ${message.split('\n')[0]}`)
  if (options.form === 'ci') {
    const missed = outcomes.flatMap(({ verdicts }) => verdicts.filter(isMissed))
    for (const verdict of missed) fail(sentence(verdict))
  }
}

/** The targets by which the form judges a subject. */
function targetsOf({ figures }: Subject, { form }: Options): readonly Target[] {
  return targets.filter(
    ({ figure, gate }) => figures.some(({ id }) => id === figure) && (form === 'full' || gate !== undefined),
  )
}

/** Measures a subject and holds it against its targets. */
async function measureJudged(
  { suite, subject }: Chosen,
  options: Options,
  lengthening: number,
): Promise<Outcome> {
  const started = Date.now()
  const ownTargets = targetsOf(subject, options)
  const share = ownTargets.length > 0 ? lengthening : UNJUDGED_SHARE
  const run: Run = {
    form: options.form,
    rounds: Math.ceil(options.rounds * share),
    roundMs: options.roundMs,
    contenders: options.form === 'full' ? undefined : contendersOf(ownTargets),
    tracesDir: options.tracesDir,
    quick: options.quick,
    progress: (line) => say(`  ${line}`),
  }
  const answer = await subject.measure(run)
  const verdicts = judgeAll(ownTargets, answer, options)
  if (answer.skipped !== undefined) say(`  skipped: ${answer.skipped}`)
  for (const figure of subject.figures) {
    const measured = answer.figures[figure.id]
    if (measured !== undefined) for (const line of contenderTable(figure, measured)) say(line)
  }
  for (const note of answer.notes ?? []) say(`    ${note}`)
  const durationMs = Date.now() - started
  say(`  ${(durationMs / 1_000).toFixed(1)} s`)
  return { suite: suite.id, subject, answer, verdicts, durationMs }
}

/** Beyond its gate, be it by less than noise. */
function isDoubtful(verdict: Verdict): boolean {
  return isMissed(verdict) || verdict.ruling === 'noise'
}

function judgeAll(ownTargets: readonly Target[], { figures }: Answer, { form }: Options): readonly Verdict[] {
  return ownTargets.flatMap((target) => {
    const measured = figures[target.figure]
    return measured === undefined ? [] : [judge(target, measured, form)]
  })
}

function contendersOf(ownTargets: readonly Target[]): ReadonlySet<string> {
  return new Set(ownTargets.flatMap(({ of, peer }) => (peer === undefined ? [of] : [of, peer])))
}

function report({ noise }: Results, outcomes: readonly Outcome[]): void {
  const rows = outcomes.flatMap(({ subject, answer, verdicts }) =>
    verdicts.map((verdict) => ({
      verdict,
      figure: subject.figures.find(({ id }) => id === verdict.target.figure)!,
      measured: answer.figures[verdict.target.figure]!,
    })),
  )
  if (rows.length === 0) return
  say('')
  for (const line of verdictTable(rows)) say(line)
  const count = (ruling: string): number => rows.filter(({ verdict }) => verdict.ruling === ruling).length
  say(`\n${count('met')} of ${rows.length - count('unlimited')} met, ${count('noise')} within noise.`)
  if (noise !== undefined) say(noiseLine(noise))
}

function list(suites: readonly Suite[]): void {
  for (const suite of suites) {
    say(`${suite.id}: ${suite.title}`)
    for (const subject of suite.subjects) {
      for (const figure of subject.figures) say(`  ${figure.id}: ${figure.title}`)
    }
  }
}

function readOptionsOrExplain(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2), process.env, ROOT)
  } catch (error) {
    fail(`${(error as Error).message}\n\n${USAGE}`)
    return undefined
  }
}

/** The suites measure the built package: without one there is nothing to do. */
async function loadSuites(): Promise<readonly Suite[] | undefined> {
  try {
    await inChild(BUILT, 'loadBuilt')
  } catch (error) {
    fail(`hitpath does not load; npm run build comes first. ${(error as Error).message}`)
    return undefined
  }
  const { suites } = await import('./suites/index.js')
  return suites
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function fail(line: string): void {
  process.stderr.write(`${line}\n`)
  process.exitCode = 1
}
