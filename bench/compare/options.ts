/** What the command line of bench:compare asks for. */
import { parseArgs } from 'node:util'
import { positive } from '../harness/options.js'

export interface CompareOptions {
  /** Two results files, or two revisions of git. */
  readonly sides: readonly [before: string, after: string]
  readonly areRevisions: boolean
  readonly only: readonly string[]
  readonly rounds: number
  readonly roundMs: number
  readonly failOn: FailOn
}

const FAIL_ON = ['never', 'worse', 'changed'] as const
export type FailOn = (typeof FAIL_ON)[number]

export const COMPARE_USAGE = `npm run bench:compare -- BEFORE.json AFTER.json
npm run bench:compare -- --revisions BEFORE AFTER --only id,id
  --revisions        BEFORE and AFTER are revisions of git: each is built, and they are timed in turn
  --only id,id       figures, subjects or suites; with --revisions only what tinybench times
  --rounds N         timed rounds of each revision (15)
  --round-ms N       how long a revision is timed in a round (80)
  --fail-on WHAT     exit with 1 when something is worse, or changed at all: never (default), worse, changed`

export function readCompareOptions(args: readonly string[]): CompareOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      revisions: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      rounds: { type: 'string', default: '15' },
      'round-ms': { type: 'string', default: '80' },
      'fail-on': { type: 'string', default: 'never' },
    },
  })
  const [before, after] = positionals
  if (before === undefined || after === undefined || positionals.length > 2)
    throw new RangeError(`two files or two revisions are compared; got ${positionals.length}`)
  const failOn = FAIL_ON.find((what) => what === values['fail-on'])
  if (failOn === undefined)
    throw new RangeError(
      `--fail-on must be one of ${FAIL_ON.join(', ')}; got ${JSON.stringify(values['fail-on'])}`,
    )
  return {
    sides: [before, after],
    areRevisions: values.revisions,
    only: values.only.split(',').filter((id) => id !== ''),
    rounds: positive('--rounds', values.rounds),
    roundMs: positive('--round-ms', values['round-ms']),
    failOn,
  }
}
