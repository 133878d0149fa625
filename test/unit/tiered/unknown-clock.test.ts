/** Changes by a process that does not know the server's clock yet. */
import { describe, expect, test } from 'vitest'
import { SharedCache } from '../../../src/index.js'
import { agreeOnTag, OPTIONS, replayed } from './outage.js'
import { deferred, World } from './world.js'

describe('a process that starts in an outage, on a host whose clock runs ahead', () => {
  test.each(['a tag that it asked for', 'a tag', 'clear'])(
    '%s: its invalidation holds for all once it was replayed, and no longer',
    async (what) => {
      await using world = new World()
      const [a, b] = [world.process(OPTIONS), world.process(OPTIONS)]
      await a.cache.set('old', 'o', { tags: ['t'] })
      b.store.down()
      if (what === 'a tag that it asked for') await b.cache.getOrSet('made', () => 'm', { tags: ['t'] })
      const invalidated = what === 'clear' ? b.cache.clear() : b.cache.invalidateTag('t')
      expect(await invalidated).toEqual({ queued: true })
      b.store.up()
      await replayed(b)
      for (const { cache } of [a, b]) expect(await cache.get('old')).toBeUndefined()
      await agreeOnTag(world, a, b)
      expect(await b.cache.clear()).toEqual({ queued: false })
      await agreeOnTag(world, b, a)
    },
  )

  test('the invalidation of a tag is not beyond what the server gives it, though another tag comes from a server whose clock runs ahead', async () => {
    await using world = new World()
    const [a, b] = [world.process(OPTIONS), world.process(OPTIONS)]
    world.server.tags.set('ahead', world.server.tick() + 10_000_001)
    b.store.fate = (operation) => (operation === 'serverTime' ? { when: 'never' } : undefined)
    await b.cache.getOrSet('made', () => 'm', { tags: ['t', 'ahead'] })
    for (const tag of ['ahead', 't']) expect(await b.cache.invalidateTag(tag)).toEqual({ queued: true })
    b.store.fate = undefined
    await replayed(b)
    await agreeOnTag(world, a, b)
  })

  test('what it changes in the next outage is as old as it is', async () => {
    await using world = new World()
    const [a, b] = [world.process(OPTIONS), world.process(OPTIONS)]
    b.store.down()
    expect(await b.cache.set('other', 1)).toEqual({ queued: false, refused: true })
    b.store.up()
    await replayed(b)
    await b.cache.get('key')
    b.store.down()
    expect(await b.cache.set('key', 'ours')).toEqual({ queued: true })
    expect(await b.cache.delete('deleted')).toEqual({ existed: false, queued: true })
    world.advance(10)
    for (const key of ['key', 'deleted']) await a.cache.set(key, 'theirs')
    b.store.up()
    await replayed(b)
    for (const { cache } of [a, b])
      expect(await cache.getMany(['key', 'deleted'])).toEqual(['theirs', 'theirs'])
  })

  test('what it sets takes the place of what another thread has put into their SharedCache, until all is deleted', async () => {
    await using world = new World()
    const { clock } = world
    const l1 = SharedCache.create({ maxEntries: 100, maxBytes: 2 ** 20, clock })
    const a = world.process({ ...OPTIONS, l1 })
    const threads = a.cache.threads as SharedArrayBuffer
    const b = world.process({ ...OPTIONS, l1: SharedCache.attach(l1.handle, { clock }), threads })
    b.store.down()
    await a.cache.set('key', 'old')
    expect(b.cache.getSync('key')).toBe('old')
    expect(await b.cache.set('key', 'new')).toEqual({ queued: false, refused: true })
    expect(b.cache.getSync('key')).toBe('new')
    b.store.up()
    await replayed(b)
    for (const { cache } of [a, b]) expect(await cache.get('key')).toBeUndefined()
  })

  test('what a factory made that began before the time was known is not offered to the server', async () => {
    await using world = new World()
    const { cache, store } = world.process(OPTIONS)
    store.fate = (operation) => (operation === 'serverTime' ? { when: 'never' } : undefined)
    const row = deferred<string>()
    const asked = deferred<void>()
    const made = cache.getOrSet('made', () => {
      asked.resolve()
      return row.promise
    })
    await asked.promise
    store.fate = undefined
    await cache.ready()
    row.resolve('row')
    expect(await made).toBe('row')
    expect(cache.stats().queued).toBe(0)
  })

  test('a set behind the invalidation of its tag stays, though nobody can say when that was', async () => {
    await using world = new World()
    const [a, b] = [world.process(OPTIONS), world.process(OPTIONS)]
    b.store.down()
    expect(await b.cache.invalidateTag('t')).toEqual({ queued: true })
    b.store.fate = (operation) => (operation === 'invalidateTag' ? { when: 'never' } : undefined)
    b.store.up()
    expect(await b.cache.set('key', 'value', { tags: ['t'] })).toEqual({ queued: true })
    world.advance(10)
    b.store.fate = undefined
    await replayed(b)
    for (const { cache } of [a, b]) expect(await cache.get('key')).toBe('value')
    await agreeOnTag(world, b, a)
  })
})
