/**
 * What the user of the connection may not do of what hitpath does.
 *
 * Asked, in this order: ACL DRYRUN (7.0; it needs a right of administrators), `redis.acl_check_cmd` in a script (7.0), and where neither is to
 * be had, each command itself with words that change nothing (commands-used.ts).
 */
import type { Node, Word } from '../connection.js'
import { plain } from '../terminal.js'
import { LOST, type Use, type UsedCommand } from './commands-used.js'
import { type Finding, ok } from './finding.js'

export interface AccessFacts {
  /** Undefined when ACL WHOAMI is refused. */
  readonly user: string | undefined
  readonly by: 'ACL DRYRUN' | 'acl_check_cmd' | 'trial'
  readonly denied: readonly UsedCommand[]
  /** Could not be looked at. */
  readonly unknown: readonly UsedCommand[]
}

/** Uses without which the second tier does not do its work. */
const NEEDED: readonly Use[] = ['reads', 'writes', 'bus', 'cluster']

export async function accessFacts(node: Node, commands: readonly UsedCommand[]): Promise<AccessFacts> {
  const user = await node.ask('acl', 'whoami').then(String, () => undefined)
  if (user !== undefined && (await permits(dryRun(node, user, ['PING']))) !== undefined)
    return {
      user,
      by: 'ACL DRYRUN',
      ...(await sorted(commands, ({ words }) => permits(dryRun(node, user, words)))),
    }
  if ((await permits(scripted(node, ['PING']))) !== undefined)
    return {
      user,
      by: 'acl_check_cmd',
      ...(await sorted(commands, ({ words }) => permits(scripted(node, words)))),
    }
  return {
    user,
    by: 'trial',
    ...(await sorted(commands, async ({ words, writes }) => (writes ? undefined : tried(node, words)))),
  }
}

type Verdict = Promise<boolean | undefined>

async function sorted(
  commands: readonly UsedCommand[],
  permitted: (command: UsedCommand) => Verdict,
): Promise<Pick<AccessFacts, 'denied' | 'unknown'>> {
  const denied: UsedCommand[] = []
  const unknown: UsedCommand[] = []
  for (const command of commands) {
    const verdict = await permitted(command)
    if (verdict === false) denied.push(command)
    if (verdict === undefined) unknown.push(command)
  }
  return { denied, unknown }
}

/** Rejects when it may not be asked; false for a command that is not permitted or does not exist. */
async function dryRun(node: Node, user: string, words: readonly Word[]): Promise<boolean> {
  try {
    return (await node.ask('acl', 'dryrun', user, ...words)) === 'OK'
  } catch (error) {
    if (/Command '.*' not found/.test((error as Error).message)) return false
    throw error
  }
}

async function scripted(node: Node, words: readonly Word[]): Promise<boolean> {
  try {
    return (await node.ask('eval', 'return redis.acl_check_cmd(unpack(ARGV)) and 1 or 0', 0, ...words)) === 1
  } catch (error) {
    if (/Invalid command passed/.test((error as Error).message)) return false
    throw error
  }
}

/** A subscription would end the connection's usefulness: not tried. */
async function tried(node: Node, words: readonly [string, ...Word[]]): Verdict {
  const [command, ...rest] = words
  if (command === 'SUBSCRIBE') return undefined
  try {
    await node.ask(command, ...rest)
    return true
  } catch (error) {
    const { message } = error as Error
    if (/NOPERM|unknown (sub)?command/i.test(message)) return false
    // NOSCRIPT and the like: it was permitted, and then failed
    return /^Redis: [A-Z]{2,}/.test(message) ? true : undefined
  }
}

async function permits(verdict: Promise<boolean>): Verdict {
  return verdict.catch(() => undefined)
}

export function judgeAccess({ user, by, denied, unknown }: AccessFacts): Finding[] {
  const who = user === undefined ? 'the user' : `the user ${plain(user, 40)}`
  const findings: Finding[] = []
  const uses = [...new Set(denied.map(({ use }) => use))]
  for (const use of uses) {
    const mine = denied.filter((command) => command.use === use)
    findings.push({
      code: 'ACL',
      level: NEEDED.includes(use) ? 'error' : 'note',
      found: `${who} may not run ${mine.map(shown).join(', ')}`,
      why: LOST[use],
      remedy: `ACL SETUSER ${user === undefined ? '<user>' : plain(user, 40)} ${rules(mine).join(' ')}`,
    })
  }
  if (unknown.length > 0) {
    findings.push({
      code: 'ACL',
      level: 'note',
      found: `not known: ${unknown.map(shown).join(', ')}`,
      why: 'neither the server nor a script says whether they are permitted, and they cannot be tried without a trace',
      remedy: 'run the doctor as a user who may EVAL or ACL DRYRUN, or look at ACL GETUSER',
    })
  }
  if (findings.length > 0) return findings
  return [ok('ACL', `${who} may run all that hitpath sends (by ${by})`)]
}

function shown({ words }: UsedCommand): string {
  const [command, second] = words
  const isFamily = command === 'CLIENT' || command === 'OBJECT' || command === 'CLUSTER'
  return isFamily ? `${command} ${second}` : `${command}${keyKind(words)}`
}

/** A key may be what is refused: which kind of key it was. */
function keyKind(words: UsedCommand['words']): string {
  const key = words.find((word) => typeof word === 'string' && /\{.*#0\}:/.test(word))
  return typeof key === 'string' ? ` ${key.replace(/(:[etl]:).*$/s, '$1…')}` : ''
}

function rules(denied: readonly UsedCommand[]): string[] {
  const all = denied.map(({ words: [command, second] }) =>
    ['CLIENT', 'OBJECT', 'CLUSTER'].includes(command)
      ? `+${command}|${second}`.toLowerCase()
      : `+${command.toLowerCase()}`,
  )
  const keyed = denied.map(({ words }) => keyKind(words)).find((kind) => kind !== '')
  const keys = keyed === undefined ? [] : [`~${keyed.trim().replace(/\{.*$/, '')}*`]
  const channels = denied.some(({ words }) => words[0] === 'SUBSCRIBE') ? ['&__redis__:invalidate'] : []
  return [...new Set([...all, ...keys, ...channels])]
}
