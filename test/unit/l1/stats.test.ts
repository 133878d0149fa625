import { describe, expect, test } from 'vitest'
import { LocalCache, SharedCache } from '../../../src/index.js'

type AnyCache = LocalCache<unknown> | SharedCache<unknown>
const KINDS: readonly (readonly [
  string,
  (options?: { maxEntries?: number; clock?: { now(): number } }) => AnyCache,
])[] = [
  ['LocalCache', (options) => new LocalCache(options)],
  ['portable LocalCache', (options) => new LocalCache({ ...options, engine: 'portable' })],
  ['LocalCache, lru', (options) => new LocalCache({ ...options, policy: 'lru' })],
  [
    'portable LocalCache, lru',
    (options) => new LocalCache({ ...options, policy: 'lru', engine: 'portable' }),
  ],
  ['SharedCache', (options) => SharedCache.create({ maxBytes: 2 ** 22, ...options })],
]

describe.each(KINDS)('the numbers of a %s', (_, make) => {
  test('of a new one', () => {
    expect(make({ maxEntries: 100 }).stats()).toMatchObject({
      entries: 0,
      hits: 0,
      misses: 0,
      hitRatio: 0,
      sets: 0,
      maxEntries: 100,
      evictions: 0,
    })
  })

  test('are exact, whoever judged the hits', () => {
    const cache = make()
    const hot = cache.key('features:hot')
    for (const value of [1, 'text', [1, 2, 3], new Float64Array(600)])
      cache.set('features:hot', value).set(hot, value)
    let [hits, misses] = [0, 0]
    for (let i = 0; i < 5000; i++) {
      cache.get('features:hot')
      cache.get(hot)
      hits += 2
      if (i % 10 === 0) {
        cache.get(`none${i}`)
        cache.get(cache.key('none'))
        cache.getMany(['features:hot', 'none', hot, 7])
        hits += 2
        misses += 4
      }
      if (i % 100 === 0) cache.set('features:hot', i)
      cache.peek('features:hot')
      cache.peek('none')
      cache.has('none')
      cache.remainingTtl('features:hot')
    }
    expect(cache.stats()).toMatchObject({
      hits,
      misses,
      hitRatio: hits / (hits + misses),
      entries: 1,
      inserts: 1,
      updates: 57,
      sets: 58,
    })
    expect(cache.stats()).toMatchObject({ hits, misses })
  })

  test('of each way to leave', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = make({ maxEntries: 20, clock })
    for (let i = 0; i < 20; i++) cache.set(i, i, i < 5 ? { ttl: 10 } : { tags: [`t${i % 2}`] })
    clock.ms = 11
    expect(cache.size).toBe(15)
    cache.delete(7)
    cache.delete(7)
    cache.invalidateTag('t0')
    expect(cache.stats()).toMatchObject({
      inserts: 20,
      expirations: 5,
      deletes: 1,
      invalidations: 7,
      evictions: 0,
      entries: 7,
    })
    for (let i = 0; i < 30; i++) cache.set(`new${i}`, i)
    const stats = cache.stats()
    expect(stats.inserts - stats.expirations - stats.deletes - stats.invalidations - stats.evictions).toBe(
      stats.entries,
    )
  })
})

test('a SharedCache of more values than a thread remembers counts each read once', () => {
  const cache = SharedCache.create<number[]>({ maxEntries: 20_000 })
  const keys = Array.from({ length: 10_000 }, (_, i) => `features:${i}`)
  for (const [i, key] of keys.entries()) cache.set(key, [i])
  let reads = 0
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < keys.length; i++) {
      // Half of the reads are of few keys, so that the front stays on.
      for (const at of [i, i % 64]) {
        expect(cache.get(keys[at]!)?.[0] === at).toBe(true)
        reads++
      }
    }
  }
  expect(cache.stats()).toMatchObject({ hits: reads, misses: 0 })
})

test('the numbers of a SharedCache are those of all who attached', () => {
  const one = SharedCache.create<number>({ maxBytes: 2 ** 20 })
  const other = SharedCache.attach<number>(one.handle)
  one.set('features', 1)
  for (let i = 0; i < 100; i++) other.get('features')
  for (let i = 0; i < 50; i++) one.get('features')
  other.close()
  expect(one.stats()).toMatchObject({ hits: 150, misses: 0, entries: 1 })
})
