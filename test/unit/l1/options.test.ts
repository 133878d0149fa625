import { describe, expect, test } from 'vitest'
import {
  LocalCache,
  SharedCache,
  type SharedCacheHandle,
  type SharedCacheOptions,
} from '../../../src/index.js'
import { HEADER_FINGERPRINT, HEADER_STATE } from '../../../src/native/layout.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

const NO_INTEGERS = [0, -1, 1.5, Number.NaN, Infinity, '5', 5n, true, {}, 2 ** 28 + 1]
const NO_CLOCKS = [5, 'now', () => 1, {}, { now: 5 }, null, true]
const NO_TTLS = [0, -1, Number.NaN, '5', 'soon', {}, true, 5n, null]

describe('LocalCache refuses', () => {
  test.each(NO_INTEGERS)('maxEntries: %s', (maxEntries) => {
    expect(() => new LocalCache({ maxEntries: maxEntries as number })).toThrow(code('INVALID_OPTION'))
  })
  test.each(NO_TTLS)('ttl: %s', (ttl) => {
    expect(() => new LocalCache({ ttl: ttl as number })).toThrow(code('INVALID_TTL'))
  })
  test.each(['LRU', 5, '', {}, true])('policy: %s', (policy) => {
    expect(() => new LocalCache({ policy: policy as 'lru' })).toThrow(code('INVALID_OPTION'))
  })
  test.each(NO_CLOCKS)('clock: %s', (clock) => {
    expect(() => new LocalCache({ clock: clock as unknown as { now(): number } })).toThrow(
      code('INVALID_OPTION'),
    )
  })
  test.each([5, 'f', {}, true, null])('onRemoval: %s', (onRemoval) => {
    expect(() => new LocalCache({ onRemoval: onRemoval as unknown as () => void })).toThrow(
      code('INVALID_OPTION'),
    )
  })
  test.each([5, null, [], 'options', { max: 5 }, { maxEntry: 5 }])('options: %s', (options) => {
    expect(() => new LocalCache(options as object)).toThrow(code('INVALID_OPTION'))
  })
  test('a store that no typed array can span', () => {
    expect(() => new LocalCache({ maxEntries: 2 ** 28 })).toThrow(code('OUT_OF_MEMORY'))
  })
})

describe('SharedCache.create refuses', () => {
  test.each<[keyof SharedCacheOptions, readonly unknown[]]>([
    ['maxBytes', [...NO_INTEGERS.filter((n) => n !== 2 ** 28 + 1), 4095, 2 ** 39 + 1]],
    ['maxEntries', NO_INTEGERS],
    ['shards', [...NO_INTEGERS, 65]],
    ['maxPinned', [-0.1, 1.1, Number.NaN, Infinity, '0.5', {}, true]],
    ['clock', NO_CLOCKS],
  ])('%s out of range', (name, values) => {
    for (const value of values)
      expect(() => SharedCache.create({ [name]: value })).toThrow(code('INVALID_OPTION'))
  })
  test.each(NO_TTLS)('ttl: %s', (ttl) => {
    expect(() => SharedCache.create({ ttl: ttl as number })).toThrow(code('INVALID_TTL'))
  })
  test.each([5, null, [], 'options', { policy: 'lru' }, { maxbytes: 2 ** 20 }])('options: %s', (options) => {
    expect(() => SharedCache.create(options as object)).toThrow(code('INVALID_OPTION'))
  })
  test.each([{ maxBytes: 2 ** 39 }, { maxBytes: 2 ** 36, shards: 16 }, { maxBytes: 4096, shards: 64 }])(
    '%j, which fits nowhere',
    (options) => {
      expect(() => SharedCache.create(options)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(INVALID_OPTION|OUT_OF_MEMORY)$/) }),
      )
    },
  )
  test('nothing that is in range', () => {
    for (const options of [
      { maxBytes: 4096 },
      { maxBytes: 4096, maxEntries: 1, shards: 1 },
      { maxBytes: 2 ** 20, shards: 64 },
      { maxBytes: 2 ** 20, shards: 3, maxEntries: 2 },
      { maxBytes: 5000 },
      { maxBytes: 2 ** 20, maxPinned: 1 },
      { maxBytes: 2 ** 20, ttl: '5m' as const },
      {},
    ]) {
      const cache = SharedCache.create<number>(options)
      for (let i = 0; i < 100; i++) expect(cache.set(i, i).get(i)).toBe(i)
      cache.validate()
    }
  })
  test.each([
    { maxEntries: 100, shards: 16, parts: 1 },
    { maxEntries: 640, shards: 16, parts: 10 },
    { maxEntries: 1024, shards: 16, parts: 16 },
  ])('$shards shards asked for among $maxEntries entries: $parts', ({ maxEntries, shards, parts }) => {
    const cache = SharedCache.create({ maxEntries, shards })
    expect(cache.stats().shards).toBe(parts)
    cache.close()
  })
})

describe('attach', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['a string', 'handle'],
    ['an empty dictionary', {}],
    ['a bare region', new SharedArrayBuffer(4096)],
    ['another kind', { kind: 'other', region: new SharedArrayBuffer(4096) }],
    ['no region', { kind: 'hitpath.SharedCache' }],
    ['an ArrayBuffer', { kind: 'hitpath.SharedCache', region: new ArrayBuffer(4096) }],
    ['a typed array', { kind: 'hitpath.SharedCache', region: new Uint8Array(4096) }],
    ['a cache itself', SharedCache.create({ maxBytes: 4096 })],
  ])('refuses %s', (_name, handle) => {
    expect(() => SharedCache.attach(handle as SharedCacheHandle)).toThrow(code('INVALID_HANDLE'))
  })

  test('`new` says what makes a cache', () => {
    const made = (): unknown => Reflect.construct(SharedCache, [{ maxBytes: 4096 }])
    expect(made).toThrow(code('INVALID_ARGUMENT'))
    expect(made).toThrow('SharedCache.create(options)')
  })

  const handleOf = (region: SharedArrayBuffer): SharedCacheHandle => ({ kind: 'hitpath.SharedCache', region })

  test.each([0, 1, 8, 255, 256, 4096, 2 ** 20])('refuses %i zeroed bytes, and as many others', (bytes) => {
    const region = new SharedArrayBuffer(bytes)
    expect(() => SharedCache.attach(handleOf(region))).toThrow(code('INVALID_REGION'))
    new Uint8Array(region).fill(255)
    expect(() => SharedCache.attach(handleOf(region))).toThrow(code('INVALID_REGION'))
  })

  function copyOf(cache: SharedCache, bytes = cache.handle.region.byteLength): SharedArrayBuffer {
    const copy = new SharedArrayBuffer(bytes)
    new Uint8Array(copy).set(new Uint8Array(cache.handle.region, 0, bytes))
    return copy
  }

  test('opens a copy of a region, which is a cache of its own', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 16 })
    cache.set('a', [1])
    const copy = SharedCache.attach(handleOf(copyOf(cache)))
    cache.delete('a')
    expect(copy.get('a')).toEqual([1])
    copy.validate()
  })

  test('refuses a truncated one, at any length', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 16 })
    const { byteLength } = cache.handle.region
    for (const bytes of [8, 100, 255, 256, 257, 4096, Math.floor(byteLength / 2), byteLength - 1]) {
      expect(() => SharedCache.attach(handleOf(copyOf(cache, bytes)))).toThrow(code('INVALID_REGION'))
    }
  })

  test('refuses a header in which any bit was flipped', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 16 })
    const copy = copyOf(cache)
    const bytes = new Uint8Array(copy)
    for (let bit = 0; bit < HEADER_STATE * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => SharedCache.attach(handleOf(copy)), `bit ${bit}`).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/^(INVALID_REGION|REGION_VERSION|REGION_CORRUPT)$/),
        }),
      )
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    expect(SharedCache.attach(handleOf(copy)).size).toBe(0)
  })

  test('names another version, and a closed cache', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 16 })
    const copy = copyOf(cache)
    new Uint8Array(copy)[HEADER_FINGERPRINT]!++
    expect(() => SharedCache.attach(handleOf(copy))).toThrow(code('REGION_VERSION'))
    cache.close({ everywhere: true })
    expect(() => SharedCache.attach(cache.handle)).toThrow(code('CLOSED'))
  })

  test('asks for the clock of the cache, and only for that', () => {
    const clock = { now: () => 5 }
    const timed = SharedCache.create({ maxBytes: 2 ** 16, clock })
    expect(() => SharedCache.attach(timed.handle)).toThrow(code('CLOCK_REQUIRED'))
    expect(SharedCache.attach(timed.handle, { clock }).size).toBe(0)
    const plain = SharedCache.create({ maxBytes: 2 ** 16 })
    expect(() => SharedCache.attach(plain.handle, { clock })).toThrow(code('CLOCK_REQUIRED'))
    expect(() => SharedCache.attach(plain.handle, { clocks: clock } as object)).toThrow(
      code('INVALID_OPTION'),
    )
    expect(() => SharedCache.attach(plain.handle, { clock: 5 } as object)).toThrow(code('INVALID_OPTION'))
  })
})
