/** What a server says of itself: INFO and CONFIG GET, either of which an ACL or a provider may refuse. */
import type { Node } from '../connection.js'
import { durationText } from '../terminal.js'
import { type Finding, ok } from './finding.js'
import { judgeMaxmemory } from './maxmemory.js'

export interface ServerFacts {
  /** Undefined when INFO is refused. */
  readonly info: ReadonlyMap<string, string> | undefined
  /** What CONFIG GET gave; a parameter that it refuses is missing. */
  readonly config: ReadonlyMap<string, string>
}

const PARAMETERS = [
  'maxmemory',
  'maxmemory-policy',
  'timeout',
  'tcp-keepalive',
  'client-output-buffer-limit',
  'appendfsync',
  'stop-writes-on-bgsave-error',
  'min-replicas-to-write',
]
const OLDEST = [6, 2] as const
const SLOW_FORK_US = 100_000

export async function serverFacts(node: Node): Promise<ServerFacts> {
  const info = await node.ask('info', 'all').then(
    (reply) => fieldsOfInfo(String(reply)),
    () => undefined,
  )
  const config = new Map<string, string>()
  for (const name of PARAMETERS) {
    // one by one: servers before 7 take one name, and one that is refused says nothing of the next
    const reply = await node.ask('config', 'get', name).catch(() => undefined)
    if (Array.isArray(reply) && reply.length >= 2) config.set(name, String(reply[1]))
  }
  return { info, config }
}

export function fieldsOfInfo(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

export function judgeServer(facts: ServerFacts): Finding[] {
  const { info, config } = facts
  if (info === undefined) {
    return [
      {
        code: 'INFO',
        level: 'note',
        found: 'INFO is not permitted',
        why: 'version, memory, persistence and role of the server could not be looked at, here or by the caches',
        remedy: 'ACL SETUSER <user> +info',
      },
      ...judgeConfig(config),
    ]
  }
  return [
    judgeVersion(info),
    ...judgeRole(info, config),
    ...judgeMaxmemory(info, config),
    ...judgePersistence(info, config),
    ...judgeConfig(config),
  ]
}

function judgeVersion(info: ReadonlyMap<string, string>): Finding {
  const valkey = info.get('valkey_version')
  const version = info.get('redis_version') ?? 'unknown'
  const mode = info.get('redis_mode') ?? 'standalone'
  const found = `${valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`}, ${mode}`
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return ok('VERSION', found)
  return {
    code: 'VERSION',
    level: 'error',
    found,
    why: `scripts use commands of ${OLDEST.join('.')}: the caches refuse this server and run on the first tier alone`,
    remedy: `Redis ${OLDEST.join('.')} or later, or Valkey`,
  }
}

function judgeRole(info: ReadonlyMap<string, string>, config: ReadonlyMap<string, string>): Finding[] {
  if (info.get('role') === 'slave') {
    return [
      {
        code: 'ROLE',
        level: 'error',
        found: `this is a replica of ${info.get('master_host')}:${info.get('master_port')}`,
        why: 'the caches read and write the master: a replica refuses writes, and reads from it would be behind invalidations',
        remedy: `connect to ${info.get('master_host')}:${info.get('master_port')}, or by --sentinel (l2.sentinels)`,
      },
    ]
  }
  const replicas = Number(info.get('connected_slaves') ?? 0)
  const wanted = Number(config.get('min-replicas-to-write') ?? 0)
  if (replicas < wanted) {
    return [
      {
        code: 'ROLE',
        level: 'error',
        found: `a master with ${replicas} replicas; min-replicas-to-write is ${wanted}`,
        why: 'the server refuses every write (NOREPLICAS)',
        remedy: 'bring the replicas back, or CONFIG SET min-replicas-to-write 0',
      },
    ]
  }
  if (info.get('loading') === '1') {
    const remedy = 'wait until it has loaded'
    return [
      {
        code: 'ROLE',
        level: 'warning',
        found: 'the server is loading its data',
        why: 'it answers LOADING until then',
        remedy,
      },
    ]
  }
  const read = replicas === 0 ? '' : '; they are never read, the caches ask the master'
  return [ok('ROLE', `a master with ${replicas} replica${replicas === 1 ? '' : 's'}${read}`)]
}

function judgePersistence(info: ReadonlyMap<string, string>, config: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = []
  const failing = info.get('rdb_last_bgsave_status') === 'err'
  if (failing && (config.get('stop-writes-on-bgsave-error') ?? 'yes') === 'yes') {
    findings.push({
      code: 'PERSISTENCE',
      level: 'error',
      found: 'the last snapshot failed, and stop-writes-on-bgsave-error is yes',
      why: 'the server refuses every write (MISCONF)',
      remedy: "free space on the server's disk, or CONFIG SET save '' for a server that is only a cache",
    })
  }
  if (info.get('aof_enabled') === '1' && config.get('appendfsync') === 'always') {
    findings.push({
      code: 'PERSISTENCE',
      level: 'warning',
      found: 'appendfsync is always',
      why: 'every write waits for the disk, and every other client with it',
      remedy: 'CONFIG SET appendfsync everysec',
    })
  }
  const forkUs = Number(info.get('latest_fork_usec') ?? 0)
  if (forkUs > SLOW_FORK_US) {
    findings.push({
      code: 'PERSISTENCE',
      level: 'warning',
      found: `the last fork took ${durationText(forkUs / 1000)}`,
      why: 'nobody is answered meanwhile: each snapshot or rewrite is a pause of that length',
      remedy: "CONFIG SET save '' for a server that is only a cache; transparent huge pages off",
    })
  }
  if (findings.length > 0) return findings
  const aof =
    info.get('aof_enabled') === '1'
      ? `append only file (${config.get('appendfsync') ?? 'fsync not known'})`
      : 'no append only file'
  return [ok('PERSISTENCE', `${aof}, the last fork took ${durationText(forkUs / 1000)}`)]
}

function judgeConfig(config: ReadonlyMap<string, string>): Finding[] {
  if (config.size === 0) {
    return [
      {
        code: 'CONFIG',
        level: 'note',
        found: 'CONFIG GET is not permitted',
        why: 'timeout, tcp-keepalive and client-output-buffer-limit could not be looked at; the caches do not need it',
        remedy: 'run the doctor as an administrator once, or ask the provider',
      },
    ]
  }
  return [judgeIdle(config), judgeBuffers(config)].flatMap((finding) => finding ?? [])
}

function judgeIdle(config: ReadonlyMap<string, string>): Finding | undefined {
  const [timeout, keepalive] = [config.get('timeout'), config.get('tcp-keepalive')]
  if (timeout === undefined || keepalive === undefined) return undefined
  const found = `timeout ${timeout}, tcp-keepalive ${keepalive}`
  if (Number(timeout) > 0) {
    return {
      code: 'IDLE',
      level: Number(timeout) <= 5 ? 'warning' : 'note',
      found,
      why: 'connections that say nothing for so many seconds are closed: the bus speaks every second, that of the commands may be quiet, and the next call after a pause then misses',
      remedy: 'CONFIG SET timeout 0',
    }
  }
  if (keepalive === '0') {
    return {
      code: 'IDLE',
      level: 'note',
      found,
      why: 'the server keeps connections of processes that are gone without a word, each with its buffers',
      remedy: 'CONFIG SET tcp-keepalive 300',
    }
  }
  return ok('IDLE', found)
}

/** Class of clients to hard limit, soft limit and seconds of the soft one. */
function judgeBuffers(config: ReadonlyMap<string, string>): Finding | undefined {
  const text = config.get('client-output-buffer-limit')
  if (text === undefined) return undefined
  const words = text.split(/\s+/)
  const limitOf = (kind: string): readonly number[] =>
    words.slice(words.indexOf(kind) + 1, words.indexOf(kind) + 4).map(Number)
  const [normal = 0, normalSoft = 0] = words.includes('normal') ? limitOf('normal') : []
  const [pubsub = 0] = words.includes('pubsub') ? limitOf('pubsub') : []
  const found = `client-output-buffer-limit ${text}`
  const least = Math.min(...[normal, normalSoft].filter((limit) => limit > 0))
  if (least < 64 * 2 ** 20) {
    return {
      code: 'BUFFERS',
      level: 'warning',
      found,
      why: 'the server closes the connection under a reply that is larger: a getMany of many arrays then misses as a whole',
      remedy: 'CONFIG SET client-output-buffer-limit "normal 0 0 0"',
    }
  }
  if (pubsub > 0 && pubsub < 2 ** 20) {
    return {
      code: 'BUFFERS',
      level: 'warning',
      found,
      why: "bus: 'tracking' is told of changes in this class: a burst of them closes the connection, and the first tiers are flushed",
      remedy: 'CONFIG SET client-output-buffer-limit "pubsub 33554432 8388608 60"',
    }
  }
  return ok('BUFFERS', found)
}
