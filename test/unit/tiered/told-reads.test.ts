/** Reads of a store whose `get` can tell a receiver: what a promise would have guarded holds as well. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test, vi } from 'vitest'
import { type Receiver, setTell, type Tell } from '../../../src/l2/store.js'
import type { MemoryStore } from '../../support/memory-store.js'
import { waitFor } from '../../support/wait.js'
import { type Process, settled, World } from './world.js'

interface Asked {
  readonly name: string
  readonly receiver: Receiver
  /** Tells what the store has now, or had when it was asked. */
  answer(bytes?: Buffer | null): Promise<void>
}

/** Every read of the store waits until the test answers it. */
function telling(store: MemoryStore): Asked[] {
  const asked: Asked[] = []
  const plain = store.get.bind(store)
  const tell: Tell = (name, receiver) => {
    const answer = async (bytes?: Buffer | null): Promise<void> =>
      receiver.found(bytes === undefined ? await plain(name) : bytes)
    asked.push({ name, receiver, answer })
  }
  setTell(plain, tell)
  store.get = plain
  return asked
}

async function reader(world: World, options = {}): Promise<Process & { readonly asked: Asked[] }> {
  const process = world.process(options)
  await process.cache.ready()
  return { ...process, asked: telling(process.store) }
}

test('callers of one name share a read, and its value stands in the first tier in the turn in which it was told', async () => {
  await using world = new World()
  const [a, b] = [world.process(), await reader(world)]
  await a.cache.set('key', 'value')
  const values = [b.cache.get('key'), b.cache.get('key'), b.cache.getOrSet('key', () => 'made')]
  await settled()
  expect(b.asked.map(({ name }) => name)).toEqual(['skey'])
  await (b.asked[0] as Asked).answer()
  expect(b.cache.getSync('key')).toBe('value')
  expect(await Promise.all(values)).toEqual(['value', 'value', 'value'])
  expect(b.cache.stats()).toMatchObject({ hits: 4, misses: 0, l2Hits: 1 })
})

test('names that share a counter are read each for itself', async () => {
  await using world = new World()
  const b = await reader(world)
  const keys = Array.from({ length: 1500 }, (_, i) => `key ${i}`)
  const values = keys.map((key) => b.cache.get(key))
  const again = keys.map((key) => b.cache.get(key))
  expect(b.asked).toHaveLength(keys.length)
  for (const asked of b.asked) await asked.answer(null)
  expect(await Promise.all([...values, ...again])).toEqual(new Array(2 * keys.length).fill(undefined))
  const once = b.cache.get('key 7')
  expect(b.asked).toHaveLength(keys.length + 1)
  await b.asked.at(-1)?.answer(null)
  expect(await once).toBeUndefined()
})

test('R1: a delete that is heard of before the answer keeps the value out of the first tier', async () => {
  await using world = new World()
  const [a, b] = [world.process(), await reader(world)]
  await a.cache.set('key', 'old')
  const old = await a.store.get('skey')
  const before = b.cache.get('key')
  await a.cache.delete('key')
  await settled()
  const after = b.cache.get('key')
  expect(b.asked).toHaveLength(2)
  await (b.asked[1] as Asked).answer()
  await (b.asked[0] as Asked).answer(old)
  expect(await after).toBeUndefined()
  expect(await before).toBe('old')
  expect(b.cache.getSync('key')).toBeUndefined()
})

test('what is not told in time is a miss, and what is told later is dropped', async () => {
  await using world = new World()
  const [a, b] = [world.process(), await reader(world, { l2Timeout: 20 })]
  await a.cache.set('key', 'value')
  expect(await b.cache.get('key')).toBeUndefined()
  await (b.asked[0] as Asked).answer()
  ;(b.asked[0] as Asked).receiver.failed(new Error('late'))
  expect(b.cache.getSync('key')).toBeUndefined()
  expect(b.cache.stats()).toMatchObject({ errors: 1, misses: 1, l2Hits: 0 })
})

test('an error that is told is a miss and is reported once; the circuit opens after some', async () => {
  await using world = new World()
  const errors: unknown[] = []
  const b = await reader(world, {
    onError: (error: unknown) => errors.push(error),
    breaker: { failures: 2, resetAfter: '1m' },
    l2Timeout: 20,
  })
  const value = b.cache.get('key')
  ;(b.asked[0] as Asked).receiver.failed(new Error('no'))
  ;(b.asked[0] as Asked).receiver.failed(new Error('no'))
  expect(await value).toBeUndefined()
  expect(errors).toMatchObject([{ code: 'L2_ERROR' }])
  await Promise.all([b.cache.get('key'), b.cache.get('other')])
  expect(b.asked).toHaveLength(3)
  expect(await b.cache.get('key')).toBeUndefined()
  expect(b.asked).toHaveLength(3)
  expect(errors.slice(1)).toMatchObject([
    { code: 'L2_TIMEOUT' },
    { code: 'L2_TIMEOUT' },
    { code: 'L2_UNAVAILABLE' },
  ])
})

test('a store that throws where it should tell does no harm', async () => {
  await using world = new World()
  const b = await reader(world)
  const throws: Tell = () => {
    throw new Error('thrown')
  }
  b.store.get = b.store.get.bind(b.store)
  setTell(b.store.get, throws)
  expect(await b.cache.get('key')).toBeUndefined()
  expect(b.cache.stats().errors).toBe(1)
})

test('close ends reads that were not told, with CLOSED', async () => {
  await using world = new World()
  const b = await reader(world)
  const ends = Promise.allSettled([b.cache.get('key'), b.cache.get('key'), b.cache.getOrSet('key', () => 1)])
  await b.cache.close()
  const closed = { status: 'rejected', reason: { code: 'CLOSED' } }
  expect(await ends).toMatchObject([closed, closed, closed])
  await (b.asked[0] as Asked).answer(null)
})

test('tags that are not known yet are asked for before the value is believed', async () => {
  await using world = new World()
  const [a, b] = [world.process(), await reader(world)]
  await a.cache.set('key', 'value', { tags: ['tag'] })
  const value = b.cache.get('key')
  await (b.asked[0] as Asked).answer()
  expect(await value).toBe('value')
  await a.cache.invalidateTag('tag')
  await waitFor('the message', () => b.cache.getSync('key') === undefined)
})

test('who wraps get of the store is asked', async () => {
  await using world = new World()
  const [a, b] = [world.process(), await reader(world)]
  await a.cache.set('key', 'value')
  const { get } = b.store
  const names: string[] = []
  b.store.get = (name) => {
    names.push(name)
    return get(name)
  }
  expect(await b.cache.get('key')).toBe('value')
  expect([names, b.asked]).toEqual([['skey'], []])
})

test('a wrapper that takes the properties of get along is asked too', async () => {
  await using world = new World()
  const b = await reader(world)
  const spy = vi.spyOn(b.store, 'get').mockResolvedValue(null)
  expect(await b.cache.get('key')).toBeUndefined()
  expect(spy).toHaveBeenCalledTimes(1)
  expect(b.asked).toEqual([])
})

test('listeners hear of a read in the async context of its caller, whoever else waits for it', async () => {
  await using world = new World()
  const storage = new AsyncLocalStorage<string>()
  const heard: unknown[] = []
  const [a, b] = [
    world.process(),
    await reader(world, { onError: () => heard.push(['onError', storage.getStore()]) }),
  ]
  for (const event of ['hit', 'miss', 'promote'] as const)
    b.cache.on(event, () => heard.push([event, storage.getStore()]))
  await a.cache.set('key', 'value')
  const values = ['first', 'second'].map((name) => storage.run(name, () => b.cache.get('key')))
  await settled()
  await storage.run('connection', () => (b.asked[0] as Asked).answer())
  expect(await Promise.all(values)).toEqual(['value', 'value'])
  expect(heard).toEqual([
    ['promote', 'first'],
    ['hit', 'first'],
    ['hit', 'second'],
  ])
  heard.length = 0
  const missed = storage.run('third', () => b.cache.get('other'))
  await settled()
  storage.run('connection', () => (b.asked[1] as Asked).receiver.failed(new Error('no')))
  expect(await missed).toBeUndefined()
  expect(heard).toEqual([
    ['onError', 'third'],
    ['miss', 'third'],
  ])
})

test('a listener may close the cache: each read ends once', async () => {
  await using world = new World()
  const b = await reader(world, { l2Timeout: 20, breaker: { failures: 1, resetAfter: '1m' } })
  const misses: unknown[] = []
  b.cache.on('miss', ({ key }) => misses.push(key))
  b.cache.on('breaker', () => void b.cache.close())
  const ends = await Promise.allSettled([b.cache.get('a'), b.cache.get('b')])
  const rejected = ends.filter(({ status }) => status === 'rejected').length
  expect(misses.length + rejected).toBe(2)
})
