/** Each answer of explain(), provoked with a real server. */
import { expect, test } from 'vitest'
import type { Explanation } from '../../../src/index.js'
import { LocalCache, TieredCache } from '../../../src/index.js'
import { command, waitFor } from '../../support/redis.js'
import { type Client, World } from '../tiered/world.js'

const never = (): never => {
  throw new Error('a factory ran')
}

/** The Redis key of an entry. */
async function keyOf(world: World, key: string): Promise<string> {
  const keys = (await command(world.server.port, 'KEYS', `*:e:s${key}`)) as string[]
  expect(keys).toHaveLength(1)
  return keys[0] as string
}

async function explained(
  { cache }: Client,
  key: string,
  until: (explanation: Explanation) => boolean,
): Promise<Explanation> {
  let last = await cache.explain(key)
  await waitFor('the state to be explained', async () => {
    last = await cache.explain(key)
    return until(last)
  })
  return last
}

test('fresh in both tiers, and nothing is counted or changed by asking', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.getOrSet('key', () => 1, { tags: ['t'], ttl: '1m', grace: '1m' })
  // The latency of messages is measured whenever one comes.
  const counts = () => ({ ...a.cache.stats(), invalidationMs: undefined })
  const before = counts()
  const explanation = await a.cache.explain('key')
  expect(explanation).toMatchObject({
    name: 'skey',
    namespace: 'world',
    outcome: 'l1',
    l1: { state: 'fresh', reason: undefined },
    l2: { asked: true, state: 'fresh', reason: undefined },
    underWay: false,
    link: 'up',
    circuit: 'closed',
    replay: { waiting: 0, blocksThisKey: false },
  })
  const { l1, l2 } = explanation
  expect(l1.entry?.version).toBe(l2.entry?.version)
  expect(l1.entry?.tags).toEqual(l2.entry?.tags)
  expect(l1.entry?.tags[0]?.name).toBe('t')
  expect(l1.entry?.freshFor).toBeGreaterThan(0)
  expect(l1.entry?.deadIn).toBeGreaterThan(l1.entry?.freshFor as number)
  expect(l2.bytes).toBeGreaterThan(48)
  expect(String(explanation)).toMatch(
    /^skey of world: a getOrSet is answered by the first tier\n {2}l1: fresh; version \d+, fresh for \d+ ms, stale until \d+ ms.*tag t at \d+, now \d+\n {2}l2: fresh, \d+ bytes/,
  )
  expect(JSON.parse(JSON.stringify(explanation)).outcome).toBe('l1')
  expect(counts()).toEqual(before)
})

test('absent here and there; there alone, and asking promotes nothing', async () => {
  await using world = await World.start()
  const [a, b] = (await world.clients(2)) as [Client, Client]
  expect(await b.cache.explain('key')).toMatchObject({
    outcome: 'factory',
    l1: { state: 'absent', reason: 'absent' },
    l2: { state: 'absent', reason: 'absent' },
  })
  await a.cache.set('key', 1)
  for (let i = 0; i < 2; i++)
    expect(await b.cache.explain('key')).toMatchObject({
      outcome: 'l2',
      l1: { state: 'absent' },
      l2: { state: 'fresh' },
    })
  expect(b.l1.size).toBe(0)
})

test('a tag that another process invalidated', async () => {
  await using world = await World.start()
  const [a, b] = (await world.clients(2)) as [Client, Client]
  await a.cache.set('key', 1, { tags: ['other', 't'] })
  await b.cache.invalidateTag('t')
  const explanation = await explained(a, 'key', ({ l1 }) => l1.state === 'invalid')
  expect(explanation).toMatchObject({
    outcome: 'factory',
    l1: { reason: 'tag' },
    l2: { state: 'invalid', reason: 'tag' },
  })
  expect(explanation.l1.because).toMatch(/the tag t was invalidated at version \d+/)
  const [other, t] = explanation.l2.entry?.tags ?? []
  expect(other?.current).toBe(other?.version)
  expect(t?.current).toBeGreaterThan(t?.version as number)
  // A process that knows neither tag asks the server.
  const c = await world.client()
  expect((await c.cache.explain('key')).l2).toMatchObject({ state: 'invalid', reason: 'tag' })
  expect((await c.cache.explain('key')).l1.state).toBe('absent')
})

test('a clear, and a gap of the bus', async () => {
  await using world = await World.start()
  const [a, b] = (await world.clients(2)) as [Client, Client]
  await a.cache.set('key', 1)
  const key = await keyOf(world, 'key')
  await command(world.server.port, 'COPY', key, 'kept')
  await b.cache.clear()
  const cleared = await explained(a, 'key', ({ l1 }) => l1.state === 'invalid')
  expect(cleared.l1).toMatchObject({ reason: 'invalidated' })
  expect(cleared.l1.because).toMatch(/the namespace was cleared at version \d+/)
  await waitFor('the bytes to be removed', async () => (await a.cache.explain('key')).l2.state === 'absent')
  await command(world.server.port, 'COPY', 'kept', key)
  expect((await a.cache.explain('key')).l2).toMatchObject({ state: 'invalid', reason: 'invalidated' })

  await a.cache.set('key', 2)
  expect((await a.cache.explain('key')).outcome).toBe('l1')
  await command(world.server.port, 'FLUSHALL')
  const gap = await explained(a, 'key', ({ l1 }) => l1.state === 'invalid')
  expect(gap).toMatchObject({ l1: { reason: 'invalidated' }, l2: { state: 'absent' }, outcome: 'factory' })
  expect(gap.l1.because).toMatch(/gap of the bus/)
})

test('expired: kept for its grace, or past it', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.set('graced', 1, { ttl: 40, grace: '1m' })
  const graced = await explained(a, 'graced', ({ l1 }) => l1.state === 'stale')
  expect(graced).toMatchObject({
    outcome: 'factory',
    l1: { reason: 'expired' },
    l2: { state: 'stale', reason: 'expired' },
  })
  expect(graced.l1.because).toMatch(/stale: expired \d+ ms ago, kept for its grace/)
  expect(await a.cache.explain('graced', { staleWhileRevalidate: '1m', grace: '1m' })).toMatchObject({
    outcome: 'l1',
  })

  await a.cache.set('dead', 1, { ttl: '5s', tier: 'l2' })
  const key = await keyOf(world, 'dead')
  const bytes = await a.store.get('sdead')
  const dead = Buffer.from(bytes as Uint8Array)
  dead.writeDoubleLE(Date.now() - 1000, 8)
  dead.writeDoubleLE(Date.now() - 1000, 16)
  await command(world.server.port, 'SETRANGE', key, '0', dead)
  expect((await a.cache.explain('dead')).l2).toMatchObject({ state: 'invalid', reason: 'expired' })
})

test('early refresh and negative entries', async () => {
  await using world = await World.start()
  const a = await world.client({ negativeTtl: '1m' })
  await a.cache.getOrSet('slow', () => new Promise((made) => setTimeout(made, 20, 1)), { earlyRefresh: 100 })
  expect(await a.cache.explain('slow')).toMatchObject({ outcome: 'l1', l1: { state: 'early' } })
  await a.cache.getOrSet('none', () => undefined)
  const none = await a.cache.explain('none')
  expect(none).toMatchObject({
    outcome: 'l1',
    l1: { entry: { negative: true } },
    l2: { entry: { negative: true } },
  })
  expect(none.l1.because).toMatch(/known to have no value/)
})

test('bytes that hitpath did not write, and keys of another type', async () => {
  await using world = await World.start()
  const a = await world.client()
  for (const key of ['junk', 'list', 'cut']) await a.cache.set(key, 'x', { tier: 'l2' })
  await command(world.server.port, 'SET', await keyOf(world, 'junk'), '{"a":1}')
  const list = await keyOf(world, 'list')
  await command(world.server.port, 'DEL', list)
  await command(world.server.port, 'LPUSH', list, '1')
  expect((await a.cache.explain('junk')).l2).toMatchObject({ state: 'invalid', reason: 'foreign', bytes: 7 })
  expect((await a.cache.explain('list')).l2).toMatchObject({ asked: true, state: 'unknown', reason: 'error' })
  const cut = await keyOf(world, 'cut')
  const whole = (await a.store.get('scut')) as Buffer
  // 0xC1 opens no msgpack value.
  await command(world.server.port, 'SETRANGE', cut, String(whole.length - 2), Buffer.from([0xc1, 0xc1]))
  expect((await a.cache.explain('cut')).l2).toMatchObject({ state: 'invalid', reason: 'foreign' })
  const reads = await world.client({ foreign: 'msgpack' })
  expect((await reads.cache.explain('junk')).l2).toMatchObject({ state: 'fresh' })
})

test('the link down, changes that wait, the circuit open', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({
    port: proxy.port,
    whenUnlinked: 'bypass',
    l2Timeout: '250ms',
    breaker: { failures: 3, resetAfter: '1m' },
  })
  await a.cache.set('key', 1)
  expect((await a.cache.explain('key')).outcome).toBe('l1')
  proxy.refuse()
  proxy.cut()
  const unlinked = await explained(a, 'key', ({ link }) => link === 'down')
  expect(unlinked).toMatchObject({ outcome: 'factory', l1: { state: 'invalid', reason: 'unlinked' } })
  expect(unlinked.l2).toMatchObject({ asked: true, state: 'unknown' })
  expect(['timeout', 'unavailable']).toContain(unlinked.l2.reason)
  expect(unlinked.circuit).toBe('closed')

  await a.cache.set('waits', 2)
  const waits = await a.cache.explain('waits')
  expect(waits.replay).toEqual({ waiting: 1, blocksThisKey: true })
  expect(waits.l2).toMatchObject({ asked: false, reason: 'queued' })
  expect((await a.cache.explain('key')).replay.blocksThisKey).toBe(false)

  await waitFor('the circuit to open', async () => {
    await a.cache.get('other')
    return a.cache.stats().circuit === 'open'
  })
  expect(await a.cache.explain('key')).toMatchObject({
    circuit: 'open',
    l2: { asked: false, state: 'unknown', reason: 'circuit' },
  })
})

test('no second tier, or a policy that keeps it out; a computation under way', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.bus.hears('clear') // of the new namespace: it overtakes computations
  expect((await a.cache.explain('key', { tier: 'l1' })).l2).toMatchObject({ asked: false, reason: 'tier' })
  let finish: (value: number) => void = () => {}
  const made = a.cache.getOrSet('key', () => new Promise<number>((resolve) => (finish = resolve)))
  await waitFor('the factory', () => a.cache.stats().factoryCalls === 1)
  expect((await a.cache.explain('key')).underWay).toBe(true)
  finish(1)
  await made
  expect((await a.cache.explain('key')).underWay).toBe(false)

  await using alone = new TieredCache({ l1: new LocalCache() })
  await alone.set('key', 1)
  expect(await alone.explain('key')).toMatchObject({
    outcome: 'l1',
    l2: { asked: false, reason: 'none' },
    link: 'none',
    circuit: 'none',
  })
  expect(await alone.getOrSet('key', never)).toBe(1)
})

test('what explain says is what a read meets', async () => {
  await using world = await World.start()
  const [a, b] = (await world.clients(2)) as [Client, Client]
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  for (const [i, key] of keys.entries()) {
    if (i % 5 !== 0) await b.cache.set(key, i, i % 3 === 0 ? { tags: [`t${i % 2}`] } : {})
    if (i % 2 === 0) await a.cache.get(key)
  }
  await b.cache.invalidateTag('t0')
  await a.bus.hears('tag')
  const outcomes = await Promise.all(keys.map(async (key) => (await a.cache.explain(key)).outcome))
  const met: string[] = []
  for (const key of keys) {
    const before = a.cache.stats()
    await a.cache.getOrSet(key, () => 0)
    const after = a.cache.stats()
    met.push(
      after.factoryCalls > before.factoryCalls ? 'factory' : after.l2Hits > before.l2Hits ? 'l2' : 'l1',
    )
  }
  expect(met).toEqual(outcomes)
  expect(new Set(met)).toEqual(new Set(['l1', 'l2', 'factory']))
})

test('a closed cache and a key that is none', async () => {
  const cache = new TieredCache()
  await expect(cache.explain({} as never)).rejects.toMatchObject({ code: 'INVALID_KEY' })
  await cache.close()
  await expect(cache.explain('key')).rejects.toMatchObject({ code: 'CLOSED' })
})
