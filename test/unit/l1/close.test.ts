import { describe, expect, test } from 'vitest'
import { LocalCache, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

type AnyCache = LocalCache<unknown> | SharedCache<unknown>
const KINDS: readonly (readonly [string, () => AnyCache])[] = [
  ['LocalCache', () => new LocalCache()],
  ['portable LocalCache', () => new LocalCache({ engine: 'portable' })],
  ['LocalCache with a listener', () => new LocalCache({ onRemoval: () => undefined, policy: 'lru' })],
  ['SharedCache', () => SharedCache.create({ maxBytes: 2 ** 20 })],
]

function calls(cache: AnyCache): (() => unknown)[] {
  const array = Float64Array.of(1, 2)
  const list: (() => unknown)[] = [
    () => cache.get('features'),
    () => cache.get(5),
    () => cache.get(array),
    () => cache.peek('features'),
    () => cache.has('features'),
    () => cache.remainingTtl('features'),
    () => cache.set('features', 1),
    () => cache.set(array, 1),
    () => cache.delete('features'),
    () => cache.clear(),
    () => cache.getMany(['features']),
    () => cache.setMany([['features', 1]]),
    () => cache.deleteMany(['features']),
    () => cache.getOrCompute('features', () => 1),
    () => cache.invalidateTag('t'),
    () => cache.invalidatePattern('*'),
    () => cache.size,
    () => cache.stats(),
    () => cache.validate(),
    () => cache.probeLengths(),
    () => [...cache.keys()],
    () => [...cache.entries()],
    () => [...cache.values()],
    () => cache.scope('s').get('a'),
    () => cache.scope('s').set('a', 1),
  ]
  if (cache instanceof SharedCache) {
    list.push(
      () => cache.pin('features'),
      () => cache.getInto('features', array),
      () => cache.getRows(array, array, new Uint8Array(2)),
      () => cache.setRows(array, array, new Uint8Array(2)),
    )
  }
  return list
}

describe.each(KINDS)('a closed %s', (_, make) => {
  test('says so in every call', () => {
    const cache = make()
    cache.set('features', [1], { tags: ['t'] })
    for (let i = 0; i < 5000; i++) cache.get('features')
    const hot = cache.key('features')
    cache.get(hot)
    cache.get(hot)
    cache.close()
    cache.close()
    for (const call of [...calls(cache), () => cache.get(hot)]) expect(call).toThrow(code('CLOSED'))
  })

  test('leaves the others alone, though they are new', () => {
    const closed = make()
    closed.set('a', 'closed')
    closed.close()
    const others = [make(), make()]
    for (const [i, other] of others.entries()) other.set('a', i)
    for (const call of calls(closed)) expect(call).toThrow(code('CLOSED'))
    expect(others.map((other) => other.get('a'))).toEqual([0, 1])
  })

  test('is what a using block leaves behind', () => {
    let outside: AnyCache
    {
      using cache = make()
      outside = cache
      cache.set('a', 1)
    }
    expect(() => outside.get('a')).toThrow(code('CLOSED'))
  })
})

describe('a SharedCache closed everywhere', () => {
  test('refuses every thread, in every call, and new ones', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 20 })
    const other = SharedCache.attach(cache.handle)
    cache.set('features', [1]).set('b', new Float64Array(600))
    const hot = other.key('features')
    for (let i = 0; i < 100; i++) other.get('features')
    other.get(hot)
    const view = other.get('b')
    cache.close({ everywhere: true })
    for (const call of [...calls(other), () => other.get(hot)]) expect(call).toThrow(code('CLOSED'))
    for (const call of calls(cache)) expect(call).toThrow(code('CLOSED'))
    expect(() => SharedCache.attach(cache.handle)).toThrow(code('CLOSED'))
    expect(view).toEqual(new Float64Array(600))
    other.close()
    cache.close({ everywhere: true })
  })

  test('closed here only, it goes on elsewhere', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 20 })
    const other = SharedCache.attach(cache.handle)
    cache.set('a', 1).close()
    expect([other.get('a'), SharedCache.attach(cache.handle).get('a')]).toEqual([1, 1])
  })
})

describe('the timer that reclaims', () => {
  test('outlives a cache whose clock throws, and one that was closed elsewhere', async () => {
    const warnings: Error[] = []
    const hear = (warning: Error): void => void warnings.push(warning)
    process.on('warning', hear)
    let broken = false
    const clock = {
      now: () => {
        if (broken) throw new RangeError('no time')
        return 1
      },
    }
    const bad = new LocalCache({ clock })
    const gone = SharedCache.create({ maxBytes: 2 ** 20 })
    const goneHere = SharedCache.attach(gone.handle)
    gone.close({ everywhere: true })
    broken = true
    const good = new LocalCache<number>()
    good.set('a', 1, { ttl: 20 })
    const start = performance.now()
    while (good.stats().expirations === 0 && performance.now() - start < 5000)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(good.stats().expirations).toBe(1)
    expect(warnings.map((warning) => warning.message)).toEqual([expect.stringContaining('RangeError')])
    process.off('warning', hear)
    expect(() => bad.get('a')).toThrow(RangeError)
    bad.close()
    goneHere.close()
  })
})
