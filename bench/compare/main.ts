/** Compares two results files, or two revisions of git timed in turn: `npm run bench:compare`. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { choose } from '../harness/choose.js'
import { type Results, SCHEMA } from '../harness/results.js'
import type { Suite } from '../harness/subject.js'
import { isTimed, type TimedSubject } from '../harness/timed.js'
import { CONFIDENCE } from './bootstrap.js'
import { type Change, compareResults, differencesOfSetting } from './changes.js'
import { COMPARE_USAGE, type CompareOptions, readCompareOptions } from './options.js'
import type { Revision as RevisionOfGit } from './revisions.js'
import { changeTable } from './table.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

try {
  const options = readCompareOptions(process.argv.slice(2))
  const changes = options.areRevisions ? await ofRevisions(options) : ofFiles(options)
  report(changes, options)
} catch (error) {
  const isUsage = error instanceof RangeError || error instanceof TypeError
  fail(isUsage ? `${error.message}\n\n${COMPARE_USAGE}` : (error as Error).message)
}

function ofFiles({ sides, only }: CompareOptions): readonly Change[] {
  const [before, after] = [readResults(sides[0]), readResults(sides[1])]
  for (const line of differencesOfSetting(before, after)) say(`Different settings: ${line}`)
  const suiteOf = new Map(before.figures.map(({ id, subject, suite }) => [id, [id, subject, suite]]))
  return compareResults(before, after).filter(
    ({ figure }) => only.length === 0 || suiteOf.get(figure)!.some((id) => only.includes(id)),
  )
}

function readResults(file: string): Results {
  let results: Results | null
  try {
    results = JSON.parse(readFileSync(file, 'utf8')) as Results | null
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  if (results?.schema !== SCHEMA)
    throw new Error(`${file}: expected results of schema ${SCHEMA}; got ${results?.schema}`)
  return results
}

async function ofRevisions(options: CompareOptions): Promise<readonly Change[]> {
  const subjects = await timedSubjects(options.only)
  const { Revision } = await import('./revisions.js')
  const { compareAt } = await import('./interleaved.js')
  const built: RevisionOfGit[] = []
  const remove = (): void => {
    for (const revision of built.splice(0)) revision.remove()
  }
  process.once('SIGINT', () => {
    remove()
    process.exit(130)
  })
  try {
    for (const side of options.sides) built.push(Revision.build(ROOT, side, say))
    const changes: Change[] = []
    for (const [index, subject] of subjects.entries()) {
      say(`[${index + 1}/${subjects.length}] ${subject.id}`)
      changes.push(await compareAt(subject, [built[0]!, built[1]!], options))
    }
    return changes
  } finally {
    remove()
  }
}

/** What can be timed in turn at two revisions. */
async function timedSubjects(only: readonly string[]): Promise<readonly TimedSubject[]> {
  if (only.length === 0) throw new RangeError('--revisions needs --only: which figures to time')
  const { suites } = (await import('../suites/index.js')) as { suites: readonly Suite[] }
  const subjects = choose(suites, only).map(({ subject }) => subject)
  const timed = subjects.filter(isTimed)
  for (const subject of subjects) if (!isTimed(subject)) say(`left out, not timed in turns: ${subject.id}`)
  if (timed.length === 0)
    throw new RangeError(`nothing that is timed in turns is called ${only.join(' or ')}`)
  return timed
}

function report(changes: readonly Change[], { failOn, only }: CompareOptions): void {
  if (changes.length === 0) {
    const called = only.length > 0 ? ` that is called ${only.join(' or ')}` : ''
    throw new Error(`the two have no figure of hitpath in common${called}`)
  }
  for (const line of changeTable(changes)) say(line)
  const count = (direction: string): number =>
    changes.filter((change) => change.direction === direction).length
  const [better, worse] = [count('better'), count('worse')]
  say(
    `\n${changes.length} compared: ${better} better, ${worse} worse, ${count('same')} the same within noise, ${count('unknown')} of too few rounds.`,
  )
  say(
    `A change counts when the ${CONFIDENCE * 100} % bootstrap interval of the ratio leaves 1 out and the change is larger than the noise.`,
  )
  if (failOn === 'worse' && worse > 0) fail(`${worse} figures are worse`)
  if (failOn === 'changed' && better + worse > 0) fail(`${better + worse} figures changed`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function fail(line: string): void {
  process.stderr.write(`${line}\n`)
  process.exitCode = 1
}
