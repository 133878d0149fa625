/**
 * Walks all entries of a namespace: SCAN on every master, filtered there as far as the words of Redis go and here exactly.
 *
 * Always true: an entry that stays where it is during the walk is seen, perhaps twice. One that moves between masters could be
 * missed, so the walk begins again when the slots of the namespace have other owners at its end than at its begin.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Deadlines } from './deadlines.js'
import type { Keyspace, Word } from './names.js'
import type { RedisCalls } from './redis-calls.js'
import { type AnyClient, isCluster, type RedisClient } from './redis-client.js'
import type { OnNames } from './store.js'

const COUNT = 500
const MAX_WALKS = 4

export interface ScanOptions {
  readonly deadlines: Deadlines
  /** In the words of Redis, over names. */
  readonly glob: Word
  readonly accepts: (name: string) => boolean
  /** Keys of one bucket whose names were accepted. */
  readonly onKeys: (keys: readonly Buffer[]) => Promise<void>
  readonly onScanned?: (keys: number) => void
  /** Milliseconds of rest after each step of a node. Default 0: the network's time is rest enough. */
  readonly restMs?: number
  readonly signal?: AbortSignal | undefined
}

/** Resolves when every master was walked; rejects with the signal's reason, or as the store does. */
export async function scanEntries(
  client: AnyClient,
  keyspace: Keyspace,
  options: ScanOptions,
): Promise<void> {
  for (let walk = 0; walk < MAX_WALKS; walk++) {
    const before = owners(client, keyspace)
    const masters = isCluster(client) ? client.nodes('master') : [client]
    await Promise.all(masters.map((master) => scanNode(master, keyspace, options)))
    if (owners(client, keyspace) === before) return
  }
}

/** Shows the names of all entries. */
export async function scanNames(
  calls: RedisCalls,
  keyspace: Keyspace,
  onNames: OnNames,
  signal: AbortSignal | undefined,
): Promise<void> {
  await scanEntries(await calls.client(), keyspace, {
    deadlines: calls.deadlines,
    glob: '*',
    accepts: () => true,
    onKeys: (keys) => onNames(keys.map((key) => (keyspace.parse(key) as { readonly name: string }).name)),
    signal,
  })
}

async function scanNode(
  node: Pick<RedisClient, 'callBuffer'>,
  keyspace: Keyspace,
  options: ScanOptions,
): Promise<void> {
  const pattern = keyspace.scanPattern(options.glob)
  let cursor = '0'
  do {
    options.signal?.throwIfAborted()
    const step = node.callBuffer('scan', cursor, 'MATCH', pattern, 'COUNT', COUNT)
    const reply = await options.deadlines.guard(step)
    const [next, keys] = reply as [Buffer, Buffer[]]
    cursor = next.toString()
    options.onScanned?.(keys.length)
    const buckets = new Map<number, Buffer[]>()
    for (const key of keys) {
      const entry = keyspace.parse(key)
      if (entry === undefined || !options.accepts(entry.name)) continue
      const mine = buckets.get(entry.bucket)
      if (mine === undefined) buckets.set(entry.bucket, [key])
      else mine.push(key)
    }
    await Promise.all([...buckets.values()].map((mine) => options.onKeys(mine)))
    if (options.restMs !== undefined) await delay(options.restMs, undefined, { ref: false })
  } while (cursor !== '0')
}

function owners(client: AnyClient, keyspace: Keyspace): string {
  if (!isCluster(client)) return ''
  const { slots } = client
  return Array.from({ length: keyspace.buckets }, (_, b) => slots[keyspace.of(b).slot]?.[0]).join()
}
