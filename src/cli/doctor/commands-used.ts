/**
 * The commands that hitpath sends, those of its scripts included: an ACL is applied to each within a script too.
 *
 * Always true: the words of every command but HSET do nothing to a server without such keys, so that where nothing else says whether it is
 * permitted it can be tried. The keys are of the names that the namespace really has.
 */
import { Keyspace } from '../../l2/names.js'
import type { Word } from '../connection.js'

export type Use = 'reads' | 'writes' | 'bus' | 'tracking' | 'patterns' | 'warming' | 'cluster' | 'checks'

export interface UsedCommand {
  readonly use: Use
  readonly words: readonly [command: string, ...words: Word[]]
  /** Trying it would write. */
  readonly writes?: true
}

/** What does not work without the commands of a use. */
export const LOST: Readonly<Record<Use, string>> = {
  reads: 'reads of the second tier fail: every miss of the first goes to the factory',
  writes: 'writes and invalidations fail: they wait in the replay queue, and processes do not hear of them',
  bus: "bus: 'stream' has no link: first tiers serve what others changed until whenUnlinked ends it",
  tracking: "bus: 'tracking' has no link; bus: 'stream' does not need it",
  patterns: 'invalidatePattern fails, and clear leaves its bytes in the server',
  warming: 'warm() from the hottest entries of the second tier fails',
  cluster: 'nodes and slots cannot be found',
  checks: "the caches cannot see the server's version and maxmemory-policy, and do not warn of them",
}

/** A bus of this namespace that nobody uses has no such name. */
const NAME = 's\u0001hitpath doctor'

export function commandsUsed(prefix: string, namespace: string, clustered: boolean): UsedCommand[] {
  const keys = new Keyspace(prefix, namespace, 1)
  const { bus, sequence, generations } = keys.of(0)
  const [entry, tag, lease] = [keys.entry(0, NAME), keys.tag(0, NAME), keys.lease(0, NAME)]
  const of = (use: Use, ...words: UsedCommand['words']): UsedCommand => ({ use, words })
  return [
    of('reads', 'GET', entry),
    of('reads', 'MGET', entry, entry),
    of('reads', 'PTTL', entry),
    of('reads', 'EXISTS', sequence),
    of('reads', 'GET', keys.epoch),
    of('writes', 'EVALSHA', '0'.repeat(40), 1, entry),
    of('writes', 'EVAL', 'return 0', 1, entry),
    of('writes', 'TIME'),
    of('writes', 'GET', sequence),
    of('writes', 'SET', entry, '', 'XX', 'PX', 1),
    of('writes', 'SETRANGE', entry, 0, ''),
    of('writes', 'GETRANGE', entry, 0, 31),
    of('writes', 'UNLINK', entry),
    of('writes', 'SET', lease, '', 'XX', 'PX', 1),
    of('writes', 'DEL', lease),
    of('writes', 'HGET', generations, '*'),
    of('writes', 'HMGET', generations, '*'),
    { use: 'writes', words: ['HSET', generations, '*', '0'], writes: true },
    of('writes', 'PTTL', tag),
    of('writes', 'PEXPIRE', tag, 1),
    of('writes', 'PERSIST', tag),
    of('writes', 'XREVRANGE', bus, '+', '-', 'COUNT', 1),
    of('writes', 'XRANGE', bus, '-', '+', 'COUNT', 1),
    { use: 'writes', words: ['XADD', bus, 'NOMKSTREAM', '*', 'k', 'd'], writes: true },
    of('bus', 'PING'),
    of('bus', 'XREAD', 'COUNT', 1, 'STREAMS', bus, '$'),
    of('tracking', 'CLIENT', 'ID'),
    of('tracking', 'CLIENT', 'TRACKING', 'OFF'),
    of('tracking', 'SUBSCRIBE', '__redis__:invalidate'),
    of('patterns', 'SCAN', 0, 'COUNT', 1),
    of('warming', 'OBJECT', 'IDLETIME', entry),
    of('warming', 'OBJECT', 'FREQ', entry),
    of('checks', 'INFO', 'server'),
    ...(clustered ? [of('cluster', 'CLUSTER', 'SLOTS')] : []),
  ]
}
