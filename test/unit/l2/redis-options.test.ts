import { Redis } from 'ioredis'
import { afterEach, expect, test, vi } from 'vitest'
import { RedisStore } from '../../../src/l2/redis-store.js'

afterEach(() => {
  vi.doUnmock('ioredis')
  vi.resetModules()
})

const client = () => new Redis({ lazyConnect: true })

test.each<[string, unknown, string]>([
  ['no object', undefined, 'RedisStore must be an object'],
  ['a misspelt option', { hots: 'x' }, 'has no option "hots"'],
  ['not a client', { client: {} }, 'RedisStore.client must be an ioredis client'],
  [
    'a factory of something else',
    { createClient: () => 7 },
    'the client made by RedisStore.createClient must be',
  ],
  ['no factory', { createClient: 'x' }, 'RedisStore.createClient must be a function'],
  [
    'client and host',
    { client: client(), host: 'x' },
    'RedisStore.client stands alone: it does not go with host',
  ],
  ['both clients', { client: client(), createClient: client }, 'it does not go with createClient'],
  ['url and port', { url: 'redis://x', port: 1 }, 'RedisStore.url stands alone: it does not go with port'],
  ['another url', { url: 'http://x' }, 'RedisStore.url must be'],
  ['a port', { port: 70_000 }, 'RedisStore.port must be an integer from 1 to 65535'],
  ['a database', { db: -1 }, 'RedisStore.db must be'],
  ['a host', { host: 7 }, 'RedisStore.host must be a string'],
  ['no sentinels', { sentinels: [], name: 'x' }, 'RedisStore.sentinels must be an array'],
  ['no name', { sentinels: [{ host: 'x', port: 1 }] }, "RedisStore.name must be the master's name"],
  ['no nodes', { cluster: { nodes: [] } }, 'RedisStore.cluster.nodes must be an array'],
  ['cluster and db', { cluster: { nodes: [7000] }, db: 2 }, 'RedisStore.cluster stands alone'],
  ['an option of cluster', { cluster: { nodes: [7000], foo: 1 } }, 'RedisStore.cluster has no option "foo"'],
  ['a namespace', { namespace: 'a{b' }, 'RedisStore.namespace must be'],
  ['a prefix', { prefix: 'a b' }, 'RedisStore.prefix must be'],
  ['an empty prefix', { prefix: '' }, 'RedisStore.prefix must be'],
  ['buckets', { buckets: 0 }, 'RedisStore.buckets must be an integer from 1 to 1024'],
  ['a bus', { busLength: 0.5 }, 'RedisStore.busLength must be'],
])('refused: %s', (_, options, message) => {
  expect(() => new RedisStore(options as never)).toThrow(message)
  expect(() => new RedisStore(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})

test('refused: a duration', () => {
  expect(() => new RedisStore({ commandTimeout: 'soon' as never })).toThrow(
    expect.objectContaining({ code: 'INVALID_TTL' }),
  )
})

test('a Cluster has eight buckets, one server one', () => {
  expect(new RedisStore({}).buckets).toBe(1)
  expect(new RedisStore({ cluster: { nodes: [7000] } }).buckets).toBe(8)
  expect(new RedisStore({ cluster: { nodes: [7000] }, buckets: 3 }).buckets).toBe(3)
})

test('a namespace can come later', () => {
  const store = new RedisStore({ prefix: 'p' })
  expect(store.namespace).toBe('default')
  expect(store.forNamespace('other').busKey(0)).toBe('p:{other#0}:bus')
  expect(() => store.forNamespace('{')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})

test('without ioredis the first call says what to install', async () => {
  vi.doMock('ioredis', () => {
    throw new Error('Cannot find package')
  })
  const store = new RedisStore({ host: 'localhost' })
  await expect(store.get('sa')).rejects.toThrow('npm install ioredis')
  await store.close()
})

test('arguments that have no stored form are refused', async () => {
  const store = new RedisStore({})
  const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
  const bytes = Buffer.alloc(40)
  const fence = { name: 'sb', generation: '', version: 1 }
  await expect(store.set({ name: 'sa', bytes: Buffer.alloc(8), ttlMs: 1 }, { origin: '' })).rejects.toEqual(
    refused,
  )
  await expect(store.set({ name: 'sa', bytes, ttlMs: Number.NaN }, { origin: '' })).rejects.toEqual(refused)
  await expect(store.set({ name: 'sa', bytes, ttlMs: 1, fence }, { origin: '' })).rejects.toEqual(refused)
  await expect(store.invalidateTag('\ud83d', { origin: '' })).rejects.toEqual(refused)
  await expect(store.tagVersions(['\ud83d'], 1)).rejects.toEqual(refused)
})
