/** The buses against what the store's own scripts write: the chain, the versions and the keys are theirs. */
import { Redis } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.js'
import type { Bus } from '../../../src/coherence/bus.js'
import { StreamBus } from '../../../src/coherence/stream-bus.js'
import { TagVersions, tagsHold } from '../../../src/coherence/tag-versions.js'
import { TrackingBus } from '../../../src/coherence/tracking-bus.js'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { RedisServer, waitFor } from '../../support/redis.js'
import { Ear } from './bus-harness.js'

const BUCKETS = 3

function write(name: string) {
  return { name, bytes: encodeEnvelope({ freshUntil: Number.POSITIVE_INFINITY }, name), ttlMs: 60_000 }
}

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(() => server.stop())

describe.each([
  ['5', () => new Redis({ port: server.port })],
  ['6', () => new Redis6({ port: server.port })],
])('with ioredis %s', (_, connect) => {
  let client: Redis | Redis6
  let store: RedisStore
  let bus: Bus
  let ear: Ear

  beforeEach(async () => {
    await server.flushAll()
    client = connect()
    store = new RedisStore({ client, namespace: 'test', buckets: BUCKETS, commandTimeout: '10s' })
  })

  afterEach(async () => {
    await bus.close()
    await store.close()
    client.disconnect()
  })

  async function streams(): Promise<void> {
    bus = new StreamBus({
      buckets: BUCKETS,
      key: (bucket) => store.busKey(bucket),
      connect: (bucket) => store.busConnection(bucket),
    })
    ear = new Ear(bus)
    await bus.start()
    ear.clear()
  }

  async function tracking(): Promise<void> {
    const buckets = Array.from({ length: BUCKETS }, (_, bucket) => bucket)
    bus = new TrackingBus({
      prefixes: [
        { prefix: store.epochKey, kind: 'epoch', bucket: 0 },
        ...buckets.map((bucket) => ({ prefix: store.entryPrefix(bucket), kind: 'entry' as const, bucket })),
        ...buckets.map((bucket) => ({ prefix: store.tagPrefix(bucket), kind: 'tag' as const, bucket })),
      ],
      nodes: () => store.nodes(),
      connect: (node) => store.trackingConnection(node),
      watch: (changed) => store.watchNodes(changed),
    })
    ear = new Ear(bus)
    await bus.start()
    ear.clear()
  }

  test('every kind of write keeps the chain and is told with its version and origin', async () => {
    await streams()
    const options = { origin: 'me' }
    const names = Array.from({ length: 20 }, (_, i) => `skey${i}`)
    const versions = await store.setMany(names.map(write), options)
    for (const name of names) await ear.until(`set ${name}`)
    const told = new Map(ear.messages.map(({ name, version }) => [name, version]))
    expect(names.map((name) => told.get(name))).toEqual(versions)

    const deleted = await store.deleteMany(names.slice(0, 5), options)
    for (const name of names.slice(0, 5)) await ear.until(`delete ${name}`)
    const { version } = await store.delete('sabsent', options)
    await ear.until('delete sabsent')
    expect(ear.messages.at(-1)?.version).toBe(version)
    expect(deleted.every(({ existed }) => existed)).toBe(true)

    const tagVersion = await store.invalidateTag('market', options)
    await ear.until('tag market')
    expect(ear.messages.find(({ kind }) => kind === 'tag')?.version).toBe(tagVersion)

    await store.deletePattern('key1*', options)
    await ear.until('pattern key1*')
    const epoch = await store.clear(options)
    await ear.until('clear ')
    expect(ear.messages.find(({ kind }) => kind === 'clear')?.version).toBe(epoch)
    expect(ear.told.filter((word) => /^(gap|down)/.test(word))).toEqual([])
    expect(
      ear.messages.every(({ name, bucket, kind }) => /^[tpc]/.test(kind) || store.bucketOf(name) === bucket),
    ).toBe(true)
    expect(new Set(ear.messages.map(({ origin }) => origin))).toEqual(new Set(['me']))
  })

  test('tracking hears entries, tags and the epoch', async () => {
    await tracking()
    const options = { origin: 'me' }
    await store.set(write('sprice'), options)
    await ear.until('delete sprice')
    await store.invalidateTag('market', options)
    await ear.until('tag market')
    await store.clear(options)
    await ear.until('clear ')
  })

  test('under tracking, reading the versions of tags comes to rest', async () => {
    await tracking()
    let loads = 0
    const tags = new TagVersions({
      load: (names) => {
        loads++
        return store.tagVersions(names, 60_000)
      },
    })
    bus.onMessage(({ kind, name, version }) => kind === 'tag' && tags.merge(name, version))
    const names = ['a', 'b', 'c', 'd']
    await tags.fetch(names)
    for (const name of names) await ear.until(`tag ${name}`)
    // The first reading writes each tag, the second may make it live longer; no other writes anything.
    const rounds = 3
    for (let round = 1; round < rounds; round++) {
      await tags.fetch(names)
      // A connection tells in order: once this is heard, so is what the fetch changed.
      await store.set(write(`sround${round}`), { origin: 'me' })
      await ear.until(`delete sround${round}`)
    }
    const states = await tags.fetch(names)
    const made = states.map(({ version }) => version)
    const settled = loads
    for (let i = 0; i < 10; i++) {
      await store.set(write(`scheck${i}`), { origin: 'me' })
      await ear.until(`delete scheck${i}`)
      await tags.fetch(names)
    }
    expect(tagsHold(states, made)).toBe(true)
    expect(loads).toBe(settled)
    await store.invalidateTag('b', { origin: 'other' })
    await waitFor('the tag to be doubted', () => !tagsHold(states, made))
    await tags.fetch(names)
    expect(tagsHold(states, made)).toBe(false)
  })
})
