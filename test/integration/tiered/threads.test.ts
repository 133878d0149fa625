/** Threads that share a SharedCache: one computation among them, and one state. */
import { Worker } from 'node:worker_threads'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { RedisStore, SharedCache, TieredCache } from '../../../src/index.js'
import { RedisServer, waitFor } from '../../support/redis.js'

type Call =
  | ('make' | 'hang' | 'get' | 'sync')
  | ('set' | 'short' | 'delete' | 'tag' | 'pattern' | 'clear' | 'failing')

class Thread {
  readonly worker: Worker
  readonly #waiting = new Map<unknown, (result: unknown) => void>()
  #last = 0

  constructor(data: object) {
    this.worker = new Worker(new URL('./thread.mjs', import.meta.url), { workerData: data })
    this.worker.on('error', (error) => {
      throw error
    })
    this.worker.on('message', ({ id, result }: { id: unknown; result: unknown }) => {
      this.#waiting.get(id)?.(result)
    })
  }

  says(id: unknown): Promise<unknown> {
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  call(call: Call, key: string): Promise<unknown> {
    const id = ++this.#last
    this.worker.postMessage({ id, call, key })
    return this.says(id)
  }
}

async function process(count: number): Promise<{
  readonly server: RedisServer
  readonly threads: Thread[]
  readonly main: TieredCache
  readonly calls: Int32Array
  [Symbol.asyncDispose](): Promise<void>
}> {
  const server = await RedisServer.start()
  const redis = new Redis({ port: server.port, host: '127.0.0.1', lazyConnect: true })
  redis.on('error', () => {})
  const shared = SharedCache.create({ maxBytes: 2 ** 20 })
  const main = new TieredCache({
    l1: shared,
    l2: new RedisStore({ client: redis, namespace: 'world', commandTimeout: '10s' }),
    ttl: '1m',
    jitter: 0,
    l2Timeout: '10s',
    hardTimeout: '20s',
    grace: '1m',
  })
  await main.ready()
  const calls = new SharedArrayBuffer(4)
  const data = { handle: shared.handle, threads: main.threads, port: server.port, calls }
  const threads = Array.from({ length: count }, () => new Thread(data))
  await Promise.all(threads.map((thread) => thread.says('ready')))
  return {
    server,
    threads,
    main,
    calls: new Int32Array(calls),
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()))
      await main.close()
      shared.close()
      redis.disconnect()
      await server.stop()
    },
  }
}

test('one factory among the threads of a process', async () => {
  await using all = await process(3)
  const values = await Promise.all([
    ...all.threads.map((thread) => thread.call('make', 'key')),
    ...all.threads.map((thread) => thread.call('make', 'key')),
    all.main.getOrSet('key', () => Atomics.add(all.calls, 0, 1) + 1),
  ])
  expect(new Set(values)).toEqual(new Set([1]))
  expect(all.calls[0]).toBe(1)
})

test('a thread that is terminated while it computes is taken over', async () => {
  await using all = await process(2)
  const [first, second] = all.threads as [Thread, Thread]
  const hanging = first.says('hanging')
  void first.call('hang', 'key')
  await hanging
  const waiting = second.call('make', 'key')
  await first.worker.terminate()
  expect(await waiting).toBe(2)
})

test('what one thread sets all see, and a delete reaches them all', async () => {
  await using all = await process(2)
  const [first, second] = all.threads as [Thread, Thread]
  const value = { prices: Float64Array.of(1, 2, 3), at: new Date(7) }
  await all.main.set('key', value, { tags: ['t'] })
  expect(await first.call('get', 'key')).toEqual(value)
  expect(await second.call('get', 'key')).toEqual(value)
  expect(all.main.getSync('key')).toEqual(value)
  await all.main.invalidateTag('t')
  expect(all.main.getSync('key')).toBeUndefined()
  await waitFor('the threads', async () => {
    const seen = await Promise.all(all.threads.map((thread) => thread.call('sync', 'key')))
    return seen.every((one) => one === undefined)
  })
  await all.main.set('key', 2)
  await waitFor('the new value', async () => (await first.call('get', 'key')) === 2)
  await all.main.delete('key')
  await waitFor('the threads', async () => {
    const seen = await Promise.all(all.threads.map((thread) => thread.call('get', 'key')))
    return seen.every((one) => one === undefined)
  })
})

/** A second process: the same server, a SharedCache of its own. */
async function another(server: RedisServer): Promise<{
  readonly cache: TieredCache
  [Symbol.asyncDispose](): Promise<void>
}> {
  const redis = new Redis({ port: server.port, host: '127.0.0.1', lazyConnect: true })
  redis.on('error', () => {})
  const l1 = SharedCache.create({ maxBytes: 2 ** 20 })
  const cache = new TieredCache({
    l1,
    l2: new RedisStore({ client: redis, namespace: 'world', commandTimeout: '10s' }),
    ttl: '1m',
    jitter: 0,
    l2Timeout: '10s',
  })
  await cache.ready()
  return {
    cache,
    async [Symbol.asyncDispose]() {
      await cache.close()
      l1.close()
      redis.disconnect()
    },
  }
}

test.each([
  ['delete', 'f:1'],
  ['pattern', 'f:*'],
  ['tag', 't'],
  ['clear', ''],
] as const)(
  'a %s by one thread ends the entry for the other, and for another process',
  async (call, target) => {
    await using all = await process(2)
    await using other = await another(all.server)
    const [first, second] = all.threads as [Thread, Thread]
    // The tag is unknown to all but the first thread: they learn of it by reading.
    await first.call('set', 'f:1')
    const value = await second.call('get', 'f:1')
    expect(value).toMatch(/^by /)
    await waitFor('a copy that stays', async () => {
      await other.cache.get('f:1')
      return other.cache.getSync('f:1') === value
    })
    expect(await second.call('sync', 'f:1')).toBe(value)
    await first.call(call, target)
    expect(await first.call('sync', 'f:1')).toBeUndefined()
    // Of one region: at once. What is judged by versions is heard, as in another process.
    if (call === 'delete' || call === 'pattern') expect(await second.call('sync', 'f:1')).toBeUndefined()
    else await waitFor('the thread', async () => (await second.call('sync', 'f:1')) === undefined)
    await waitFor('the process', () => other.cache.getSync('f:1') === undefined)
    expect(await second.call('get', 'f:1')).toBeUndefined()
    expect(await other.cache.get('f:1')).toBeUndefined()
    await second.call('set', 'f:1')
    expect(await first.call('get', 'f:1')).toMatch(/^by /)
  },
)

test('an entry whose tag another thread does not know is no hit there before it has read it', async () => {
  await using all = await process(2)
  const [first, second] = all.threads as [Thread, Thread]
  await first.call('set', 'key')
  expect(await second.call('sync', 'key')).toBeUndefined()
  expect(await second.call('get', 'key')).toMatch(/^by /)
  expect(await second.call('sync', 'key')).toMatch(/^by /)
})

test('grace: what one thread set serves the other when its factory fails', async () => {
  await using all = await process(2)
  const [first, second] = all.threads as [Thread, Thread]
  await first.call('short', 'key')
  await waitFor('its time', async () => (await second.call('sync', 'key')) === undefined)
  expect(await second.call('failing', 'key')).toBe('old')
})
