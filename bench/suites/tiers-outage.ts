/**
 * Reads through two tiers while Redis is healthy, slow, gone and back: what a caller waits, over time.
 *
 * Sixteen clients in one process read through, one call after the other: nine in ten of a hot set that the first tier holds, one in ten of keys
 * that nobody has asked for yet, which go to Redis and to a factory that takes no time. Every contender has a redis-server behind a proxy
 * that the parent turns bad. Peers are given what they offer against it: a timeout of commands, the circuit breaker of bentocache.
 */
import { setTimeout as sleep, setImmediate as turnOfLoop } from 'node:timers/promises'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import { LocalCache, RedisStore, TieredCache } from 'hitpath'
import { Redis } from 'ioredis'
import { Loader, RedisCache } from 'layered-loader'
import { RedisServer, TcpProxy } from '../../test/support/redis.js'
import { Child, inChild } from '../harness/child.js'
import type { Curve, Line } from '../harness/results.js'
import { quantile } from '../harness/statistics.js'
import type { Answer, Suite } from '../harness/subject.js'

const CLIENTS = 16
const HOT = 1_000
const ENTRIES = 100_000
const TTL_MS = 3_600_000
const WINDOW_MS = 100
const STAGE_MS = 1_500
const DELAY_MS = 25
const TIMEOUT_MS = 500
const NS_PER_MS = 1e6
/** An axis of powers of ten has no zero. */
const LEAST_MS = 0.001

type ReadThrough = (key: string, id: number) => Promise<unknown>

const contenders: Readonly<Record<string, (port: number) => Promise<ReadThrough>>> = {
  async hitpath(port) {
    const l2 = new RedisStore({ host: '127.0.0.1', port })
    const cache = new TieredCache<number>({
      l1: new LocalCache({ maxEntries: ENTRIES }),
      l2,
      namespace: 'outage',
      ttl: TTL_MS,
    })
    return (key, id) => cache.getOrSet(key, async () => id)
  },
  async bentocache(port) {
    const cache = new BentoCache({
      default: 'tiers',
      stores: {
        tiers: bentostore({ l2CircuitBreakerDuration: '2s' })
          .useL1Layer(memoryDriver({ maxItems: ENTRIES, serialize: false }))
          .useL2Layer(redisDriver({ connection: client(port) })),
      },
    })
    return (key, id) => cache.getOrSet({ key, factory: async () => id, ttl: TTL_MS })
  },
  async 'layered-loader'(port) {
    const loader = new Loader<number | null>({
      logger: { error: () => {} },
      inMemoryCache: { cacheType: 'lru-map', maxItems: ENTRIES, ttlInMsecs: TTL_MS },
      asyncCache: new RedisCache<number | null>(client(port), {
        json: true,
        ttlInMsecs: TTL_MS,
        prefix: 'outage',
      }),
      dataSources: [
        {
          name: 'factory',
          get: async (key) => idOf(key as unknown as string),
          getMany: async () => [],
        },
      ],
    })
    return (key) => loader.get(key)
  },
  async 'ioredis alone'(port) {
    const redis = client(port)
    return async (key, id) => {
      const found = await redis.get(key)
      if (found !== null) return Number(found)
      await redis.set(key, id, 'PX', TTL_MS)
      return id
    }
  },
}

function client(port: number): Redis {
  const redis = new Redis(port, '127.0.0.1', { commandTimeout: TIMEOUT_MS, maxRetriesPerRequest: 1 })
  redis.on('error', () => {
    // what was lost is counted where it was asked for
  })
  return redis
}

const keyOf = (id: number): string => `features:outage:${id}`
const idOf = (key: string): number => Number(key.slice(key.lastIndexOf(':') + 1))

let read: ReadThrough

/** Runs in a child: connects and fills. */
export async function open(name: string, port: number): Promise<void> {
  read = await contenders[name]!(port)
  for (let id = 0; id < HOT; id++) await read(keyOf(id), id).catch(() => read(keyOf(id), id))
}

export interface WindowOfReads {
  readonly seconds: number
  readonly p99Ms: number
  readonly reads: number
  readonly failed: number
}

/** Runs in a child: reads for `ms`; a read belongs to the window in which it ends. */
export async function readOn(ms: number): Promise<readonly WindowOfReads[]> {
  const count = Math.ceil(ms / WINDOW_MS)
  const times: number[][] = Array.from({ length: count }, () => [])
  const failed = new Array<number>(count).fill(0)
  const startedMs = performance.now()
  let next = HOT
  let asked = 0
  const one = async (): Promise<void> => {
    while (performance.now() - startedMs < ms) {
      const id = ++asked % 10 === 0 ? next++ : asked % HOT
      const from = process.hrtime.bigint()
      const isRight = await read(keyOf(id), id).then(
        (value) => value === id,
        () => false,
      )
      const window = Math.min(count - 1, Math.floor((performance.now() - startedMs) / WINDOW_MS))
      times[window]!.push(Number(process.hrtime.bigint() - from) / NS_PER_MS)
      if (!isRight) failed[window]!++
      await turnOfLoop()
    }
  }
  await Promise.race([Promise.all(Array.from({ length: CLIENTS }, one)), sleep(ms + 2 * TIMEOUT_MS)])
  return times.map((window, index) => ({
    seconds: ((index + 1) * WINDOW_MS) / 1_000,
    p99Ms: window.length === 0 ? Number.NaN : quantile(window, 0.99),
    reads: window.length,
    failed: failed[index]!,
  }))
}

const STAGES = [
  { title: 'healthy', turn: () => {} },
  { title: `slow: ${2 * DELAY_MS} ms there and back`, turn: (proxy: TcpProxy) => proxy.delay(DELAY_MS) },
  {
    title: 'gone: answers no more',
    turn: (proxy: TcpProxy) => {
      proxy.delay(0)
      proxy.pause()
    },
  },
  { title: 'back', turn: (proxy: TcpProxy) => proxy.resume() },
] as const

/** Runs in a child, which its proxy and its server end with. */
export async function endure(name: string): Promise<readonly WindowOfReads[]> {
  const server = await RedisServer.start()
  const proxy = await TcpProxy.start(server.port)
  const child = new Child()
  try {
    await child.call(import.meta.url, 'open', name, proxy.port)
    const reading = child.call<readonly WindowOfReads[]>(import.meta.url, 'readOn', STAGE_MS * STAGES.length)
    for (const { turn } of STAGES) {
      turn(proxy)
      await sleep(STAGE_MS)
    }
    return await reading
  } finally {
    await child.stop()
    await proxy.stop()
    await server.stop()
  }
}

async function measure(): Promise<Answer> {
  const byName = new Map<string, readonly WindowOfReads[]>()
  for (const name of Object.keys(contenders)) {
    byName.set(name, await inChild<readonly WindowOfReads[]>(import.meta.url, 'endure', name))
  }
  const stageOf = ({ seconds }: WindowOfReads): number =>
    Math.min(STAGES.length - 1, Math.floor((seconds * 1_000 - WINDOW_MS / 2) / STAGE_MS))
  const gone = (windows: readonly WindowOfReads[]): readonly number[] =>
    windows.filter((window) => stageOf(window) === 2 && window.reads > 0).map(({ p99Ms }) => p99Ms)
  return {
    figures: {
      'outage-p99': {
        contenders: Object.fromEntries([...byName].map(([name, windows]) => [name, gone(windows)])),
      },
    },
    curves: [
      curve('tiers-outage', 'a read, p99', 'ms', 'log', byName, ({ p99Ms }) => Math.max(LEAST_MS, p99Ms)),
      curve(
        'tiers-outage-reads',
        'reads',
        'reads/s',
        'linear',
        byName,
        ({ reads }) => (reads * 1_000) / WINDOW_MS,
      ),
    ],
    notes: [...byName].map(
      ([name, windows]) =>
        `${name}: ${windows.reduce((sum, { failed }) => sum + failed, 0)} of ${windows.reduce((sum, { reads }) => sum + reads, 0)} reads failed.`,
    ),
  }
}

function curve(
  id: string,
  title: string,
  unit: string,
  scale: 'linear' | 'log',
  byName: ReadonlyMap<string, readonly WindowOfReads[]>,
  of: (window: WindowOfReads) => number,
): Curve {
  const lines: readonly Line[] = [...byName].map(([name, windows]) => ({
    name,
    kind: 'measured',
    points: windows
      .filter((window) => Number.isFinite(of(window)))
      .map((window) => [window.seconds, of(window)] as const),
  }))
  return {
    id,
    title: `Two tiers while Redis is healthy, slow, gone and back: ${title}`,
    x: { title: 'time', unit: 's', scale: 'linear' },
    y: { title, unit, scale },
    lines,
    marks: STAGES.map((stage, index) => ({
      title: stage.title,
      from: (index * STAGE_MS) / 1_000,
      to: ((index + 1) * STAGE_MS) / 1_000,
    })),
    note: 'Nine in ten of the reads are of what the first tier holds; a window without a completed read has no point.',
  }
}

export const suite: Suite = {
  id: 'tiers-outage',
  title: 'Two tiers through an outage',
  subjects: [
    {
      id: 'tiers-outage',
      figures: [
        { id: 'outage-p99', title: 'A read while Redis answers no more, p99 of each 100 ms', unit: 'ms' },
      ],
      measure,
    },
  ],
}
