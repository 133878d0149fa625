/** Who was later: R5, R6, R7, R10, R11, R12. */
import { expect, test } from 'vitest'
import { Child } from '../../support/processes.js'
import { waitFor } from '../../support/redis.js'
import type { functions } from './skewed-writer.js'
import { World } from './world.js'

test("R5: the writer is another process whose clocks are 3 s ahead: tags and deadlines are the server's", async () => {
  await using world = await World.start()
  const b = await world.client()
  const writer = await Child.start<typeof functions>(new URL('./skewed-writer.ts', import.meta.url))
  try {
    await writer.call('open', world.server.port)
    await writer.call('set', 'tagged', 'old', 10_000, ['t'])
    await writer.call('set', 'plain', 'value', 1000, [])
    expect(await b.cache.get('tagged')).toBe('old')
    const left = (await b.cache.remainingTtl('plain')) as number
    expect(left).toBeGreaterThan(500)
    expect(left).toBeLessThanOrEqual(1010)
    await b.cache.invalidateTag('t')
    expect(await b.cache.get('tagged')).toBeUndefined()
    await waitFor('the writer to hear', async () => (await writer.call('getSync', 'tagged')) === undefined)
    expect(await writer.call('get', 'tagged')).toBeUndefined()
    await writer.call('close')
  } finally {
    await writer.stop()
  }
})

test('R5: a tag whose version was lost does not come back under a version that was used', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.set('key', 'old', { tags: ['t'] })
  await world.server.command('del', 'hp:{world#0}:t:t')
  const b = await world.client()
  expect(await b.cache.get('key')).toBeUndefined()
})

test('R6: the state of a tag is not known: a wait, and then what it says', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.set('dead', 'old', { tags: ['t'] })
  await a.cache.invalidateTag('t')
  await a.cache.set('alive', 'new', { tags: ['t'] })
  const b = await world.client()
  const hold = b.holds.hold('tagVersions', 'reply')
  let answered = false
  const reading = b.cache.getMany(['dead', 'alive']).finally(() => {
    answered = true
  })
  await hold.reached
  expect(answered).toBe(false)
  expect(b.cache.getSync('dead')).toBeUndefined()
  hold.release()
  expect(await reading).toEqual([undefined, 'new'])
})

test('R6: a tag is invalidated while its state is being fetched', async () => {
  await using world = await World.start()
  const a = await world.client()
  await a.cache.set('key', 'old', { tags: ['t'] })
  const b = await world.client()
  const hold = b.holds.hold('tagVersions', 'reply')
  const reading = b.cache.get('key')
  await hold.reached
  await a.cache.invalidateTag('t')
  await b.bus.hears('tag')
  hold.release()
  expect(await reading).toBeUndefined()
  expect(b.cache.getSync('key')).toBeUndefined()
})

test('R7: a tag that is read or announced again is not invalidated again', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.invalidateTag('t')
  await b.bus.hears('tag')
  await a.cache.set('key', 'value', { tags: ['t'] })
  await b.bus.hears('set')
  expect(await b.cache.get('key')).toBe('value')
  for (const message of b.bus.heard.filter(({ kind }) => kind === 'tag')) b.bus.deliver(message)
  const [first] = await b.store.tagVersions(['t'], 60_000)
  expect(await b.store.tagVersions(['t'], 60_000)).toEqual([first])
  expect(b.cache.getSync('key')).toBe('value')
  expect(a.cache.getSync('key')).toBe('value')
})

test('R10: many clients set the same keys at once: all end with the same values', async () => {
  await using world = await World.start()
  const clients = await world.clients(4)
  const keys = ['a', 'b', 'c', 'd', 'e']
  await Promise.all(
    clients.flatMap(({ cache }, i) =>
      Array.from({ length: 40 }, (_, n) => cache.set(keys[n % keys.length] as string, `${i}.${n}`)),
    ),
  )
  for (const { bus } of clients) await bus.hears('set', 160)
  const fresh = await world.client()
  const stored = await fresh.cache.getMany(keys)
  for (const { cache } of clients) {
    for (const [i, key] of keys.entries()) expect([undefined, stored[i]]).toContain(cache.getSync(key))
    expect(await cache.getMany(keys)).toEqual(stored)
  }
})

test('R11: messages that come late, twice or in another order change nothing that is newer', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  b.bus.hold()
  await a.cache.invalidateTag('t')
  await a.cache.set('between', 1, { tags: ['t'] })
  expect(await b.cache.get('between')).toBe(1)
  await a.cache.set('key', 'v1')
  await a.cache.set('key', 'v2')
  expect(await b.cache.get('key')).toBe('v2')
  await a.cache.invalidateTag('t')
  await b.bus.hears('tag', 2)
  b.bus.release((messages) => [...messages.toReversed(), ...messages])
  expect(b.cache.getSync('key')).toBe('v2')
  expect(b.cache.getSync('between')).toBeUndefined()
  expect(await b.cache.get('between')).toBeUndefined()
})

test('R12: own writes are known by their version when they echo, and no foreign one is swallowed', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  b.bus.hold()
  await b.cache.set('kept', 'own')
  await b.bus.hears('set')
  b.bus.release()
  expect(b.cache.getSync('kept')).toBe('own')
  b.bus.hold()
  await b.cache.set('key', 'own')
  await a.cache.set('key', 'foreign')
  await a.cache.delete('kept')
  await b.bus.hears('delete')
  b.bus.release()
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(await b.cache.get('key')).toBe('foreign')
  expect(b.cache.getSync('kept')).toBeUndefined()
})

test('R12: a foreign write between an own one and its reply is not covered by it', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  const hold = b.holds.hold('set', 'reply')
  const writing = b.cache.set('key', 'own')
  await hold.reached
  await a.cache.set('key', 'foreign')
  await b.bus.hears('set', 2)
  hold.release()
  await writing
  expect(b.cache.getSync('key')).not.toBe('own')
  expect(await b.cache.get('key')).toBe('foreign')
})
