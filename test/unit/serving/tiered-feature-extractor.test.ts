import ndarray from 'ndarray'
import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import {
  AdaptiveTtl,
  CachedFeatureExtractor,
  LocalCache,
  type NdArrayLike,
  type TieredCache,
} from '../../../src/index.js'
import { deferred, settled, World } from '../tiered/world.js'
import { contentOf } from './fake-feature-cache.js'

type Sum = { readonly sum: number }

const sumOf = (window: NdArrayLike): Sum => ({
  sum: contentOf(window)
    .replace(/^.*\]/, '')
    .split(',')
    .reduce((sum, element) => sum + Number(element), 0),
})

function extractorOver(cache: TieredCache, options: object = {}) {
  const extract = vi.fn(async (window: NdArrayLike, _context?: unknown) => sumOf(window))
  const extractor = new CachedFeatureExtractor({ cache, name: 'sum', version: 1, extract, ...options })
  return { extract, extractor }
}

describe('CachedFeatureExtractor over a TieredCache', () => {
  it('gives promises, and features at once over an L1: the types tell', async () => {
    await using world = new World()
    const tiered = world.process().cache
    const identity = { name: 'sum', version: 1 }
    const later = new CachedFeatureExtractor({
      cache: tiered,
      ...identity,
      extract: async () => ({ sum: 1 }),
    })
    const now = new CachedFeatureExtractor({
      cache: new LocalCache<Sum>(),
      ...identity,
      extract: (window: Float64Array): Sum => ({ sum: window.length }),
    })
    expectTypeOf(later.extract).returns.toEqualTypeOf<Promise<{ sum: number }>>()
    expectTypeOf(now.extract).returns.toEqualTypeOf<Sum>()
    expect(await later.extract(new Float64Array(3))).toEqual({ sum: 1 })
    expect(now.extract(new Float64Array(3))).toEqual({ sum: 3 })
    expect([now, later].every((one) => one instanceof CachedFeatureExtractor)).toBe(true)
  })

  it('computes a window once among processes: by content, within name, version and parameters', async () => {
    await using world = new World()
    const [a, b] = [world.process().cache, world.process().cache]
    const one = extractorOver(a, { params: { rsi: 14 } })
    const two = extractorOver(b, { params: { rsi: 14 } })
    const rows = new Float64Array([9, 1, 2, 3, 4, 9])
    await one.extractor.extract({ data: rows, shape: [2, 2], offset: 1 })
    expect(await two.extractor.extract(ndarray(new Float64Array([1, 3, 2, 4]), [2, 2], [1, 2]))).toEqual({
      sum: 10,
    })
    expect(two.extract).not.toHaveBeenCalled()
    expect(two.extractor.stats()).toMatchObject({ hits: 1, misses: 0 })
    for (const options of [{ params: { rsi: 15 } }, { params: { rsi: 14 }, version: 2 }, { name: 'sum@1' }]) {
      const other = extractorOver(b, options)
      await other.extractor.extract({ data: rows, shape: [2, 2], offset: 1 })
      expect(other.extract).toHaveBeenCalledTimes(1)
    }
  })

  it('shares one extraction among calls at a time, and a caller may leave', async () => {
    await using world = new World()
    const { extract, extractor } = extractorOver(world.process().cache)
    const made = deferred<Sum>()
    extract.mockImplementationOnce(() => made.promise)
    const leaver = new AbortController()
    const window = new Float64Array([1, 2])
    const left = extractor.extract(window, { signal: leaver.signal })
    const stays = [extractor.extract(window.slice()), extractor.extractMany([window, window])]
    await settled()
    leaver.abort('gone')
    await expect(left).rejects.toBe('gone')
    made.resolve({ sum: 3 })
    expect(await Promise.all(stays)).toEqual([{ sum: 3 }, [{ sum: 3 }, { sum: 3 }]])
    expect(extract).toHaveBeenCalledTimes(1)
    expect(extractor.stats()).toMatchObject({ misses: 1 })
  })

  it('aborts an extraction that nobody waits for', async () => {
    await using world = new World()
    const { extract, extractor } = extractorOver(world.process().cache)
    const heard = vi.fn()
    extract.mockImplementation(async (_, context) => {
      ;(context as { signal: AbortSignal }).signal.addEventListener('abort', heard)
      return new Promise<Sum>(() => {})
    })
    const leaver = new AbortController()
    const calls = [
      extractor.extract(new Float64Array([1]), { signal: leaver.signal }),
      extractor.extractMany([new Float64Array([2])], { signal: leaver.signal }),
    ]
    await settled()
    leaver.abort('gone')
    expect(await Promise.allSettled(calls)).toMatchObject([{ reason: 'gone' }, { reason: 'gone' }])
    expect(heard).toHaveBeenCalledTimes(2)
  })

  it('lets a growing buffer go on: the window is what it was when it was asked for', async () => {
    await using world = new World()
    const { extractor } = extractorOver(world.process().cache)
    const ring = new Float64Array([1, 2, 3, 4])
    const window = (offset: number) => ({ data: ring, shape: [2, 1], stride: [1, 1], offset })
    const asked = [extractor.extract(window(0)), extractor.extractMany([window(1), window(2)])]
    ring.fill(100)
    expect(await Promise.all(asked)).toEqual([{ sum: 3 }, [{ sum: 5 }, { sum: 7 }]])
    expect(await extractor.extract(window(0))).toEqual({ sum: 200 })
    expect(await extractor.extract(new NdFloat([1, 2], [2, 1]))).toEqual({ sum: 3 })
    expect(extractor.stats()).toMatchObject({ hits: 1, misses: 4 })
  })

  it('copies nothing for a hit of the first tier', async () => {
    await using world = new World()
    const { extractor } = extractorOver(world.process().cache)
    const window = new Float64Array(300).fill(1)
    await extractor.extract(window)
    const slice = vi.spyOn(Uint8Array.prototype, 'slice')
    try {
      await extractor.extract(window)
      await extractor.extractMany([window])
      // The bytes of the digest.
      expect(slice.mock.results.every(({ value }) => (value as Uint8Array).byteLength <= 17)).toBe(true)
    } finally {
      slice.mockRestore()
    }
  })

  it('is invalidated by symbol, by tags and by pattern', async () => {
    await using world = new World()
    const { cache } = world.process()
    const { extract, extractor } = extractorOver(cache, { tags: ['daily'], params: { symbol: 'BTCUSDT' } })
    const [one, two] = [new Float64Array([1]), new Float64Array([2])]
    const fill = async () => {
      await extractor.extract(one, { symbol: 'BTCUSDT' })
      await extractor.extractMany([two], { symbol: 'ETHUSDT', tags: ['spot'] })
      const { length } = extract.mock.calls
      extract.mockClear()
      return length
    }
    expect(await fill()).toBe(2)
    expect(await fill()).toBe(0)
    await cache.invalidateTag('symbol:BTCUSDT')
    expect(await fill()).toBe(1)
    await cache.invalidateTag('spot')
    expect(await fill()).toBe(1)
    await cache.invalidateTag('daily')
    expect(await fill()).toBe(2)
    expect((await cache.invalidatePattern('features:*BTCUSDT*')).removed).toBe(2)
    expect(await fill()).toBe(2)
  })

  it('takes tags from a function of the features, each window its own', async () => {
    await using world = new World()
    const { cache } = world.process()
    await cache.set('known', 1, { tags: ['sum:1', 'sum:2'] })
    const tags = (_: NdArrayLike, { features }: { features: Sum }) => [`sum:${features.sum}`]
    const { extract, extractor } = extractorOver(cache, { tags })
    const windows = [new Float64Array([1]), new Float64Array([2])]
    await extractor.extractMany(windows)
    await cache.invalidateTag('sum:2')
    extract.mockClear()
    await extractor.extractMany(windows)
    expect(extract.mock.calls.map(([window]) => contentOf(window))).toEqual([contentOf(windows[1]!)])
  })

  it('asks the second tier once for a batch, and for each window once', async () => {
    await using world = new World()
    const [a, b] = [world.process(), world.process()]
    const windows = [1, 2, 3, 2, 1].map((value) => new Float64Array([value]))
    await extractorOver(a.cache).extractor.extractMany(windows.slice(0, 2))
    await b.cache.ready()
    const { extract, extractor } = extractorOver(b.cache)
    b.store.calls.length = 0
    expect((await extractor.extractMany(windows)).map(({ sum }) => sum)).toEqual([1, 2, 3, 2, 1])
    expect(b.store.calls.filter((call) => call.startsWith('get'))).toHaveLength(1)
    expect(extract).toHaveBeenCalledTimes(1)
    expect(extractor.stats()).toMatchObject({ hits: 4, misses: 1 })
    expect(await extractor.extractMany([])).toEqual([])
  })

  it('lives as long as the cache says, the constructor, the call, or what was learned', async () => {
    await using world = new World()
    const { cache } = world.process()
    const livesFor = async (options: object, call?: object) => {
      const { extract, extractor } = extractorOver(cache, {
        name: JSON.stringify([options, call]),
        ...options,
      })
      await extractor.extract(new Float64Array([1]), call)
      for (let ms = 0; ms < 20_000; ms += 500) {
        world.advance(500)
        await extractor.extract(new Float64Array([1]), call)
        if (extract.mock.calls.length > 1) return ms
      }
      return Infinity
    }
    expect(await livesFor({})).toBe(1000)
    expect(await livesFor({ ttl: '5s' })).toBe(5000)
    expect(await livesFor({ ttl: '5s' }, { ttl: '2s' })).toBe(2000)

    const ttl = new AdaptiveTtl({ min: '1s', max: '1h', clock: world.clock })
    const { extract, extractor } = extractorOver(cache, { name: 'learned', ttl })
    for (let i = 0; i < 400; i++) {
      await extractor.extract(new Float64Array([1]))
      world.advance(500)
    }
    expect(extract.mock.calls.length).toBeLessThan(60)
    expect(Object.keys(ttl.stats())).toEqual(['learned@1?'])
  })

  it('learns a ttl over an L1 too', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = new LocalCache<Sum>({ clock })
    const extract = vi.fn((): Sum => ({ sum: 1 }))
    const ttl = new AdaptiveTtl({ min: '1s', max: '1h', clock })
    const extractor = new CachedFeatureExtractor({ cache, name: 'sum', version: 1, extract, ttl })
    for (; clock.ms < 200_000; clock.ms += 500) extractor.extract(new Float64Array([1]))
    expect(extract.mock.calls.length).toBeLessThan(60)
    cache.close()
  })

  it('serves stale features under a grace when the extraction fails', async () => {
    await using world = new World()
    const { extract, extractor } = extractorOver(world.process({ grace: '1m' }).cache)
    const window = new Float64Array([1, 2])
    await extractor.extract(window)
    world.advance(1500)
    extract.mockRejectedValueOnce(new Error('down'))
    expect(await extractor.extract(window)).toEqual({ sum: 3 })
  })
})

/** A typed array of two dimensions. */
class NdFloat {
  readonly data: Float64Array
  readonly shape: readonly number[]
  constructor(elements: readonly number[], shape: readonly number[]) {
    this.data = Float64Array.from(elements)
    this.shape = shape
  }
}
