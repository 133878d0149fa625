/** What the tests of RedisStore share: both versions of ioredis, envelopes, and what stands in Redis. */
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis6'
import { encodeEnvelope, readHeader } from '../../../src/codec/envelope.js'
import type { RedisStore } from '../../../src/l2/redis-store.js'
import type { L2Write } from '../../../src/l2/store.js'

type Options = { port?: number; keyPrefix?: string; name?: string; sentinels?: Nodes }
type Nodes = { host: string; port: number }[]

export const VERSIONS = [
  {
    ioredis: 'ioredis 5',
    makeRedis: (options: Options) => new Redis5({ lazyConnect: true, ...options }),
    makeCluster: (nodes: Nodes) => new Cluster5(nodes, { lazyConnect: true }),
  },
  {
    ioredis: 'ioredis 6',
    makeRedis: (options: Options) => new Redis6({ lazyConnect: true, ...options }),
    makeCluster: (nodes: Nodes) => new Cluster6(nodes, { lazyConnect: true }),
  },
]

export const me = { origin: 'me' }
export const other = { origin: 'other' }

export function envelope(value: unknown, epoch = 0): Buffer {
  return encodeEnvelope({ freshUntil: Number.POSITIVE_INFINITY, epoch }, value)
}

export function write(name: string, value: unknown, more: Partial<L2Write> = {}): L2Write {
  return { name, bytes: envelope(value), ttlMs: 60_000, ...more }
}

/** The version in an envelope's bytes. */
export function versionIn(bytes: Uint8Array | null): number | undefined {
  return bytes === null ? undefined : readHeader(bytes)?.version
}

export interface Heard {
  readonly k: string
  readonly n: string
  readonly v: number
  readonly o: string
}

/** All messages of a bucket, checked to be one chain from the first. */
export async function heard(store: RedisStore, bucket = 0): Promise<Heard[]> {
  const client = await store.busConnection(bucket)
  await client.connect()
  const entries = (await client.call('xrange', store.busKey(bucket), '-', '+')) as [string, string[]][]
  client.disconnect()
  let previous = '0-0'
  return entries.map(([id, words]) => {
    if (words[8] !== 'p' || words[9] !== previous)
      throw new Error(`the chain is broken at ${id}: ${words[9]} is not ${previous}`)
    previous = id
    return { k: String(words[1]), n: String(words[3]), v: Number(words[5]), o: String(words[7]) }
  })
}
