/** A process whose clocks are three seconds ahead. */
import { Redis } from 'ioredis'

const SKEW_MS = 3000
const wall = Date.now
Date.now = () => wall() + SKEW_MS

const { LocalCache, RedisStore, TieredCache } = await import('../../../src/index.js')
const { serve } = await import('../../support/processes.js')

let cache: InstanceType<typeof TieredCache> | undefined
let redis: Redis | undefined

function opened(): InstanceType<typeof TieredCache> {
  if (cache === undefined) throw new Error('open first')
  return cache
}

export const functions = {
  open: async (port: number): Promise<void> => {
    redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
    const clock = { now: () => performance.now() + SKEW_MS }
    cache = new TieredCache({
      l1: new LocalCache({ clock }),
      l2: new RedisStore({ client: redis, namespace: 'world', commandTimeout: '10s' }),
      clock,
      jitter: 0,
      l2Timeout: '10s',
      lease: 300,
    })
    await cache.ready()
  },
  set: async (key: string, value: unknown, ttl: number, tags: string[]): Promise<void> => {
    await opened().set(key, value, { ttl, tags })
  },
  get: (key: string): Promise<unknown> => opened().get(key),
  getSync: (key: string): unknown => opened().getSync(key),
  /** Begins to compute and never ends. */
  hang: (key: string): Promise<void> =>
    new Promise((resolve) => {
      void opened().getOrSet(key, () => {
        resolve()
        return new Promise(() => {})
      })
    }),
  close: async (): Promise<void> => {
    await cache?.close()
    redis?.disconnect()
  },
}

serve(functions)
