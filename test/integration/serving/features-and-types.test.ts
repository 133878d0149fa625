import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { CachedFeatureExtractor, type NdArrayLike, RedisStore, TypedCaches } from '../../../src/index.js'
import { RedisServer } from '../../support/redis.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  await server.stop()
})

type Row = { readonly mean: number; readonly closes: Float64Array }

/** What one process has: its connection, its types, its extractor. */
function processOver(port: number) {
  const store = new RedisStore({ port, namespace: 'desk' })
  const caches = new TypedCaches({
    l2: store,
    types: { features: { ttl: '60s' }, predictions: { ttl: '30s' }, models: { ttl: '1h', tier: 'l1' } },
  })
  const extract = vi.fn(async (window: NdArrayLike): Promise<Row> => {
    const { data } = window as { data: Float64Array }
    return { mean: data.reduce((sum, value) => sum + value, 0) / data.length, closes: data.slice(-3) }
  })
  const cache = caches.of('features')
  const extractor = new CachedFeatureExtractor({ cache, name: 'row', version: 1, extract })
  return { store, caches, extract, extractor, close: () => caches.close().then(() => store.close()) }
}

test('two processes share features by content, and an invalidated symbol reaches both', async () => {
  const [one, two] = [processOver(server.port), processOver(server.port)]
  try {
    await Promise.all([one.caches.ready(), two.caches.ready()])
    const ring = Float64Array.from({ length: 40 }, (_, i) => i)
    const window = (offset: number) => ({ data: ring, shape: [5, 2], stride: [1, 20], offset })
    const call = { symbol: 'BTCUSDT' }
    const made = await one.extractor.extractMany([window(0), window(1), window(0)], call)
    const found = await two.extractor.extractMany([window(1), window(0), window(2)], call)
    expect([found[1], found[0]]).toEqual(made.slice(0, 2))
    expect([one.extract, two.extract].map(({ mock }) => mock.calls.length)).toEqual([2, 1])

    await two.caches.invalidateTag('symbol:BTCUSDT')
    await vi.waitFor(async () => {
      await one.extractor.extract(window(0), call)
      expect(one.extract).toHaveBeenCalledTimes(3)
    })
  } finally {
    await Promise.all([one.close(), two.close()])
  }
})

test('types are namespaces of one store: clear of one leaves the others', async () => {
  const [one, two] = [processOver(server.port), processOver(server.port)]
  try {
    for (const [type, cache] of one.caches) await cache.set('k', type)
    expect(await two.caches.of('features').get('k')).toBe('features')
    expect(await two.caches.of('models').get('k')).toBeUndefined()
    await two.caches.of('features').clear()
    expect(await two.caches.of('features').get('k')).toBeUndefined()
    expect(await two.caches.of('predictions').get('k')).toBe('predictions')
    await one.caches.close()
    // The store is the caller's: closing the types of one process leaves it to him, and the other process alone.
    expect(await two.caches.of('predictions').get('k')).toBe('predictions')
  } finally {
    await Promise.all([one.close(), two.close()])
  }
})
