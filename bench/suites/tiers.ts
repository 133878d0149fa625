/**
 * Two tiers: what a hit of the first costs above the first alone, and what the second costs above the bare client.
 *
 * Every contender has a process and, where it needs one, a redis-server of its own. hitpath always has its second tier and its bus
 * connected, while the peers of a first-tier hit are memory alone, in their favour.
 */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { createCache } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { LocalCache, RedisStore, TieredCache } from 'hitpath'
import { Redis } from 'ioredis'
import { Loader } from 'layered-loader'
import { RedisServer } from '../../test/support/redis.js'
import type { Contender } from '../harness/contender.js'
import { internedKeys, keySpace } from '../harness/keys.js'
import { shuffledOrder } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const ENTRIES = 1_024
const BATCH = 1_000
/** A peer takes 10 us for each. */
const AWAITED = 250
/** Reads of Redis, one after the other, a batch. */
const SEQUENTIAL = 32
const TTL_MS = 3_600_000
const MANY = 500
/** Of a feature vector: a Float64Array of 512 bytes. */
const FEATURES = 64

const ids = shuffledOrder(ENTRIES, 5)
const keysById = internedKeys(keySpace(ENTRIES))
const keys = Array.from(ids, (id) => keysById[id]!)

/** Asks for numbers in turn, one after the other. */
function awaiting(read: (key: string) => Promise<number | undefined | null>): Contender {
  const last = ENTRIES - AWAITED
  let at = 0
  return {
    operations: AWAITED,
    async batch() {
      let right = 0
      const end = at + AWAITED
      for (let i = at; i < end; i++) if ((await read(keys[i]!)) === ids[i]) right++
      at = end > last ? 0 : end
      return right
    },
    async one() {
      const i = at
      at = i >= last ? 0 : i + 1
      return (await read(keys[i]!)) === ids[i] ? 1 : 0
    },
  }
}

function reading(read: (key: string) => number | undefined): Contender {
  const last = ENTRIES - BATCH
  let at = 0
  return {
    operations: BATCH,
    batch() {
      let right = 0
      const end = at + BATCH
      for (let i = at; i < end; i++) if (read(keys[i]!) === ids[i]) right++
      at = end > last ? 0 : end
      return right
    },
    one() {
      const i = at
      at = i >= last ? 0 : i + 1
      return read(keys[i]!) === ids[i] ? 1 : 0
    },
  }
}

async function tiered<V>(): Promise<{ cache: TieredCache<V>; l1: LocalCache; server: RedisServer }> {
  const server = await RedisServer.start()
  const l1 = new LocalCache({ maxEntries: ENTRIES })
  const l2 = new RedisStore({ host: '127.0.0.1', port: server.port })
  const cache = new TieredCache<V>({ l1, l2, namespace: 'bench', ttl: TTL_MS })
  await cache.set('warm', 0 as V)
  await cache.delete('warm')
  return { cache, l1, server }
}

async function filled(): Promise<TieredCache<number>> {
  const { cache } = await tiered<number>()
  for (let id = 0; id < ENTRIES; id++) await cache.set(keysById[id]!, id)
  return cache
}

function bareL1(): Contender {
  const cache = new LocalCache<number>({ maxEntries: ENTRIES, ttl: TTL_MS })
  for (let id = 0; id < ENTRIES; id++) cache.set(keysById[id]!, id)
  return reading((key) => cache.get(key))
}

async function layeredLoader(): Promise<Contender> {
  const loader = new Loader<number>({
    inMemoryCache: { cacheType: 'lru-map', maxItems: ENTRIES, ttlInMsecs: TTL_MS },
    dataSources: [{ name: 'none', get: async () => undefined, getMany: async () => [] }],
  })
  for (let id = 0; id < ENTRIES; id++) await loader.forceSetValue(keysById[id]!, id)
  return awaiting((key) => loader.get(key) as Promise<number | undefined>)
}

async function bento(): Promise<Contender> {
  const cache = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: ENTRIES, serialize: false })) },
  })
  for (let id = 0; id < ENTRIES; id++) await cache.set({ key: keysById[id]!, value: id, ttl: TTL_MS })
  const never = (): never => {
    throw new Error('a factory ran for a hit')
  }
  return awaiting((key) => cache.getOrSet({ key, factory: never, ttl: TTL_MS }))
}

async function cacheable(): Promise<Contender> {
  const cache = new Cacheable({ ttl: TTL_MS })
  for (let id = 0; id < ENTRIES; id++) await cache.set(keysById[id]!, id)
  return awaiting((key) => cache.get<number>(key))
}

async function cacheManager(): Promise<Contender> {
  const cache = createCache({ ttl: TTL_MS })
  for (let id = 0; id < ENTRIES; id++) await cache.set(keysById[id]!, id)
  return awaiting((key) => cache.get<number>(key))
}

// Reads of the second tier.

function featuresOf(id: number): Float64Array {
  return Float64Array.from({ length: FEATURES }, (_, i) => id + i / FEATURES)
}

interface Stored {
  readonly cache: TieredCache<Float64Array>
  readonly store: RedisStore
  readonly client: Redis
  /** Keys of Redis, as the first cache named them. */
  readonly names: readonly string[]
}

async function stored(): Promise<Stored> {
  const { cache, server } = await tiered<Float64Array>()
  for (let i = 0; i < MANY; i++) await cache.set(keys[i]!, featuresOf(i), { tier: 'l2' })
  const client = new Redis(server.port, '127.0.0.1', { enableOfflineQueue: true })
  const found = new Map<string, string>()
  for (const name of await client.keys('*:e:*')) found.set(name.slice(name.indexOf(':e:') + 4), name)
  const store = new RedisStore({ host: '127.0.0.1', port: server.port, namespace: 'bench' })
  return { cache, store, client, names: keys.slice(0, MANY).map((key) => found.get(key)!) }
}

const isRight = (value: Float64Array | undefined, i: number): boolean =>
  value !== undefined && value.length === FEATURES && value[FEATURES - 1] === i + (FEATURES - 1) / FEATURES

async function getManyOfL2(): Promise<Contender> {
  const { cache } = await stored()
  const wanted = keys.slice(0, MANY)
  return {
    operations: MANY,
    async batch() {
      const values = await cache.getMany(wanted, { tier: 'l2' })
      let right = 0
      for (let i = 0; i < MANY; i++) if (isRight(values[i], i)) right++
      return right
    },
  }
}

async function bareMget(): Promise<Contender> {
  const { client, names } = await stored()
  return {
    operations: MANY,
    async batch() {
      const values = await client.mgetBuffer(names as string[])
      let right = 0
      for (let i = 0; i < MANY; i++) if (values[i]!.length > FEATURES * 8) right++
      return right
    },
  }
}

async function getOfStore(): Promise<Contender> {
  const { store } = await stored()
  return {
    operations: SEQUENTIAL,
    async batch() {
      let right = 0
      for (let i = 0; i < SEQUENTIAL; i++)
        if ((await store.get(`s${keys[i]}`))!.length > FEATURES * 8) right++
      return right
    },
  }
}

async function getOfL2(): Promise<Contender> {
  const { cache } = await stored()
  return {
    operations: SEQUENTIAL,
    async batch() {
      let right = 0
      for (let i = 0; i < SEQUENTIAL; i++) if (isRight(await cache.get(keys[i]!, { tier: 'l2' }), i)) right++
      return right
    },
  }
}

async function bareGet(): Promise<Contender> {
  const { client, names } = await stored()
  return {
    operations: SEQUENTIAL,
    async batch() {
      let right = 0
      for (let i = 0; i < SEQUENTIAL; i++)
        if ((await client.getBuffer(names[i]!))!.length > FEATURES * 8) right++
      return right
    },
  }
}

const module = import.meta.url

export const suite: Suite = {
  id: 'tiers',
  title: 'Two tiers',
  subjects: [
    timed({
      id: 'tiered-sync',
      title: 'TieredCache.getSync, a hit of the first tier, 1,024 entries',
      module,
      contenders: {
        hitpath: async () => {
          const cache = await filled()
          return reading((key) => cache.getSync(key))
        },
        'LocalCache.get': bareL1,
      },
    }),
    timed({
      id: 'tiered-await',
      title: 'await of a hit of the first tier, 1,024 entries',
      module,
      contenders: {
        hitpath: async () => {
          const cache = await filled()
          return awaiting((key) => cache.get(key))
        },
        'hitpath getOrSet': async () => {
          const cache = await filled()
          const never = (): never => {
            throw new Error('a factory ran for a hit')
          }
          return awaiting((key) => cache.getOrSet(key, never))
        },
        'layered-loader': layeredLoader,
        'bentocache getOrSet': bento,
        cacheable,
        'cache-manager': cacheManager,
      },
    }),
    timed({
      id: 'l2-many',
      title: 'TieredCache.getMany of 500 Float64Arrays of 512 bytes out of Redis, each',
      module,
      contenders: {
        hitpath: getManyOfL2,
        'ioredis mget': bareMget,
      },
    }),
    timed({
      id: 'l2-get',
      title: 'RedisStore.get of 512 bytes, one after the other',
      module,
      contenders: { hitpath: getOfStore, 'ioredis getBuffer': bareGet },
    }),
    timed({
      id: 'l2-get-tiered',
      title: 'TieredCache.get of a Float64Array of 512 bytes out of Redis, one after the other',
      module,
      contenders: { hitpath: getOfL2, 'ioredis getBuffer': bareGet },
    }),
  ],
}
