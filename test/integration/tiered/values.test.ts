/** What comes back, for how long, and to whom: R14, R15, R16, R18, R20. */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { LocalCache, RedisStore, TieredCache } from '../../../src/index.js'
import { command, RedisCluster, waitFor } from '../../support/redis.js'
import { World } from './world.js'

const VALUES: readonly unknown[] = [
  0,
  -0,
  Number.NaN,
  Infinity,
  '',
  false,
  null,
  [],
  {},
  10n,
  2n ** 70n,
  new Date(5),
  new Map<unknown, unknown>([[1, new Set(['a'])]]),
  { ['__proto__x']: 1, deep: [undefined, { a: null }] },
  Buffer.from('bytes'),
  ...[
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
  ].flatMap((Of) => [Of.of(1, 2, 3), Of.of()]),
  BigInt64Array.of(-1n),
  BigUint64Array.of(1n),
]

test('R15: every value comes back equal from the first tier, the second, and both', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  for (const [i, value] of VALUES.entries()) await a.cache.set(i, value)
  await b.bus.hears('set', VALUES.length)
  for (const [i, value] of VALUES.entries()) {
    expect(a.cache.getSync(i)).toStrictEqual(value)
    expect(await b.cache.get(i)).toStrictEqual(value)
    expect(b.cache.getSync(i)).toStrictEqual(value)
    expect(await b.cache.has(i)).toBe(true)
    expect(Object.is(b.cache.getSync(i), -0)).toBe(Object.is(value, -0))
  }
  let asked = 0
  for (const i of VALUES.keys()) await b.cache.getOrSet(i, () => ++asked)
  expect(asked).toBe(0)
})

test('R14: a promoted value ends when it would have ended where it came from', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.set('key', 'value', { ttl: '30s' })
  await a.cache.set('short', 'value', { ttl: 500 })
  await b.bus.hears('set', 2)
  await delay(1000)
  expect(await b.cache.get('key')).toBe('value')
  // The clocks of the two may be apart.
  expect(b.l1.remainingTtl('key')).toBeLessThanOrEqual(30_000 - 1000 + 800)
  await waitFor('the end', () => b.cache.getSync('short') === undefined, { everyMs: 2 })
  expect(await b.cache.get('short')).toBeUndefined()
})

test('R14: a foreign key without an envelope lives as long as its key, or is a miss', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client({ foreign: 'msgpack' })
  await world.server.command('set', 'hp:{world#0}:e:skey', Buffer.from([0x93, 1, 2, 3]), 'px', 2000)
  expect(await a.cache.get('key')).toBeUndefined()
  expect(a.cache.stats().foreignBytes).toBe(1)
  expect(await b.cache.get('key')).toEqual([1, 2, 3])
  expect(b.l1.remainingTtl('key')).toBeLessThanOrEqual(2000)
  // What is kept here may end a moment before the key does, and is read again then.
  await waitFor('the end', async () => (await b.cache.get('key')) === undefined)
  expect(await world.server.command('exists', 'hp:{world#0}:e:skey')).toBe(0)
})

test('R16: the clear of one namespace takes no entry of another', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  const spaces = (client: typeof a) => [
    client.cache,
    client.cache.namespace('x'),
    client.cache.namespace('y'),
  ]
  for (const cache of spaces(a)) await cache.set('key', cache.namespaceName)
  for (const cache of spaces(b)) {
    await cache.ready()
    expect(await cache.get('key')).toBe(cache.namespaceName)
  }
  await a.cache.namespace('x').clear()
  const expected = ['world', undefined, 'world:y']
  await waitFor('the clear to be heard', () => b.cache.namespace('x').getSync('key') === undefined)
  for (const client of [a, b]) {
    const values = await Promise.all(spaces(client).map((cache) => cache.get('key')))
    expect(values).toEqual(expected)
  }
  await a.cache.clear()
  expect(await a.cache.namespace('y').get('key')).toBe('world:y')
  expect(await a.cache.get('key')).toBeUndefined()
})

test('R18: what is read is what is tracked: replicas are not read, whatever the client was told', async () => {
  const servers = await RedisCluster.start({ masters: 3, replicas: 1 })
  await waitFor('all to know the replicas', async () => {
    const replies = await Promise.all(servers.nodes.map(({ port }) => command(port, 'cluster', 'slots')))
    return replies.every((ranges) => (ranges as unknown[][]).every((range) => range.length > 3))
  })
  const client = new Cluster(servers.startupNodes, { lazyConnect: true, scaleReads: 'slave' })
  client.on('error', () => {})
  const make = (): TieredCache =>
    new TieredCache({
      l1: new LocalCache(),
      l2: new RedisStore({ client, namespace: 'world' }),
      jitter: 0,
      ttl: '1m',
      bus: 'tracking',
    })
  const [a, b] = [make(), make()]
  try {
    await Promise.all([a.ready(), b.ready()])
    const keys = Array.from({ length: 30 }, (_, i) => `key${i}`)
    for (const key of keys) await a.set(key, 'v1')
    expect(await b.getMany(keys)).toEqual(keys.map(() => 'v1'))
    for (const key of keys) expect(await b.get(key)).toBe('v1')
    for (const key of keys) await a.set(key, 'v2')
    for (const key of keys) await waitFor('the news', async () => (await b.get(key)) === 'v2')
    for (const { port } of servers.replicas) {
      expect(String(await command(port, 'info', 'commandstats'))).not.toMatch(/cmdstat_m?get:/)
    }
  } finally {
    await Promise.all([a.close(), b.close()])
    client.disconnect()
    await servers.stop()
  }
})

test('R20: invalidate, update, evict and expire race on few entries: the store stays sound, and tells the truth', async () => {
  await using world = await World.start()
  const [a, b] = [await world.client({ maxEntries: 8 }), await world.client({ maxEntries: 8 })]
  const clients = [a, b]
  let seed = 20
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % n
  }
  for (let round = 0; round < 300; round++) {
    const { cache, l1 } = clients[random(2)] as typeof a
    const key = `k${random(12)}`
    const steps = [
      () => cache.set(key, round, { ttl: 1 + random(20), tags: ['t'] }),
      () => cache.set(key, round),
      () => cache.delete(key),
      () => cache.get(key),
      () => cache.getOrSet(key, () => round, { ttl: 1 + random(5) }),
      () => cache.invalidateTag('t'),
      () => cache.invalidatePattern('k1*'),
    ]
    await Promise.all([steps[random(7)]?.(), steps[random(7)]?.(), steps[random(7)]?.()])
    l1.validate()
  }
  const ended = [a.cache.set('end', 1), b.cache.set('end', 2)]
  await Promise.all(ended)
  await waitFor('both to agree', async () => {
    const values = await Promise.all(clients.map(({ cache }) => cache.get('end')))
    return values[0] === values[1]
  })
  for (let i = 0; i < 12; i++) {
    const stored = await (await world.client()).cache.get(`k${i}`)
    for (const { cache } of clients) expect([undefined, stored]).toContain(cache.getSync(`k${i}`))
  }
})
