import { once } from 'node:events'
import { createRequire } from 'node:module'
import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Bus } from '../../../src/coherence/bus.js'
import { StreamBus } from '../../../src/coherence/stream-bus.js'
import { TrackingBus } from '../../../src/coherence/tracking-bus.js'
import { RedisCluster, Sentinel, waitFor } from '../../support/redis.js'
import { busClient, Ear, Publisher } from './bus-harness.js'

const slotOf = createRequire(createRequire(import.meta.url).resolve('ioredis'))('cluster-key-slot') as (
  key: string,
) => number

const BUCKETS = 8
const TIMING = { heartbeatMs: 300, graceMs: 500, backoffMs: [10, 200] } as const
const busKey = (bucket: number) => `hp:{test#${bucket}}:bus`
const entryKey = (bucket: number, name: string) => `hp:{test#${bucket}}:e:${name}`

let cluster: RedisCluster
let bus: Bus
let client: Cluster | undefined

async function ownerOf(bucket: number): Promise<number> {
  return cluster.ownerOf(slotOf(busKey(bucket)))
}

/** One message to each bucket's owner, by a writer that follows the topology. */
async function publishToAll(name: string): Promise<void> {
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const publisher = new Publisher(await ownerOf(bucket), busKey(bucket))
    await publisher.publish(`${name}.${bucket}`)
    publisher.close()
  }
}

function streams(): Ear {
  const streamBus = new StreamBus({
    buckets: BUCKETS,
    key: busKey,
    connect: async (bucket) => busClient(await ownerOf(bucket)),
    ...TIMING,
  })
  bus = streamBus
  return new Ear(streamBus)
}

function tracking(): { ear: Ear; nodes: () => readonly string[] } {
  const topology = new Cluster(cluster.startupNodes, {
    slotsRefreshInterval: 200,
    slotsRefreshTimeout: 1000,
  })
  topology.on('error', () => {})
  client = topology
  const trackingBus = new TrackingBus({
    prefixes: Array.from({ length: BUCKETS }, (_, bucket) => ({
      prefix: entryKey(bucket, ''),
      kind: 'entry' as const,
      bucket,
    })),
    nodes: async () => {
      // Before it is ready ioredis takes every startup node for a master.
      if (topology.status !== 'ready') await once(topology, 'ready')
      return topology.nodes('master').map(({ options }) => `${options.host}:${options.port}`)
    },
    connect: (node) => busClient(Number(node.split(':')[1])),
    watch: (changed) => {
      topology.on('+node', changed)
      topology.on('-node', changed)
      return () => {
        topology.off('+node', changed)
        topology.off('-node', changed)
      }
    },
    ...TIMING,
  })
  bus = trackingBus
  return { ear: new Ear(trackingBus), nodes: () => trackingBus.nodes }
}

afterEach(async () => {
  await bus?.close()
  client?.disconnect()
  client = undefined
})

describe('in a Cluster of three masters', () => {
  beforeAll(async () => {
    cluster = await RedisCluster.start({ masters: 3, replicas: 1 })
  })

  afterAll(() => cluster.stop())

  test('every bucket is read from its owner', async () => {
    const ear = streams()
    await bus.start()
    await publishToAll('a')
    for (let bucket = 0; bucket < BUCKETS; bucket++) await ear.until(`set a.${bucket}`)
    expect(ear.messages.map(({ bucket, name }) => name === `a.${bucket}`)).not.toContain(false)
    expect(new Set(await Promise.all(Array.from({ length: BUCKETS }, (_, b) => ownerOf(b)))).size).toBe(3)
  })

  test('a slot that moves takes its stream along: no gap, no loss', async () => {
    const ear = streams()
    await bus.start()
    await publishToAll('a')
    for (let bucket = 0; bucket < BUCKETS; bucket++) await ear.until(`set a.${bucket}`)
    ear.clear()
    const owner = await ownerOf(0)
    const source = cluster.masters.findIndex(({ port }) => port === owner)
    await cluster.migrateSlot(slotOf(busKey(0)), source, (source + 1) % 3)
    await waitFor('the new owner', async () => (await ownerOf(0)) !== owner)
    await publishToAll('b')
    for (let bucket = 0; bucket < BUCKETS; bucket++) await ear.until(`set b.${bucket}`)
    await waitFor('the link', () => bus.healthy)
    expect(ear.told.filter((word) => word.startsWith('gap'))).toEqual([])
    expect(new Set(ear.names).size).toBe(ear.names.length)
  })

  test('tracking has one link a master, and hears writes to each', async () => {
    const { ear, nodes } = tracking()
    await bus.start()
    expect([...nodes()].sort()).toEqual(cluster.masters.map(({ port }) => `127.0.0.1:${port}`).sort())
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      await client?.set(entryKey(bucket, `s${bucket}`), 'plain')
      await ear.until(`delete s${bucket}`)
    }
    expect(ear.told.filter((word) => word.startsWith('gap'))).toEqual(['gap start', 'gap start', 'gap start'])
  })
})

describe('in a Cluster that loses a master', () => {
  beforeEach(async () => {
    cluster = await RedisCluster.start({ masters: 3, replicas: 1 })
  })

  afterEach(() => cluster.stop())

  test('after a failover both buses are up again, and hear the new master', async () => {
    const { ear, nodes } = tracking()
    await bus.start()
    const trackingBus = bus
    onTestFinished(() => trackingBus.close())
    const streamEar = streams()
    await bus.start()
    await publishToAll('a')
    for (let bucket = 0; bucket < BUCKETS; bucket++) await streamEar.until(`set a.${bucket}`)
    ear.clear()
    streamEar.clear()
    const dead = cluster.masters[0]
    dead?.kill()
    await ear.until('down')
    await streamEar.until('down')
    await cluster.failover(0)
    const heir = `127.0.0.1:${cluster.replicas[0]?.port}`
    await ear.until('up')
    await streamEar.until('up')
    // The dead one may have left the list, and the bus be up, before its heir is in it; the heir's link tells a gap once it hears.
    await ear.until('gap reconnect')
    expect(nodes()).toContain(heir)
    expect(nodes()).not.toContain(`127.0.0.1:${dead?.port}`)
    await publishToAll('b')
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      await streamEar.until(`set b.${bucket}`)
      await waitFor('the topology', () => client?.set(entryKey(bucket, `s${bucket}`), 'plain'))
      await ear.until(`delete s${bucket}`)
    }
  })
})

test('a Sentinel failover: the link comes back on the new master', async () => {
  const sentinel = await Sentinel.start()
  try {
    bus = new StreamBus({
      key: busKey,
      connect: async () => busClient(await sentinel.masterPort()),
      ...TIMING,
    })
    const ear = new Ear(bus)
    await bus.start()
    const before = new Publisher(await sentinel.masterPort(), busKey(0))
    await before.publish('a')
    await ear.until('set a')
    await before.client.wait(1, 1000)
    before.close()
    ear.clear()
    const port = await sentinel.failover()
    await ear.until('up')
    const after = new Publisher(port, busKey(0))
    await after.publish('b')
    await ear.until('set b')
    after.close()
    expect(ear.told).toEqual(['down', 'up', 'set b'])
  } finally {
    await bus.close()
    await sentinel.stop()
  }
})
