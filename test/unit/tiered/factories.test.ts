import { describe, expect, test } from 'vitest'
import { deferred, FIRST_TIERS, settled, World } from './world.js'

describe.each(FIRST_TIERS)('over a %s', (kind) => {
  test('one factory for all who ask at once', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const made = deferred<number>()
    let calls = 0
    const factory = () => {
      calls++
      return made.promise
    }
    const all = Array.from({ length: 100 }, () => cache.getOrSet('key', factory))
    await settled()
    made.resolve(7)
    expect(new Set(await Promise.all(all))).toEqual(new Set([7]))
    expect(calls).toBe(1)
    expect(await cache.getOrSet('key', factory)).toBe(7)
    expect(calls).toBe(1)
  })

  test('what the factory throws reaches all who wait, and is not remembered', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const failing = () => Promise.reject(new Error('no source'))
    await Promise.all([
      expect(cache.getOrSet('key', failing)).rejects.toThrow('no source'),
      expect(cache.getOrSet('key', failing)).rejects.toThrow('no source'),
    ])
    expect(await cache.getOrSet('key', () => 1)).toBe(1)
  })

  test('undefined is returned and not remembered; with negativeTtl it is, in both tiers', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process({ negativeTtl: 100 }).cache, world.process().cache]
    let calls = 0
    const nothing = () => {
      calls++
      return undefined
    }
    await b.getOrSet('plain', nothing)
    await b.getOrSet('plain', nothing)
    expect(calls).toBe(2)
    expect(await a.getOrSet('negative', nothing)).toBeUndefined()
    expect(await a.getOrSet('negative', nothing)).toBeUndefined()
    expect(await b.getOrSet('negative', nothing)).toBeUndefined()
    expect(calls).toBe(3)
    expect(await a.has('negative')).toBe(false)
    world.advance(101)
    expect(await a.getOrSet('negative', () => 'there now')).toBe('there now')
    expect(await b.getOrSet('asked', (ctx) => ctx.negative(50))).toBeUndefined()
    expect(await b.getOrSet('asked', nothing)).toBeUndefined()
    expect(calls).toBe(3)
  })

  test('the context sets ttl and tags', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    await cache.getOrSet('key', (ctx) => {
      expect(ctx.key).toBe('key')
      ctx.setTtl(5000)
      ctx.tags.push('late')
      return 1
    })
    expect(cache.getSync('key')).toBe(1)
    expect(await cache.remainingTtl('key')).toBe(5000)
    await cache.invalidateTag('late')
    expect(await cache.get('key')).toBeUndefined()
  })

  test('a tag that the factory adds late is judged as of its fence (R4)', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process().cache, world.process().cache]
    const made = a.getOrSet('key', async (ctx) => {
      await b.invalidateTag('late')
      ctx.tags.push('late')
      return 'old'
    })
    expect(await made).toBe('old')
    expect(a.getSync('key')).toBeUndefined()
    expect(await b.get('key')).toBeUndefined()
  })

  test('a late tag that nobody has used is kept; one that was invalidated before the computation too', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process().cache, world.process().cache]
    await b.invalidateTag('used')
    const late = (tag: string) => (ctx: { tags: string[] }) => {
      world.advance(1)
      ctx.tags.push(tag)
      return tag
    }
    for (const tag of ['new', 'used']) {
      expect(await a.getOrSet(tag, late(tag))).toBe(tag)
      expect(a.getSync(tag)).toBe(tag)
      expect(await b.get(tag)).toBe(tag)
      await b.invalidateTag(tag)
      expect(a.getSync(tag)).toBeUndefined()
      expect(await a.get(tag)).toBeUndefined()
    }
  })

  test('without a second tier a late tag that is invalidated meanwhile keeps the value out', async () => {
    await using world = new World(kind)
    const cache = world.alone()
    for (let i = 0; i < 4; i++) {
      await cache.getOrSet('key', async (ctx) => {
        await cache.invalidateTag('late')
        ctx.tags.push('late')
        return i
      })
      expect(cache.getSync('key')).toBeUndefined()
    }
    await cache.getOrSet('key', (ctx) => {
      ctx.tags.push('late')
      return 5
    })
    expect(cache.getSync('key')).toBe(5)
  })

  test('conditional refresh: the factory sees the stale value and keeps it', async () => {
    await using world = new World(kind)
    const { cache } = world.process({ grace: 1000 })
    await cache.set('key', { etag: 1 })
    world.advance(1001)
    const kept = await cache.getOrSet('key', (ctx) => {
      expect(ctx.stale).toEqual({ etag: 1 })
      return ctx.keep()
    })
    expect(kept).toEqual({ etag: 1 })
    expect(await cache.remainingTtl('key')).toBe(1000)
    await expect(cache.getOrSet('none', (ctx) => ctx.keep())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test('grace: a failing factory leaves the stale value, for a while without asking again', async () => {
    await using world = new World(kind)
    const errors: unknown[] = []
    const { cache } = world.process({ grace: '1m', graceRetry: 100, onError: (error) => errors.push(error) })
    await cache.set('key', 'old')
    world.advance(1001)
    expect(cache.getSync('key')).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
    let calls = 0
    const failing = () => {
      calls++
      return Promise.reject(new Error('no source'))
    }
    expect(await cache.getOrSet('key', failing)).toBe('old')
    expect(await cache.getOrSet('key', failing)).toBe('old')
    expect([calls, errors.length]).toEqual([1, 1])
    world.advance(101)
    expect(await cache.getOrSet('key', failing)).toBe('old')
    expect(calls).toBe(2)
    world.advance(60_000)
    await expect(cache.getOrSet('key', failing)).rejects.toThrow('no source')
  })

  test('grace: a stale value of the second tier serves a process that never had it', async () => {
    await using world = new World(kind)
    const [a, b] = [world.process({ grace: '1m' }).cache, world.process({ grace: '1m' }).cache]
    await a.set('key', 'old')
    world.advance(1001)
    expect(await b.getOrSet('key', () => Promise.reject(new Error('no source')))).toBe('old')
  })

  test('soft timeout: the stale value now, the new one when it is there', async () => {
    await using world = new World(kind)
    const { cache } = world.process({ grace: '1m', softTimeout: 20 })
    await cache.set('key', 'old')
    world.advance(1001)
    const made = deferred<string>()
    expect(await cache.getOrSet('key', () => made.promise)).toBe('old')
    made.resolve('new')
    await settled()
    expect(cache.getSync('key')).toBe('new')
  })

  test('hard timeout: FACTORY_TIMEOUT without a stale value, and the result is stored later', async () => {
    await using world = new World(kind)
    const { cache } = world.process({ hardTimeout: 20 })
    const made = deferred<string>()
    await expect(cache.getOrSet('key', () => made.promise)).rejects.toMatchObject({ code: 'FACTORY_TIMEOUT' })
    made.resolve('late')
    await settled()
    expect(cache.getSync('key')).toBe('late')
  })

  test('stale-while-revalidate: at once the old, in the background the new, by one factory', async () => {
    await using world = new World(kind)
    const { cache } = world.process({ staleWhileRevalidate: 500 })
    await cache.set('key', 'old')
    world.advance(1001)
    const made = deferred<string>()
    let calls = 0
    const factory = () => {
      calls++
      return made.promise
    }
    expect(await cache.getOrSet('key', factory)).toBe('old')
    expect(await cache.getOrSet('key', factory)).toBe('old')
    await settled()
    made.resolve('new')
    await settled()
    expect([cache.getSync('key'), calls]).toEqual(['new', 1])
    world.advance(1501)
    expect(await cache.getOrSet('key', () => 'newer')).toBe('newer')
  })

  test('early refresh: a request near the end is served and makes it anew (XFetch)', async () => {
    await using world = new World(kind)
    let random = 0
    const { cache } = world.process({ earlyRefresh: 1, random: () => random })
    await cache.getOrSet('key', () => {
      world.advance(100)
      return 'old'
    })
    let calls = 0
    const factory = () => {
      calls++
      return 'new'
    }
    world.advance(850)
    expect(await cache.getOrSet('key', factory)).toBe('old')
    expect(calls).toBe(0)
    // -ln(1 - r) * 100 ms reaches beyond the remaining 150 ms
    random = 0.9
    expect(await cache.getOrSet('key', factory)).toBe('old')
    await settled()
    expect([calls, cache.getSync('key')]).toEqual([1, 'new'])
  })

  test('a waiter leaves by its signal; the factory is told when the last has left', async () => {
    await using world = new World(kind)
    const { cache } = world.process()
    const first = new AbortController()
    const second = new AbortController()
    let signal: AbortSignal | undefined
    const never = (ctx: { signal: AbortSignal }) => {
      signal = ctx.signal
      return new Promise<number>(() => {})
    }
    const a = cache.getOrSet('key', never, { signal: first.signal })
    const b = cache.getOrSet('key', never, { signal: second.signal })
    const left = [expect(a).rejects.toThrow('first'), expect(b).rejects.toThrow('second')]
    await settled()
    first.abort(new Error('first'))
    await left[0]
    expect(signal?.aborted).toBe(false)
    second.abort(new Error('second'))
    await left[1]
    expect(signal?.aborted).toBe(true)
    expect(await cache.getOrSet('key', () => 5)).toBe(5)
  })

  test('R3, R19 in one process: what is deleted while a factory runs is not brought back', async () => {
    for (const world of [new World(kind), new World(kind)]) {
      await using _ = world
      const cache = world.alone()
      const made = deferred<string>()
      const waiting = cache.getOrSet('key', () => made.promise)
      await settled()
      await cache.delete('key')
      const after = cache.getOrSet('key', () => 'new')
      made.resolve('old')
      expect(await waiting).toBe('old')
      expect(await after).toBe('new')
      expect(cache.getSync('key')).toBe('new')
    }
  })

  test('with a lease one host computes, and the others get its value', async () => {
    await using world = new World(kind)
    const hosts = Array.from({ length: 4 }, () => world.process({ lease: '5s' }).cache)
    let calls = 0
    const made = deferred<string>()
    const all = hosts.map((cache) =>
      cache.getOrSet('key', () => {
        calls++
        return made.promise
      }),
    )
    await settled()
    made.resolve('value')
    expect(new Set(await Promise.all(all))).toEqual(new Set(['value']))
    expect(calls).toBe(1)
  })
})
