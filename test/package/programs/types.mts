// What a consumer's compiler sees, with `skipLibCheck` off. Never run.
import {
  CachedFeatureExtractor,
  type CacheStats,
  digest,
  HitpathError,
  LocalCache,
  type NdArrayLike,
  type Pinned,
  type PreparedKey,
  SharedCache,
  type SharedCacheHandle,
} from 'hitpath'
import { type CacheStore, hitpathCachingStore, hitpathStore } from 'hitpath/cache-manager'
import { HitpathStorageAdapter, HitpathStore } from 'hitpath/keyv'
import { LRUCache } from 'hitpath/lru-cache'

type Features = { readonly rsi: number }

const cache = new LocalCache<Features>({
  maxEntries: 10,
  ttl: '60s',
  onRemoval: (_key, { rsi }, reason) => [rsi, reason],
})
const hit: Features | undefined = cache.set('key', { rsi: 1 }, { ttl: 5, tags: ['BTCUSDT'] }).get('key')
const hot: PreparedKey = cache.key('key')
const computed: Features = cache.getOrCompute(hot, () => ({ rsi: 2 }))
const stats: CacheStats = cache.stats()
// @ts-expect-error a value of another type
cache.set('key', 'text')
// @ts-expect-error an unknown unit
new LocalCache({ ttl: '60 parsecs' })

const shared = SharedCache.create<Float64Array>({ maxBytes: 2 ** 20 })
const handle: SharedCacheHandle = shared.handle
const matrix: NdArrayLike = { data: new Float64Array(6), shape: [3, 2] }
const rows: number = shared.getRows(matrix, new Float64Array(3), new Uint8Array(3))
const pin: Pinned<Float64Array> | undefined = SharedCache.attach<Float64Array>(handle).pin('key')
const code: string = new HitpathError('CLOSED', 'closed').code
const extractor = new CachedFeatureExtractor({ cache, name: 'rsi', version: 1, extract: () => ({ rsi: 1 }) })
const features: Features = extractor.extract(matrix)

export default [hit, computed, stats, rows, pin, code, features, digest(matrix)]

const lru: LRUCache<string, number> = new LRUCache({
  max: 10,
  ttl: 1000,
  dispose: (_value, _key, reason) => reason,
})
const options: LRUCache.Options<string, number, unknown> = { max: 1 }
export const served: number | undefined = lru
  .set('a', 1)
  .get('a', { allowStale: options.allowStale ?? false })

const keyvStore = new HitpathStore({ cache })
const store: CacheStore = hitpathStore({ maxEntries: 10 })
export const kept: readonly Promise<unknown>[] = [
  keyvStore.get<string>('key'),
  new HitpathStorageAdapter(shared).set('key', 1, Date.now()),
  store.set('key', 1),
  hitpathCachingStore(shared).mget('key'),
]
// @ts-expect-error neither options nor a cache
new HitpathStore({ cache: 'redis' })
