import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TrackingBus, type TrackingBusOptions } from '../../../src/coherence/tracking-bus.js'
import { FakeRedis } from './fake-redis.js'

const CHANNEL = '__redis__:invalidate'

let server: FakeRedis
let bus: TrackingBus
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

function create(options: Partial<TrackingBusOptions> = {}): TrackingBus {
  bus = new TrackingBus({
    prefixes: [
      { prefix: 'hp:{a#0}:e:', kind: 'entry', bucket: 0 },
      { prefix: 'hp:{a#0}:t:', kind: 'tag', bucket: 0 },
      { prefix: 'hp:{a#0}:epoch', kind: 'epoch', bucket: 0 },
      { prefix: 'hp:{a#1}:e:', kind: 'entry', bucket: 1 },
    ],
    connect: server.connect,
    ...options,
  })
  bus.onMessage(({ kind, name, version, bucket }) => told.push(`${kind} ${name} ${version} of ${bucket}`))
  bus.onGap((reason) => told.push(`gap ${reason}`))
  bus.onLink((up) => told.push(up ? 'up' : 'down'))
  return bus
}

const run = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

async function started(options: Partial<TrackingBusOptions> = {}): Promise<void> {
  const start = create(options).start()
  await run()
  await start
}

test('tracking, then the subscription, then a gap, then up', async () => {
  await started()
  expect(server.client.commands).toEqual([
    'CLIENT ID',
    'CLIENT TRACKING ON REDIRECT 7 BCAST PREFIX hp:{a#0}:e: PREFIX hp:{a#0}:t: PREFIX hp:{a#0}:epoch PREFIX hp:{a#1}:e:',
    `SUBSCRIBE ${CHANNEL}`,
  ])
  expect(told).toEqual(['gap start', 'up'])
})

test('keys become messages, newer than anything', async () => {
  await started()
  told.length = 0
  const keys = ['hp:{a#0}:e:sx,y', 'hp:{a#1}:e:n5', 'hp:{a#0}:t:tag:ü', 'hp:{a#0}:epoch', 'foreign']
  server.client.emit(
    'messageBuffer',
    Buffer.from(CHANNEL),
    keys.map((key) => Buffer.from(key)),
  )
  expect(told).toEqual([
    'delete sx,y Infinity of 0',
    'delete n5 Infinity of 1',
    'tag tag:ü Infinity of 0',
    'clear  Infinity of 0',
  ])
})

test('a null payload is a gap', async () => {
  await started()
  told.length = 0
  server.client.emit('messageBuffer', Buffer.from(CHANNEL), null)
  server.client.emit('messageBuffer', Buffer.from('another channel'), null)
  expect(told).toEqual(['gap flushed'])
})

test('each new connection tracks anew and begins with a gap', async () => {
  await started()
  told.length = 0
  server.cut()
  await run(100)
  expect(told).toEqual(['down', 'gap reconnect', 'up'])
  expect(server.client.commands).toHaveLength(3)
})

test('a link that does not answer PING is down within heartbeat + grace', async () => {
  await started({ heartbeatMs: 500, graceMs: 300 })
  server.silent = true
  await run(799)
  expect(bus.healthy).toBe(true)
  await run(2)
  expect(bus.healthy).toBe(false)
})

describe('with several nodes', () => {
  test('one link each; a node that goes is let go, one that comes is linked with a gap', async () => {
    const servers = new Map(['a', 'b', 'c', 'd'].map((name) => [name, new FakeRedis()]))
    let nodes = ['a', 'b', 'c']
    let changed = () => {}
    await started({
      nodes: () => nodes,
      connect: (node) => (servers.get(node) as FakeRedis).connect(),
      watch: (call) => {
        changed = call
        return () => {
          changed = () => told.push('unwatched')
        }
      },
    })
    expect(told).toEqual(['gap start', 'gap start', 'gap start', 'up'])
    told.length = 0
    nodes = ['a', 'b', 'd']
    changed()
    await run()
    expect(told).toEqual(['down', 'gap reconnect', 'up'])
    expect(servers.get('c')?.client.status).toBe('end')
    expect(bus.nodes).toEqual(['a', 'b', 'd'])
    await bus.close()
    changed()
    expect(told.slice(3)).toEqual(['down', 'unwatched'])
  })

  test('a broken link asks who is there now', async () => {
    const servers = new Map(['a', 'b'].map((name) => [name, new FakeRedis()]))
    let nodes = ['a']
    await started({
      nodes: async () => nodes,
      connect: (node) => (servers.get(node) as FakeRedis).connect(),
    })
    nodes = ['b']
    const old = servers.get('a') as FakeRedis
    old.refusing = true
    old.cut()
    await run(10)
    expect(bus.nodes).toEqual(['b'])
    expect(bus.healthy).toBe(true)
  })

  test('a listing that fails or is empty changes nothing', async () => {
    const errors: string[] = []
    let nodes: () => string[] = () => ['a']
    create({ nodes: async () => nodes() })
    bus.onError((error) => errors.push(error.message))
    const start = bus.start()
    await run()
    await start
    nodes = () => []
    await run(1000)
    nodes = () => {
      throw new Error('no slots')
    }
    await run(1000)
    expect(bus.nodes).toEqual(['a'])
    expect(bus.healthy).toBe(true)
    expect(errors).toContain('no slots')
  })
})
