/** Changes whose place among others is hard to tell: made in an outage, by a process that is unsure of the server's clock, or done late. */
import { describe, expect, test } from 'vitest'
import { type EnvelopeHeader, readHeader } from '../../../src/codec/envelope.js'
import { SharedCache } from '../../../src/index.js'
import type { Fate } from '../../support/memory-store.js'
import { waitFor } from '../../support/wait.js'
import { deferred, FIRST_TIERS, type Process, settled, World } from './world.js'

const LIMIT_MS = 50
const OPTIONS = { breaker: { failures: 100, resetAfter: 1 }, l2Timeout: LIMIT_MS, ttl: '1h' } as const

async function replayed({ cache }: Process): Promise<void> {
  await waitFor('an empty queue', () => cache.stats().replaying === 0, { everyMs: 1 })
}

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

/** What comes behind a clear while that is on its way, and the call by which the queue goes on after it. */
const BEHIND: Readonly<
  Record<
    string,
    { readonly next: 'deleteMany' | 'clear'; change(process: Process): Promise<() => Promise<unknown>> }
  >
> = {
  'nothing else': { next: 'deleteMany', change: async () => async () => {} },
  'a newer clear': {
    next: 'clear',
    change:
      async ({ cache }) =>
      () =>
        cache.clear(),
  },
  'so many others that they become one': {
    next: 'clear',
    change: ({ cache, store }) => underWay(store, 'deleteMany', () => cache.deleteMany(['1', '2', '3', '4'])),
  },
}

/** Begins a call that is stopped before the server sees it; gives what lets it go on to its end. */
async function underWay<T>(
  store: Process['store'],
  operation: 'set' | 'invalidateTag' | 'deleteMany',
  act: () => Promise<T>,
): Promise<() => Promise<T>> {
  const hold = store.hold(operation, 'request')
  const done = act()
  await hold.reached
  return () => {
    hold.release()
    return done
  }
}

describe.each(Object.keys(BEHIND))(
  'behind a clear that is under way comes the invalidation of a tag and %s',
  (name) => {
    test.each(FIRST_TIERS)('%s: the end of the clear does not undo the invalidation', async (kind) => {
      await using world = new World(kind)
      const a = world.process(OPTIONS)
      const b = world.process({ ...OPTIONS, l2Timeout: '1m', replay: { maxEntries: 2 } })
      const { next, change } = BEHIND[name] as (typeof BEHIND)[string]
      await b.cache.set('old', 'o', { tags: ['t'] })
      // While the clear is under way whoever asks waits for it, so these were begun before.
      const asked = deferred<void>()
      const row = deferred<string>()
      const made = b.cache.getOrSet(
        'made',
        () => {
          asked.resolve()
          return row.promise
        },
        { tags: ['t'] },
      )
      await asked.promise
      const set = await underWay(b.store, 'set', () => b.cache.set('key', 'value', { tags: ['t'] }))
      const invalidate = await underWay(b.store, 'invalidateTag', () => b.cache.invalidateTag('t'))
      const changed = await change(b)
      b.store.down()
      expect(await b.cache.clear()).toEqual({ queued: true })
      const first = b.store.hold('clear', 'reply')
      b.store.up()
      await first.reached
      b.store.down()
      await a.cache.set('theirs', 'value', { tags: ['t'] })
      expect(await set()).toEqual({ queued: true })
      expect(b.cache.getSync('key')).toBe('value')
      expect(await invalidate()).toEqual({ queued: true })
      await changed()
      expect(b.cache.getSync('key')).toBeUndefined()

      const second = b.store.hold(next, 'request')
      b.store.up()
      first.release()
      await second.reached
      // It asks for the version of the tag if that is not known.
      row.resolve('row')
      expect(await made).toBe('row')
      expect(b.cache.getSync('key')).toBeUndefined()
      second.release()
      await replayed(b)
      for (const { cache } of [a, b])
        expect(await cache.getMany(['key', 'made', 'theirs'])).toEqual([undefined, undefined, undefined])
      await agreeOnTag(world, b, a)
    })
  },
)

/** What each sets under the tag 't' the others find until it is invalidated; the server has nothing under a version that it never had. */
async function agreeOnTag({ server }: World, ...processes: readonly Process[]): Promise<void> {
  for (const { cache: by } of processes) {
    await by.set('key', 'value', { tags: ['t'] })
    for (const { cache } of processes) expect(await cache.get('key')).toBe('value')
    for (const { bytes } of server.entries.values()) {
      const { epoch, tags } = readHeader(bytes) as EnvelopeHeader
      expect(epoch).toBeLessThanOrEqual(server.epoch)
      for (const { name, version } of tags)
        expect(version).toBeLessThanOrEqual(server.tags.get(name) as number)
    }
  }
  for (const { cache: by } of processes) {
    await by.set('key', 'value', { tags: ['t'] })
    expect(await by.invalidateTag('t')).toEqual({ queued: false })
    for (const { cache } of processes) expect(await cache.get('key')).toBeUndefined()
  }
}

/** Ways to make values by a factory that may be slow, under the tag 't' and others that it names itself. */
const MAKING: Readonly<
  Record<string, (process: Process, row: () => Promise<string>, also: readonly string[]) => Promise<unknown>>
> = {
  getOrSet: ({ cache }, row, also) =>
    cache.getOrSet(
      'made',
      (context) => {
        context.tags.push(...also)
        return row()
      },
      { tags: ['t'] },
    ),
  getOrSetMany: ({ cache }, row, also) =>
    cache.getOrSetMany(
      ['made'],
      async (_, context) => {
        context.of(0).tags.push(...also)
        return [await row()]
      },
      { tags: ['t'] },
    ),
}

describe.each(Object.keys(MAKING))('a factory of %s, slower than a clear whose answer is lost', (name) => {
  const make = MAKING[name] as (typeof MAKING)[string]

  /** A process that invalidated the tag and cleared in an outage, and what its factory makes once the server is back. */
  async function inOutage(world: World, fate: Fate['when'], limitMs: number, also: readonly string[] = []) {
    const process = world.process({ ...OPTIONS, l2Timeout: limitMs })
    const { cache, store } = process
    await cache.set('known', 1, { tags: ['t'] })
    store.down()
    expect(await cache.invalidateTag('t')).toEqual({ queued: true })
    expect(await cache.clear()).toEqual({ queued: true })
    world.advance(10)
    store.fate = (operation) => (operation === 'clear' ? { when: fate } : undefined)
    store.up()
    const row = deferred<string>()
    const asked = deferred<void>()
    const made = make(
      process,
      () => {
        asked.resolve()
        return row.promise
      },
      also,
    )
    await asked.promise
    expect(cache.stats().replaying).toBe(1)
    return { process, row, made }
  }

  test.each(['now', 'never'] as const)(
    'that the server did %s: its value is stored under no version that the server never gets',
    async (fate) => {
      await using world = new World()
      const a = world.process(OPTIONS)
      const { process: b, row, made } = await inOutage(world, fate, LIMIT_MS)
      b.store.fate = undefined
      await replayed(b)
      row.resolve('row')
      expect([await made].flat()).toEqual(['row'])
      // A clear that is done after the computation began takes what it made.
      const stored = fate === 'now' ? 'row' : undefined
      expect(await a.cache.get('made')).toBe(stored)
      await agreeOnTag(world, b, a)
    },
  )

  test('and its other tags are asked for while the clear ends: the same', async () => {
    await using world = new World()
    const a = world.process(OPTIONS)
    const { process: b, row, made } = await inOutage(world, 'now', 10 * LIMIT_MS, ['u'])
    const [clearing, asking] = [b.store.hold('clear', 'request'), b.store.hold('tagVersions', 'reply')]
    b.store.fate = undefined
    await clearing.reached
    row.resolve('row')
    await asking.reached
    clearing.release()
    await replayed(b)
    asking.release()
    expect([await made].flat()).toEqual(['row'])
    await a.cache.get('made')
    await agreeOnTag(world, b, a)
  })
})

// The server's clock in these tests is years behind that of this host.
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
