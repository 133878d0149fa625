import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TrackingBus, type TrackingBusOptions } from '../../../src/coherence/tracking-bus.js'
import { RedisServer, TcpProxy, waitFor } from '../../support/redis.js'
import { busClient, comesWithin, Ear, handles, type Major } from './bus-harness.js'

const HEARTBEAT_MS = 300
/** Long enough for a server and a proxy on a loaded machine. */
const GRACE_MS = 1000
const PREFIXES = [
  { prefix: 'hp:{test#0}:e:', kind: 'entry', bucket: 0 },
  { prefix: 'hp:{test#0}:t:', kind: 'tag', bucket: 0 },
  { prefix: 'hp:{test#0}:epoch', kind: 'epoch', bucket: 0 },
] as const

let server: RedisServer
let proxy: TcpProxy
let bus: TrackingBus
let ear: Ear

beforeEach(async () => {
  server = await RedisServer.start()
  proxy = await TcpProxy.start(server.port)
})

afterEach(async () => {
  await bus?.close()
  await proxy.stop()
  await server.stop()
})

async function started(major: Major, options: Partial<TrackingBusOptions> = {}): Promise<void> {
  bus = new TrackingBus({
    prefixes: PREFIXES,
    connect: () => busClient(proxy.port, major, 2),
    heartbeatMs: HEARTBEAT_MS,
    graceMs: GRACE_MS,
    backoffMs: [10, 200],
    ...options,
  })
  ear = new Ear(bus)
  await bus.start()
}

describe.each([5, 6] as const)('with ioredis %d', (major) => {
  test('a plain SET, DEL and EXPIRE of somebody who does not know hitpath are told', async () => {
    await started(major)
    expect(ear.told).toEqual(['gap start', 'up'])
    await server.command('set', 'hp:{test#0}:e:sprice,BTC', 'raw')
    await ear.until('delete sprice,BTC')
    await server.command('mset', 'hp:{test#0}:e:n1', '1', 'hp:{test#0}:t:market', '2', 'unrelated', '3')
    await ear.until('tag market')
    await server.command('set', 'hp:{test#0}:epoch', '9')
    await ear.until('clear ')
    ear.clear()
    await server.command('pexpire', 'hp:{test#0}:e:n1', 1)
    await ear.until('delete n1')
    expect(ear.told.every((word) => word === 'delete n1')).toBe(true)
    expect(ear.messages[0]).toEqual({
      kind: 'delete',
      name: 'n1',
      version: Number.POSITIVE_INFINITY,
      origin: '',
      bucket: 0,
    })
  })

  test('tracks again after a reconnect, and begins with a gap', async () => {
    await started(major)
    for (let round = 0; round < 3; round++) {
      ear.clear()
      proxy.cut()
      await ear.until('up')
      expect(ear.told).toEqual(['down', 'gap reconnect', 'up'])
      await server.command('set', 'hp:{test#0}:e:sx', String(round))
      await ear.until('delete sx')
    }
  })

  test('FLUSHALL is a gap', async () => {
    await started(major)
    await server.flushAll()
    await ear.until('gap flushed')
    expect(bus.healthy).toBe(true)
  })

  test('half-open: found within heartbeat + grace; what was missed is covered by the gap', async () => {
    await started(major)
    ear.clear()
    proxy.pause()
    await server.command('set', 'hp:{test#0}:e:sx', '1')
    expect(await comesWithin(HEARTBEAT_MS + GRACE_MS, ear.until('down'))).toBe(true)
    proxy.resume()
    await ear.until('up')
    expect(ear.told).toEqual(['down', 'gap reconnect', 'up'])
  })

  test('stays up over many heartbeats', async () => {
    await started(major, { heartbeatMs: 20 })
    const pings = async () =>
      Number(/cmdstat_ping:calls=(\d+)/.exec(String(await server.command('info', 'commandstats')))?.[1])
    const before = await pings()
    while ((await pings()) < before + 10);
    expect(ear.told).toEqual(['gap start', 'up'])
  })

  test('a restart of the server', async () => {
    await started(major)
    ear.clear()
    await server.restart()
    await ear.until('up')
    expect(ear.told).toEqual(['down', 'gap reconnect', 'up'])
    await server.command('set', 'hp:{test#0}:e:sx', '1')
    await ear.until('delete sx')
  })

  test('close leaves nothing behind, half-open too', async () => {
    const before = handles()
    // Nothing that is waited for in the life of a link would come in time.
    await started(major, { heartbeatMs: 3_600_000, graceMs: 3_600_000 })
    proxy.pause()
    await bus.close()
    proxy.resume()
    proxy.cut()
    await ear.until('down')
    await waitFor('all handles to be gone', () => handles().length <= before.length + 2)
  })
})
