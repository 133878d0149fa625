/** A worker thread with a TieredCache over the SharedCache of its parent: answers `{ id, call, args }`. */
import { parentPort, threadId, workerData } from 'node:worker_threads'
import { Redis } from 'ioredis'
import { RedisStore, SharedCache, type SharedCacheHandle, TieredCache } from '../../../src/index.js'

interface Given {
  readonly handle: SharedCacheHandle
  readonly threads: SharedArrayBuffer
  readonly port: number
  readonly calls: SharedArrayBuffer
}

const { handle, threads, port, calls } = workerData as Given
const counter = new Int32Array(calls)
const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
redis.on('error', () => {})
const cache = new TieredCache({
  l1: SharedCache.attach(handle),
  l2: new RedisStore({ client: redis, namespace: 'world', commandTimeout: '10s' }),
  threads,
  ttl: '1m',
  jitter: 0,
  l2Timeout: '10s',
  hardTimeout: '20s',
  grace: '1m',
})
await cache.ready()

/** Counts itself, and takes its time. */
const factory = async (): Promise<number> => {
  const count = Atomics.add(counter, 0, 1) + 1
  await new Promise((resolve) => setTimeout(resolve, 100))
  return count
}

const changes: Readonly<Record<string, (target: string) => Promise<unknown>>> = {
  set: (key) => cache.set(key, `by ${threadId}`, { tags: ['t'] }),
  short: (key) => cache.set(key, 'old', { ttl: 50 }),
  delete: (key) => cache.delete(key),
  tag: (tag) => cache.invalidateTag(tag),
  pattern: (glob) => cache.invalidatePattern(glob),
  clear: () => cache.clear(),
  failing: (key) => cache.getOrSet(key, () => Promise.reject(new Error('no source'))),
}

parentPort?.on('message', async ({ id, call, key }: { id: number; call: string; key: string }) => {
  const change = changes[call]
  const result =
    change !== undefined
      ? await change(key)
      : call === 'make'
        ? await cache.getOrSet(key, factory)
        : call === 'hang'
          ? await cache.getOrSet(key, () => {
              Atomics.add(counter, 0, 1)
              parentPort?.postMessage({ id: 'hanging' })
              return new Promise<never>(() => {})
            })
          : call === 'sync'
            ? cache.getSync(key)
            : await cache.get(key)
  parentPort?.postMessage({ id, result })
})
parentPort?.postMessage({ id: 'ready' })
