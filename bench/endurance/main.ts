/**
 * Caches under load for as long as one likes: event-loop delay, garbage collection, resident set and throughput over time.
 * `npm run bench:endurance` takes an hour, `npm run bench:endurance -- --minutes 2` shows the same on a smaller scale.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from '../harness/machine.js'
import { positive } from '../harness/options.js'
import { type Failure, type Outcome, recordOf } from '../harness/record.js'
import { measurePhase, phases, RUNS } from './phases.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const USAGE = `npm run bench:endurance -- [options]
  --minutes N        for all together (60)
  --entries N        in each cache (1000000; 100000 below ten minutes)
  --only id,id       phases: ${phases.map(({ id }) => id).join(', ')}
  --json FILE        where the results go (bench/results/endurance.json)`

/** Starting a process and filling a cache, of the time of a run. */
const OVERHEAD = 0.85
const SHORT_MINUTES = 10
const MS_PER_MINUTE = 60_000

interface EnduranceOptions {
  readonly minutes: number
  readonly entries: number
  readonly only: readonly string[]
  readonly jsonFile: string
}

function readEnduranceOptions(args: readonly string[]): EnduranceOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '60' },
      entries: { type: 'string' },
      only: { type: 'string', default: '' },
      json: { type: 'string', default: 'bench/results/endurance.json' },
    },
  })
  const minutes = positive('--minutes', values.minutes)
  const only = values.only.split(',').filter((id) => id !== '')
  const unknown = only.find((id) => !phases.some((phase) => phase.id === id))
  if (unknown !== undefined) throw new RangeError(`no phase is called ${unknown}`)
  return {
    minutes,
    entries: positive('--entries', values.entries ?? (minutes < SHORT_MINUTES ? '100000' : '1000000')),
    only,
    jsonFile: resolve(ROOT, values.json),
  }
}

async function run({ minutes, entries, only, jsonFile }: EnduranceOptions): Promise<void> {
  const startedAt = new Date()
  const machine = describeMachine()
  const chosen = phases.filter(({ id }) => only.length === 0 || only.includes(id))
  const runs = only.length === 0 ? RUNS : chosen.reduce((sum, { stores }) => sum + stores.length, 0)
  const ms = (minutes * MS_PER_MINUTE * OVERHEAD) / runs
  say(
    `${machine.cpu}, ${machine.cores} cores; ${entries} entries; ${Math.round(ms / 1_000)} s for each of ${runs} runs`,
  )
  const outcomes: Outcome[] = []
  const failures: Failure[] = []
  for (const [index, phase] of chosen.entries()) {
    const started = Date.now()
    say(`[${index + 1}/${chosen.length}] ${phase.id}: ${phase.title}`)
    try {
      const answer = await measurePhase(phase, { ms, entries, say })
      outcomes.push({
        suite: 'endurance',
        subject: { id: `endurance-${phase.id}`, figures: [] },
        answer,
        verdicts: [],
        durationMs: Date.now() - started,
      })
    } catch (error) {
      failures.push({ subject: phase.id, message: (error as Error).message })
      fail(`${phase.id} failed: ${(error as Error).message}`)
    }
  }
  const results = recordOf({ form: 'endurance', startedAt, root: ROOT, machine, outcomes, failures })
  mkdirSync(dirname(jsonFile), { recursive: true })
  writeFileSync(jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  say(`\nResults are in ${relative(process.cwd(), jsonFile)}; ${Math.round(results.durationMs / 1_000)} s.`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function fail(line: string): void {
  process.stderr.write(`${line}\n`)
  process.exitCode = 1
}

try {
  await run(readEnduranceOptions(process.argv.slice(2)))
} catch (error) {
  const isUsage = error instanceof RangeError || error instanceof TypeError
  fail(isUsage ? `${error.message}\n\n${USAGE}` : ((error as Error).stack ?? String(error)))
}
