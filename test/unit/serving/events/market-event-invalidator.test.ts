import { describe, expect, it } from 'vitest'
import { LocalCache, SharedCache, TieredCache } from '../../../../src/index.js'
import {
  MarketEventInvalidator,
  type MarketEventInvalidatorOptions,
} from '../../../../src/serving/events/market-event-invalidator.js'
import { Recorder } from './recorder.js'

const quiet = { onError: () => {} }

describe('MarketEventInvalidator', () => {
  it('invalidates the tag of the symbol in every kind of cache, and nothing of another symbol', async () => {
    const local = new LocalCache<number>()
    const shared = SharedCache.create<number>({ maxBytes: 2 ** 20 })
    const tiered = new TieredCache<number>()
    for (const symbol of ['BTC', 'ETH']) {
      local.set(symbol, 1, { tags: [`symbol:${symbol}`] })
      shared.set(symbol, 1, { tags: [`symbol:${symbol}`] })
      await tiered.set(symbol, 1, { tags: [`symbol:${symbol}`] })
    }
    const invalidator = new MarketEventInvalidator({ caches: [local, shared, tiered] })

    await invalidator.handle({ symbol: 'BTC' })

    expect([local.get('BTC'), shared.get('BTC'), await tiered.get('BTC')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect([local.get('ETH'), shared.get('ETH'), await tiered.get('ETH')]).toEqual([1, 1, 1])
    await tiered.close()
    shared.close()
    local.close()
  })

  it('lets a bar take the features and they the predictions', async () => {
    const cache = new LocalCache<number>()
    for (const tag of ['features:BTC', 'predictions:BTC', 'predictions:ETH'])
      cache.set(tag, 1, { tags: [tag] })
    const invalidator = new MarketEventInvalidator({
      caches: cache,
      tags: ['bar:{symbol}'],
      dependencies: {
        'bar:{symbol}': ['features:{symbol}'],
        'features:{symbol}': ['predictions:{symbol}'],
      },
    })

    await invalidator.handle({ symbol: 'BTC' })

    expect([...cache.keys()]).toEqual(['predictions:ETH'])
    cache.close()
  })

  it('takes glob characters of a symbol in a pattern for themselves', async () => {
    const cache = new LocalCache<number>()
    const symbols = ['A*', 'AB', 'A?', '[ab]', 'a', 'b', 'x\\', 'x']
    const invalidator = new MarketEventInvalidator({
      caches: cache,
      tags: [],
      patterns: ['features:*<{symbol}>*'],
    })
    for (const symbol of symbols) {
      for (const each of symbols) cache.set(`features:ta<${each}>1m`, 1)
      await invalidator.handle({ symbol })
      expect([...cache.keys()].sort()).toEqual(
        symbols
          .filter((each) => each !== symbol)
          .map((each) => `features:ta<${each}>1m`)
          .sort(),
      )
    }
    cache.close()
  })

  it('takes the patterns of the original', async () => {
    const cache = new LocalCache<number>()
    for (const key of [
      'features:rsi:BTCUSDT:1m',
      'features:macd:BTCUSDT',
      'features:rsi:ETHUSDT',
      'model:BTCUSDT',
    ])
      cache.set(key, 1)
    const invalidator = new MarketEventInvalidator({ caches: cache, patterns: ['features:*{symbol}*'] })

    await invalidator.handle({ symbol: 'BTCUSDT' })

    expect([...cache.keys()].sort()).toEqual(['features:rsi:ETHUSDT', 'model:BTCUSDT'])
    cache.close()
  })

  it('counts and ignores the symbols that it was not told of', async () => {
    const cache = new Recorder()
    const invalidator = new MarketEventInvalidator({ caches: cache, symbols: new Set(['A', 'B']) })

    for (const symbol of ['A', 'Z', 'B', 'a']) await invalidator.handle({ symbol })

    expect(cache.asked).toEqual(['symbol:A', 'symbol:B'])
    expect(invalidator.stats()).toMatchObject({ received: 4, unknown: 2, malformed: 0 })
  })

  it('rejects an event without a symbol', async () => {
    const cache = new Recorder()
    const invalidator = new MarketEventInvalidator({ caches: cache, ...quiet })

    for (const event of [undefined, null, {}, { symbol: '' }, { symbol: 5 }, 'BTC'])
      await expect(invalidator.handle(event as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })

    expect(cache.asked).toEqual([])
    expect(invalidator.stats().malformed).toBe(6)
  })

  it.each<[Partial<MarketEventInvalidatorOptions>, RegExp]>([
    [{ tags: ['bar:{interval}'] }, /\{symbol\} alone/],
    [{ tags: 'symbol' as never }, /array/],
    [{ tags: [], patterns: [] }, /nothing/],
    [{ patterns: ['a:{'] }, /placeholders/],
    [{ symbols: 5 as never }, /symbols/],
    [{ gap: 'known' }, /gap/],
    [{ accepts: () => true } as never, /no option "accepts"/],
  ])('refuses %j', (options, message) => {
    expect(() => new MarketEventInvalidator({ caches: new Recorder(), ...options })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) }),
    )
  })
})
