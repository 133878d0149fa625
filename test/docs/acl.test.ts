/** The ACL rules of SECURITY.md are enough for all that hitpath does, and give no command that it does not use. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  EventInvalidator,
  LocalCache,
  RedisStore,
  TieredCache,
  type TieredCacheOptions,
  warmFromStore,
} from 'hitpath'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RedisCluster, RedisServer, waitFor } from '../support/redis.js'
import { blocksOf, ROOT, textOf } from './documents.js'

/** Of the rule, what the runs below do not come to: late writes, moved slots. */
const RARE = new Set(['exists', 'xrange', 'persist', 'pexpire', 'object|freq', 'eval'])

/** A busy machine answers late, which is not what is judged here. */
const PATIENT = { commandTimeout: '20s' } as const
const deniedTo = (errors: unknown[]) => (error: unknown) => {
  if (/NOPERM/.test(String(error))) errors.push(error)
}

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(() => server.stop())

test('hitpath runs under its rule with either bus, and nothing is denied', async () => {
  await allow('acl')
  const client = await connected('hitpath')
  await server.command('config', 'resetstat')
  const errors: unknown[] = []
  const onError = deniedTo(errors)
  await exercise(client, { bus: 'stream', lease: '5s', onError })
  await exercise(client, { bus: 'tracking', onError })
  await client.quit()
  expect(errors).toEqual([])
  expect(await server.command('acl', 'log')).toEqual([])

  const used = await commandsUsed()
  const given = commandsOf('acl')
  expect([...used].filter((name) => !given.has(name))).toEqual([])
  expect([...given].filter((name) => !used.has(name) && !RARE.has(name))).toEqual([])
})

test('a user may be confined to one namespace', async () => {
  await allow('acl', (word) => (word === '~hp:*' ? '~hp:{desk#*' : word))
  const errors: unknown[] = []
  const client = await connected('hitpath')
  await exercise(client, { bus: 'stream', onError: deniedTo(errors) })
  expect(errors).toEqual([])
  const other = new RedisStore({ client, namespace: 'other' })
  await expect(other.get('sname')).rejects.toMatchObject({ code: 'L2_ERROR' })
  await other.close()
  await client.quit()
})

test('a Cluster takes the same rule with what is said of it', async () => {
  const [, more = ''] = /A Cluster needs `([^`]+)`/.exec(textOf('src/SECURITY.md')) ?? []
  const cluster = await RedisCluster.start()
  for (const node of cluster.nodes) await node.command(...ruleOf('acl'), ...more.split(' '))
  const redisOptions = { username: 'hitpath', password: 'secret' }
  const errors: unknown[] = []
  for (const bus of ['stream', 'tracking'] as const) {
    const l2 = new RedisStore({
      cluster: { nodes: cluster.startupNodes, options: { redisOptions } },
      ...PATIENT,
    })
    const cache = new TieredCache({ l2, bus, l2Timeout: '20s', onError: deniedTo(errors) })
    await cache.ready()
    await cache.setMany(['a', 'b', 'c', 'd'].map((key) => [key, key]))
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual(['a', 'b', 'c', 'd'])
    expect(await cache.invalidatePattern('*')).toEqual({ queued: false, removed: 4 })
    await cache.close()
  }
  expect(errors).toEqual([])
  for (const node of cluster.nodes) expect(await node.command('acl', 'log')).toEqual([])
  await cluster.stop()
})

test('every command of the scripts is in the rule', () => {
  const given = commandsOf('acl')
  const lua = ['scripts.ts', 'late-writes.ts'].map((name) =>
    readFileSync(join(ROOT, 'src', 'l2', name), 'utf8'),
  )
  const called = lua.flatMap((text) =>
    [...text.matchAll(/redis\.call\('([A-Z]+)'/g)].map(([, name]) => name!.toLowerCase()),
  )
  expect(new Set(called).size).toBeGreaterThan(10)
  expect(called.filter((name) => !given.has(name))).toEqual([])
})

test('the rule gives nothing else: other keys, other commands', async () => {
  await allow('acl')
  const client = await connected('hitpath')
  for (const [name, ...words] of [
    ['get', 'other'],
    ['keys', '*'],
    ['flushall'],
    ['config', 'get', '*'],
    ['publish', 'x', 'y'],
  ])
    await expect(client.call(name!, ...words)).rejects.toThrow(/NOPERM/)
  await client.quit()
})

test('events are followed and heard under theirs', async () => {
  await allow('events')
  const client = await connected('events')
  await server.command('config', 'resetstat')
  const errors: unknown[] = []
  const invalidator = new EventInvalidator<{ symbol: string }>({
    caches: new LocalCache(),
    tags: ({ symbol }) => [symbol],
    onError: deniedTo(errors),
  })
  const feeds = [
    invalidator.follow(client, { stream: 'bars', group: 'desk', consumer: 'desk-1' }),
    invalidator.follow(client, { stream: 'bars', group: false }),
    invalidator.subscribe(client, ['bars:live']),
    invalidator.subscribe(client, ['bars:*'], { patterns: true }),
  ]
  for (const feed of feeds) await feed.ready
  await server.command('xadd', 'bars', '*', 'symbol', 'BTCUSDT')
  await server.command('publish', 'bars:live', '{"symbol":"BTCUSDT"}')
  await waitFor('each feed to have heard', () => Promise.resolve(invalidator.stats().received === 4))
  await invalidator.close()
  await client.quit()
  expect(errors).toEqual([])
  expect(await server.command('acl', 'log')).toEqual([])
  const given = commandsOf('events')
  expect([...(await commandsUsed(['xadd', 'publish']))].filter((name) => !given.has(name))).toEqual([])
})

/** All that a cache over Redis does. */
async function exercise(client: Redis, options: TieredCacheOptions): Promise<void> {
  const stores = [1, 2].map(() => new RedisStore({ client, namespace: 'desk', ...PATIENT }))
  const [a, b] = stores.map((l2) => new TieredCache({ ...options, l2, l2Timeout: '20s' })) as [
    TieredCache,
    TieredCache,
  ]
  await Promise.all([a.ready(), b.ready()])
  await a.set('one', 1, { tags: ['t'] })
  await a.setMany([
    ['two', 2],
    ['three', 3],
  ])
  expect(await b.getMany(['one', 'two', 'three', 'none'])).toEqual([1, 2, 3, undefined])
  expect(await b.getOrSet('four', () => 4, { tags: ['t'] })).toBe(4)
  await b.getOrSetMany(['five', 'six'], (keys) => keys.map(() => 5))
  for (const ttl of ['1m', '2m', Infinity] as const) await a.set('tagged', 1, { ttl, tags: ['u'] })
  expect((await a.explain('three')).l2.state).toBe('fresh')
  expect(await a.has('three')).toBe(true)
  expect((await warmFromStore(b)).complete).toBe(true)
  expect(await a.delete('four')).toMatchObject({ queued: false })
  expect(await a.invalidateTag('t')).toEqual({ queued: false })
  expect(await a.invalidatePattern('t*')).toMatchObject({ queued: false })
  expect(await a.clear()).toMatchObject({ queued: false })
  await waitFor('the clear to be heard', async () => (await b.get('five')) === undefined)
  // The links ask for a sign of life each second.
  const sign = options.bus === 'tracking' ? 'ping' : 'time'
  await waitFor('a sign of life', async () => (await commandsUsed()).has(sign))
  for (const cache of [a, b]) await cache.close()
  for (const store of stores) await store.close()
}

async function allow(name: string, changed = (word: string) => word): Promise<void> {
  await server.command(...ruleOf(name).map(changed))
  await server.command('acl', 'log', 'reset')
}

async function connected(username: string): Promise<Redis> {
  const client = new Redis(server.url, { username, password: 'secret' })
  await client.ping()
  return client
}

function ruleOf(name: string): readonly string[] {
  const rules = blocksOf('redis').filter(
    ({ document, words }) => document === 'src/SECURITY.md' && words[0] === 'acl',
  )
  const rule = rules.find(({ words }) => (words[1] ?? 'acl') === name)
  if (rule === undefined) throw new Error(`SECURITY.md has no rule ${name}`)
  return rule.code.trim().split(/\s+/)
}

function commandsOf(name: string): ReadonlySet<string> {
  return new Set(
    ruleOf(name)
      .filter((word) => word.startsWith('+'))
      .map((word) => word.slice(1)),
  )
}

/** What the server was asked since its statistics were reset, by whatever user, but for what this test itself asks. */
async function commandsUsed(own: readonly string[] = []): Promise<ReadonlySet<string>> {
  const stats = String(await server.command('info', 'commandstats'))
  const ours = new Set([
    'config|resetstat',
    'acl|log',
    'acl|setuser',
    'quit',
    'auth',
    'client|setinfo',
    ...own,
  ])
  return new Set(
    [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => name!).filter((name) => !ours.has(name)),
  )
}
