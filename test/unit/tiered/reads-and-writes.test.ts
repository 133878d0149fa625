import { describe, expect, test } from 'vitest'
import { HitpathError, LocalCache, TieredCache } from '../../../src/index.js'
import { deferred, FIRST_TIERS, settled, World } from './world.js'

const VALUES: readonly (readonly [string, unknown])[] = [
  ['0', 0],
  ['-0', -0],
  ['NaN', Number.NaN],
  ["''", ''],
  ['false', false],
  ['null', null],
  ['[]', []],
  ['{}', {}],
  ['10n', 10n],
  ['a Date', new Date(5)],
  ['a Map', new Map([['a', 1]])],
  ['a Set', new Set([1])],
  ['a Uint8Array', Uint8Array.of(1, 2)],
  ['a Float32Array', Float32Array.of(1.5)],
  ['a Float64Array', Float64Array.of(1.5, -0)],
  ['a BigInt64Array', BigInt64Array.of(-1n)],
]

describe.each(FIRST_TIERS)('over a %s', (kind) => {
  test.each(VALUES)('R15: %s comes back from the first tier, the second, and both', async (_, value) => {
    await using world = new World(kind)
    const [a, b] = [world.process(), world.process()]
    await a.cache.set('key', value)
    expect(a.cache.getSync('key')).toStrictEqual(value)
    expect(await b.cache.get('key')).toStrictEqual(value)
    expect(b.cache.getSync('key')).toStrictEqual(value)
    expect(Object.is(b.cache.getSync('key'), -0)).toBe(Object.is(value, -0))
    expect(await b.cache.has('key')).toBe(true)
  })

  test('undefined cannot be stored', async () => {
    await using world = new World(kind)
    await expect(world.process().cache.set('key', undefined)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  })

  test('keys of every kind name the same entry in both tiers, prepared or not', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process().cache, world.process().cache]
    const keys = [
      'text',
      7,
      -0,
      Number.NaN,
      Float64Array.of(1, 2),
      { data: new Float32Array(6), shape: [2, 3] },
    ]
    for (const [i, key] of keys.entries()) await a.set(key, i)
    for (const [i, key] of keys.entries()) {
      expect(await b.get(b.key(key))).toBe(i)
      expect(b.getSync(key)).toBe(i)
      expect(b.getSync(b.key(key))).toBe(i)
    }
    expect(await b.get('7')).toBeUndefined()
    for (const key of keys) expect(await a.delete(a.key(key))).toEqual({ existed: true, queued: false })
    for (const key of keys) expect(b.getSync(key)).toBeUndefined()
  })

  test('an array that is changed during a read keeps the name that it had', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const key = Float64Array.of(1)
    const made = cache.getOrSet(key, async () => 'of 1')
    key[0] = 2
    await made
    expect(cache.getSync(key)).toBeUndefined()
    expect(cache.getSync(Float64Array.of(1))).toBe('of 1')
  })

  test('what is no key is refused, and a promise says so', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const wrong = {} as never
    expect(() => cache.getSync(wrong)).toThrow(HitpathError)
    await expect(cache.get(wrong)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(cache.set(wrong, 1)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(cache.getOrSet(wrong, () => 1)).rejects.toMatchObject({ code: 'INVALID_KEY' })
  })

  test('R14: the deadline travels with the value, and the first tier does not outlive it', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(), world.process()]
    await a.cache.set('key', 1, { ttl: 1000 })
    world.advance(900)
    expect(await b.cache.get('key')).toBe(1)
    expect(await b.cache.remainingTtl('key')).toBeCloseTo(100)
    world.advance(100)
    expect(b.cache.getSync('key')).toBe(1)
    world.advance(1)
    expect(b.cache.getSync('key')).toBeUndefined()
    expect(await b.cache.get('key')).toBeUndefined()
  })

  test('l1Ttl ends the copy here, not the entry', async () => {
    await using world = new World(kind)
    const { cache, store } = world.process({ l1Ttl: 100 })
    await cache.set('key', 1)
    world.advance(101)
    expect(cache.getSync('key')).toBeUndefined()
    expect(await cache.get('key')).toBe(1)
    expect(store.calls.filter((call) => call === 'get')).toHaveLength(1)
  })

  test('a type chooses the policy, a call overrides it', async () => {
    await using world = new World(kind)
    const { cache } = world.process({ policies: { quote: { ttl: 10 }, model: { ttl: '1h', tier: 'l1' } } })
    await cache.set('q', 1, { type: 'quote' })
    await cache.set('m', 1, { type: 'model' })
    await cache.set('c', 1, { type: 'quote', ttl: 20 })
    expect(await cache.remainingTtl('q')).toBeCloseTo(10)
    expect(await cache.remainingTtl('m')).toBeCloseTo(3_600_000)
    expect(await cache.remainingTtl('c')).toBeCloseTo(20)
    expect([...world.server.entries.keys()].sort()).toEqual(['sc', 'sq'])
    await expect(cache.set('x', 1, { type: 'none' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(cache.get('x', { tll: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('jitter shortens, by its share at most', async () => {
    await using world = new World(kind)
    const { cache } = world.process({ jitter: 0.2 })
    for (let i = 0; i < 200; i++) await cache.set(i, i)
    const left = await Promise.all(Array.from({ length: 200 }, (_, i) => cache.remainingTtl(i)))
    expect(Math.min(...(left as number[]))).toBeGreaterThan(799)
    expect(Math.max(...(left as number[]))).toBeLessThanOrEqual(1000)
    expect(new Set(left).size).toBeGreaterThan(100)
  })

  test('many at once: one call of the store', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process(), world.process()]
    const keys = ['x', 1, Float64Array.of(3), 'missing', 'x']
    await a.cache.setMany([
      ['x', 'of x'],
      [1, 'of 1'],
      [Float64Array.of(3), 'of [3]', { tags: ['t'] }],
    ])
    expect(await b.cache.getMany(keys)).toEqual(['of x', 'of 1', 'of [3]', undefined, 'of x'])
    expect(b.store.calls.filter((call) => call.startsWith('get'))).toEqual(['getMany'])
    expect(a.store.calls.filter((call) => call.startsWith('set'))).toEqual(['setMany'])
    expect(b.cache.getSync(1)).toBe('of 1')
    const deleted = await b.cache.deleteMany(keys)
    expect(deleted.map(({ existed }) => existed)).toEqual([true, true, true, false, false])
    expect(await a.cache.getMany(keys)).toEqual(keys.map(() => undefined))
  })

  test('getOrSetMany asks the factory for the missing ones, once each', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    await cache.set('b', 'had')
    const asked: unknown[] = []
    const values = await cache.getOrSetMany(['a', 'b', 'c', 'a'], (missing) => {
      asked.push(missing)
      return missing.map((key) => `made ${key}`)
    })
    expect(values).toEqual(['made a', 'had', 'made c', 'made a'])
    expect(asked).toEqual([['a', 'c']])
    expect(await cache.getOrSetMany(['d', 'e'], (keys) => new Map([[keys[1] as string, 5]]))).toEqual([
      undefined,
      5,
    ])
    await expect(cache.getOrSetMany(['f', 'g'], () => [1])).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  })

  test('getOrSetMany takes tags and a ttl for one key alone, beside those of all', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    await cache.set('other', 0, { tags: ['first', 'other', 'late'] }) // which makes the tags known
    await cache.getOrSetMany(
      ['a', 'b', 'c', 'd'],
      (missing, context) => {
        context.of(0).tags.push('first')
        context.of(1).setTtl(50)
        context.of(3).tags.push('other')
        context.tags.push('late')
        expect(() => context.of(4)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
        return missing.map((key) => `made ${key}`)
      },
      { tags: ['all'] },
    )
    world.advance(51)
    expect(['a', 'b', 'c'].map((key) => cache.getSync(key))).toEqual(['made a', undefined, 'made c'])
    await cache.invalidateTag('first')
    expect(await cache.getMany(['a', 'c', 'd'])).toEqual([undefined, 'made c', 'made d'])
    await cache.invalidateTag('late')
    expect(await cache.getMany(['c', 'd'])).toEqual([undefined, undefined])
  })

  test('getOrSetMany: a key that fails alone rejects for those who wait for it, and the others are kept', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const [made, began] = [deferred<void>(), deferred<void>()]
    const all = cache.getOrSetMany(['a', 'b', 'c'], async (missing, context) => {
      began.resolve()
      await made.promise
      context.fail(1, 'b is broken')
      return missing.map((key) => `made ${key}`)
    })
    await began.promise
    const [waiting, good] = [cache.getOrSet('b', () => 'not asked'), cache.getOrSet('c', () => 'not asked')]
    made.resolve()
    const outcomes = await Promise.allSettled([all, waiting, good])
    expect(outcomes).toMatchObject([
      { reason: 'b is broken' },
      { reason: 'b is broken' },
      { value: 'made c' },
    ])
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual(['made a', undefined, 'made c'])
    expect(cache.stats().factoryErrors).toBe(1)
  })

  test('getOrSetMany ends with its signal, and the factory hears it once nobody waits for any of its keys', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const [made, began] = [deferred<string[]>(), deferred<{ readonly aborted: boolean }>()]
    const leaver = new AbortController()
    const all = cache.getOrSetMany(
      ['a', 'b'],
      (_, context) => {
        began.resolve(context.signal)
        return made.promise
      },
      { signal: leaver.signal },
    )
    const heard = await began.promise
    const stays = new AbortController()
    const other = cache.getOrSet('b', () => 'not asked', { signal: stays.signal })
    leaver.abort('gone')
    await expect(all).rejects.toBe('gone')
    expect(heard.aborted).toBe(false)
    stays.abort('gone too')
    await expect(other).rejects.toBe('gone too')
    expect(heard.aborted).toBe(true)
    made.resolve(['1', '2'])
    const { factoryCalls } = cache.stats()
    await expect(cache.getOrSetMany(['z'], () => [1], { signal: leaver.signal })).rejects.toBe('gone')
    await settled()
    expect(cache.stats().factoryCalls).toBe(factoryCalls)
  })

  test('invalidation by tag, pattern and clear, in every process', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process().cache, world.process().cache]
    const fill = async (): Promise<void> => {
      await a.setMany([
        ['f:1', 1, { tags: ['red'] }],
        ['f:2', 2, { tags: ['red', 'blue'] }],
        ['g:1', 3],
      ])
      await b.getMany(['f:1', 'f:2', 'g:1'])
    }
    await fill()
    await b.invalidateTag('blue')
    expect(await a.getMany(['f:1', 'f:2', 'g:1'])).toEqual([1, undefined, 3])
    expect(b.getSync('f:2')).toBeUndefined()
    await fill()
    expect((await a.invalidatePattern('f:*')).removed).toBe(2)
    expect(await b.getMany(['f:1', 'f:2', 'g:1'])).toEqual([undefined, undefined, 3])
    await fill()
    await a.clear()
    expect(b.getSync('g:1')).toBeUndefined()
    expect(await b.getMany(['f:1', 'f:2', 'g:1'])).toEqual([undefined, undefined, undefined])
    await a.set('after', 1)
    expect(await b.get('after')).toBe(1)
  })

  test('without a second tier everything holds here', async () => {
    await using world = new World(kind)
    const cache = world.alone()
    await cache.set('a', 1, { tags: ['t'] })
    await cache.set('b', 2)
    expect(cache.getSync('a')).toBe(1)
    await cache.invalidateTag('t')
    expect(cache.getSync('a')).toBeUndefined()
    expect(await cache.getOrSet('c', () => 3, { tags: ['t'] })).toBe(3)
    expect(cache.getSync('c')).toBe(3)
    expect((await cache.invalidatePattern('b*')).removed).toBe(1)
    expect(await cache.delete('c')).toEqual({ existed: true, queued: false })
    await cache.set('d', 4)
    await cache.clear()
    expect(cache.getSync('d')).toBeUndefined()
    world.advance(1)
    await cache.set('e', 5, { ttl: 10 })
    world.advance(11)
    expect(await cache.get('e')).toBeUndefined()
  })

  test('R16: namespaces share the first tier and nothing else', async () => {
    await using world = new World(kind)
    const root = world.alone()
    const [x, y] = [root.namespace('x'), root.namespace('y')]
    for (const cache of [root, x, y]) await cache.set('key', cache.namespaceName)
    await x.set(Float64Array.of(1), 'array')
    expect([root, x, y].map((cache) => cache.getSync('key'))).toEqual(['default', 'default:x', 'default:y'])
    const prepared = x.key(Float64Array.of(1))
    expect(x.getSync(prepared)).toBe('array')
    expect(() => y.getSync(prepared)).not.toThrow()
    await expect(y.set(prepared, 1)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await x.clear()
    expect([root, x, y].map((cache) => cache.getSync('key'))).toEqual(['default', undefined, 'default:y'])
    await root.invalidatePattern('*')
    expect([root, x, y].map((cache) => cache.getSync('key'))).toEqual([undefined, undefined, 'default:y'])
    await y.invalidatePattern('k?y')
    expect(y.getSync('key')).toBeUndefined()
    expect(root.namespace('x')).toBe(x)
  })

  test('two caches may not meet in one first tier', async () => {
    const l1 = new LocalCache()
    await using first = new TieredCache({ l1, namespace: 'a' })
    expect(() => new TieredCache({ l1, namespace: 'b' })).toThrow(/serves the namespace "a" already/)
    await first.close()
    await using _ = new TieredCache({ l1, namespace: 'b' })
  })

  test('after close every call is refused, and what was pending ends', async () => {
    const world = new World(kind)
    const { cache, store } = world.process()
    await cache.set('key', 1)
    store.frozen = true
    const read = cache.get('other')
    const made = cache.getOrSet('third', () => 1)
    const left = [expect(read).rejects.toMatchObject({ code: 'CLOSED' }), expect(made).rejects.toThrow()]
    await cache.close()
    await Promise.all(left)
    expect(() => cache.getSync('key')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await expect(cache.set('key', 1)).rejects.toMatchObject({ code: 'CLOSED' })
    await cache.close()
  })
})
