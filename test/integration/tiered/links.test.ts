/** Links that break, and servers that go: R8, R9, and what is served meanwhile. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { TieredCache } from '../../../src/index.js'
import { waitFor } from '../../support/redis.js'
import { deferred, World } from './world.js'

const QUICK = { l2Timeout: 1000, breaker: { failures: 2, resetAfter: 50 } } as const
/** Where calls are to be given up. */
const SILENT = { l2Timeout: 400, breaker: { failures: 1000 } } as const

test('R8: the link drops, a key changes, it comes back: the change is heard', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client()
  const b = await world.client({ port: proxy.port, whenUnlinked: 'serve', ...QUICK })
  await a.cache.set('key', 'old')
  await b.bus.hears('set')
  expect(await b.cache.get('key')).toBe('old')
  const links: boolean[] = []
  b.cache.on('link', ({ up }) => links.push(up))
  proxy.refuse()
  await waitFor('the link to be down', () => links.at(-1) === false)
  await a.cache.set('key', 'new')
  expect(b.cache.getSync('key')).toBe('old')
  proxy.resume()
  await waitFor('the link to be up', () => links.at(-1) === true)
  expect(b.cache.getSync('key')).toBeUndefined()
  await waitFor('the second tier', async () => (await b.cache.get('key')) === 'new')
  expect(b.cache.stats().gaps).toBe(1)
})

test.each([
  ['the stream was trimmed', ['xtrim', 'hp:{world#0}:bus', 'maxlen', '0']],
  ['the server was flushed', ['flushall']],
])('R8: the link comes back and %s: nothing from before is served', async (_, command) => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client()
  const b = await world.client({ port: proxy.port, whenUnlinked: 'serve', ...QUICK })
  await a.cache.set('key', 'old')
  await a.cache.set('tagged', 'old', { tags: ['t'] })
  expect(await b.cache.getMany(['key', 'tagged'])).toEqual(['old', 'old'])
  const links: boolean[] = []
  b.cache.on('link', ({ up }) => links.push(up))
  proxy.refuse()
  await waitFor('the link to be down', () => links.at(-1) === false)
  await a.cache.set('key', 'new')
  await a.cache.invalidateTag('t')
  await world.server.command(...command)
  await a.cache.set('other', 1)
  proxy.resume()
  await waitFor('the link to be up', () => links.at(-1) === true)
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(b.cache.getSync('tagged')).toBeUndefined()
  expect(b.cache.stats().gaps).toBe(2)
})

test('R8: a half-open link, where nothing arrives and nothing fails, is found; the first tier is bypassed', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client()
  const b = await world.client({ port: proxy.port, whenUnlinked: 'bypass', ...QUICK })
  const gives = async (value: string): Promise<boolean> =>
    (await b.cache.get('key')) === value && b.cache.getSync('key') === value
  await a.cache.set('key', 'old')
  await waitFor('the value', () => gives('old'))
  proxy.pause()
  await a.cache.set('key', 'new')
  await waitFor('the silence to be noticed', () => b.cache.getSync('key') === undefined)
  expect(b.cache.stats().linked).toBe(false)
  proxy.resume()
  await waitFor('the new value', () => gives('new'))
})

test('R9: a delete while the second tier is away holds, and is made before anything is read again', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  // The circuit stays closed, so that nothing but the tombstone keeps reads away.
  const a = await world.client({ port: proxy.port, ...SILENT })
  const b = await world.client()
  await a.cache.set('key', 'old')
  await waitFor('the value', async () => (await b.cache.get('key')) === 'old')
  proxy.refuse()
  expect(await a.cache.delete('key')).toEqual({ existed: true, queued: true })
  expect(await a.cache.get('key')).toBeUndefined()
  expect(await b.cache.get('key')).toBe('old')
  const hold = a.holds.hold('deleteMany', 'request')
  proxy.resume()
  await hold.reached
  await waitFor('the connection', () => a.store.ping().then(() => true))
  // The second tier can be read again, and still has the old value.
  const seen = [await a.cache.get('key'), (await a.cache.getMany(['key']))[0]]
  hold.release()
  await waitFor('the replay', async () => {
    seen.push(await a.cache.get('key'))
    return a.cache.stats().replaying === 0
  })
  seen.push(await a.cache.get('key'))
  expect(new Set(seen)).toEqual(new Set([undefined]))
  await b.bus.hears('delete')
  expect(await b.cache.get('key')).toBeUndefined()
})

test('R9: tags, patterns, clears and sets of an outage arrive in order', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...QUICK })
  const b = await world.client()
  await a.cache.setMany([
    ['tagged', 'old', { tags: ['t'] }],
    ['f:1', 'old'],
    ['kept', 'old'],
  ])
  await b.cache.getMany(['tagged', 'f:1', 'kept'])
  proxy.refuse()
  for (const result of [
    await a.cache.invalidateTag('t'),
    await a.cache.set('tagged', 'new', { tags: ['t'] }),
    await a.cache.invalidatePattern('f:*'),
    await a.cache.set('f:2', 'new'),
  ]) {
    expect(result.queued).toBe(true)
  }
  expect(a.cache.getSync('tagged')).toBe('new')
  proxy.resume()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  await b.bus.hears('pattern')
  expect(await b.cache.getMany(['tagged', 'f:1', 'f:2', 'kept'])).toEqual(['new', undefined, 'new', 'old'])
})

test.each([
  ['tag', (cache: TieredCache) => cache.invalidateTag('t')],
  ['clear', (cache: TieredCache) => cache.clear()],
] as const)(
  'R9: %s by another process after a set was queued behind the same: the set does not come back over it',
  async (_, invalidate) => {
    await using world = await World.start()
    const proxy = await world.proxy()
    const a = await world.client({ port: proxy.port, ...QUICK })
    const b = await world.client()
    await a.cache.set('key', 'v0', { tags: ['t'] })
    proxy.refuse()
    expect(await invalidate(a.cache)).toEqual({ queued: true })
    expect(await a.cache.set('key', 'v1', { tags: ['t'] })).toEqual({ queued: true })
    expect(await a.cache.get('key')).toBe('v1')
    expect(await invalidate(b.cache)).toEqual({ queued: false })
    proxy.resume()
    await waitFor('the replay', () => a.cache.stats().replaying === 0)
    expect(await b.cache.get('key')).toBeUndefined()
    await waitFor('the circuit', () => a.store.ping().then(() => a.cache.stats().circuit === 'closed'))
    expect(await a.cache.get('key')).toBeUndefined()
  },
)

test('R9: a set that arrives after its caller gave up does not win over what the caller set since', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...SILENT })
  const b = await world.client()
  proxy.pause()
  expect(await a.cache.set('key', 'v1')).toEqual({ queued: true })
  expect(await a.cache.set('key', 'v2')).toEqual({ queued: true })
  proxy.resume()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  expect(await b.cache.get('key')).toBe('v2')
  expect(a.cache.getSync('key')).toBe('v2')
})

test('changes that reached Redis without a reply are made again, and take nothing that came after them', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...SILENT })
  const b = await world.client()
  await a.cache.set('old', 'old', { tags: ['t'] })
  proxy.swallow()
  const results = [
    await a.cache.set('key', 'first', { tags: ['t'] }),
    await a.cache.invalidateTag('t'),
    await a.cache.set('tagged', 'second', { tags: ['t'] }),
    await a.cache.delete('gone'),
    await a.cache.set('gone', 'third'),
    await a.cache.invalidatePattern('g?ne'),
    await a.cache.set('f:1', 'fourth'),
  ]
  expect(results.every(({ queued }) => queued)).toBe(true)
  await delay(50) // beyond what the clocks of the two may be apart
  expect(await b.cache.set('theirs', 'later')).toEqual({ queued: false })
  expect(await b.cache.set('gone', 'later')).toEqual({ queued: false })
  proxy.resume()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  const keys = ['old', 'key', 'tagged', 'f:1', 'theirs', 'gone']
  const expected = [undefined, undefined, 'second', 'fourth', 'later', 'later']
  const fresh = await world.client()
  for (const { cache } of [fresh, b, a]) expect(await cache.getMany(keys)).toEqual(expected)
})

test('a clear that reached Redis without a reply: what was set behind it stays', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...SILENT })
  await a.cache.set('old', 1)
  proxy.swallow()
  expect(await a.cache.clear()).toEqual({ queued: true })
  expect(await a.cache.set('new', 2, { tags: ['t'] })).toEqual({ queued: true })
  proxy.resume()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  const fresh = await world.client()
  expect(await fresh.cache.getMany(['old', 'new'])).toEqual([undefined, 2])
})

test('a factory slower than a clear whose answer is lost: nothing is stored under a version of its tag that Redis never gets', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...SILENT })
  const b = await world.client()
  await a.cache.set('known', 1, { tags: ['t'] })
  proxy.refuse()
  expect(await a.cache.invalidateTag('t')).toEqual({ queued: true })
  expect(await a.cache.clear()).toEqual({ queued: true })
  const lost = a.holds.hold('clear', 'reply')
  proxy.resume()
  await lost.reached
  const again = a.holds.hold('clear', 'request')
  const row = deferred<string>()
  const asked = deferred<void>()
  const factory = (): Promise<string> => {
    asked.resolve()
    return row.promise
  }
  // It waits for the clear until that is given up, though it was done.
  const made = a.cache.getOrSet('made', factory, { tags: ['t'] })
  await asked.promise
  lost.release()
  again.release()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  row.resolve('row')
  expect(await made).toBe('row')
  await b.cache.get('made')
  for (const { cache: by } of [a, b]) {
    await by.set('key', 'value', { tags: ['t'] })
    for (const { cache } of [a, b])
      await waitFor('the value', async () => (await cache.get('key')) === 'value')
  }
  await b.cache.invalidateTag('t')
  await a.bus.hears('tag')
  for (const { cache } of [a, b]) {
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.get('made')).toBeUndefined()
  }
})

test('many changes by others in an outage: a queued set is lost to those of its own name alone', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...QUICK })
  const b = await world.client()
  const keys = Array.from({ length: 50 }, (_, i) => `key${i}`)
  proxy.refuse()
  for (const key of keys) expect(await a.cache.set(key, key)).toEqual({ queued: true })
  // More names than hashed generations: every field is newer.
  for (let i = 0; i < 6000; i += 500) {
    await b.cache.setMany(Array.from({ length: 500 }, (_, j) => [`other${i + j}`, 1] as const))
  }
  await b.cache.delete('key7')
  await b.cache.set('key8', 'later')
  await b.cache.invalidatePattern('key9*')
  await b.cache.invalidatePattern('other1*')
  proxy.resume()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  const found = await b.cache.getMany(keys)
  const over: Record<string, string | undefined> = { key7: undefined, key8: 'later', key9: undefined }
  expect(found).toEqual(keys.map((key) => (key in over ? over[key] : key)))
  expect(a.cache.stats().dropped).toBe(0)
})

test('what a factory made in an outage comes to others after it, unless the name was changed', async () => {
  await using world = await World.start()
  const proxy = await world.proxy()
  const a = await world.client({ port: proxy.port, ...QUICK })
  const b = await world.client()
  proxy.refuse()
  for (const key of ['made', 'changed', 'deleted'])
    expect(await a.cache.getOrSet(key, () => 'made')).toBe('made')
  await b.cache.set('changed', 'theirs')
  await b.cache.delete('deleted')
  proxy.resume()
  await waitFor('the replay', () => a.cache.stats().replaying === 0)
  expect(await b.cache.getMany(['made', 'changed', 'deleted'])).toEqual(['made', 'theirs', undefined])
})

test('a server that is killed and comes back empty: nothing stale, and nobody waits for a deadline', async () => {
  await using world = await World.start()
  const a = await world.client({ ...QUICK, l2Timeout: '10m', commandTimeout: '10m' })
  await a.cache.set('key', 'old')
  world.server.kill()
  expect(a.cache.getSync('key')).toBe('old')
  expect(await a.cache.getOrSet('other', () => 'made')).toBe('made')
  await world.server.restart()
  await waitFor('the link', () =>
    a.cache.stats().linked && a.cache.stats().circuit === 'closed'
      ? true
      : a.cache.get('x').then(() => false),
  )
  expect(await a.cache.get('key')).toBeUndefined()
  await a.cache.set('key', 'new')
  expect(a.cache.getSync('key')).toBe('new')
})

test('a frozen server: what the first tier has is answered at once, the rest by its deadline', async () => {
  await using world = await World.start()
  const a = await world.client({ ...QUICK, l2Timeout: 400 })
  await a.cache.set('key', 'value')
  world.server.freeze()
  try {
    const answered: string[] = []
    const reading = a.cache.get('none').then(() => answered.push('none'))
    for (let i = 0; i < 20; i++) {
      expect(await a.cache.get('key')).toBe('value')
      expect(answered).toEqual([])
    }
    await reading
    for (let i = 0; i < 20; i++) {
      expect(await a.cache.get('key')).toBe('value')
      expect(await a.cache.get(`none${i}`)).toBeUndefined()
    }
  } finally {
    world.server.thaw()
  }
  await waitFor('the circuit to close', async () => {
    await a.cache.get('none')
    return a.cache.stats().circuit === 'closed'
  })
})

test('tracking: a writer that does not know hitpath is heard', async () => {
  await using world = await World.start()
  const a = await world.client({ kind: 'tracking' })
  const b = await world.client({ kind: 'tracking' })
  await a.cache.set('key', 'v1')
  await waitFor('a copy that stays', async () => {
    await b.cache.get('key')
    await delay(20)
    return b.cache.getSync('key') === 'v1'
  })
  await world.server.command('del', 'hp:{world#0}:e:skey')
  await waitFor('the news', () => b.cache.getSync('key') === undefined)
  expect(await b.cache.get('key')).toBeUndefined()
})

test('tracking: tags, patterns and clears reach the other process', async () => {
  await using world = await World.start()
  const a = await world.client({ kind: 'tracking' })
  const b = await world.client({ kind: 'tracking' })
  const settles = async (key: string, value: unknown): Promise<void> => {
    await waitFor(`${key} to be here`, async () => {
      await b.cache.get(key)
      await delay(20)
      return b.cache.getSync(key) === value
    })
  }
  await a.cache.set('tagged', 1, { tags: ['t'] })
  await a.cache.set('f:1', 2)
  await a.cache.set('kept', 3)
  await settles('tagged', 1)
  await settles('f:1', 2)
  await settles('kept', 3)
  await a.cache.invalidateTag('t')
  await waitFor('the tag', () => b.cache.getSync('tagged') === undefined)
  expect(await b.cache.get('tagged')).toBeUndefined()
  await a.cache.invalidatePattern('f:*')
  await waitFor('the pattern', () => b.cache.getSync('f:1') === undefined)
  expect(await b.cache.get('f:1')).toBeUndefined()
  expect(await b.cache.get('kept')).toBe(3)
  await a.cache.clear()
  await waitFor('the clear', () => b.cache.getSync('kept') === undefined)
  expect(await b.cache.get('kept')).toBeUndefined()
})
