/** Clears that are on their way, or whose answer is lost, and what comes behind them or was begun before. */
import { describe, expect, test } from 'vitest'
import type { Fate } from '../../support/memory-store.js'
import { agreeOnTag, LIMIT_MS, OPTIONS, replayed } from './outage.js'
import { deferred, FIRST_TIERS, type Process, World } from './world.js'

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
