/** A process that asks for one key many times at once. */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { LocalCache, RedisStore, TieredCache } from '../../../src/index.js'
import { serve } from '../../support/processes.js'

let cache: TieredCache | undefined
let calls = 0

export const functions = {
  open: async (port: number, lease: number | false): Promise<void> => {
    const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
    const l2 = new RedisStore({ client, namespace: 'asking', commandTimeout: '20s' })
    cache = new TieredCache({ l1: new LocalCache(), l2, lease, l2Timeout: '20s' })
    await cache.ready()
  },
  /** The different values that came. */
  ask: async (key: string, times: number): Promise<unknown[]> => {
    const factory = async (): Promise<string> => {
      calls++
      await delay(300)
      return `of ${process.pid}`
    }
    const values = await Promise.all(Array.from({ length: times }, () => cache?.getOrSet(key, factory)))
    return [...new Set(values)]
  },
  calls: (): number => calls,
}

serve(functions)
