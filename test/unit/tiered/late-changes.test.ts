/** Changes whose place among others is hard to tell: made in an outage, by a process that is unsure of the server's clock, or done late. */
import { describe, expect, test } from 'vitest'
import { LIMIT_MS, OPTIONS, replayed } from './outage.js'
import { deferred, FIRST_TIERS, type Process, settled, World } from './world.js'

/** A process that learns the server's time from an answer that was so long on its way. */
async function unsure(world: World, where: 'request' | 'reply', ms: number): Promise<Process> {
  const process = world.process(OPTIONS)
  const hold = process.store.hold('serverTime', where)
  const ready = process.cache.ready()
  await hold.reached
  world.advance(ms)
  hold.release()
  await ready
  return process
}

test.each(FIRST_TIERS)(
  '%s: all agree on a set of an outage when an invalidation of its tag that was made before comes after it',
  async (kind) => {
    await using world = new World(kind)
    const [a, b] = [world.process(OPTIONS), world.process(OPTIONS)]
    await a.cache.set('other', 1, { tags: ['t'] })
    await b.cache.get('other')
    b.store.down()
    expect(await b.cache.invalidateTag('t')).toEqual({ queued: true })
    world.advance(10)
    a.store.down()
    expect(await a.cache.set('key', 'value', { tags: ['t'] })).toEqual({ queued: true })
    expect(a.cache.getSync('key')).toBe('value')
    a.store.up()
    await replayed(a)
    expect(await b.cache.get('key')).toBeUndefined()
    expect(await a.cache.get('key')).toBe('value')
    b.store.up()
    await replayed(b)
    expect(await a.cache.get('key')).toBe(await b.cache.get('key'))
  },
)

test.each(FIRST_TIERS)(
  '%s: a set of an outage is newer than what its process had heard of, however unsure it is of the time',
  async (kind) => {
    await using world = new World(kind)
    const writer = world.process(OPTIONS)
    const process = await unsure(world, 'reply', 40)
    const { cache, store } = process
    await writer.cache.set('key', 'theirs')
    store.down()
    world.advance(1)
    expect(await cache.set('key', 'ours')).toEqual({ queued: true })
    store.up()
    await replayed(process)
    expect(await cache.get('key')).toBe('ours')
    expect(await writer.cache.get('key')).toBe('ours')
  },
)

test('a first answer about the time that took long is bettered by the next', async () => {
  await using world = new World()
  const writer = world.process(OPTIONS)
  const { cache, store, bus } = await unsure(world, 'reply', 40)
  bus.hold()
  world.advance(1001)
  await cache.get('key')
  await settled()
  await writer.cache.set('key', 'theirs')
  store.down()
  world.advance(1)
  expect(await cache.set('key', 'ours')).toEqual({ queued: true })
  store.up()
  await replayed({ cache, store, bus })
  expect(await writer.cache.get('key')).toBe('ours')
})

test.each(FIRST_TIERS)(
  '%s: a call that was given up is done neither after its replay nor after what followed, however unsure the time',
  async (kind) => {
    await using world = new World(kind)
    const process = await unsure(world, 'request', 4 * LIMIT_MS)
    const { cache, store } = process
    const thaw = deferred<void>()
    store.fate = () => ({ when: 'late', until: thaw.promise })
    const began = performance.now()
    expect(await cache.set('key', 'one')).toEqual({ queued: true })
    store.fate = undefined
    await replayed(process)
    expect(await cache.set('key', 'two')).toEqual({ queued: false })
    world.advance(performance.now() - began)
    thaw.resolve()
    await thaw.promise
    expect(await world.process(OPTIONS).cache.get('key')).toBe('two')
  },
)

test.each([
  ['invalidateTag', (cache: Process['cache']) => cache.invalidateTag('t')],
  ['clear', (cache: Process['cache']) => cache.clear()],
] as const)(
  'who asks after %s does not join what was begun while it was on its way',
  async (operation, act) => {
    await using world = new World()
    const { cache, store } = world.process(OPTIONS)
    await cache.ready()
    const row = deferred<string>()
    const asked = deferred<void>()
    const hold = store.hold(operation, 'request')
    const done = act(cache)
    await hold.reached
    const before = cache.getOrSet(
      'key',
      () => {
        asked.resolve()
        return row.promise
      },
      { tags: ['t'] },
    )
    await asked.promise
    hold.release()
    expect(await done).toEqual({ queued: false })
    expect(await cache.getOrSet('key', () => 'new', { tags: ['t'] })).toBe('new')
    row.resolve('old')
    expect(await before).toBe('old')
    expect(await cache.get('key')).toBe('new')
  },
)

test.each(['get', 'getMany'] as const)(
  'who got a value by %s that may not be kept does not go back to an older one',
  async (operation) => {
    await using world = new World()
    const [writer, { cache, store, bus }] = [world.process(OPTIONS), world.process(OPTIONS)]
    await cache.ready()
    const hold = store.hold(operation, 'request')
    const slow = operation === 'get' ? cache.get('key') : cache.getMany(['key'])
    await hold.reached
    await writer.cache.set('key', 'one')
    expect(await cache.get('key')).toBe('one')
    bus.hold()
    await writer.cache.set('key', 'two')
    hold.release()
    expect([await slow].flat()).toEqual(['two'])
    expect(await cache.get('key')).toBe('two')
  },
)

/** What takes the place of an invalidation in the queue of a process. */
const REPLACED_BY: Readonly<Record<string, (process: Process) => Promise<unknown>>> = {
  'a clear': ({ cache }) => cache.clear(),
  'so many others that they become a clear': ({ cache }) => cache.deleteMany(['1', '2', '3', '4']),
}

describe.each(Object.keys(REPLACED_BY))('the invalidation of a tag whose place %s takes', (name) => {
  test.each(FIRST_TIERS)('%s: all agree on what is set under the tag since', async (kind) => {
    await using world = new World(kind)
    const a = world.process(OPTIONS)
    const b = world.process({ ...OPTIONS, replay: { maxEntries: 2 } })
    const agree = async (key: string, value: string | undefined): Promise<void> => {
      for (const { cache } of [a, b]) expect(await cache.get(key)).toBe(value)
    }
    await b.cache.set('old', 'o', { tags: ['t', 'u'] })
    await agree('old', 'o')
    b.store.down()
    expect(await b.cache.invalidateTag('t')).toEqual({ queued: true })
    await REPLACED_BY[name]?.(b)
    world.advance(10)
    expect(await b.cache.set('queued', 'q', { tags: ['t'] })).toEqual({ queued: true })
    expect(b.cache.getSync('queued')).toBe('q')
    b.store.up()
    await replayed(b)
    await agree('old', undefined)
    await b.cache.set('direct', 'd', { tags: ['t'] })
    await agree('direct', 'd')
    await agree('queued', 'q')
    a.store.down()
    expect(await a.cache.set('late', 'l', { tags: ['t'] })).toEqual({ queued: true })
    a.store.up()
    await replayed(a)
    await agree('late', 'l')
    await agree('queued', 'q')
  })

  test.each(FIRST_TIERS)('%s: one that waits behind it stays', async (kind) => {
    await using world = new World(kind)
    const b = world.process({ ...OPTIONS, replay: { maxEntries: 2 } })
    await b.cache.set('old', 'o', { tags: ['t'] })
    b.store.down()
    await b.cache.invalidateTag('t')
    await REPLACED_BY[name]?.(b)
    world.advance(10)
    await b.cache.set('key', 'value', { tags: ['t'] })
    expect(b.cache.getSync('key')).toBe('value')
    await b.cache.invalidateTag('t')
    const hold = b.store.hold('deleteMany', 'request')
    b.store.up()
    await hold.reached
    // The clear is done, what came after it is not; who sets something under the tag asks for its version.
    expect(await b.cache.set('other', 'value', { tags: ['t'] })).toEqual({ queued: true })
    expect(b.cache.getSync('key')).toBeUndefined()
    hold.release()
    await replayed(b)
    expect(await b.cache.getMany(['key', 'other'])).toEqual([undefined, 'value'])
  })
})

test.each(FIRST_TIERS)(
  '%s: a set for the first tier alone is not given once its tag was invalidated, though nobody could say what its tag was',
  async (kind) => {
    await using world = new World(kind)
    const { cache, store } = world.process(OPTIONS)
    await cache.get('key')
    store.down()
    await cache.set('key', 'value', { tags: ['t'], tier: 'l1' })
    expect(await cache.invalidateTag('t')).toEqual({ queued: true })
    expect(cache.getSync('key')).toBeUndefined()
  },
)

/** What stores a value under the tag 't', and where its way may be stopped. */
const STORING: Readonly<
  Record<
    string,
    { readonly hold: 'tagVersions' | 'fences'; store(process: Process, value: number): Promise<unknown> }
  >
> = {
  'a set': { hold: 'tagVersions', store: ({ cache }, value) => cache.set('key', value, { tags: ['t'] }) },
  'what a factory made': {
    hold: 'fences',
    store: ({ cache }, value) => cache.getOrSet('key', () => value, { tags: ['t'] }),
  },
  'what a factory of many made': {
    hold: 'tagVersions',
    store: ({ cache }, value) => cache.getOrSetMany(['key'], () => [value], { tags: ['t'] }),
  },
}

test.each(Object.keys(STORING))(
  '%s is found by others, whenever its tags became unknown on the way',
  async (name) => {
    await using world = new World()
    const [a, b] = [world.process({ ...OPTIONS, l2Timeout: '1m' }), world.process(OPTIONS)]
    await b.cache.get('key')
    const { hold, store } = STORING[name] as (typeof STORING)[string]
    for (let microtasks = 0; microtasks < 60; microtasks++) {
      await b.cache.delete('key')
      world.advance(1)
      a.bus.mend('reset')
      const held = a.store.hold(hold, 'reply')
      const stored = store(a, microtasks)
      await held.reached
      await settled()
      held.release()
      for (let i = 0; i < microtasks; i++) await Promise.resolve()
      a.bus.mend('reset')
      await stored
      await replayed(a)
      expect(await b.cache.get('key')).toBe(microtasks)
    }
  },
)
