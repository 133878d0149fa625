/** `hitpath bench`: whether hitpath pays on this machine, for these sizes and keys, against what the project has installed. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { HitpathError } from '../../errors.js'
import { type Command, EXIT, type ExitCode, integerGiven, parseOptions, UsageError } from '../command.js'
import { loadedEngine } from '../doctor/engine.js'
import { columns, countText, painter, plain, type Terminal } from '../terminal.js'
import { version } from '../version.js'
import { conclusion, type Judged, judged, nsText, sentence } from './advice.js'
import { Contenders, type Outcome, type Plan } from './comparison.js'
import { FLOOR, moduleOf, NAMES, releaseOf } from './peers.js'
import { CASES, type Case } from './protocol.js'

const OPTIONS = {
  entries: { value: 'N', text: 'entries in each cache (default 10000)' },
  'key-length': { value: 'N', text: 'characters of a string key (default 32)' },
  window: { value: 'RxC', text: 'rows and columns of a float64 array as a key (default 60x5)' },
  peer: { value: 'NAME', multiple: true, text: `only against these: ${NAMES.slice(1).join(', ')}` },
  seconds: { value: 'N', text: 'about how long to measure (default 20)' },
  limit: {
    value: 'CASE=RATIO',
    multiple: true,
    text: `fail when hitpath takes more than RATIO of the time of the fastest other; cases: ${CASES.join(', ')}`,
  },
  json: { text: 'figures for machines, every round included' },
  out: { value: 'FILE', text: 'those figures into a file, beside the words' },
} as const

const ROUNDS = 9
/** Beyond this, ratios near one say nothing. */
const NOISY = 0.15

const TITLES: Readonly<Record<Case, string>> = {
  'hit-built': 'hit, key built for the call',
  'hit-kept': 'hit, key kept as a string',
  'set-evict': 'set, new key, cache full',
  array: 'hit, array as the key',
}

export const bench: Command = {
  purpose:
    'Measures hits and writes of hitpath in turn with the caches that are installed in this folder, each in a process of its own, and says in plain words whether hitpath pays for your sizes and keys. A bare Map, which neither expires nor evicts, is the floor.',
  options: OPTIONS,
  examples: [
    'npx hitpath bench',
    'npx hitpath bench --peer lru-cache --limit hit-built=0.8',
    'npx hitpath bench --entries 1000000 --key-length 48 --peer lru-cache',
  ],
  notes:
    'Caches other than hitpath get md5 of the bytes for an array. Times are medians of rounds that ran side by side; run it where nothing else runs. A limit that is missed is measured again, twice as long, before it counts. Exit code 0; 1 when a limit is missed; 2 for wrong use.',
  run,
}

async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseOptions(OPTIONS, args)
  const limits = limitsOf(given.limit)
  const modules = modulesFor(given.peer)
  if (limits.size > 0 && [...modules.keys()].every((name) => name === 'hitpath' || name === FLOOR))
    throw new UsageError(
      '--limit compares with another cache than a bare Map: none is installed in this folder, or named by --peer',
    )
  const plan = planOf(given, modules.size)
  const { kind: engine, failures } = await loadedEngine()
  if (engine === 'none') throw new HitpathError('NATIVE_LOAD', failures.join('\n'))
  // before minutes go into what it cannot take
  const out = given.out === undefined ? undefined : opened(given.out)
  const contenders = new Contenders(modules, plan, terminal.signal)
  const results: Judged[] = []
  const raw: unknown[] = []
  try {
    for (const [i, which] of CASES.entries()) {
      const measure = (rounds: number): Promise<Outcome> =>
        contenders.measure(which, { ...plan, rounds }, (round) =>
          terminal.progress(`[${i + 1}/${CASES.length}] ${TITLES[which]}, round ${round} of ${rounds}`),
        )
      let outcome = await measure(plan.rounds)
      if (isMissed(judged(outcome), limits)) outcome = await measure(2 * plan.rounds)
      results.push(judged(outcome))
      raw.push({ case: which, rounds: Object.fromEntries(outcome.rounds), noise: outcome.noise })
    }
  } finally {
    contenders.close()
    terminal.progress('')
  }
  const about: About = {
    engine,
    entries: plan.entries,
    keyLength: plan.keyLength,
    window: given.window ?? '60x5',
    releases: releasesOf(modules),
    failed: contenders.left,
  }
  const figures = `${JSON.stringify(figuresOf(about, results, raw), null, 2)}\n`
  if (out !== undefined) {
    writeSync(out, figures)
    closeSync(out)
  }
  terminal.out(given.json ? figures : wordsOf(about, results, [...modules.keys()], terminal))
  return complain(results, limits, terminal)
}

function opened(file: string): number {
  try {
    return openSync(file, 'w')
  } catch (error) {
    throw new UsageError(`--out: ${(error as Error).message}`)
  }
}

/** What was measured, and with what. */
interface About {
  readonly engine: string
  readonly entries: number
  readonly keyLength: number
  readonly window: string
  /** By name. */
  readonly releases: Readonly<Record<string, string>>
  /** Those that are left out, and why. */
  readonly failed: ReadonlyMap<string, string>
}

function figuresOf(
  { engine, entries, keyLength, window, releases, failed }: About,
  results: readonly Judged[],
  raw: readonly unknown[],
): unknown {
  return {
    machine: { cpu: cpus()[0]?.model, node: process.version, hitpath: version(), engine },
    peers: releases,
    setting: { entries, keyLength, window },
    summary: results.map((each) => ({ ...each, medians: Object.fromEntries(each.medians) })),
    raw,
    failed: Object.fromEntries(failed),
  }
}

function wordsOf(
  { engine, entries, keyLength, window, releases, failed }: About,
  results: readonly Judged[],
  names: readonly string[],
  terminal: Terminal,
): string {
  const paint = painter(terminal)
  const peers = Object.entries(releases).map(([name, release]) => `${name} ${release}`)
  return [
    `hitpath ${version()} on the ${engine} engine, Node ${process.versions.node}, ${cpus()[0]?.model?.trim() ?? 'unknown processor'}, ${availableParallelism()} cores`,
    ...(peers.length > 0 ? [`against ${peers.join(', ')}`] : []),
    `${countText(entries)} entries, keys of ${keyLength} characters, arrays of ${window} float64`,
    '',
    ...columns(
      table(names, results),
      names.map((_, i) => i + 1),
    ).map((line, i) => (i === 0 ? paint('bold', line) : line)),
    '',
    noiseLine(results),
    ...[...failed].map(([name, why]) => `${name} is left out, it fails: ${plain(why)}`),
    '',
    ...results.map(sentence),
    '',
    paint('bold', conclusion(results)),
    '',
  ].join('\n')
}

/** Of the caches that a project has installed, hitpath's own apart. */
function releasesOf(modules: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...modules].flatMap(([name, file]) => {
      const release = name === 'hitpath' ? undefined : releaseOf(name, file)
      return release === undefined ? [] : [[name, release]]
    }),
  )
}

type Limits = ReadonlyMap<Case, number>

function isMissed({ which, rival }: Judged, limits: Limits): boolean {
  const limit = limits.get(which)
  return limit !== undefined && !(rival !== undefined && rival.ratio <= limit)
}

/** A sentence for each limit that is missed. */
function complain(results: readonly Judged[], limits: Limits, terminal: Terminal): ExitCode {
  const missed = results.filter((each) => isMissed(each, limits))
  for (const { which, rival } of missed) {
    const found =
      rival === undefined
        ? 'there is nothing here to compare it with'
        : `it takes ${rival.ratio.toFixed(2)} of the time of ${rival.name}`
    terminal.err(`${which}: ${found}; the limit is ${limits.get(which)}\n`)
  }
  return missed.length === 0 ? EXIT.fine : EXIT.found
}

function limitsOf(given: readonly string[] = []): Limits {
  return new Map(
    given.map((text) => {
      const [, name, ratio] = /^([\w-]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? []
      const which = CASES.find((each) => each === name)
      if (which !== undefined && Number(ratio) > 0) return [which, Number(ratio)] as const
      throw new UsageError(
        `--limit is CASE=RATIO, with a case of ${CASES.join(', ')}; got ${JSON.stringify(text)}`,
      )
    }),
  )
}

function noiseLine(results: readonly Judged[]): string {
  const worst = Math.max(...results.map(({ noise }) => noise))
  const line = `The same cache against itself differs by ${(100 * worst).toFixed(1)} % at worst.`
  return worst > NOISY ? `${line} That is a busy machine: run it again when it is not.` : line
}

function table(names: readonly string[], results: readonly Judged[]): string[][] {
  const head = ['', ...names]
  const rows = results.map(({ which, medians, ratios }) => {
    const cells = names.map((name) => {
      const ns = medians.find(([each]) => each === name)?.[1]
      if (ns === undefined) return '-'
      return name === 'hitpath' ? nsText(ns) : `${nsText(ns)} (${ratios[name]?.toFixed(2)})`
    })
    return [TITLES[which], ...cells]
  })
  return [head, ...rows]
}

/** hitpath, what is installed or wanted, and the floor. */
function modulesFor(wanted: readonly string[] | undefined): Map<string, string> {
  for (const name of wanted ?? []) {
    if (name === 'hitpath' || !NAMES.includes(name))
      throw new UsageError(`--peer knows ${NAMES.slice(1).join(', ')}; got ${JSON.stringify(name)}`)
    if (moduleOf(name, process.cwd()) === undefined)
      throw new UsageError(`--peer ${name}: it is not installed in this folder`)
  }
  const chosen = NAMES.filter(
    (name) => wanted === undefined || name === 'hitpath' || name === FLOOR || wanted.includes(name),
  )
  return new Map(
    chosen.flatMap((name) => {
      const file = moduleOf(name, process.cwd())
      return file === undefined ? [] : [[name, file] as const]
    }),
  )
}

function planOf(
  given: { readonly [K in 'entries' | 'key-length' | 'window' | 'seconds']?: string },
  contenders: number,
): Plan {
  const [, rows, columnCount] = /^(\d{1,5})x(\d{1,5})$/.exec(given.window ?? '60x5') ?? []
  const windowElements = Number(rows) * Number(columnCount)
  if (!(windowElements >= 1 && windowElements <= 1_000_000))
    throw new UsageError(
      `--window must be rows x columns, at most a million elements; got ${JSON.stringify(given.window)}`,
    )
  const seconds = integerGiven(given.seconds ?? '20', 'seconds', 1, 3600)
  // hitpath runs twice, and each warms up once
  const turns = CASES.length * ((ROUNDS + 1) * contenders + ROUNDS)
  return {
    entries: integerGiven(given.entries ?? '10000', 'entries', 1024, 10_000_000),
    keyLength: integerGiven(given['key-length'] ?? '32', 'key-length', 8, 4096),
    windowElements,
    rounds: ROUNDS,
    roundMs: Math.max(2, (seconds * 1000) / turns),
  }
}
