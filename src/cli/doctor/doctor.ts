/** `npx hitpath doctor`: looks at the machine, the configuration and Redis, and prints what it found. It changes nothing. */

import { HitpathError } from '../../errors.js'
import { type Command, EXIT, type ExitCode, type Given, parseOptions, UsageError } from '../command.js'
import { TARGET_OPTIONS, type Target, targetOf } from '../target.js'
import type { Terminal } from '../terminal.js'
import { judgeEngine, loadedEngine } from './engine.js'
import { type Finding, ok, type Section } from './finding.js'
import { hostFacts, judgeHost } from './host.js'
import { examineRedis, unreachable } from './redis.js'
import { jsonReport, textReport } from './report.js'

const OPTIONS = {
  ...TARGET_OPTIONS,
  'max-bytes': {
    value: 'SIZE',
    text: 'how large the cache may become, such as 256MiB; default: maxBytes of the configuration',
  },
  strict: { text: 'exit code 1 for warnings too' },
  json: { text: 'the findings as JSON' },
} as const

export const doctor: Command = {
  purpose:
    'Looks at this machine, at the configuration and at Redis or Valkey as the caches will use them. Each finding says why it matters and ' +
    'what to do. Nothing is changed; without --redis and --config only the machine is looked at.',
  options: OPTIONS,
  examples: [
    'npx hitpath doctor --redis redis://localhost:6379 --namespace prices',
    'npx hitpath doctor --config hitpath.yaml --json',
    'npx hitpath doctor --sentinel 10.0.0.1 --sentinel 10.0.0.2 --master main',
  ],
  notes:
    'Exit codes: 0 nothing must be done, 1 there is an error (with --strict: or a warning), 2 wrong use.',
  run,
}

async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseOptions(OPTIONS, args)
  const maxBytes = given['max-bytes'] === undefined ? undefined : sizeGiven(given['max-bytes'])
  const { target, finding } = configured(given, terminal)
  const sections: Section[] = [await machine(maxBytes ?? cacheBytesOf(target))]
  if (finding !== undefined) sections.push({ title: 'Configuration', findings: [finding] })
  if (target?.store === undefined)
    sections.push({ title: 'Redis', findings: finding?.level === 'error' ? [] : [unnamed(target)] })
  else sections.push(...(await redis(target, terminal)))
  terminal.progress('')
  const all = sections.filter(({ findings }) => findings.length > 0)
  terminal.out(given.json ? jsonReport(all) : textReport(all, terminal))
  const levels = all.flatMap(({ findings }) => findings.map(({ level }) => level))
  return levels.includes('error') || (given.strict && levels.includes('warning')) ? EXIT.found : EXIT.fine
}

async function machine(cacheBytes: number | undefined): Promise<Section> {
  const host = hostFacts()
  const findings = [...judgeEngine(await loadedEngine(), host.arch), ...judgeHost(host, cacheBytes)]
  return { title: 'This machine', findings }
}

/** An error in the file is a finding. @throws UsageError */
function configured(
  given: Given<typeof OPTIONS>,
  { env }: Terminal,
): { readonly target?: Target; readonly finding?: Finding } {
  try {
    const target = targetOf(given, env)
    return target.config === undefined
      ? { target }
      : { target, finding: ok('CONFIGURATION', `${given.config} can be read, and all its entries are known`) }
  } catch (error) {
    if (!(error instanceof HitpathError) || error.code !== 'INVALID_CONFIG') throw error
    return {
      finding: {
        code: 'CONFIGURATION',
        level: 'error',
        found: error.message,
        why: 'loadConfig and fromConfig throw this: a process with this file does not start',
        remedy: 'correct the path or the entry; the table of all entries is in src/config/CONFIGURATION.md',
      },
    }
  }
}

async function redis(target: Target, terminal: Terminal): Promise<Section[]> {
  terminal.progress(`looking at ${target.shown} ...`)
  try {
    return await examineRedis(target)
  } catch (error) {
    if (!(error instanceof HitpathError)) throw error
    return [{ title: `Redis: ${target.shown}`, findings: [unreachable(error)] }]
  }
}

function unnamed(target: Target | undefined): Finding {
  const found =
    target?.config === undefined
      ? 'no Redis was named'
      : 'the configuration has no l2: the first tier is alone'
  return {
    code: 'REDIS',
    level: 'note',
    found,
    remedy: '--redis redis://localhost:6379, or l2 in the configuration',
  }
}

function cacheBytesOf(target: Target | undefined): number | undefined {
  const l1 = target?.config?.l1
  return l1?.type === 'shared' ? l1.maxBytes : undefined
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** @throws UsageError */
function sizeGiven(text: string): number {
  const [, amount, unit = ''] = /^(\d+)\s*(?:([kmg])(?:i?b)?)?$/i.exec(text) ?? []
  if (amount !== undefined) return Number(amount) * (UNITS[unit.toLowerCase()] ?? 1)
  throw new UsageError(
    `--max-bytes must be a number of bytes or a size such as 256MiB; got ${JSON.stringify(text)}`,
  )
}
