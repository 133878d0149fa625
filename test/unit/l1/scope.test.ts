import { describe, expect, test } from 'vitest'
import { LocalCache, SharedCache } from '../../../src/index.js'

type AnyCache = LocalCache<unknown> | SharedCache<unknown>
const KINDS: readonly (readonly [string, () => AnyCache])[] = [
  ['LocalCache', () => new LocalCache()],
  ['portable LocalCache', () => new LocalCache({ engine: 'portable' })],
  ['SharedCache', () => SharedCache.create({ maxBytes: 2 ** 20 })],
]

describe.each(KINDS)('a scope of a %s', (_, make) => {
  test('is a key space of its own, for keys of every kind', () => {
    const cache = make()
    const scopes = [cache.scope('a'), cache.scope('b'), cache.scope('ab'), cache.scope('ж')]
    const keys = [
      'k',
      'bk',
      '',
      '1',
      1,
      0,
      Float64Array.of(1),
      Float64Array.from({ length: 100 }),
      { data: Float64Array.of(1), shape: [1, 1] },
      'x'.repeat(200),
    ]
    for (const [s, scope] of scopes.entries())
      for (const [k, key] of keys.entries()) scope.set(key, `${s}:${k}`)
    for (const [k, key] of keys.entries()) {
      expect(cache.get(key)).toBeUndefined()
      cache.set(key, `none:${k}`)
    }
    for (const [s, scope] of scopes.entries()) {
      for (const [k, key] of keys.entries()) {
        expect([scope.get(key), scope.peek(key), scope.has(key), scope.remainingTtl(key)]).toEqual([
          `${s}:${k}`,
          `${s}:${k}`,
          true,
          Infinity,
        ])
      }
    }
    for (const key of keys) expect([scopes[0]!.delete(key), scopes[0]!.delete(key)]).toEqual([true, false])
    for (const [k, key] of keys.entries())
      expect([cache.get(key), scopes[1]!.get(key)]).toEqual([`none:${k}`, `1:${k}`])
    expect(cache.size).toBe(keys.length * 4)
    cache.validate()
  })

  test('of the same name is the same', () => {
    const cache = make()
    cache.scope('a').set(Float64Array.of(1), 5).set(-0, 'zero')
    expect([cache.scope('a').get(Float64Array.of(1)), cache.scope('a').get(0)]).toEqual([5, 'zero'])
    expect(cache.scope('a').getOrCompute('k', () => 6)).toBe(6)
  })

  test.each(['', 5, null, undefined, {}, 'a\u0001b', 'a\u0002'])('has no name %j', (name) => {
    expect(() => make().scope(name as string)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
