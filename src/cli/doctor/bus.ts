/** The streams of a namespace's bus: whether there are messages, how far back they reach, who reads them. */

import { timeReplyMs } from '../../coherence/server-clock.js'
import { entriesOf, rowsOf } from '../../coherence/stream-message.js'
import type { Keyspace } from '../../l2/names.js'
import type { Node } from '../connection.js'
import { countText, durationText } from '../terminal.js'
import { type Finding, ok } from './finding.js'

export interface BucketBus {
  readonly bucket: number
  readonly messages: number
  /** Milliseconds since its first and its last message, by the server's clock; undefined when there is none. */
  readonly oldestMs: number | undefined
  readonly newestMs: number | undefined
  /** Messages among the last that no version of hitpath wrote. */
  readonly unreadable: number
  /** What stands under its key is no stream, or it may not be read. */
  readonly error: string | undefined
}

export interface BusFacts {
  readonly namespace: string
  readonly buckets: readonly BucketBus[]
}

/** Of all namespaces of the server. */
export interface Readers {
  /** Connections that wait for messages of a stream; undefined when CLIENT LIST is refused. */
  readonly waiting: number | undefined
  /** The longest that one of them was not heard: those of a bus ask again each second. */
  readonly longestIdleMs: number | undefined
}

const LOOKED_AT = 20
/** A process that was cut off for less time than the stream reaches back need not flush. */
const SHORT_REACH_MS = 60_000
const HEARTBEAT_MS = 1000

export async function busFacts(
  nodeOf: (slot: number) => Node | undefined,
  namespace: string,
  keys: Keyspace,
): Promise<BusFacts> {
  const buckets = await Promise.all(
    Array.from({ length: keys.buckets }, async (_, bucket) => {
      const { bus, slot } = keys.of(bucket)
      const node = nodeOf(slot)
      return node === undefined
        ? unread(bucket, 'its master cannot be reached')
        : bucketBus(node, bucket, bus)
    }),
  )
  return { namespace, buckets }
}

async function bucketBus(node: Node, bucket: number, key: string): Promise<BucketBus> {
  try {
    const [length, first, last, time] = await Promise.all([
      node.ask('xlen', key),
      node.ask('xrange', key, '-', '+', 'COUNT', 1),
      node.ask('xrevrange', key, '+', '-', 'COUNT', LOOKED_AT),
      node.ask('time'),
    ])
    const age = (reply: unknown): number | undefined => {
      const [row] = rowsOf(reply)
      return row === undefined ? undefined : Math.max(0, timeReplyMs(time) - Number(row.id.split('-')[0]))
    }
    const unreadable = entriesOf(last).filter(({ message }) => message === undefined).length
    return {
      bucket,
      messages: Number(length),
      oldestMs: age(first),
      newestMs: age(last),
      unreadable,
      error: undefined,
    }
  } catch (error) {
    return unread(bucket, (error as Error).message)
  }
}

function unread(bucket: number, error: string): BucketBus {
  return { bucket, messages: 0, oldestMs: undefined, newestMs: undefined, unreadable: 0, error }
}

export async function readersOf(nodes: readonly Node[]): Promise<Readers> {
  try {
    const lists = await Promise.all(nodes.map((node) => node.ask('client', 'list')))
    const waiting = lists.flatMap((list) =>
      String(list)
        .split('\n')
        .filter((line) => /\bcmd=xread\b/.test(line)),
    )
    const idle = waiting.map((line) => Number(/\bidle=(\d+)/.exec(line)?.[1] ?? 0) * 1000)
    return { waiting: waiting.length, longestIdleMs: idle.length === 0 ? undefined : Math.max(...idle) }
  } catch {
    return { waiting: undefined, longestIdleMs: undefined }
  }
}

export function judgeBus({ namespace, buckets }: BusFacts, busLength: number): Finding[] {
  const broken = buckets.find(({ error }) => error !== undefined)
  if (broken !== undefined) {
    return [
      {
        code: 'BUS',
        level: 'error',
        found: `the bus of ${namespace}#${broken.bucket} cannot be read: ${broken.error}`,
        why: 'processes do not hear of each other: first tiers serve what others changed until whenUnlinked ends it',
        remedy: `redis-cli TYPE of the key: something else may use the prefix; or ACL SETUSER <user> +xread +xrevrange +xrange +xlen +time`,
      },
    ]
  }
  const messages = buckets.reduce((sum, bus) => sum + bus.messages, 0)
  if (messages === 0) return [ok('BUS', `the bus of ${namespace} is empty: nothing was written there yet`)]
  const newestMs = Math.min(...buckets.map((bus) => bus.newestMs ?? Number.POSITIVE_INFINITY))
  const findings: Finding[] = []
  const unreadable = buckets.reduce((sum, bus) => sum + bus.unreadable, 0)
  const said = `the bus of ${namespace}: ${countText(messages)} messages, the last ${durationText(newestMs)} ago`
  if (unreadable > 0) {
    findings.push({
      code: 'BUS_FOREIGN',
      level: 'warning',
      found: `${said}; ${unreadable} of the last are none of hitpath's`,
      why: 'each makes every process flush its first tier',
      remedy: 'find who writes to this stream: redis-cli XREVRANGE <key> + - COUNT 20',
    })
  }
  const short = buckets.filter((bus) => bus.messages >= busLength && (bus.oldestMs ?? 0) < SHORT_REACH_MS)
  const reachMs = Math.min(...short.map((bus) => bus.oldestMs as number))
  if (short.length > 0) {
    findings.push({
      code: 'BUS_SHORT',
      level: 'warning',
      found: `${said}; they reach back ${durationText(reachMs)}`,
      why: 'a process that is cut off for longer flushes its first tier, as it cannot know what it missed',
      remedy: `busLength above ${busLength * Math.ceil(SHORT_REACH_MS / Math.max(reachMs, 1000))} in the options of the store`,
    })
  }
  return findings.length > 0 ? findings : [ok('BUS', said)]
}

export function judgeReaders({ waiting, longestIdleMs }: Readers): Finding {
  if (waiting === undefined) {
    return {
      code: 'BUS_READERS',
      level: 'note',
      found: 'CLIENT LIST is not permitted',
      why: 'who reads the buses could not be looked at; the caches do not need it',
      remedy: 'run the doctor as an administrator once',
    }
  }
  const found = `${waiting} connection${waiting === 1 ? ' reads' : 's read'} streams of this server now`
  if (longestIdleMs === undefined || longestIdleMs <= 10 * HEARTBEAT_MS) return ok('BUS_READERS', found)
  return {
    code: 'BUS_READERS',
    level: 'note',
    found: `${found}; one was not heard for ${durationText(longestIdleMs)}`,
    why: 'readers of a bus ask again each second: this one is of another program, or of a process that is gone without a word',
    remedy: 'redis-cli CLIENT LIST: lines with cmd=xread, and CLIENT KILL ID of what is gone',
  }
}
