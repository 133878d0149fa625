import { describe, expect, test } from 'vitest'
import { type CacheKey, LocalCache, SharedCache } from '../../../src/index.js'
import { seeded } from '../../support/random.js'

interface Entry {
  readonly value: unknown
  readonly deadline: number
  readonly tags: readonly string[]
}

const KEYS: readonly CacheKey[] = Array.from({ length: 120 }, (_, i): CacheKey => {
  switch (i % 8) {
    case 0:
      return `k${i}`
    case 1:
      return `features:BTCUSDT:${i}`.padStart(60, 'f')
    case 2:
      return `ж${i}`.repeat(20)
    case 3:
      return `long${i}`.repeat(30)
    case 4:
      return i
    case 5:
      return Float64Array.of(i, 1)
    case 6:
      return { data: Float32Array.from({ length: 60 }, (__, j) => i + j), shape: [6, 10] }
    default:
      return { data: Int16Array.from({ length: 12 }, (__, j) => i + j), shape: [3, 4], strides: [1, 3] }
  }
})

const VALUES: readonly ((n: number) => unknown)[] = [
  (n) => n,
  (n) => `value ${n}`,
  (n) => new Float64Array(5).fill(n),
  (n) => new Float64Array(40 + (n % 200)).fill(n),
  (n) => ({ n, list: [n] }),
  (n) => n % 2 === 0,
  () => null,
  (n) => 'x'.repeat(n % 700),
]

type AnyCache = LocalCache<unknown> | SharedCache<unknown>
type Make = (clock: { now(): number }) => AnyCache

/** The cache and a Map with deadlines go through the same steps. The cache has room for all. */
function run(make: Make, seed: number, steps: number): void {
  const random = seeded(seed)
  const clock = { ms: 1000, now: () => clock.ms }
  const cache = make(clock)
  const prepared = KEYS.map((key) => cache.key(key))
  const model = new Map<number, Entry>()
  const tags = ['t0', 't1', 't2', 't3']
  const live = (k: number): Entry | undefined => {
    const entry = model.get(k)
    return entry !== undefined && clock.ms <= entry.deadline ? entry : undefined
  }
  const sweep = (): void => {
    for (const k of model.keys()) if (live(k) === undefined) model.delete(k)
  }
  for (let step = 0; step < steps; step++) {
    const k = random(KEYS.length)
    const key = random(3) === 0 ? prepared[k]! : KEYS[k]!
    const entry = live(k)
    switch (random(14)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const value = VALUES[random(VALUES.length)]!(random(1000))
        const ttl = [undefined, Infinity, 1 + random(50), 1 + random(5000)][random(4)]
        const chosen = tags.filter(() => random(4) === 0)
        cache.set(key, value, { ttl, tags: chosen })
        model.set(k, { value, deadline: clock.ms + (ttl ?? 1000), tags: chosen })
        break
      }
      case 4:
        expect(cache.peek(key)).toEqual(entry?.value)
        break
      case 5:
        expect(cache.has(key)).toBe(entry !== undefined)
        expect(cache.remainingTtl(key)).toBe(entry && entry.deadline - clock.ms)
        break
      case 6:
        expect(cache.delete(key)).toBe(entry !== undefined)
        model.delete(k)
        break
      case 7: {
        const chosen = Array.from({ length: random(12) }, () => random(KEYS.length))
        expect(cache.getMany(chosen.map((i) => KEYS[i]!))).toEqual(chosen.map((i) => live(i)?.value))
        break
      }
      case 8:
        clock.ms += [0, 1, 7, 60, 900][random(5)]!
        break
      case 9: {
        if (random(8) !== 0) break
        sweep()
        const tag = tags[random(tags.length)]!
        const gone = [...model].filter(([, { tags: own }]) => own.includes(tag))
        expect(cache.invalidateTag(tag)).toBe(gone.length)
        for (const [i] of gone) model.delete(i)
        break
      }
      case 10: {
        if (random(20) !== 0) break
        sweep()
        const digit = String(random(10))
        const gone = [...model.keys()].filter((i) => typeof KEYS[i] === 'string' && KEYS[i].endsWith(digit))
        expect(cache.invalidatePattern(`*${digit}`)).toBe(gone.length)
        for (const i of gone) model.delete(i)
        break
      }
      case 11:
        if (random(200) !== 0) break
        cache.clear()
        model.clear()
        break
      case 12:
        sweep()
        expect(cache.size).toBe(model.size)
        break
      default:
        expect(cache.get(key)).toEqual(entry?.value)
    }
    if (step % 16 === 0 || cache.engine === 'portable') cache.validate()
    if (step % 500 === 0) {
      sweep()
      expect([...cache.values()].length).toBe(model.size)
    }
  }
  expect(cache.stats().evictions).toBe(0)
}

const SEED = 20_240_505

describe.each<[string, Make]>([
  ['LocalCache, xg', (clock) => new LocalCache({ maxEntries: 1000, ttl: 1000, clock })],
  ['LocalCache, lru', (clock) => new LocalCache({ maxEntries: 120, policy: 'lru', ttl: 1000, clock })],
  [
    'portable LocalCache',
    (clock) => new LocalCache({ maxEntries: 1000, ttl: 1000, clock, engine: 'portable' }),
  ],
  [
    'portable LocalCache, lru',
    (clock) => new LocalCache({ maxEntries: 120, policy: 'lru', ttl: 1000, clock, engine: 'portable' }),
  ],
  [
    'portable LocalCache with a listener',
    (clock) =>
      new LocalCache({ maxEntries: 500, ttl: 1000, clock, engine: 'portable', onRemoval: () => undefined }),
  ],
  [
    'LocalCache with a listener',
    (clock) => new LocalCache({ maxEntries: 500, ttl: 1000, clock, onRemoval: () => undefined }),
  ],
  [
    'SharedCache',
    (clock) => SharedCache.create({ maxBytes: 2 ** 22, maxEntries: 4000, ttl: 1000, clock, shards: 2 }),
  ],
  [
    'SharedCache without pins',
    (clock) => SharedCache.create({ maxBytes: 2 ** 22, maxEntries: 4000, ttl: 1000, clock, maxPinned: 0 }),
  ],
])('%s behaves as a Map with deadlines', (_, make) => {
  test.each([0, 1, 2, 3])(`seed ${SEED} + %i`, (n) => run(make, SEED + n, 2500))
})

describe('without room for all', () => {
  test.each<[string, () => AnyCache]>([
    ['LocalCache', () => new LocalCache({ maxEntries: 40 })],
    ['LocalCache, lru', () => new LocalCache({ maxEntries: 40, policy: 'lru' })],
    ['portable LocalCache', () => new LocalCache({ maxEntries: 40, engine: 'portable' })],
    ['portable LocalCache, lru', () => new LocalCache({ maxEntries: 40, policy: 'lru', engine: 'portable' })],
    ['SharedCache', () => SharedCache.create({ maxBytes: 2 ** 15, maxEntries: 60 })],
    [
      'SharedCache of four shards',
      () => SharedCache.create({ maxBytes: 2 ** 15, maxEntries: 256, shards: 4 }),
    ],
  ])(`a %s gives the newest value or none (seed ${SEED})`, (_, make) => {
    const random = seeded(SEED)
    const cache = make()
    const newest = new Map<number, unknown>()
    const held: { value: unknown; copy: unknown }[] = []
    for (let step = 0; step < 12_000; step++) {
      const k = random(KEYS.length)
      if (random(3) === 0) {
        const value = VALUES[random(VALUES.length)]!(random(1000))
        cache.set(KEYS[k]!, value, { tags: random(3) === 0 ? [`t${random(9)}`] : [] })
        newest.set(k, value)
        expect(cache.has(KEYS[k]!)).toBe(true)
      } else if (random(40) === 0) {
        cache.delete(KEYS[k]!)
        newest.delete(k)
      } else if (random(300) === 0) cache.invalidateTag(`t${random(9)}`)
      else {
        const value = cache.get(KEYS[k]!)
        if (value !== undefined) expect(value).toEqual(newest.get(k))
        if (random(50) === 0) held[random(20)] = { value, copy: structuredClone(newest.get(k)) }
      }
      if (step % 50 === 0) cache.validate()
    }
    for (const view of held) if (view?.value !== undefined) expect(view.value).toEqual(view.copy)
  })
})
