import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { StreamBus, type StreamBusOptions } from '../../../src/coherence/stream-bus.js'
import { type FakeClient, FakeRedis } from './fake-redis.js'

let server: FakeRedis
let bus: StreamBus
/** What the bus told, as words. */
let told: string[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  server = new FakeRedis()
  told = []
})

afterEach(async () => {
  await bus.close()
  expect(vi.getTimerCount(), 'timers left behind').toBe(0)
  vi.useRealTimers()
})

function create(options: Partial<StreamBusOptions> = {}): StreamBus {
  bus = new StreamBus({ key: () => 'bus', connect: server.connect, random: () => 1, ...options })
  bus.onMessage(({ kind, name, origin }) => told.push(`${kind} ${name} by ${origin}`))
  bus.onGap((reason, bucket) => told.push(`gap ${reason} of ${bucket}`))
  bus.onLink((up) => told.push(up ? 'up' : 'down'))
  return bus
}

const run = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

async function started(options: Partial<StreamBusOptions> = {}): Promise<void> {
  const start = create(options).start()
  await run()
  await start
  told.length = 0
}

describe('the beginning', () => {
  test('the position is taken and a gap told before the link is up', async () => {
    server.add('old')
    const start = create().start()
    await run()
    await start
    expect(told).toEqual(['gap start of 0', 'up'])
    expect(bus.position()).toBe('1000-1')
    expect(bus.healthy).toBe(true)
    server.add('new')
    await run()
    expect(told.slice(2)).toEqual(['set new by other'])
  })

  test('waits for a server that is not there yet', async () => {
    server.refusing = true
    const start = create().start()
    await run(1000)
    expect(bus.healthy).toBe(false)
    server.refusing = false
    await run(5000)
    await start
    expect(bus.healthy).toBe(true)
  })

  test('abort ends the waiting and closes the bus', async () => {
    server.refusing = true
    const abort = new AbortController()
    const start = create().start(abort.signal)
    const rejected = expect(start).rejects.toThrow('enough')
    await run(300)
    abort.abort(new Error('enough'))
    await rejected
    await bus.close()
    const attempts = server.clients.length
    await run(60_000)
    expect(server.clients).toHaveLength(attempts)
    await expect(bus.start()).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  test('a signal that was aborted before opens nothing', async () => {
    await expect(create().start(AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
    expect(server.clients).toHaveLength(0)
  })

  test('close rejects those who wait', async () => {
    server.silent = true
    const start = create().start()
    const rejected = expect(start).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await run(10)
    await bus.close()
    await rejected
  })

  test('close while the connection is being made hangs up the one that comes late', async () => {
    let give: (client: FakeClient) => void = () => {}
    const connect = () => new Promise<FakeClient>((resolve) => (give = resolve))
    const start = create({ connect }).start()
    const rejected = expect(start).rejects.toThrow()
    await run()
    await bus.close()
    await rejected
    const late = server.connect()
    give(late)
    await run()
    expect(late.status).toBe('end')
    expect(() => late.emit('error', new Error('late'))).not.toThrow()
  })
})

describe('the chain', () => {
  test('messages in order, each once', async () => {
    await started()
    for (const name of ['a', 'b', 'c']) server.add(name)
    await run()
    expect(told).toEqual(['set a by other', 'set b by other', 'set c by other'])
  })

  test('duplicates and late entries are not told again', async () => {
    await started()
    server.add('a')
    server.add('b')
    await run()
    told.length = 0
    server.client.forge(server.entries.slice())
    await run()
    expect(told).toEqual([])
    expect(bus.position()).toBe('1000-2')
  })

  test('trimmed entries are a gap before the message that reveals it', async () => {
    await started()
    server.add('a')
    await run()
    told.length = 0
    server.client.forge([['1000-9', ['k', 'd', 'n', 'z', 'v', '5', 'o', 'x', 'p', '1000-8']]])
    await run()
    expect(told).toEqual(['gap trimmed of 0', 'delete z by x'])
  })

  test('a predecessor lower than the position: another stream', async () => {
    await started()
    server.add('a')
    await run()
    told.length = 0
    server.client.forge([['2000-0', ['k', 't', 'n', 'tag', 'v', '5', 'o', 'x', 'p', '0-0']]])
    await run()
    expect(told).toEqual(['gap reset of 0', 'tag tag by x'])
  })

  test('a message of a kind not known is a gap', async () => {
    await started()
    server.add('a', { k: 'future' })
    server.add('b')
    await run()
    expect(told).toEqual(['gap unreadable of 0', 'set b by other'])
  })

  test('a flushed stream is found at the next heartbeat, without any write', async () => {
    await started()
    server.add('a')
    await run()
    told.length = 0
    server.entries = []
    await run(999)
    expect(told).toEqual([])
    await run(1)
    expect(told).toEqual(['gap reset of 0'])
    server.add('b')
    await run()
    expect(told).toEqual(['gap reset of 0', 'set b by other'])
  })

  test('an entry that comes between an idle reply and the check of the last id is no gap', async () => {
    await started()
    server.add('a')
    await run()
    told.length = 0
    const { client } = server
    const call = client.call.bind(client)
    client.call = (command, ...args) => {
      if (command === 'XREVRANGE') {
        client.call = call
        server.add('b')
      }
      return call(command, ...args)
    }
    await run(1000)
    expect(told).toEqual(['set b by other'])
  })

  test('the heartbeat is kept while the stream is never idle', async () => {
    await started()
    for (let i = 0; i < 30; i++) {
      server.add(`x${i}`)
      await run(100)
    }
    expect(server.client.commands.filter((command) => command === 'TIME').length).toBeGreaterThanOrEqual(6)
  })
})

describe('the link', () => {
  test('after a cut it reads on from where it was, and is up only then', async () => {
    await started()
    server.add('a')
    await run()
    server.cut()
    await run()
    server.add('b')
    server.add('c')
    await run(60)
    expect(told).toEqual(['set a by other', 'down', 'set b by other', 'set c by other', 'up'])
  })

  test('after a cut during which the stream was replaced by an empty one: a gap, then up', async () => {
    await started()
    server.add('a')
    await run()
    told.length = 0
    server.cut()
    server.entries = []
    await run(60)
    expect(told).toEqual(['down', 'gap reset of 0', 'up'])
  })

  test('many missed messages are read in batches before it is up', async () => {
    await started()
    server.cut()
    for (let i = 0; i < 1700; i++) server.add(`x${i}`)
    await run(60)
    expect(told[0]).toBe('down')
    expect(told.at(-1)).toBe('up')
    expect(told).toHaveLength(1702)
  })

  test('half-open: down within heartbeat + grace, and nothing is lost', async () => {
    await started({ heartbeatMs: 500, graceMs: 300 })
    server.silent = true
    server.add('a')
    await run(799)
    expect(bus.healthy).toBe(true)
    expect(bus.silentMs).toBeGreaterThanOrEqual(799)
    await run(2)
    expect(bus.healthy).toBe(false)
    expect(bus.silentMs).toBe(Number.POSITIVE_INFINITY)
    server.silent = false
    await run(3000)
    expect(told).toEqual(['down', 'set a by other', 'up'])
  })

  test('attempts are spaced: doubling from the first to the longest', async () => {
    await started({ backoffMs: [100, 1000] })
    server.refusing = true
    server.cut()
    const times: number[] = []
    let seen = server.clients.length
    for (let ms = 0; ms < 5000; ms += 10) {
      await run(10)
      if (server.clients.length > seen) times.push(ms)
      seen = server.clients.length
    }
    const waits = times.slice(1).map((ms, i) => ms - (times[i] as number))
    expect(waits.slice(0, 4)).toEqual([200, 400, 800, 1000])
    expect(waits.slice(4).every((wait) => wait === 1000)).toBe(true)
    server.refusing = false
    await run(1000)
    expect(bus.healthy).toBe(true)
    server.cut()
    await run(101)
    expect(bus.healthy, 'the first wait again').toBe(true)
  })

  test('errors of a connection are told, and an error event after its end is heard by somebody', async () => {
    await started()
    const errors: string[] = []
    bus.onError((error) => errors.push(error.message))
    const old = server.client
    old.emit('error', new Error('read ECONNRESET'))
    old.drop()
    await run(60)
    expect(errors).toEqual(['read ECONNRESET'])
    expect(() => old.emit('error', new Error('late'))).not.toThrow()
  })

  test('all buckets must be up', async () => {
    const second = new FakeRedis()
    second.refusing = true
    const start = create({
      buckets: 2,
      key: (bucket) => `bus${bucket}`,
      connect: (bucket) => (bucket === 0 ? server : second).connect(),
    }).start()
    await run(10)
    expect(told).toEqual(['gap start of 0'])
    second.refusing = false
    await run(1000)
    await start
    expect(told).toEqual(['gap start of 0', 'gap start of 1', 'up'])
    second.cut()
    await run()
    expect(bus.healthy).toBe(false)
    server.add('still')
    await run()
    expect(told.slice(3)).toEqual(['down', 'set still by other'])
  })
})

describe('listeners', () => {
  test('one that throws, or rejects, harms neither the others nor the bus', async () => {
    await started()
    const errors: string[] = []
    bus.onError((error) => {
      errors.push(error.message)
      throw new Error('even this one')
    })
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    bus.onMessage(() => {
      throw new Error('thrown')
    })
    bus.onMessage(async () => {
      throw new Error('rejected')
    })
    const names: string[] = []
    const off = bus.onMessage(({ name }) => names.push(name))
    server.add('a')
    await run()
    server.add('b')
    await run()
    off()
    server.add('c')
    await run()
    expect(names).toEqual(['a', 'b'])
    expect(errors.slice(0, 2).sort()).toEqual(['rejected', 'thrown'])
    expect(warned).toHaveBeenCalled()
    expect(bus.healthy).toBe(true)
    warned.mockRestore()
  })

  test('nothing is told after close but the link going down', async () => {
    await started()
    await bus.close()
    server.add('a')
    await run(5000)
    expect(told).toEqual(['down'])
    expect(server.client.status).toBe('end')
  })
})

test('latency is measured on the clock of the server', async () => {
  await started()
  const version = String((performance.now() + server.aheadMs) * 1000)
  await run(40)
  server.add('a', { v: version })
  await run()
  expect(bus.clock().offset).toBeCloseTo(server.aheadMs, 0)
  expect(bus.latency.count).toBe(1)
  expect(bus.latency.maxMs).toBeGreaterThan(39)
  expect(bus.latency.maxMs).toBeLessThan(42)
})
