/**
 * Runs the suites, prints their figures beside the targets, and keeps the results as JSON.
 *
 * The full form informs: it exits with 1 only when a contender gave a wrong answer or a subject failed. The smoke
 * form is a gate: it also exits with 1, and a sentence, for each gate that is missed; a near miss is measured
 * again, twice as long, before it counts.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inChild } from './harness/child.js'
import { judge, sentence, type Verdict } from './harness/judge.js'
import { describeMachine, revision, versions } from './harness/machine.js'
import { type Options, readOptions, USAGE } from './harness/options.js'
import type { Answer, Figure, Measured, Run, Subject, Suite } from './harness/subject.js'
import { contenderTable, verdictTable } from './harness/table.js'
import { type Target, targets } from './targets.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUILT = new URL('./harness/built.ts', import.meta.url).href

interface Result {
  readonly subject: Subject
  readonly answer: Answer
  readonly verdicts: readonly Verdict[]
}

interface Failure {
  readonly subject: Subject
  readonly message: string
}

await main()

async function main(): Promise<void> {
  const options = readOptionsOrExplain()
  if (options === undefined) return
  const suites = await loadSuites()
  if (suites === undefined) return
  if (options.list) return list(suites)

  const startedAt = new Date()
  const machine = describeMachine()
  say(
    `${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(2)}; Node ${process.versions.node}`,
  )
  const chosen = choose(suites, options.only)
  if (chosen.length === 0)
    return fail(`nothing is called ${options.only.join(' or ')}; --list prints the ids`)

  const results: Result[] = []
  const failures: Failure[] = []
  for (const [index, subject] of chosen.entries()) {
    say(`[${index + 1}/${chosen.length}] ${subject.id}`)
    try {
      const result = await measureJudged(subject, options)
      if (result !== undefined) results.push(result)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      say(`  failed: ${message}`)
      failures.push({ subject, message })
    }
  }

  report(results)
  const kept = {
    schema: 'hitpath-bench/1',
    form: options.form,
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    revision: revision(ROOT),
    machine,
    versions: versions(ROOT),
    ...resultsAsJson(results),
    failures: failures.map(({ subject, message }) => ({ subject: subject.id, message })),
  }
  mkdirSync(dirname(options.jsonFile), { recursive: true })
  writeFileSync(options.jsonFile, `${JSON.stringify(kept, null, 2)}\n`)
  say(
    `\nResults are in ${relative(process.cwd(), options.jsonFile)}; ${Math.round(kept.durationMs / 1_000)} s.`,
  )

  for (const { subject, message } of failures) fail(`${subject.id} failed: ${message.split('\n')[0]}`)
  if (options.form === 'smoke') {
    for (const { verdicts } of results) {
      for (const verdict of verdicts) {
        if (verdict.ruling === 'near' || verdict.ruling === 'missed') fail(sentence(verdict))
      }
    }
  }
}

/** Measures a subject and holds it against its targets; undefined when it was skipped. */
async function measureJudged(subject: Subject, options: Options): Promise<Result | undefined> {
  const started = Date.now()
  const ownTargets = targets.filter(
    (target) =>
      subject.figures.some(({ id }) => id === target.figure) &&
      (options.form === 'full' || target.gate !== undefined),
  )
  if (options.form === 'smoke' && ownTargets.length === 0) return undefined
  const run: Run = {
    form: options.form,
    rounds: options.rounds,
    roundMs: options.roundMs,
    contenders: options.form === 'full' ? undefined : contendersOf(ownTargets),
    tracesDir: options.tracesDir,
    quick: options.quick,
    progress: (line) => say(`  ${line}`),
  }
  let answer = await subject.measure(run)
  let verdicts = judgeAll(ownTargets, answer, options)
  if (options.form === 'smoke' && verdicts.some(({ ruling }) => ruling === 'near')) {
    say('  a near miss: measuring again, twice as long')
    answer = await subject.measure({ ...run, rounds: run.rounds * 2 })
    verdicts = judgeAll(ownTargets, answer, options)
  }
  if (answer.skipped !== undefined) {
    say(`  skipped: ${answer.skipped}`)
    return undefined
  }
  for (const figure of subject.figures) {
    const measured = answer.figures[figure.id]
    if (measured !== undefined) for (const line of contenderTable(figure, measured)) say(line)
  }
  for (const note of answer.notes ?? []) say(`    ${note}`)
  say(`  ${((Date.now() - started) / 1_000).toFixed(1)} s`)
  return { subject, answer, verdicts }
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

function report(results: readonly Result[]): void {
  const rows = results.flatMap(({ subject, answer, verdicts }) =>
    verdicts.map((verdict) => ({ verdict, ...figureOf(subject, answer, verdict.target.figure) })),
  )
  if (rows.length === 0) return
  say('')
  for (const line of verdictTable(rows)) say(line)
  const missed = rows.filter(({ verdict }) => verdict.ruling === 'near' || verdict.ruling === 'missed').length
  say(`\n${rows.length - missed} of ${rows.length} met.`)
}

function figureOf(subject: Subject, answer: Answer, id: string): { figure: Figure; measured: Measured } {
  return { figure: subject.figures.find((figure) => figure.id === id)!, measured: answer.figures[id]! }
}

function resultsAsJson(results: readonly Result[]): { figures: unknown; verdicts: unknown } {
  return {
    figures: results.flatMap(({ subject, answer }) =>
      subject.figures.flatMap((figure) => {
        const measured = answer.figures[figure.id]
        return measured === undefined
          ? []
          : [{ ...figure, subject: subject.id, ...measured, notes: answer.notes }]
      }),
    ),
    verdicts: results.flatMap(({ verdicts }) =>
      verdicts.map(({ target, limit, result, ruling }) => ({ ...target, limit, result, ruling })),
    ),
  }
}

function choose(suites: readonly Suite[], only: readonly string[]): readonly Subject[] {
  const isChosen = (suite: Suite, subject: Subject): boolean =>
    only.length === 0 ||
    [suite.id, subject.id, ...subject.figures.map(({ id }) => id)].some((id) => only.includes(id))
  return suites.flatMap((suite) => suite.subjects.filter((subject) => isChosen(suite, subject)))
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
