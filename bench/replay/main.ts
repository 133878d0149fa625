/**
 * The market replay: real bars through a feature-extraction hot path, then through a whole platform with a network, without a cache,
 * with the original design and with hitpath. Prints what each costs and writes a page; exits with 1 when the answers of any two runs
 * differ.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { type Bars, loadBars } from './bars.js'
import { type ContenderFactory, noCache, originalDesign } from './contenders.js'
import { hitpathLocal, hitpathShared } from './hitpath-contenders.js'
import { type Options, parseOptions, USAGE } from './options.js'
import { runPlatform } from './platform/stage.js'
import { Progress } from './progress.js'
import { type Run, replay } from './replay.js'
import { differences, figuresOf, outcomeTable, table, timerCostNs } from './report.js'
import { createStrategies } from './strategies.js'
import { createStream, REQUESTS_PER_BAR, type RequestStream, windowCount } from './stream.js'

const CONTENDERS: readonly (readonly [string, ContenderFactory])[] = [
  ['no cache', noCache],
  ['md5 + TTL map', originalDesign],
  ['hitpath', hitpathLocal],
  ['hitpath, shared', hitpathShared],
]
const WARM_UP_REQUESTS = 1000

async function main(options: Options, bars: Bars): Promise<number> {
  const stream = createStream(bars, createStrategies(), options.requests, options.seed)
  print(introduction(bars, stream, options))

  const runs = CONTENDERS.map(([label, create]) => measure(label, create, bars, stream, options.seed))
  const [reference] = runs as [Run]
  const figures = runs.map(figuresOf)
  const timerNs = timerCostNs()
  print(`\n${table(figures)}\n`)
  print(
    `Times are of the call alone and hold one reading of the timer, ${timerNs.toFixed(0)} ns. A miss computes.\n`,
  )
  print(`${outcomeTable(reference.outcomes)}\n`)

  const problems = runs
    .slice(1)
    .flatMap((run) => differences(reference, run).map((text) => `${run.name}: ${text}`))
  const digest = reference.evidence.digest.toString(16).padStart(16, '0')
  const samples = reference.evidence.samples.size
  print(
    problems.length > 0
      ? `FEATURES DIFFER\n${problems.slice(0, 20).join('\n')}\n`
      : `All ${runs.length} runs gave identical features: digest ${digest} over every array, ${samples} answers compared in depth.\n`,
  )
  const platform = await runPlatform(bars, options, print)
  const identical = problems.length === 0
  if (options.jsonFile !== undefined) {
    const { requests, seed } = options
    const { outcomes } = reference
    const result = { requests, seed, identical, digest, timerNs, runs: figures, outcomes, platform }
    writeFileSync(options.jsonFile, `${JSON.stringify(result, undefined, 2)}\n`)
  }
  return identical && platform.identical ? 0 : 1
}

/** A short run of its own first, so that no contender pays for compiling the code that all of them share. */
function measure(
  label: string,
  create: ContenderFactory,
  bars: Bars,
  stream: RequestStream,
  seed: number,
): Run {
  const warmUp = createStream(bars, createStrategies(), Math.min(WARM_UP_REQUESTS, stream.length), seed + 1)
  replay(bars, warmUp, create)
  const progress = new Progress(process.stderr, label, stream.length)
  const run = replay(bars, stream, create, { onRequest: (request) => progress.at(request) })
  progress.finish()
  return run
}

function introduction(bars: Bars, stream: RequestStream, options: Options): string {
  const processors = cpus()
  const distinct = new Set(stream.end).size
  return [
    `Market replay: ${bars.length} daily bars of the S&P 500, ${bars.dates[0]} to ${bars.dates.at(-1)}.`,
    `${stream.length.toLocaleString('en-US')} requests for ${distinct} distinct windows [60, 5], seed ${options.seed}.`,
    `Node ${process.versions.node}, ${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}.\n`,
  ].join('\n')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

const bars = loadBars()
let options: Options | undefined
try {
  options = parseOptions(process.argv.slice(2), windowCount(bars) * REQUESTS_PER_BAR)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`)
  process.exitCode = 2
}
if (options !== undefined) process.exitCode = await main(options, bars)
