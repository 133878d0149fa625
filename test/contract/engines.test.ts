/** Where the engines of LocalCache are chosen, what they decide alike, and what only one of them does. */
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { LocalCache } from '../../src/index.js'
import { ENGINES } from '../support/engines.js'
import { seeded } from '../support/random.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

describe('the option engine', () => {
  test('says which engine keeps the entries', () => {
    expect(new LocalCache({ engine: 'native' }).engine).toBe('native')
    expect(new LocalCache({ engine: 'portable' }).engine).toBe('portable')
    expect(new LocalCache({ engine: 'auto' }).engine).toBe(new LocalCache().engine)
  })

  test.each(['Native', '', 5, null, true, {}])('%s is none', (engine) => {
    expect(() => new LocalCache({ engine: engine as 'auto' })).toThrow(code('INVALID_OPTION'))
  })

  test('caches of both serve side by side, and their prepared keys are not mixed up', () => {
    const native = new LocalCache<string>({ engine: 'native' })
    const portable = new LocalCache<string>({ engine: 'portable' })
    const array = Float64Array.of(1, 2, 3)
    for (const key of ['features', 7, array]) {
      native.set(key, 'native')
      portable.set(key, 'portable')
      const [here, there] = [native.key(key), portable.key(key)]
      expect([native.get(key), portable.get(key)]).toEqual(['native', 'portable'])
      expect([native.get(here), portable.get(there)]).toEqual(['native', 'portable'])
      expect(() => native.get(there)).toThrow(code('INVALID_KEY'))
      expect(() => portable.get(here)).toThrow(code('INVALID_KEY'))
    }
  })
})

describe('what the portable engine cannot do is refused', () => {
  test('more entries than a Map bears under churn', () => {
    expect(() => new LocalCache({ engine: 'portable', maxEntries: 2 ** 23 + 1 })).toThrow(
      code('OUT_OF_MEMORY'),
    )
  })
})

describe('both engines choose the same victims', () => {
  interface Step {
    readonly op: 'get' | 'set' | 'delete'
    readonly key: string
  }

  function steps(seed: number, count: number, keys: number): readonly Step[] {
    const random = seeded(seed)
    return Array.from({ length: count }, () => ({
      op: (['get', 'get', 'get', 'set', 'set', 'delete'] as const)[random(6)]!,
      key: `features:${Math.min(random(keys), random(keys))}`,
    }))
  }

  /** The keys that were evicted, in order. */
  function evicted(
    engine: 'native' | 'portable',
    policy: 'xg' | 'lru',
    maxEntries: number,
    all: readonly Step[],
  ): readonly unknown[] {
    const left: unknown[] = []
    const cache = new LocalCache<number>({
      engine,
      policy,
      maxEntries,
      onRemoval: (key, _value, reason) => reason === 'evicted' && left.push(key),
    })
    for (const { op, key } of all) {
      if (op === 'set') cache.set(key, 1)
      else if (op === 'get') cache.get(key)
      else cache.delete(key)
    }
    cache.validate()
    cache.close()
    return left
  }

  test.each([1, 2, 3, 4, 5])('lru, seed %i', (seed) => {
    const all = steps(seed, 3000, 200)
    const expected = evicted('native', 'lru', 50, all)
    expect(expected.length).toBeGreaterThan(100)
    expect(evicted('portable', 'lru', 50, all)).toEqual(expected)
  })

  // A bucket of the ghosts that is full forgets early, and which keys share one depends on a seed that each cache draws.
  test.each([1, 2, 3, 4, 5])('xg, seed %i', (seed) => {
    const all = steps(seed, 400, 60)
    const pairs = Array.from({ length: 4 }, () =>
      (['native', 'portable'] as const).map((engine) => evicted(engine, 'xg', 25, all)),
    )
    expect(pairs[0]![0]!.length).toBeGreaterThan(10)
    expect(pairs.filter(([native, portable]) => isDeepStrictEqual(native, portable))).not.toEqual([])
  })
})

test('the hit ratio of a skewed stream with scans is the same within half a point', () => {
  const random = seeded(7)
  const stream: number[] = []
  for (let i = 0; i < 200_000; i++) {
    // Log-uniform over 20,000 keys; every hundredth time a scan of 200 that are never met again.
    stream.push(Math.floor(Math.exp((random(1_000_000) / 1_000_000) * Math.log(20_000))))
    if (i % 20_000 === 0) for (let j = 0; j < 200; j++) stream.push(100_000 + stream.length)
  }
  const ratios = ENGINES.map(([, LocalCache]) => {
    const cache = new LocalCache<number>({ maxEntries: 1000 })
    for (const key of stream) if (cache.get(key) === undefined) cache.set(key, key)
    return cache.stats().hitRatio
  })
  expect(ratios[0]).toBeGreaterThan(0.5)
  expect(Math.abs(ratios[0]! - ratios[1]!)).toBeLessThan(0.005)
})

describe.each(ENGINES)('on the %s engine', (_, LocalCache) => {
  test('deadlines hold through jumps of the clock of any length', () => {
    const random = seeded(11)
    const clock = { ms: 0, now: () => clock.ms }
    const cache = new LocalCache<number>({ maxEntries: 300, clock })
    const deadlines = new Map<number, number>()
    for (let step = 0; step < 3000; step++) {
      const key = random(300)
      if (random(3) !== 0) {
        const ttl = 2 ** random(45) + random(100)
        cache.set(key, step, { ttl })
        deadlines.set(key, clock.ms + ttl)
      } else clock.ms += random(4) === 0 ? 2 ** random(44) : random(70)
      const [due = Number.NEGATIVE_INFINITY] = [deadlines.get(key)]
      expect(cache.has(key)).toBe(clock.ms <= due)
      if (step % 10 === 0) cache.validate()
    }
    const alive = [...deadlines.values()].filter((deadline) => clock.ms <= deadline).length
    expect(cache.size).toBe(alive)
  })

  test('a cache that nobody refers to any more frees its place for another', () => {
    for (let i = 0; i < 200; i++) new LocalCache({ maxEntries: 100 }).set('features', i)
    const cache = new LocalCache<number>({ maxEntries: 100 })
    expect(cache.set('features', 1).get('features')).toBe(1)
  })

  test('entries that expire together are reclaimed a slice at a time', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = new LocalCache<number>({ maxEntries: 20_000, clock })
    for (let i = 0; i < 20_000; i++) cache.set(i, i, { ttl: 10 })
    clock.ms = 11
    expect(cache.maintain(1000)).toBe(0)
    expect(cache.stats().expirations).toBe(1000)
    while (cache.maintain(1000) === 0);
    expect(cache.stats()).toMatchObject({ expirations: 20_000, entries: 0 })
    cache.validate()
  })
})
