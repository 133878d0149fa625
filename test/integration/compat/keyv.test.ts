/** hitpath/keyv over both tiers. */
import { Keyv } from 'keyv'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HitpathStore } from '../../../src/compat/keyv/index.js'
import { RedisStore, TieredCache } from '../../../src/index.js'
import { keyvSuite } from '../../support/keyv-suite.js'
import { RedisServer } from '../../support/redis.js'

let server: RedisServer
let cache: TieredCache

beforeAll(async () => {
  server = await RedisServer.start()
  cache = open()
})

afterAll(async () => {
  await cache.close()
  await server.stop()
})

/** Patient: a machine that stands still is no outage. */
function open(): TieredCache {
  const l2 = new RedisStore({ url: server.url, namespace: 'keyv-suite', commandTimeout: '50s' })
  return new TieredCache({ l2, l2Timeout: '50s' })
}

describe('the suite, over a TieredCache with Redis', () => keyvSuite(() => cache))

test('another process finds, iterates and clears what this one has set', async () => {
  await using elsewhere = open()
  const here = new Keyv({ store: new HitpathStore(cache), namespace: 'many' })
  const there = new Keyv({ store: new HitpathStore(elsewhere), namespace: 'many' })
  const keys = Array.from({ length: 1200 }, (_, i) => `key ${i}`)
  await here.setMany(keys.map((key, value) => ({ key, value })))
  expect(await there.get('key 7')).toBe(7)
  const seen: string[] = []
  for await (const [key] of there.iterator?.(undefined) ?? []) seen.push(key as string)
  expect(seen.sort()).toEqual([...keys].sort())
  await there.clear()
  expect(await there.get('key 7')).toBeUndefined()
  await expect.poll(() => here.get('key 7'), { timeout: 50_000 }).toBeUndefined()
})

test('an iteration that is left early ends the scan', async () => {
  const keyv = new Keyv({ store: new HitpathStore(cache), namespace: 'left' })
  await keyv.setMany(Array.from({ length: 600 }, (_, value) => ({ key: `key ${value}`, value })))
  await using elsewhere = open()
  const store = new HitpathStore(elsewhere)
  store.namespace = 'left'
  for await (const [key] of store.iterator()) {
    expect(key).toMatch(/^left:key \d+$/)
    break
  }
  expect(await store.get('left:key 1')).toContain('1')
})
