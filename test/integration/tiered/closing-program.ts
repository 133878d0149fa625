/** Uses everything, closes, and ends by itself. */
import { Redis } from 'ioredis'
import { LocalCache, RedisStore, TieredCache } from '../../../src/index.js'

const redis = new Redis({ port: Number(process.argv[2]), host: '127.0.0.1', lazyConnect: true })
const cache = new TieredCache({
  l1: new LocalCache(),
  l2: new RedisStore({ client: redis, namespace: 'closing' }),
  grace: '1h',
  staleWhileRevalidate: '1m',
  lease: '10s',
})
await cache.set('key', 1, { tags: ['t'] })
await cache.getOrSet('other', () => 2)
await cache.invalidateTag('t')
const child = cache.namespace('child')
await child.set('key', 1)
void cache.getOrSet('never', () => new Promise(() => {}), { softTimeout: 10 }).catch(() => {})
await cache.get('key')
await cache.close()
redis.disconnect()
console.log('closed')
