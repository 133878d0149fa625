/** What may happen between a read, or a factory, and its result: R1, R2, R3, R4, R13, R17, R19. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { waitFor } from '../../support/redis.js'
import { deferred, World } from './world.js'

test('R1: B reads, A deletes and announces it, B fills: the deleted value is not served', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.set('key', 'v1')
  await b.bus.hears('set')
  const hold = b.holds.hold('get', 'reply')
  const reading = b.cache.get('key')
  await hold.reached
  await a.cache.delete('key')
  await b.bus.hears('delete')
  hold.release()
  await reading
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(await b.cache.get('key')).toBeUndefined()
})

test('R2: B reads, A writes v2, B fills: B is not left with v1', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.set('key', 'v1')
  await b.bus.hears('set')
  const hold = b.holds.hold('get', 'reply')
  const reading = b.cache.get('key')
  await hold.reached
  await a.cache.set('key', 'v2')
  await b.bus.hears('set', 2)
  hold.release()
  await reading
  expect(b.cache.getSync('key')).not.toBe('v1')
  expect(await b.cache.get('key')).toBe('v2')
})

test('R2: who asks after the change was heard does not join the read from before it', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.set('key', 'v1')
  await b.bus.hears('set')
  const hold = b.holds.hold('get', 'reply')
  const before = b.cache.get('key')
  await hold.reached
  await a.cache.set('key', 'v2')
  await b.bus.hears('set', 2)
  const after = b.cache.get('key')
  hold.release()
  expect(await before).toBe('v1')
  expect(await after).toBe('v2')
})

test('R3: a delete while a factory runs: its value reaches neither tier, even before the message is heard', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  const row = deferred<string>()
  const asked = deferred<void>()
  b.bus.hold()
  const made = b.cache.getOrSet('key', () => {
    asked.resolve()
    return row.promise
  })
  await asked.promise
  await a.cache.delete('key')
  row.resolve('old row')
  expect(await made).toBe('old row')
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(await a.cache.get('key')).toBeUndefined()
  b.bus.release()
  expect(await b.cache.get('key')).toBeUndefined()
  expect(b.cache.stats().fencedOut).toBe(1)
})

test('R3: the same for a batch', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  b.bus.hold()
  await b.cache.getOrSetMany(['x', 'y'], async (keys) => {
    await a.cache.delete('x')
    return keys.map((key) => `old ${key}`)
  })
  expect(b.cache.getSync('x')).toBeUndefined()
  expect(await a.cache.getMany(['x', 'y'])).toEqual([undefined, 'old y'])
})

test('R4: a tag is invalidated while a factory runs: its value is not served', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await b.cache.set('other', 1, { tags: ['t'] })
  const row = deferred<string>()
  const asked = deferred<void>()
  const made = b.cache.getOrSet(
    'key',
    () => {
      asked.resolve()
      return row.promise
    },
    { tags: ['t'] },
  )
  await asked.promise
  await a.cache.invalidateTag('t')
  await b.bus.hears('tag')
  row.resolve('old row')
  await made
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(await b.cache.get('key')).toBeUndefined()
  expect(await a.cache.get('key')).toBeUndefined()
})

test('R13: a miss of the first tier is no answer: a slow second tier is waited for', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.set('key', 'value')
  const hold = b.holds.hold('get', 'reply')
  let answered = false
  const reading = b.cache.get('key').then((value) => {
    answered = true
    return value
  })
  await hold.reached
  await delay(30)
  expect(answered).toBe(false)
  hold.release()
  expect(await reading).toBe('value')
})

test('R17: an invalidation overtakes the reply of a batch that it concerns', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.setMany([
    ['x', 1],
    ['y', 2],
  ])
  await b.bus.hears('set', 2)
  const hold = b.holds.hold('getMany', 'reply')
  const reading = b.cache.getMany(['x', 'y'])
  await hold.reached
  await a.cache.delete('x')
  await b.bus.hears('delete')
  hold.release()
  await reading
  expect(b.cache.getSync('x')).toBeUndefined()
  expect(b.cache.getSync('y')).toBe(2)
  expect(await b.cache.getMany(['x', 'y'])).toEqual([undefined, 2])
})

test('R17: a tag invalidation overtakes the reply of the read that it concerns', async () => {
  await using world = await World.start()
  const a = await world.client()
  const b = await world.client()
  await a.cache.set('key', 'v1', { tags: ['t'] })
  await b.cache.set('other', 1, { tags: ['t'] })
  const hold = b.holds.hold('get', 'reply')
  const reading = b.cache.get('key')
  await hold.reached
  await a.cache.invalidateTag('t')
  await b.bus.hears('tag')
  hold.release()
  expect(await reading).toBeUndefined()
  expect(b.cache.getSync('key')).toBeUndefined()
})

test('R19: a refresh in flight when the key is deleted brings nothing back, and hard expiry holds', async () => {
  await using world = await World.start()
  const a = await world.client()
  let ahead = 0
  const clock = { now: () => performance.now() + ahead }
  const b = await world.client({ clock, staleWhileRevalidate: '5s' })
  await b.cache.set('key', 'v1', { ttl: '5s' })
  ahead += 5001
  b.bus.hold()
  const row = deferred<string>()
  let asked = false
  const refresh = () => {
    asked = true
    return row.promise
  }
  // A refresh that could not ask Redis in time is left to the next read.
  await waitFor('the refresh to begin', async () => {
    expect(await b.cache.getOrSet('key', refresh)).toBe('v1')
    return asked
  })
  await a.cache.delete('key')
  ahead += 5000
  expect(b.cache.getSync('key')).toBeUndefined()
  row.resolve('old row')
  await waitFor('the refresh', () => b.cache.stats().fencedOut === 1)
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(await a.cache.get('key')).toBeUndefined()
})
