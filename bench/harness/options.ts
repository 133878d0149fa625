/** What the command line asks for. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Form } from './subject.js'

export interface Options {
  readonly form: Form
  /** Suites, subjects or figures by id; all when empty. */
  readonly only: readonly string[]
  /** Print what could be run, and run nothing. */
  readonly list: boolean
  readonly quick: boolean
  readonly jsonFile: string
  readonly tracesDir: string
  readonly rounds: number
  readonly roundMs: number
}

export const USAGE = `npm run bench -- [options]
  --ci               the short form: small sizes, gates instead of targets, exit code 1 when one is missed
  --only id,id       suites, subjects or figures (--list prints them)
  --rounds N         timed rounds of each contender (5)
  --round-ms N       how long one contender is timed in a round (80; CI 40)
  --traces DIR       recorded traces (HITPATH_TRACES; ../shared/traces)
  --quick            only the small traces
  --json FILE        where the results go (bench/results/latest.json; some.json with --only, ci.json)
  --list             print the ids and stop`

export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  root: string,
): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ci: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      rounds: { type: 'string' },
      'round-ms': { type: 'string' },
      traces: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const form: Form = values.ci ? 'ci' : 'full'
  const only = values.only.split(',').filter((id) => id !== '')
  // The report and the figures of README.md are of whole runs.
  const kept = only.length > 0 ? 'some' : form === 'full' ? 'latest' : 'ci'
  return {
    form,
    only,
    list: values.list,
    quick: values.quick || values.ci,
    jsonFile: resolve(root, values.json ?? `bench/results/${kept}.json`),
    tracesDir: resolve(root, values.traces ?? env['HITPATH_TRACES'] ?? '../shared/traces'),
    rounds: positive('--rounds', values.rounds ?? '5'),
    roundMs: positive('--round-ms', values['round-ms'] ?? (form === 'full' ? '80' : '40')),
  }
}

/** @throws RangeError naming the option */
export function positive(name: string, given: string): number {
  const value = Number(given)
  if (Number.isInteger(value) && value > 0) return value
  throw new RangeError(`${name} must be a positive integer; got ${JSON.stringify(given)}`)
}
