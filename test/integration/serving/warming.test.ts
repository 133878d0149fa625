import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { LocalCache, RedisStore, TieredCache, warmFromStore } from '../../../src/index.js'
import { RedisServer, waitFor } from '../../support/redis.js'

let server: RedisServer
let redis: Redis
const open: TieredCache<number>[] = []

beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
  await redis.flushall()
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

function process(namespace = 'warm'): TieredCache<number> {
  const l2 = new RedisStore({ url: server.url, namespace, commandTimeout: '5s' })
  const cache = new TieredCache<number>({
    l1: new LocalCache({ maxEntries: 10_000 }) as never,
    l2,
    namespace,
  })
  open.push(cache)
  return cache
}

async function filled(count: number): Promise<TieredCache<number>> {
  const cache = process()
  await cache.setMany(
    Array.from({ length: count }, (_, i) => [`key ${i}`, i, { ttl: '1h', tags: ['all'] }] as const),
  )
  return cache
}

function here(cache: TieredCache<number>, count: number): number[] {
  return Array.from({ length: count }, (_, i) => i).filter((i) => cache.getSync(`key ${i}`) !== undefined)
}

test.each(['allkeys-lfu', 'volatile-lfu'])('under %s what is read often comes first', async (policy) => {
  await redis.config('SET', 'maxmemory-policy', policy, 'lfu-log-factor', '0')
  await filled(600)
  const reader = new RedisStore({ url: server.url, namespace: 'warm', commandTimeout: '5s' })
  const hot = Array.from({ length: 40 }, (_, i) => i * 7)
  for (let round = 0; round < 30; round++) await reader.getMany(hot.map((i) => `skey ${i}`))
  await reader.close()
  const cold = process()
  expect(await cold.hottest({ max: 3 })).toMatchObject({ scanned: 600, by: 'frequency' })
  const result = await warmFromStore(cold, { maxEntries: 40 })
  expect(result).toMatchObject({ done: 40, total: 40, warmed: 40, failed: 0, complete: true })
  expect(here(cold, 600)).toEqual(hot)
  expect(cold.stats()).toMatchObject({ misses: 0 })
})

test('without a policy that counts, what was read last comes first', async () => {
  await redis.config('SET', 'maxmemory-policy', 'noeviction')
  const cache = await filled(20)
  const idle = async (key: string): Promise<number> => {
    const [name] = (await redis.keys(`*s${key}`)) as [string]
    return Number(await redis.object('IDLETIME', name))
  }
  await waitFor('two seconds of rest', async () => (await idle('key 3')) >= 2)
  const reader = new RedisStore({ url: server.url, namespace: 'warm' })
  await reader.getMany(['skey 5', 'skey 11'])
  await reader.close()
  const cold = process()
  const result = await warmFromStore(cold, { maxEntries: 2 })
  expect(result).toMatchObject({ warmed: 2 })
  expect(here(cold, 20)).toEqual([5, 11])
  expect((await cold.hottest({ max: 1 })).by).toBe('idle time')
  await cache.close()
})

test('what was invalidated is not warmed', async () => {
  const cache = await filled(50)
  await cache.invalidateTag('all')
  await cache.set('key 7', 7)
  const cold = process()
  expect(await warmFromStore(cold)).toMatchObject({ warmed: 1, failed: 49 })
  expect(here(cold, 50)).toEqual([7])
  await cache.clear()
  const colder = process()
  expect((await warmFromStore(colder)).warmed).toBe(0)
})

test('bytes, patterns and namespaces bound it', async () => {
  const cache = await filled(500)
  const some = process()
  const result = await warmFromStore(some, { maxBytes: 1000, batch: 20 })
  expect(result).toMatchObject({ done: 20, total: 500, complete: false })
  expect(result.bytes).toBeGreaterThan(1000)
  const matching = process()
  expect(await warmFromStore(matching, { pattern: 'key 1?' })).toMatchObject({ warmed: 10 })
  expect(here(matching, 500)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])

  const inner = cache.namespace<number>('inner')
  await inner.setMany([
    ['a', 1],
    [5, 2],
    [new Float32Array([1, 2]), 3],
  ] as never)
  const other = process().namespace<number>('inner')
  expect(await warmFromStore(other)).toMatchObject({ warmed: 3 })
  expect([other.getSync('a'), other.getSync(5), other.getSync(new Float32Array([1, 2]))]).toEqual([1, 2, 3])
})

test('it is cancelled, and what it read stays', async () => {
  await filled(300)
  const cold = process()
  const stop = new AbortController()
  const reason = new Error('enough')
  const seen: number[] = []
  const warming = warmFromStore(cold, {
    batch: 50,
    signal: stop.signal,
    onProgress: ({ done }) => {
      seen.push(done)
      if (done === 100) stop.abort(reason)
    },
  })
  await expect(warming).rejects.toBe(reason)
  expect(seen).toEqual([50, 100])
  expect(here(cold, 300)).toHaveLength(100)
  await expect(warmFromStore(cold, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})
