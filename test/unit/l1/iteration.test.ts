import { describe, expect, test } from 'vitest'
import { LocalCache, PreparedKey, SharedCache } from '../../../src/index.js'

type AnyCache = LocalCache<unknown> | SharedCache<unknown>
const KINDS: readonly (readonly [
  string,
  (options?: { maxEntries?: number; clock?: { now(): number } }) => AnyCache,
])[] = [
  ['LocalCache', (options) => new LocalCache(options)],
  ['portable LocalCache', (options) => new LocalCache({ ...options, engine: 'portable' })],
  ['SharedCache', (options) => SharedCache.create({ maxBytes: 2 ** 22, shards: 2, ...options })],
]

describe.each(KINDS)('iteration over a %s', (_, make) => {
  test('gives every live entry once, with keys of every kind', () => {
    const cache = make()
    const long = 'x'.repeat(500)
    const array = Float64Array.of(1, 2)
    const entries = new Map<unknown, number>([
      ['a', 1],
      ['', 2],
      [long, 3],
      ['ж\ud800', 4],
      [5, 5],
      [-1.5, 6],
    ])
    for (const [key, value] of entries) cache.set(key as string, value)
    cache.set(array, 7)
    const seen = [...cache]
    expect(seen).toHaveLength(7)
    const prepared = seen.find(([key]) => key instanceof PreparedKey)!
    expect(cache.get(prepared[0])).toBe(7)
    expect(new Map(seen.filter(([key]) => !(key instanceof PreparedKey)))).toEqual(entries)
    expect([...cache.values()].sort()).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect([...cache.keys()]).toHaveLength(7)
    expect(String(prepared[0])).toBe(String(cache.key(array)))
  })

  test('survives that each entry is deleted, replaced and added to as it comes', () => {
    const cache = make({ maxEntries: 20_000 })
    for (let i = 0; i < 5000; i++) cache.set(`key${i}`, i)
    const seen = new Set<unknown>()
    for (const [key, value] of cache.entries()) {
      expect(value).toBe(Number(String(key).slice(3)))
      seen.add(key)
      cache.delete(key)
      cache.delete(`key${(value as number) + 1}`)
      cache.delete(`key${(value as number) + 2500}`)
      if (seen.size % 7 === 0) cache.clear()
      if (seen.size > 10_000) break
    }
    expect(cache.size).toBe(0)
    cache.validate()
  })

  test('what stays meanwhile is seen once', () => {
    const cache = make({ maxEntries: 20_000 })
    for (let i = 0; i < 3000; i++) cache.set(`stays${i}`, 1)
    const seen: unknown[] = []
    for (const key of cache.keys()) {
      if (String(key).startsWith('stays')) seen.push(key)
      cache.set(`new${seen.length}`, 2)
      cache.delete(`new${seen.length - 5}`)
    }
    expect(seen).toHaveLength(3000)
    expect(new Set(seen).size).toBe(3000)
  })

  test('an entry that expires before its turn is not given', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = make({ maxEntries: 64, clock })
    for (let i = 0; i < 50; i++) cache.set(`short${i}`, i, { ttl: 10 })
    const seen = []
    for (const entry of cache) {
      seen.push(entry)
      clock.ms = 11
    }
    expect(seen).toHaveLength(1)
  })

  test('ends when the cache is closed', () => {
    const cache = make()
    for (let i = 0; i < 50; i++) cache.set(i, i)
    const keys = cache.keys()
    keys.next()
    cache.close()
    try {
      expect(keys.next().done).toBe(true)
    } catch (error) {
      expect(error).toMatchObject({ code: 'CLOSED' })
    }
  })

  test('counts nothing', () => {
    const cache = make()
    cache.set('a', 1)
    for (const _entry of cache);
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0 })
  })
})
