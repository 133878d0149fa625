/**
 * Draws the report of a results file, and the plots of README.md: `npm run report [-- FILE] [--endurance FILE] [--out FILE]`.
 *
 * FILE is bench/results/latest.json unless it is given, what `npm run bench` leaves; `--endurance` is bench/results/endurance.json
 * where that exists. The page goes to bench/results/report.html. Plots are written only for the default results: README.md and the
 * page then show the same run.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Results, SCHEMA } from '../harness/results.js'
import { reportPage } from './page.js'
import { readmePlots } from './plots.js'

const HERE = dirname(fileURLToPath(import.meta.url))
const RESULTS = join(HERE, '..', 'results')
const LATEST = join(RESULTS, 'latest.json')

await main()

async function main(): Promise<void> {
  const given = readArguments()
  if (given === undefined) return
  const { values, positionals } = given
  const file = positionals[0] ?? LATEST
  const results = read(file)
  if (results === undefined) return
  const lasting = values.endurance ?? join(RESULTS, 'endurance.json')
  const endurance = values.endurance !== undefined || existsSync(lasting) ? read(lasting) : undefined
  write(values.out ?? join(RESULTS, 'report.html'), await reportPage(results, endurance))
  if (file !== LATEST) return
  const failed = results.failures.map(({ subject }) => subject)
  if (failed.length > 0)
    return fail(`no plots of README.md are drawn from a run in which ${failed.join(', ')} failed`)
  for (const [name, svg] of await readmePlots(results)) write(join(HERE, 'plots', name), svg)
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { endurance: { type: 'string' }, out: { type: 'string' } },
    })
  } catch (error) {
    return fail((error as Error).message)
  }
}

function read(file: string): Results | undefined {
  if (!existsSync(file)) return fail(`${file} does not exist: \`npm run bench\` writes it`)
  try {
    const results = JSON.parse(readFileSync(file, 'utf8')) as Results | null
    if (results?.schema === SCHEMA) return results
    return fail(`${file} has schema ${results?.schema}; this report reads ${SCHEMA}`)
  } catch (error) {
    return fail(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function fail(message: string): undefined {
  console.error(`report: ${message}`)
  process.exitCode = 1
  return undefined
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  console.log(`${relative(process.cwd(), file)}: ${Math.round(text.length / 1024)} KiB`)
}
