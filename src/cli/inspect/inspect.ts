/** `npx hitpath inspect`: what is in the second tier, read and decoded; nothing is changed. */
import {
  type Command,
  EXIT,
  type ExitCode,
  type Given,
  integerGiven,
  parseOptions,
  UsageError,
} from '../command.js'
import { type Connection, connect } from '../connection.js'
import { TARGET_OPTIONS, type Target, targetOf } from '../target.js'
import { countText, painter, plain, type Terminal } from '../terminal.js'
import { oneKey, oneKeyText } from './one-key.js'
import { surveyJson, surveyText } from './report.js'
import { survey } from './survey.js'
import { Versions } from './versions.js'

const OPTIONS = {
  ...TARGET_OPTIONS,
  match: { value: 'GLOB', text: 'only string keys that match, such as features:*BTC*' },
  limit: {
    value: 'N',
    text: 'entries to read at most, default 10,000; without a namespace keys to count at most, default 1,000,000',
  },
  key: {
    value: 'KEY',
    text: 'one entry in full, decoded, and whether a read takes it now: a string key, a number or the hex digits of a digest',
  },
  json: { text: 'the same as JSON' },
} as const

const ENTRIES = 10_000
const KEYS = 1_000_000
const MOST = 100_000_000

export const inspect: Command = {
  purpose:
    'Shows what is in a namespace of the second tier and in those within it: entries by kind and type, sizes, times to live, tags, the hottest, ' +
    'and values that cannot be read. Without a namespace it lists those that there are. It walks by SCAN, never KEYS, and reads a sample.',
  options: OPTIONS,
  examples: [
    'npx hitpath inspect --redis redis://localhost:6379',
    "npx hitpath inspect --config hitpath.yaml --match 'features:*' --limit 1000",
    'npx hitpath inspect --redis redis://localhost --namespace prices --key features:BTCUSDT',
  ],
  notes:
    'Exit codes: 0 fine, 1 the server cannot be used, the key is not there, or values are damaged, 2 wrong use. Ctrl-C ends the walk and shows what was ' +
    'seen until then. Reading counts as use of an entry on servers before 7.2.',
  run,
}

type InspectGiven = Given<typeof OPTIONS>

async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseOptions(OPTIONS, args)
  const target = targetOf(given, terminal.env)
  if (target.store === undefined)
    throw new UsageError('--redis or --config with an l2 must say where Redis is')
  if (target.namespace === undefined && (given.key !== undefined || given.match !== undefined))
    throw new UsageError('--key and --match need --namespace')
  if (given.key !== undefined && (given.match !== undefined || given.limit !== undefined))
    throw new UsageError('--key stands alone: it does not go with --match and --limit')
  const usual = target.namespace === undefined ? KEYS : ENTRIES
  const limit = given.limit === undefined ? usual : integerGiven(given.limit, 'limit', 1, MOST)
  terminal.progress(`connecting to ${target.shown} ...`)
  const connection = await connect(target.store)
  try {
    for (const { address, error } of connection.lost)
      terminal.err(
        `hitpath: the master ${plain(address)} cannot be reached (${plain(error.message)}): its keys are missing here\n`,
      )
    const versions = await Versions.of(connection, target.prefix, target.buckets)
    if (given.key !== undefined && target.namespace !== undefined)
      return await showKey(connection, versions, target, target.namespace, given.key, given.json, terminal)
    return await showSurvey(connection, versions, target, given, limit, terminal)
  } finally {
    connection.close()
  }
}

async function showKey(
  connection: Connection,
  versions: Versions,
  target: Target,
  namespace: string,
  key: string,
  json: boolean | undefined,
  terminal: Terminal,
): Promise<ExitCode> {
  const one = await oneKey(connection, versions, target.prefix, namespace, key)
  terminal.progress('')
  if (json) terminal.out(`${JSON.stringify(one ?? null, finite, 2)}\n`)
  else if (one === undefined) terminal.err(`hitpath: ${namespace} has no entry ${plain(key)}\n`)
  else
    terminal.out(
      `${painter(terminal)('bold', `${plain(key)} of ${namespace}`)}\n${oneKeyText(one, painter(terminal))}\n`,
    )
  return one === undefined || one.state === 'damaged' ? EXIT.found : EXIT.fine
}

async function showSurvey(
  connection: Connection,
  versions: Versions,
  target: Target,
  given: InspectGiven,
  limit: number,
  terminal: Terminal,
): Promise<ExitCode> {
  const { namespace } = target
  const found = await survey(connection, {
    prefix: target.prefix,
    namespace,
    match: given.match,
    limit,
    signal: terminal.signal,
    versions,
    onProgress: (keys, read) =>
      terminal.progress(`${countText(keys)} keys walked, ${countText(read)} entries read ...`),
  })
  terminal.progress('')
  const view = { ...found, namespace, limit, shown: target.shown, masters: connection.nodes.length }
  terminal.out(
    given.json ? `${JSON.stringify(surveyJson(view), finite, 2)}\n` : surveyText(view, painter(terminal)),
  )
  return found.census.damaged > 0 || connection.lost.length > 0 ? EXIT.found : EXIT.fine
}

/** JSON has no Infinity: what never ends is null. */
function finite(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? null : value
}
