/** Batches of more names than one piece: values of all kinds, what is no entry, and what changes while they are on their way. */
import { expect, test } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.js'
import { LocalCache, RedisStore, TieredCache } from '../../../src/index.js'
import { World } from './world.js'

const COUNT = 300
const keys = Array.from({ length: COUNT }, (_, i) => `k${i}`)

function valueAt(i: number): unknown {
  switch (i % 5) {
    case 0:
      return Float64Array.from({ length: 64 }, (_, k) => i + k / 64)
    case 1:
      return i
    case 2:
      return { price: i, features: Float32Array.of(i) }
    case 3:
      return i % 50 === 3 ? new Float64Array(600).fill(i) : null
    default:
      return `text ${i}`
  }
}

test.each([undefined, 'l2'] as const)('each key has its own value, tier %s', async (tier) => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.setMany(keys.map((key, i) => [key, valueAt(i), i % 7 === 0 ? { tags: ['t'] } : {}]))
  const b = await world.client()
  const asked = [...keys, 'none', 'k0', ...keys.slice().reverse()]
  const expected = [...keys.map((_, i) => valueAt(i)), undefined, valueAt(0)]
  expected.push(...keys.map((_, i) => valueAt(COUNT - 1 - i)))
  expect(await b.cache.getMany(asked, { ...(tier && { tier }) })).toEqual(expected)
  expect(b.cache.getSync('k5')).toEqual(tier === 'l2' ? undefined : valueAt(5))
  expect(b.errors).toEqual([])
})

test('what is no entry is a miss, counted, and does no harm to its neighbours', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.setMany(keys.map((key, i) => [key, Float64Array.of(i)]))
  const epoch = await a.store.epoch()
  const bucket = 'hp:{world#0}:e:s'
  const meta = { freshUntil: Date.now() + 60_000, version: 1, epoch }
  const good = encodeEnvelope(meta, Float64Array.of(1))
  const strange: [key: string, bytes: Buffer][] = [
    ['k1', Buffer.alloc(0)],
    ['k2', good.subarray(0, 60)],
    ['k3', Buffer.concat([good, Buffer.of(0)])],
    ['k4', Buffer.from('text')],
    ['k200', Buffer.from(good).fill(0xff, 48, 56)],
    ['k201', encodeEnvelope({ ...meta, epoch: 0 }, Float64Array.of(1))],
    ['k202', encodeEnvelope({ ...meta, freshUntil: 1 }, Float64Array.of(1))],
  ]
  for (const [key, bytes] of strange) await world.server.command('set', bucket + key, bytes)
  await world.server.command('del', `${bucket}k250`)
  await world.server.command('rpush', `${bucket}k250`, 'a list')
  const b = await world.client()
  const missed = new Set(['k250', ...strange.map(([key]) => key)])
  const values = await b.cache.getMany(keys, { tier: 'l2' })
  expect(values).toEqual(keys.map((key, i) => (missed.has(key) ? undefined : Float64Array.of(i))))
  expect(b.cache.stats()).toMatchObject({ l2Hits: COUNT - missed.size, foreignBytes: 5 })
  expect(b.errors).toEqual([])
})

test('R1, R17: invalidations overtake a large batch before it is sent and before it has answered', async () => {
  await using world = await World.start()
  const [a, b] = [await world.client(), await world.client()]
  await a.cache.setMany(keys.map((key, i) => [key, i]))
  await b.bus.hears('set', COUNT)
  for (const where of ['request', 'reply'] as const) {
    const hold = b.holds.hold('getMany', where)
    const reading = b.cache.getMany(keys)
    await hold.reached
    const gone = where === 'request' ? ['k0', 'k290'] : ['k1', 'k291']
    for (const key of gone) await a.cache.delete(key)
    await b.bus.hears('delete', where === 'request' ? 2 : 4)
    hold.release()
    await reading
    for (const key of gone) expect(b.cache.getSync(key)).toBeUndefined()
    expect(b.cache.getSync('k200')).toBe(200)
    b.l1.clear()
  }
})

test('a batch over several buckets', async () => {
  await using world = await World.start()
  const l2 = new RedisStore({ host: '127.0.0.1', port: world.server.port, namespace: 'wide', buckets: 3 })
  const cache = new TieredCache({ l1: new LocalCache(), l2 })
  try {
    await cache.setMany(keys.map((key, i) => [key, valueAt(i)]))
    const values = await cache.getMany([...keys, 'none'], { tier: 'l2' })
    expect(values).toEqual([...keys.map((_, i) => valueAt(i)), undefined])
  } finally {
    await cache.close()
  }
})
