/** What the tests of the sources in Redis share: a server, clients of it, and an invalidator over a cache that notes what goes. */
import { Redis } from 'ioredis'
import { LocalCache, MarketEventInvalidator, type MarketEventInvalidatorOptions } from '../../../src/index.js'
import { waitFor } from '../../support/redis.js'

export function client(port: number): Redis {
  const redis = new Redis({ port, host: '127.0.0.1' })
  redis.on('error', () => {})
  return redis
}

/** An invalidator over a cache of its own; `held(symbol)` says whether the cache has what was computed of it. */
export function listener(options: Partial<MarketEventInvalidatorOptions> = {}) {
  const cache = new LocalCache<number>()
  const errors: unknown[] = []
  const invalidator = new MarketEventInvalidator({
    caches: cache,
    onError: (error) => errors.push(error),
    ...options,
  })
  return {
    cache,
    errors,
    invalidator,
    hold: (...symbols: string[]) => {
      for (const symbol of symbols) cache.set(symbol, 1, { tags: [`symbol:${symbol}`] })
    },
    held: (symbol: string) => cache.peek(symbol) === 1,
    gone: (symbol: string) => waitFor(`${symbol} to go`, () => cache.peek(symbol) === undefined),
  }
}
