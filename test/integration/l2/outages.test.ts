/** What RedisStore does when the server forgets, freezes, dies, comes back, or is not there. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { RedisServer, Sentinel, TcpProxy, waitFor } from '../../support/redis.js'
import { heard, me, VERSIONS, versionIn, write } from './fixtures.js'

const timeout = expect.objectContaining({ code: 'L2_TIMEOUT' })
const unavailable = expect.objectContaining({ code: 'L2_UNAVAILABLE' })

describe.each(VERSIONS)('an outage, $ioredis', ({ makeRedis }) => {
  let server: RedisServer
  let proxy: TcpProxy
  let store: RedisStore
  /** For calls that must not end by their deadline. */
  let patient: RedisStore

  beforeEach(async () => {
    server = await RedisServer.start()
    proxy = await TcpProxy.start(server.port)
    const createClient = () => makeRedis({ port: proxy.port })
    store = new RedisStore({ createClient, commandTimeout: 400 })
    patient = new RedisStore({ createClient, commandTimeout: '1h' })
    await patient.set(write('sa', 1), me)
    await waitFor('the connection', () => store.ping().then(() => true))
  })

  afterEach(async () => {
    await Promise.all([store.close(), patient.close()])
    await proxy.stop()
    await server.stop()
  })

  test('scripts are sent again when the server has forgotten them', async () => {
    await server.command('script', 'flush')
    const writes = Array.from({ length: 20 }, (_, i) => patient.set(write(`s${i}`, i), me))
    expect(new Set(await Promise.all(writes)).size).toBe(20)
    await server.restart()
    const version = await waitFor('a write', () => patient.set(write('sa', 2), me))
    expect(versionIn(await patient.get('sa'))).toBe(version)
  })

  test('every call on a frozen server is rejected within its deadline, and calls go on when it thaws', async () => {
    server.freeze()
    let answered = false
    const reading = patient.get('sa').then(() => {
      answered = true
    })
    const calls = [
      store.get('sa'),
      store.getMany(['sa', 'sb']),
      store.set(write('sa', 2), me),
      store.delete('sa', me),
      store.fences(['sa']),
      store.tagVersions(['a'], 1000),
      store.deletePattern('*', me),
      store.clear(me),
      store.epoch(),
      store.remaining('sa'),
      store.serverTime(),
      store.ping(),
    ]
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: timeout })
    }
    expect(answered).toBe(false)
    server.thaw()
    await reading
    await waitFor('an answer', async () => (await store.get('none')) === null)
  })

  test('a link that says nothing is made anew', async () => {
    proxy.pause()
    await waitFor('the link to be given up', async () => {
      const error = await store.get('sa').catch((cause: unknown) => cause)
      return (error as { code?: string }).code === 'L2_UNAVAILABLE'
    })
    proxy.resume()
    await waitFor('an answer', async () => (await store.get('sa')) !== null)
  })

  test('a link whose peer is gone without a word is made anew', async () => {
    proxy.strand()
    await waitFor('an answer', async () => (await store.get('sa')) !== null)
  })

  test('without a connection calls are rejected at once', async () => {
    server.kill()
    await waitFor('the loss', () =>
      patient.get('sa').then(
        () => false,
        () => true,
      ),
    )
    for (let i = 0; i < 100; i++) await expect(patient.get('sa')).rejects.toEqual(unavailable)
    await server.restart()
    await waitFor('the connection', async () => (await patient.get('sa')) === null)
    await patient.set(write('sa', 1), me)
  })

  test('commands under way when the connection is cut are rejected, and not sent again', async () => {
    proxy.pause()
    const taken = proxy.bytesTaken
    const calls = [patient.get('sa'), patient.set(write('sb', 1), me)]
    await waitFor('the commands', () => proxy.bytesTaken > taken)
    proxy.cut()
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: 'rejected', reason: unavailable })
    proxy.resume()
    await waitFor('the connection', async () => (await patient.get('sa')) !== null)
    expect(await patient.get('sb')).toBe(null)
  })

  test('a fence does not survive a server that came back empty', async () => {
    const [fence] = await patient.fences(['sa'])
    await server.restart()
    await waitFor('the connection', async () => (await patient.get('sa')) === null)
    expect(await patient.set(write('sa', 'old', { fence: fence as never }), me)).toBe(undefined)
  })

  test('a late write reaches a server that came back empty', async () => {
    const stamp = (await patient.serverTime()) * 1000
    await server.restart()
    await waitFor('the connection', async () => (await patient.get('sa')) === null)
    expect(await patient.set(write('sa', 'late', { notAfter: stamp }), me)).toBeTypeOf('number')
  })

  test('an error of the server is its cause', async () => {
    await server.command('set', patient.busKey(0), 'not a stream')
    const error = await patient.delete('sa', me).catch((cause: unknown) => cause)
    expect(error).toMatchObject({
      code: 'L2_ERROR',
      cause: expect.objectContaining({ message: expect.stringContaining('WRONGTYPE') }),
    })
    expect(versionIn(await patient.get('sa'))).toBe(undefined)
  })

  test('a client that was handed in is left as it is', async () => {
    const client = makeRedis({ port: server.port, keyPrefix: 'app:' })
    const before = { ...client.options }
    const mine = new RedisStore({ client })
    await mine.set(write('sa', 1), me)
    expect(client.status).toBe('wait')
    expect({ ...client.options }).toEqual(before)
    expect(client.listenerCount('error')).toBe(0)
    expect(mine.entryPrefix(0)).toBe('app:hp:{default#0}:e:')
    expect(await server.command('exists', `${mine.entryPrefix(0)}sa`)).toBe(1)
    expect(await mine.deletePattern('*', me)).toBe(1)
    await mine.close()
    client.disconnect()
  })
})

test('a server that is too old is refused', async () => {
  const info = '# Server\r\nredis_version:6.0.16\r\n'
  const old = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const name of String(data).match(/\n(info|client|hello)\r/gi) ?? [])
        socket.write(/info/i.test(name) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n')
    })
  })
  await once(old.listen(0, '127.0.0.1'), 'listening')
  const { port } = old.address() as AddressInfo
  const store = new RedisStore({ host: '127.0.0.1', port, commandTimeout: '20s' })
  for (let i = 0; i < 2; i++) {
    await expect(store.get('sa')).rejects.toMatchObject({
      code: 'L2_ERROR',
      message: 'Redis 6.2 or later is needed; the server is 6.0.16',
    })
  }
  await store.close()
  old.close()
})

test.each([
  ['noeviction', 'writes fail'],
  ['allkeys-lru', 'may evict counters'],
  ['volatile-lru', undefined],
])('a bounded server with %s: %s', async (policy, warning) => {
  const warnings: string[] = []
  const listen = (message: unknown) => warnings.push((message as { message: string }).message)
  subscribe('hitpath:l2:warning', listen)
  const server = await RedisServer.start({ args: ['--maxmemory', '50mb', '--maxmemory-policy', policy] })
  const store = new RedisStore({ url: server.url, commandTimeout: '20s' })
  await store.ping()
  unsubscribe('hitpath:l2:warning', listen)
  expect(warnings).toEqual(warning === undefined ? [] : [expect.stringContaining(warning)])
  await store.close()
  await server.stop()
})

test('the first call waits for the connection, and is rejected when there is none', async () => {
  const store = new RedisStore({ host: '127.0.0.1', port: 1, commandTimeout: '1h' })
  await expect(store.get('sa')).rejects.toEqual(unavailable)
  await expect(store.get('sa')).rejects.toEqual(unavailable)
  await store.close()
})

test('stores of one connection: it is closed with the last of them, and nothing is left', async () => {
  const server = await RedisServer.start()
  const connections = async () =>
    ((await server.command('client', 'list', 'type', 'normal')) as string).trim().split('\n').length - 1
  const root = new RedisStore({ url: server.url, commandTimeout: '20s' })
  const [a, b] = [root.forNamespace('a'), root.forNamespace('b')]
  await Promise.all([a.set(write('sa', 1), me), b.set(write('sa', 2), me)])
  expect(await connections()).toBe(1)
  expect(await root.get('sa')).toBe(null)
  await a.close()
  await root.close()
  expect(await b.get('sa')).not.toBe(null)
  await b.close()
  await waitFor('the connection to be closed', async () => (await connections()) === 0)
  await server.stop()
})

test('versions of several processes are one order', async () => {
  const server = await RedisServer.start()
  const stores = Array.from({ length: 4 }, () => new RedisStore({ url: server.url, commandTimeout: '20s' }))
  const versions = await Promise.all(
    stores.flatMap((store, s) =>
      Array.from({ length: 50 }, (_, i) =>
        i === 25
          ? server.command('del', 'hp:{default#0}:seq').then(() => 0)
          : store.set(write('sa', i), { origin: `${s}` }),
      ),
    ),
  )
  const given = versions.filter((version) => version !== 0)
  expect(new Set(given).size).toBe(given.length)
  const messages = await heard(stores[0] as RedisStore)
  expect(messages.map(({ v }) => v)).toEqual(messages.map(({ v }) => v).sort((x, y) => x - y))
  expect(versionIn(await (stores[0] as RedisStore).get('sa'))).toBe(messages.at(-1)?.v)
  await Promise.all(stores.map((store) => store.close()))
  await server.stop()
})

test.each(VERSIONS)('a failover by sentinels is found, $ioredis', async ({ makeRedis }) => {
  const sentinel = await Sentinel.start()
  const store = new RedisStore({
    createClient: () => makeRedis({ sentinels: sentinel.addresses, name: sentinel.name }),
    commandTimeout: '2s',
  })
  const before = (await store.set(write('sa', 1), me)) as number
  await sentinel.failover()
  const after = await waitFor('a write', () => store.set(write('sa', 2), me))
  expect(after).toBeGreaterThan(before)
  expect(versionIn(await store.get('sa'))).toBe(after)
  const bus = await store.busConnection(0)
  await bus.connect()
  expect(await bus.call('xlen', store.busKey(0))).toBeGreaterThan(0)
  bus.disconnect()
  await store.close()
  await sentinel.stop()
})

test('connections for tracking hear of foreign writers', async () => {
  const server = await RedisServer.start()
  const store = new RedisStore({
    client: new Redis(server.port, { lazyConnect: true }),
    commandTimeout: '20s',
  })
  expect(await store.nodes()).toEqual([''])
  const tracking = await store.trackingConnection('')
  await tracking.connect()
  const id = Number(await tracking.call('client', 'id'))
  await tracking.call('client', 'tracking', 'on', 'redirect', id, 'bcast', 'prefix', store.entryPrefix(0))
  const keys: string[] = []
  tracking.on('messageBuffer', (_: Buffer, names: Buffer[]) => keys.push(...names.map(String)))
  await tracking.subscribe('__redis__:invalidate')
  await server.command('set', `${store.entryPrefix(0)}sx`, 'by someone else')
  await waitFor('the invalidation', () => keys.length > 0)
  expect(keys).toEqual([`${store.entryPrefix(0)}sx`])
  tracking.disconnect()
  await store.close()
  await server.stop()
})
