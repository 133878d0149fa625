/** Hits of entries with tags that were seen to hold: they are served without another look until any tag changes. */
import { describe, expect, test } from 'vitest'
import type { TieredCache } from '../../../src/index.js'
import { FIRST_TIERS, World } from './world.js'

/** Often enough for whatever a cache remembers of a hit. */
async function hits(cache: TieredCache, key: string): Promise<unknown[]> {
  const values = [cache.getSync(key), cache.getSync(key), await cache.get(key)]
  return [...values, await cache.getOrSet(key, () => 'made anew', { tags: ['t'] })]
}

const OLD = ['old', 'old', 'old', 'old']

describe.each(FIRST_TIERS)('over a %s', (kind) => {
  test('an invalidation here ends them at once', async () => {
    await using world = new World(kind)
    const cache = world.alone()
    await cache.set('key', 'old', { tags: ['t', 'u'] })
    await cache.set('other', 'old', { tags: ['u'] })
    expect(await hits(cache, 'key')).toEqual(OLD)
    expect(await hits(cache, 'other')).toEqual(OLD)
    await cache.invalidateTag('t')
    expect(cache.getSync('key')).toBeUndefined()
    expect(await cache.getOrSet('key', () => 'made anew', { tags: ['t'] })).toBe('made anew')
    expect(await hits(cache, 'other')).toEqual(OLD)
    await cache.clear()
    expect(cache.getSync('other')).toBeUndefined()
  })

  test('a message ends them at once, and a gap of the bus does', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(), world.process()]
    await a.cache.set('key', 'old', { tags: ['t'] })
    await a.cache.set('plain', 'old')
    await b.cache.getMany(['key', 'plain'])
    expect(await hits(b.cache, 'key')).toEqual(OLD)
    b.bus.hold()
    await a.cache.invalidateTag('t')
    expect(b.cache.getSync('key')).toBe('old') // the message is on its way
    b.bus.release()
    expect(b.cache.getSync('key')).toBeUndefined()
    expect(await hits(b.cache, 'plain')).toEqual(OLD)

    await a.cache.set('key', 'old', { tags: ['t'] })
    await b.cache.get('key')
    expect(await hits(b.cache, 'key')).toEqual(OLD)
    b.bus.cut()
    b.bus.mend('trimmed')
    expect(b.cache.getSync('key')).toBeUndefined()
  })

  test('who listens hears of them, and a closed cache serves none', async () => {
    await using world = new World(kind)
    const cache = world.alone()
    await cache.set('key', 'old', { tags: ['t'] })
    expect(await hits(cache, 'key')).toEqual(OLD)
    const told: string[] = []
    const listener = ({ key }: { readonly key: string }): void => void told.push(key)
    cache.on('hit', listener)
    expect(await hits(cache, 'key')).toEqual(OLD)
    expect(told).toEqual(['skey', 'skey', 'skey', 'skey'])
    cache.off('hit', listener)
    expect(await hits(cache, 'key')).toEqual(OLD)
    expect(told.length).toBe(4)
    await cache.close()
    expect(() => cache.getSync('key')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  test('a namespace within has its own', async () => {
    await using world = new World(kind)
    const cache = world.alone()
    const inner = cache.namespace('inner')
    const prepared = inner.key('key')
    await cache.set('key', 'outer', { tags: ['t'] })
    await inner.set('key', 'old', { tags: ['t'] })
    expect(await hits(inner, 'key')).toEqual(OLD)
    expect([inner.getSync(prepared), await inner.get(prepared)]).toEqual(['old', 'old'])
    await inner.invalidateTag('t')
    expect(inner.getSync('key')).toBeUndefined()
    expect(inner.getSync(prepared)).toBeUndefined()
    expect(cache.getSync('key')).toBe('outer')
    expect(inner.stats().hits).toBe(6)
  })
})
