import { channel } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { FIRST_TIERS, settled, World } from './world.js'

describe.each(FIRST_TIERS)('over a %s', (kind) => {
  test('a cache tells what happens', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(), world.process()]
    const told: string[] = []
    for (const event of ['hit', 'miss', 'set', 'delete', 'invalidate', 'promote'] as const) {
      b.cache.on(event, (what) => told.push(`${event} ${Object.values(what).join(' ')}`))
    }
    await a.cache.set('key', 1)
    await b.cache.get('key')
    b.cache.getSync('key')
    await b.cache.get('none')
    await b.cache.set('own', 1)
    await b.cache.delete('own')
    expect(told).toEqual([
      'invalidate set skey true',
      'promote skey',
      'hit skey l2',
      'hit skey l1',
      'miss snone',
      'invalidate set sown false',
      'set sown false',
      'invalidate delete sown false',
      'delete sown false',
    ])
  })

  test('a listener that throws harms nobody, and one that left hears nothing', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const warnings: string[] = []
    const warn = (warning: Error) => warnings.push(warning.message)
    process.on('warning', warn)
    const left = () => {
      throw new Error('left')
    }
    cache.on('hit', () => {
      throw new Error('thrown')
    })
    cache.on('hit', left).off('hit', left)
    let once = 0
    cache.once('hit', () => once++)
    await cache.set('key', 1)
    expect([cache.getSync('key'), cache.getSync('key')]).toEqual([1, 1])
    await settled()
    process.off('warning', warn)
    expect(once).toBe(1)
    expect(warnings.filter((message) => message.includes('a listener of hit threw'))).toHaveLength(2)
    expect(() => cache.on('hits' as never, () => {})).toThrow(/no event "hits"/)
  })

  test('diagnostics_channel, only while somebody listens', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    await cache.set('key', 1)
    const seen: unknown[] = []
    const listener = (message: unknown): void => {
      seen.push(message)
    }
    const hits = channel('hitpath:hit')
    cache.getSync('key')
    hits.subscribe(listener)
    cache.getSync('key')
    hits.unsubscribe(listener)
    cache.getSync('key')
    expect(seen).toEqual([{ namespace: 'test', key: 'skey', tier: 'l1' }])
    expect(cache.stats().hits).toBe(3)
  })
})
