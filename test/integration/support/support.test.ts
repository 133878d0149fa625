import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { Child } from '../../support/processes.js'
import { RedisCluster, RedisServer, Sentinel, TcpProxy, waitFor } from '../../support/redis.js'
import type { functions } from './child.js'

test('a server starts, is frozen, killed and restarted on its port', async () => {
  const server = await RedisServer.start()
  onTestFinished(() => server.stop())
  await server.command('set', 'a', '1')
  expect(await server.command('get', 'a')).toBe('1')
  server.freeze()
  await expect(server.command('get', 'a')).rejects.toThrow()
  server.thaw()
  expect(await server.command('get', 'a')).toBe('1')
  const { port } = server
  await server.restart()
  expect(server.port).toBe(port)
  expect(await server.command('get', 'a')).toBe(null)
})

test('a cluster starts, moves a slot with its keys and fails over', async () => {
  const cluster = await RedisCluster.start({ masters: 3, replicas: 1 })
  onTestFinished(() => cluster.stop())
  const owner = cluster.masters.findIndex(({ port }) => port === cluster.masters[0]?.port)
  expect(await cluster.ownerOf(0)).toBe(cluster.masters[owner]?.port)
  await cluster.migrateSlot(0, 0, 1)
  expect(await cluster.ownerOf(0)).toBe(cluster.masters[1]?.port)
  cluster.masters[2]?.kill()
  await cluster.failover(2)
  await waitFor(
    'the slots to follow',
    async () => (await cluster.ownerOf(16_383)) === cluster.replicas[2]?.port,
  )
})

test('sentinels promote the replica', async () => {
  const sentinel = await Sentinel.start()
  onTestFinished(() => sentinel.stop())
  const before = await sentinel.masterPort()
  const after = await sentinel.failover()
  expect(after).not.toBe(before)
})

test('a proxy is silent, slow, cut and refusing', async () => {
  const server = await RedisServer.start()
  const proxy = await TcpProxy.start(server.port)
  const client = new Redis({
    port: proxy.port,
    commandTimeout: 2000,
    retryStrategy: () => 10,
    maxRetriesPerRequest: 0,
  })
  client.on('error', () => {})
  onTestFinished(async () => {
    client.disconnect()
    await proxy.stop()
    await server.stop()
  })
  await client.set('a', '1')
  proxy.pause()
  await expect(client.get('a')).rejects.toThrow('timed out')
  proxy.resume()
  expect(await client.get('a')).toBe('1')
  proxy.delay(30)
  const begin = performance.now()
  await client.get('a')
  expect(performance.now() - begin).toBeGreaterThan(50)
  proxy.resume()
  proxy.refuse()
  await expect(client.get('a')).rejects.toThrow()
  proxy.resume()
  await waitFor('the client to be back', async () => (await client.get('a')) === '1')
})

test('functions of a child process are called by name', async () => {
  const child = await Child.start<typeof functions>(new URL('./child.ts', import.meta.url))
  onTestFinished(() => child.stop())
  expect(await child.call('add', 1, 2)).toBe(3)
  expect(await child.call('bytes', Buffer.from([1, 2, 3]))).toBe(3)
  await expect(child.call('fail')).rejects.toMatchObject({ name: 'TypeError', code: 'X', message: 'no' })
})
