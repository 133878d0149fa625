/** A process that computes from data in Redis through a TieredCache, and consumes the events that tell of changes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCache, MarketEventInvalidator, RedisStore, TieredCache } from '../../../src/index.js'
import { serve } from '../../support/processes.js'
import { client } from './events-world.js'

const [port = '', consumer = ''] = process.argv.slice(2)
const data = client(Number(port))
const cache = new TieredCache<number>({
  l1: new LocalCache(),
  l2: new RedisStore({ host: '127.0.0.1', port: Number(port) }),
  namespace: 'events',
})
const invalidator = new MarketEventInvalidator({ caches: cache, onError: () => {} })

async function features(symbol: string): Promise<number | undefined> {
  return cache.getOrSet(
    `features:${symbol}`,
    async () => {
      const version = Number(await data.get(`data:${symbol}`))
      await sleep(Math.random() * 3)
      return version
    },
    { tags: [`symbol:${symbol}`] },
  )
}

const functions = {
  async follow(): Promise<void> {
    const options = { stream: 'md', group: 'g', consumer, heartbeat: 100, claimIdle: 500, batch: 8 } as const
    await cache.ready()
    await invalidator.follow(data, options).ready
  },
  read: (symbols: string[]) => Promise.all(symbols.map(features)),
  stats: () => invalidator.stats(),
}
serve(functions)
export type EventsProcess = typeof functions
