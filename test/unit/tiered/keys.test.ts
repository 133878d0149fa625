/** TieredCache.keys(). */
import { describe, expect, test } from 'vitest'
import { LocalCache, PreparedKey, TieredCache } from '../../../src/index.js'
import { MemoryStore } from '../../support/memory-store.js'
import { FIRST_TIERS, World } from './world.js'

async function all(cache: TieredCache): Promise<unknown[]> {
  const keys: unknown[] = []
  for await (const key of cache.keys()) keys.push(key)
  return keys
}

describe.each(FIRST_TIERS)('over a %s', (kind) => {
  test('shows the keys of both tiers, each once', async () => {
    await using world = new World(kind)
    const here = world.process()
    const there = world.process()
    for (const key of ['a', 'b', 'c', 'd', 1, 2]) await there.cache.set(key, 'there')
    await here.cache.set('here', 1, { tier: 'l1' })
    await here.cache.get('c')
    expect((await all(here.cache)).sort()).toEqual([1, 2, 'a', 'b', 'c', 'd', 'here'])
    const array = Float64Array.of(1, 2)
    await there.cache.set(array, 'by array')
    const [prepared] = (await all(here.cache)).filter((key) => key instanceof PreparedKey)
    expect(await here.cache.get(prepared as PreparedKey)).toBe('by array')
  })

  test('leaves out what is over', async () => {
    await using world = new World(kind)
    const cache = world.alone({ negativeTtl: 1000 })
    await cache.set('long', 1, { ttl: 5000 })
    await cache.set('short', 1, { ttl: 100, grace: 5000 })
    await cache.set('tagged', 1, { tags: ['t'] })
    await cache.getOrSet('nothing', () => undefined)
    world.advance(101)
    await cache.invalidateTag('t')
    expect(await all(cache)).toEqual(['long'])
  })
})

test('namespaces keep to themselves', async () => {
  await using root = new TieredCache()
  await root.set('root', 1)
  await root.namespace('child').set('child', 1)
  await root.namespace('child').set(2, 1)
  expect(await all(root)).toEqual(['root'])
  expect((await all(root.namespace('child') as TieredCache)).sort()).toEqual([2, 'child'])
})

test('the walk through the second tier waits for its reader, and ends with it', async () => {
  await using world = new World()
  const { cache, store } = world.process()
  let walk: Promise<unknown> | undefined
  const names = store.names.bind(store)
  store.names = (onNames, signal) => {
    const walked = names(onNames, signal)
    walk = expect(walked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    return walked
  }
  for (let i = 0; i < 12; i++) await cache.set(i, i, { tier: 'l2' })
  const shown: unknown[] = []
  for await (const key of cache.keys()) {
    shown.push(key)
    if (shown.length === 4) break
  }
  expect(new Set(shown).size).toBe(4)
  await walk
  expect(await cache.get(11)).toBe(11)
})

test('what the second tier answers instead of names is thrown', async () => {
  await using world = new World()
  const { cache, store } = world.process()
  await cache.ready()
  store.down()
  await expect(all(cache)).rejects.toThrow(expect.objectContaining({ code: 'L2_UNAVAILABLE' }))
})

test('a store that cannot list is told', async () => {
  class Mute extends MemoryStore {
    override names = undefined as never
  }
  await using cache = new TieredCache({ l1: new LocalCache(), l2: new Mute(new World().server) })
  await expect(all(cache)).rejects.toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})
