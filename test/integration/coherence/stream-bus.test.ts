import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StreamBus, type StreamBusOptions } from '../../../src/coherence/stream-bus.js'
import { RedisServer, TcpProxy, waitFor } from '../../support/redis.js'
import { BareReader, busClient, comesWithin, Ear, handles, type Major, Publisher } from './bus-harness.js'

const KEY = 'hp:{test#0}:bus'
const HEARTBEAT_MS = 300
/** Long enough for a server and a proxy on a loaded machine. */
const GRACE_MS = 1000

let server: RedisServer
let proxy: TcpProxy
let publisher: Publisher
let bus: StreamBus
let ear: Ear

beforeEach(async () => {
  server = await RedisServer.start()
  proxy = await TcpProxy.start(server.port)
  publisher = new Publisher(server.port, KEY)
})

afterEach(async () => {
  await bus?.close()
  publisher.close()
  await proxy.stop()
  await server.stop()
})

function create(options: Partial<StreamBusOptions> = {}, major: Major = 5): void {
  bus = new StreamBus({
    key: () => KEY,
    connect: () => busClient(proxy.port, major),
    heartbeatMs: HEARTBEAT_MS,
    graceMs: GRACE_MS,
    backoffMs: [10, 200],
    ...options,
  })
  ear = new Ear(bus)
}

async function started(options: Partial<StreamBusOptions> = {}, major: Major = 5): Promise<void> {
  create(options, major)
  await bus.start()
  ear.clear()
}

describe.each([5, 6] as const)('with ioredis %d', (major) => {
  test('what others write is told with kind, name, version and origin', async () => {
    await publisher.publish('before')
    create({}, major)
    await bus.start()
    expect(ear.told).toEqual(['gap start', 'up'])
    ear.clear()
    await publisher.publish('skey\nwith:ünïcode', 's', 'me')
    await publisher.publish('tag', 't', 'other')
    await publisher.publish('', 'c')
    await ear.until('clear ')
    expect(ear.told).toEqual(['set skey\nwith:ünïcode', 'tag tag', 'clear '])
    expect(ear.messages.map(({ origin }) => origin)).toEqual(['me', 'other', 'publisher'])
    const versions = ear.messages.map(({ version }) => version)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
    const before = Date.now()
    const server = bus.clock().now()
    const doubt = bus.clock().uncertainty + 1
    expect(server).toBeGreaterThan(before - doubt)
    expect(server).toBeLessThan(Date.now() + doubt)
  })

  test('after a cut nothing is lost and nothing told twice', async () => {
    await started({}, major)
    const names: string[] = []
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) {
        if (i === 10) proxy.cut()
        names.push(`${round}.${i}`)
        await publisher.publish(names.at(-1) as string)
      }
      await ear.until(`set ${round}.19`)
      await waitFor('the link', () => bus.healthy)
    }
    expect(ear.names).toEqual(names)
    expect(ear.told.filter((word) => word.startsWith('gap'))).toEqual([])
    expect(ear.told.filter((word) => word === 'down').length).toBeGreaterThanOrEqual(5)
  })

  test('half-open: found within heartbeat + grace, then nothing is lost', async () => {
    await started({}, major)
    await publisher.publish('a')
    await ear.until('set a')
    proxy.pause()
    await publisher.publish('b')
    expect(await comesWithin(HEARTBEAT_MS + GRACE_MS, ear.until('down'))).toBe(true)
    proxy.resume()
    await ear.until('up')
    expect(ear.told).toEqual(['set a', 'down', 'set b', 'up'])
  })
})

describe('gaps', () => {
  test('messages trimmed while the link was down', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    proxy.refuse()
    await ear.until('down')
    for (let i = 0; i < 10; i++) await publisher.publish(`lost${i}`)
    await publisher.client.xtrim(KEY, 'MAXLEN', 2)
    proxy.resume()
    await ear.until('up')
    expect(ear.told).toEqual(['set a', 'down', 'gap trimmed', 'set lost8', 'set lost9', 'up'])
  })

  test('FLUSHALL, and nothing is written afterwards', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    await server.flushAll()
    expect(await comesWithin(HEARTBEAT_MS, ear.until('gap reset'))).toBe(true)
    await publisher.publish('b')
    await ear.until('set b')
    expect(ear.told).toEqual(['set a', 'gap reset', 'set b'])
    expect(bus.healthy).toBe(true)
  })

  test('FLUSHALL and a write at once', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    await publisher.client.pipeline().flushall().exec()
    await publisher.publish('b')
    await ear.until('set b')
    expect(ear.told).toEqual(['set a', 'gap reset', 'set b'])
  })

  test('the key of the stream becomes something else, and comes back', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    const errors: string[] = []
    bus.onError((error) => errors.push(error.message))
    await publisher.client.set(KEY, 'foreign')
    await ear.until('down')
    expect(errors[0]).toContain('WRONGTYPE')
    await publisher.client.del(KEY)
    await ear.until('up')
    expect(ear.told).toEqual(['set a', 'down', 'gap reset', 'up'])
  })

  test('a server that lost its data', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    publisher.close()
    await server.restart()
    await ear.until('up')
    expect(ear.told).toEqual(['set a', 'down', 'gap reset', 'up'])
  })

  test('another server in its place, with a stream of its own', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    const other = await RedisServer.start()
    const there = new Publisher(other.port, KEY)
    try {
      await there.publish('x')
      await there.publish('y')
      proxy.retarget(other.port)
      proxy.cut()
      await ear.until('up')
      expect(ear.told).toEqual(['set a', 'down', 'gap reset', 'set x', 'set y', 'up'])
    } finally {
      there.close()
      await other.stop()
    }
  })

  test('a server that kept its data is none', async () => {
    const lasting = await RedisServer.start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const writer = new Publisher(lasting.port, KEY)
    try {
      await started({ connect: () => busClient(lasting.port) })
      await writer.publish('a')
      await ear.until('set a')
      await lasting.restart()
      await ear.until('up')
      expect(ear.told).toEqual(['set a', 'down', 'up'])
    } finally {
      writer.close()
      await bus.close()
      await lasting.stop()
    }
  })
})

describe('a server that does not answer', () => {
  test('frozen: down within heartbeat + grace, up again without a gap when it thaws', async () => {
    await started()
    await publisher.publish('a')
    await ear.until('set a')
    server.freeze()
    try {
      expect(await comesWithin(HEARTBEAT_MS + GRACE_MS, ear.until('down'))).toBe(true)
    } finally {
      server.thaw()
    }
    await ear.until('up')
    expect(ear.told).toEqual(['set a', 'down', 'up'])
  })

  test('an event loop that stood still is no dead link', async () => {
    await started({ connect: () => busClient(server.port) })
    const end = performance.now() + 2 * (HEARTBEAT_MS + GRACE_MS)
    while (performance.now() < end);
    expect(bus.silentMs).toBeGreaterThan(HEARTBEAT_MS + GRACE_MS)
    await publisher.publish('a')
    await ear.until('set a')
    expect(ear.told).toEqual(['set a'])
  })

  test('absent at the start: it is waited for', async () => {
    proxy.refuse()
    create()
    const start = bus.start()
    await waitFor('some attempts', () => ear.told.length === 0)
    proxy.resume()
    await start
    expect(ear.told).toEqual(['gap start', 'up'])
  })
})

describe('the end', () => {
  test.each(['a living', 'a half-open', 'a refused', 'a frozen'])(
    'over %s link leaves nothing behind',
    async (how) => {
      const before = handles()
      const target = how === 'a frozen' ? server.port : proxy.port
      // Nothing that is waited for in the life of a link would come in time.
      create({ connect: () => busClient(target), heartbeatMs: 3_600_000, graceMs: 3_600_000 })
      if (how === 'a refused') proxy.refuse()
      const start = bus.start()
      if (how === 'a refused') start.catch(() => {})
      else await start
      if (how === 'a half-open') proxy.pause()
      if (how === 'a frozen') server.freeze()
      await bus.close()
      server.thaw()
      proxy.resume()
      proxy.cut()
      await waitFor('all handles to be gone', () => handles().length <= before.length)
      await expect(bus.start()).rejects.toMatchObject({ code: 'CLOSED' })
    },
  )

  test('an aborted start leaves nothing behind', async () => {
    const before = handles()
    server.freeze()
    create()
    const abort = new AbortController()
    const start = bus.start(abort.signal)
    setImmediate(() => abort.abort(new Error('enough')))
    await expect(start).rejects.toThrow('enough')
    await bus.close()
    server.thaw()
    proxy.cut()
    await waitFor('all handles to be gone', () => handles().length <= before.length)
  })
})

/**
 * Other test files keep the machine busy meanwhile, so this asks for one quiet round of up to five, and measures beside the bus a reader of the
 * same stream that does nothing: it finds a bus that is slow by itself, and does not say how fast it is in general.
 */
test('in the quietest of up to five rounds an invalidation is seen within 5 ms at the 99th percentile, or thrice what XREAD takes', async () => {
  await started({ connect: () => busClient(server.port), heartbeatMs: 1000 })
  const reader = new BareReader(server.port, KEY)
  const rounds: { readonly bus: number; readonly bare: number }[] = []
  const isQuick = () => rounds.some(({ bus, bare }) => bus <= Math.max(5, 3 * bare))
  try {
    await reader.open()
    for (let round = 0; round < 5 && !isQuick(); round++) {
      bus.latency.reset()
      reader.latency.reset()
      for (let i = 0; i < 2000; i++) await publisher.publish(`r${round}.${i}`)
      await ear.until(`set r${round}.1999`)
      await waitFor('the other reader', () => reader.latency.count === 2000)
      expect(bus.latency.count).toBe(2000)
      rounds.push({ bus: bus.latency.quantileMs(0.99), bare: reader.latency.quantileMs(0.99) })
    }
  } finally {
    reader.close()
  }
  const clock = bus.clock().uncertainty.toFixed(2)
  console.log(`invalidation latency, p99 in ms: ${JSON.stringify(rounds)}, clock ±${clock} ms`)
  expect(rounds.filter(({ bus, bare }) => bus <= Math.max(5, 3 * bare))).not.toEqual([])
})
