/** The second stage of the replay: the whole platform, three contenders, and hitpath once more deaf to bars. Prints, and writes the page. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeMachine, revision, versionsOf } from '../../harness/machine.js'
import { modelPath } from '../../models/make-model.js'
import type { Bars } from '../bars.js'
import { Progress } from '../progress.js'
import { timerCostNs } from '../report.js'
import { originalDesign, uncached } from './baselines.js'
import { departures, figuresOf, type RunFigures } from './figures.js'
import { hitpath } from './hitpath.js'
import { writePage } from './page.js'
import type { PlatformFactory } from './platform.js'
import { platformTable } from './report.js'
import { type PlatformRun, playScript } from './run.js'
import { createScript, type Script } from './script.js'
import { createUniverse, type Series } from './universe.js'
import { loadSession } from './work.js'

export interface StageOptions {
  /** Bars that each symbol receives. */
  readonly steps: number
  readonly seed: number
  readonly pageFile: string
}

export interface StageResult {
  readonly identical: boolean
  readonly problems: readonly string[]
  readonly runs: readonly RunFigures[]
  /** hitpath with the invalidation switched off. */
  readonly deaf: RunFigures
  readonly digests: readonly string[]
}

const SYMBOLS = 12
/** Bars that each symbol receives before: caches are small code, and a service runs for hours. */
const WARM_UP_STEPS = 30
/** Without a cache nearly all time is spent in the extraction and in the network. */
const WARM_UP_STEPS_UNCACHED = 3
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export async function runPlatform(
  bars: Bars,
  { steps, seed, pageFile }: StageOptions,
  print: (text: string) => void,
): Promise<StageResult> {
  const series = createUniverse(bars, SYMBOLS, steps)
  const script = createScript(SYMBOLS, steps, seed)
  print(
    `Platform replay: ${script.bars.length} bars of ${SYMBOLS} symbols, each a stretch of the same index at another time; ` +
      `${script.bars.reduce((sum, { requests }) => sum + requests.length, 0).toLocaleString('en-US')} requests.`,
  )
  const play = (label: string, create: PlatformFactory, warmUp = Math.min(steps, WARM_UP_STEPS)) =>
    measure(label, create, series, script, createScript(SYMBOLS, warmUp, seed + 1))
  const none = await play('no cache', uncached, Math.min(steps, WARM_UP_STEPS_UNCACHED))
  const original = await play('md5 + TTL map', originalDesign)
  const ours = await play('hitpath', hitpath({ events: true }))
  const deaf = await play('hitpath, deaf', hitpath({ events: false }))

  const runs = [none, original, ours] as const
  const figures = runs.map((run) => figuresOf(run, none)) as [RunFigures, RunFigures, RunFigures]
  const deafFigures = figuresOf(deaf, none)
  const problems = [original, ours].flatMap((run) => departures(none, run))
  const timerNs = timerCostNs()
  print(`\n${platformTable(figures, deafFigures, timerNs)}\n`)

  const machine = describeMachine()
  const versions = versionsOf(ROOT, ['onnxruntime-node', 'vega-lite'])
  const page = await writePage({
    runs,
    deaf,
    figures,
    deafFigures,
    swapAt: script.swapAt,
    symbols: series.map(({ symbol }) => symbol),
    made: [
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform} ${machine.kernel}, load ${machine.load.toFixed(1)}`,
      `Node ${process.versions.node}, V8 ${process.versions.v8}, ${Object.entries(versions)
        .map((pair) => pair.join(' '))
        .join(', ')}, revision ${revision(ROOT) ?? 'unknown'}`,
      `Seed ${seed}, ${script.bars.length} bars, one thread for the network, each contender warmed up by another script; times hold one reading of the timer, ${timerNs.toFixed(0)} ns. npm start makes this page.`,
      `Symbols: ${series.map(({ symbol }) => symbol).join(', ')}; each is the S&P 500 from a day of that year on, as vega-datasets publishes it.`,
    ],
  })
  mkdirSync(dirname(pageFile), { recursive: true })
  writeFileSync(pageFile, page)
  print(
    problems.length === 0 ? 'All answers are equal, bit for bit.' : `ANSWERS DIFFER\n${problems.join('\n')}`,
  )
  print(`The page: ${pageFile}`)
  return {
    identical: problems.length === 0,
    problems,
    runs: figures,
    deaf: deafFigures,
    digests: none.digests.map((digest) => digest.toString(16).padStart(16, '0')),
  }
}

/** Another script first, so that no contender pays for compiling code. */
async function measure(
  label: string,
  create: PlatformFactory,
  series: readonly Series[],
  script: Script,
  warmUp: Script,
): Promise<PlatformRun> {
  const load = (version: 1 | 2) => loadSession(modelPath(version))
  await playScript(series, warmUp, create, load)
  const progress = new Progress(process.stderr, label, script.bars.length, { unit: 'bars', stride: 4 })
  const run = await playScript(series, script, create, load, { onBar: (bar) => progress.at(bar) })
  progress.finish()
  return run
}
