// The installed package, used from CommonJS, and beside its ES module in one process.
const assert = require('node:assert/strict')
const { LocalCache, SharedCache, digest } = require('hitpath')
const { hitpathCachingStore } = require('hitpath/cache-manager')
const { HitpathStorageAdapter } = require('hitpath/keyv')
const { LRUCache } = require('hitpath/lru-cache')

assert.equal(new LRUCache({ max: 1 }).set('a', 1).get('a'), 1)

const cache = new LocalCache({ maxEntries: 100 })
cache.set(Float64Array.of(1, 2), 'by array')
assert.equal(cache.get(Float64Array.of(1, 2)), 'by array')

async function main() {
  const stores = [new HitpathStorageAdapter({ cache }), hitpathCachingStore({ cache })]
  for (const store of stores) await store.set('key', store.constructor.name)
  for (const store of stores) assert.equal(await store.get('key'), store.constructor.name)

  const twin = await import('hitpath')
  const handle = SharedCache.create({ maxBytes: 2 ** 20 }).set('key', 'value').handle
  assert.equal(twin.SharedCache.attach(handle).get('key'), 'value')
  assert.equal(twin.digest(Float64Array.of(1, 2)), digest(Float64Array.of(1, 2)))
  // One instance of what is native, and of the class of prepared keys.
  const tiered = new twin.TieredCache({ l1: cache })
  const prepared = cache.key('prepared')
  await tiered.set(prepared, 'by the twin')
  assert.equal(await tiered.get(prepared), 'by the twin')
  await tiered.close()
  // The engine for platforms without a binary.
  const portable = new LocalCache({ maxEntries: 100, engine: 'portable' })
  assert.equal(portable.set(Float64Array.of(1, 2), 'by array').get(Float64Array.of(1, 2)), 'by array')
}

main()
