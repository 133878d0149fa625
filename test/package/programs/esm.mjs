// The installed package, used as an ES module.
import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { digest, HitpathError, LocalCache, SharedCache } from 'hitpath'
import { hitpathStore } from 'hitpath/cache-manager'
import { HitpathStore } from 'hitpath/keyv'
import { LRUCache } from 'hitpath/lru-cache'

assert.equal(new LRUCache({ max: 1 }).set('a', 1).get('a'), 1)

const cache = new LocalCache({ maxEntries: 100, ttl: '60s' })
const value = { price: 1 }
assert.equal(cache.set('features:BTCUSDT', value).get('features:BTCUSDT'), value)
assert.equal(cache.get('features:ETHUSDT'), undefined)
for (const store of [new HitpathStore({ cache }), hitpathStore({ cache })]) {
  await store.set('key', 'value', 60_000)
  assert.equal(await store.get('key'), 'value')
}
assert.throws(
  () => new LocalCache({ maxEntries: 0 }),
  (error) => error instanceof HitpathError && error.code === 'INVALID_OPTION',
)

// What the README derives in Python.
assert.equal(
  digest({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }),
  'a960bd5b5deb455ec1c46483200c3dc9',
)

const shared = SharedCache.create({ maxBytes: 2 ** 20 })
shared.set('from main', Float64Array.of(1, 2, 3))
const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: shared.handle })
assert.equal(await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject)), 0)
assert.deepEqual(shared.get('from worker'), Float64Array.of(2, 4, 6))
shared.validate()
