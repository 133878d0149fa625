import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../../support/wait.js'
import { FIRST_TIERS, settled, World } from './world.js'

const QUICK = { breaker: { failures: 2, resetAfter: 20 }, l2Timeout: 50 }

async function until(condition: () => boolean): Promise<void> {
  await waitFor('the condition', condition, { everyMs: 2 })
}

describe.each(FIRST_TIERS)('over a %s', (kind) => {
  test('R9: a delete during an outage holds here, is queued, and reaches the second tier before it is read', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(QUICK), world.process()]
    await a.cache.set('key', 'old')
    a.store.down()
    expect(await a.cache.delete('key')).toEqual({ existed: true, queued: true })
    expect(await a.cache.get('key')).toBeUndefined()
    expect(await b.cache.get('key')).toBe('old')
    a.store.up()
    expect(await a.cache.get('key')).toBeUndefined()
    await until(() => a.cache.stats().replaying === 0)
    expect(await a.cache.get('key')).toBeUndefined()
    expect(await b.cache.get('key')).toBeUndefined()
    expect(a.cache.stats()).toMatchObject({ queued: 1, replayed: 1, replaying: 0 })
  })

  test('sets and invalidations of an outage arrive in order', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(QUICK), world.process()]
    await a.cache.set('tagged', 'old', { tags: ['t'] })
    await a.cache.set('f:1', 'old')
    a.store.down()
    expect(await a.cache.invalidateTag('t')).toEqual({ queued: true })
    expect(await a.cache.set('tagged', 'new', { tags: ['t'] })).toEqual({ queued: true })
    expect(await a.cache.invalidatePattern('f:*')).toMatchObject({ queued: true })
    expect(await a.cache.set('f:2', 'new')).toEqual({ queued: true })
    expect(a.cache.getSync('tagged')).toBe('new')
    expect(a.cache.getSync('f:2')).toBe('new')
    a.store.up()
    await until(() => a.cache.stats().replaying === 0)
    expect(await b.cache.getMany(['tagged', 'f:1', 'f:2'])).toEqual(['new', undefined, 'new'])
    expect(await a.cache.getMany(['tagged', 'f:1', 'f:2'])).toEqual(['new', undefined, 'new'])
  })

  test('a clear of an outage takes what was there, not what came after it', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(QUICK), world.process()]
    await a.cache.set('old', 1)
    a.store.down()
    expect(await a.cache.clear()).toEqual({ queued: true })
    await a.cache.set('new', 2)
    expect(a.cache.getSync('old')).toBeUndefined()
    a.store.up()
    await until(() => a.cache.stats().replaying === 0)
    expect(await b.cache.getMany(['old', 'new'])).toEqual([undefined, 2])
  })

  test('a set of an outage gives way to one that another process made later', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(QUICK), world.process()]
    await a.cache.get('key')
    a.store.down()
    await a.cache.set('key', 'ours')
    world.advance(10)
    await b.cache.set('key', 'theirs')
    a.store.up()
    await until(() => a.cache.stats().replaying === 0)
    expect(await a.cache.get('key')).toBe('theirs')
    expect(await b.cache.get('key')).toBe('theirs')
  })

  test('while the circuit is open the first tier serves alone, and nobody waits', async () => {
    await using world = new World(kind)
    const { cache, store } = world.process({ ...QUICK, breaker: { failures: 2, resetAfter: '1h' } })
    const states: string[] = []
    cache.on('breaker', ({ state }) => states.push(state))
    await cache.set('key', 1)
    store.frozen = true
    await Promise.all([cache.get('a'), cache.get('b')])
    expect(states).toEqual(['open'])
    const before = store.calls.length
    expect(await cache.get('c')).toBeUndefined()
    expect(await cache.getOrSet('d', () => 'made')).toBe('made')
    expect(await cache.getOrSet('d', () => 'again')).toBe('made')
    expect(await cache.get('key')).toBe(1)
    expect(store.calls.length).toBe(before)
  })

  test('a read of a frozen second tier ends at its deadline', async () => {
    await using world = new World(kind)
    const { cache, store } = world.process({ l2Timeout: 30 })
    await cache.get('warm')
    store.frozen = true
    expect(await cache.get('key')).toBeUndefined()
  })

  test('recovery: one probe, then everybody', async () => {
    await using world = new World(kind)
    const { cache, store } = world.process({ ...QUICK, l2Timeout: '1m' })
    await cache.get('warm')
    store.down()
    await Promise.all([cache.get('a'), cache.get('b')])
    store.up()
    const hold = store.hold('get', 'reply')
    await delay(2 * QUICK.breaker.resetAfter)
    const before = store.calls.length
    const reads = Array.from({ length: 50 }, (_, i) => cache.get(`key${i}`))
    await hold.reached
    await settled()
    expect(store.calls.length - before).toBe(1)
    hold.release()
    await Promise.all(reads)
    expect(cache.stats().circuit).toBe('closed')
  })

  test('bytes that are no envelope are a counted miss, or msgpack that lives as long as its key', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(), world.process({ foreign: 'msgpack' })]
    const deadAt = world.server.now() + 500
    world.server.entries.set('skey', { bytes: Buffer.from([0x93, 1, 2, 3]), deadAt })
    world.server.entries.set('sbad', { bytes: Buffer.from([0xc1, 0x68, 1, 255]), deadAt })
    expect(await a.cache.get('key')).toBeUndefined()
    expect(a.cache.stats().foreignBytes).toBe(1)
    expect(await b.cache.get('key')).toEqual([1, 2, 3])
    expect(await b.cache.remainingTtl('key')).toBeCloseTo(500)
    expect(await b.cache.get('bad')).toBeUndefined()
    world.advance(501)
    expect(b.cache.getSync('key')).toBeUndefined()
  })

  test('R8: an unlinked first tier serves, is bypassed, or serves for a while', async () => {
    await using world = new World(kind)
    const serve = world.process({ whenUnlinked: 'serve', ttl: '1h' })
    const bypass = world.process({ whenUnlinked: 'bypass', ttl: '1h' })
    const clamp = world.process({ whenUnlinked: 40, ttl: '1h' })
    const writer = world.process({ ttl: '1h' })
    const all = [serve, bypass, clamp]
    await writer.cache.set('key', 'old')
    for (const { cache } of all) await cache.get('key')
    for (const { bus } of all) bus.cut()
    await writer.cache.set('key', 'new')
    expect(all.map(({ cache }) => cache.getSync('key'))).toEqual(['old', undefined, 'old'])
    expect(await bypass.cache.get('key')).toBe('new')
    world.advance(41)
    await until(() => clamp.cache.getSync('key') === undefined)
    expect(all.map(({ cache }) => cache.getSync('key'))).toEqual(['old', undefined, undefined])
    expect(await clamp.cache.get('key')).toBe('new')
    expect(clamp.cache.getSync('key')).toBe('new')
    for (const { bus } of all) bus.mend('trimmed')
    for (const { cache } of all) expect(await cache.get('key')).toBe('new')
  })
})
