import { channel } from 'node:diagnostics_channel'
import { LRUCache as Theirs } from 'lru-cache'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { LRUCache } from '../../../src/compat/lru-cache/index.js'

describe('LRUCache beside lru-cache', () => {
  it.each([
    [{}],
    [{ max: -1 }],
    [{ max: 1.5 }],
    [{ max: 1, ttl: -1 }],
    [{ max: 1, ttl: 0.5 }],
    [{ max: 1, maxSize: -1 }],
    [{ max: 1, maxSize: 1.5 }],
    [{ max: 1, maxEntrySize: 1.5 }],
    [{ max: 1, sizeCalculation: () => 1 }],
    [{ maxSize: 1, sizeCalculation: 1 }],
    [{ max: 1, fetchMethod: 1 }],
    [{ max: 1, memoMethod: 1 }],
    [{ max: 1, perf: {} }],
    [{ max: 1, perf: null }],
    [{ max: null }],
    [{ max: '3' }],
    [{ max: 1, maxSize: null }],
    [{ max: 1, maxSize: NaN }],
    [{ max: 2 ** 60 }],
    [undefined],
  ])('refuses %j in the same words', (options) => {
    const thrown = (Cache: typeof LRUCache | typeof Theirs): string => {
      try {
        ;new (Cache as typeof LRUCache)(options as never)
        return 'nothing'
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`
      }
    }
    expect(thrown(LRUCache)).toBe(thrown(Theirs))
    expect(thrown(LRUCache)).not.toBe('nothing')
  })

  it.each([
    [{ max: 2 }, { size: 1 }],
    [{ maxSize: 2 }, {}],
    [{ maxSize: 2 }, { size: 0.5 }],
    [{ maxSize: 2 }, { sizeCalculation: () => 0 }],
  ])('refuses in a cache of %j a set of %j in the same words', (options, given) => {
    const thrown = (cache: LRUCache<string, number> | Theirs<string, number>): string => {
      try {
        cache.set('a', 1, given)
        return 'nothing'
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`
      }
    }
    expect(thrown(new LRUCache(options as never))).toBe(thrown(new Theirs(options as never)))
  })

  it('shows the same properties', () => {
    const options = {
      max: 5,
      ttl: 7,
      maxSize: 9,
      allowStale: true,
      sizeCalculation: () => 1,
      noUpdateTTL: true,
    }
    const ours: Record<string, unknown> = {}
    const theirs: Record<string, unknown> = {}
    for (const name of [
      ...['max', 'maxSize', 'maxEntrySize', 'ttl', 'ttlResolution', 'ttlAutopurge', 'size', 'calculatedSize'],
      ...[
        'updateAgeOnGet',
        'updateAgeOnHas',
        'allowStale',
        'noDisposeOnSet',
        'noUpdateTTL',
        'noDeleteOnStaleGet',
      ],
      ...[
        'noDeleteOnFetchRejection',
        'allowStaleOnFetchAbort',
        'allowStaleOnFetchRejection',
        'ignoreFetchAbort',
      ],
      ...['backgroundFetchSize', 'dispose', 'disposeAfter', 'onInsert', 'fetchMethod', 'memoMethod', 'perf'],
    ]) {
      ours[name] = new LRUCache(options)[name as 'max']
      theirs[name] = new Theirs(options)[name as 'max']
    }
    expect(ours).toEqual(theirs)
    expect(Object.prototype.toString.call(new LRUCache({ max: 1 }))).toBe('[object LRUCache]')
  })

  it('has the same properties of its own, in the same order', () => {
    const own = (cache: object): string[] => Object.keys(cache).filter((name) => name !== 'getRemainingTTL')
    expect(own(new LRUCache({ max: 1, ttl: 5 })).sort()).toEqual(own(new Theirs({ max: 1, ttl: 5 })).sort())
  })

  it('calls a method that a subclass has changed', () => {
    const deleted: string[] = []
    class Sub extends LRUCache<string, number> {
      override delete(key: string): boolean {
        deleted.push(key)
        return super.delete(key)
      }
    }
    const cache = new Sub({ max: 2 })
    cache.set('a', 1).set('a', undefined)
    expect(deleted).toEqual(['a'])
    expect(cache).toBeInstanceOf(LRUCache)
  })

  it('leaves the options of a call and the entries of a dump as they are', () => {
    const cache = new LRUCache<string, number>({ max: 2, ttl: 50 })
    const frozen = Object.freeze({})
    cache.set('a', 1, frozen)
    expect(cache.get('a', frozen)).toBe(1)
    const dumped = cache.dump()
    const before = JSON.stringify(dumped)
    new LRUCache<string, number>({ max: 2, ttl: 50 }).load(dumped)
    expect(JSON.stringify(dumped)).toBe(before)
  })

  it('shows its inside as lru-cache does', () => {
    const shown = (Cache: typeof LRUCache | typeof Theirs): unknown => {
      const cache = new (Cache as typeof LRUCache<string, number>)({
        max: 3,
        ttl: 50,
        perf: { now: () => 7 },
      })
      cache.set('a', 1).set('b', 2).set('c', 3).delete('b')
      cache.get('a')
      const all = (Cache as typeof LRUCache).unsafeExposeInternals(cache)
      return [
        [...all.keyMap],
        all.keyList,
        all.valList,
        all.head,
        all.tail,
        all.prev[all.tail],
        all.next[all.head],
        [...all.indexes()],
        [...all.rindexes()],
        Array.from(all.starts ?? []),
        Array.from(all.ttls ?? []),
        all.isBackgroundFetch(Promise.resolve(1)),
        all.isStale(0),
      ]
    }
    expect(shown(LRUCache)).toEqual(shown(Theirs))
  })

  it('is made from another cache', () => {
    const first = new LRUCache<string, number>({ max: 3, ttl: 50 })
    const second = new LRUCache<string, number>(first)
    expect([second.max, second.ttl, second.size]).toEqual([3, 50, 0])
  })

  it('has their types', () => {
    const cache = new LRUCache<string, number, { user: string }>({ max: 1, fetchMethod: async () => 1 })
    expectTypeOf(cache.get('a')).toEqualTypeOf<number | undefined>()
    expectTypeOf(cache.entries()).toEqualTypeOf<Generator<[string, number], void, unknown>>()
    // @ts-expect-error a context is due
    void cache.fetch('a')
    void cache.fetch('a', { context: { user: 'u' } })
    const options: LRUCache.Options<string, number, unknown> = { max: 1 }
    expect(options.max).toBe(1)
    expectTypeOf<LRUCache.DisposeReason>().toEqualTypeOf<Theirs.DisposeReason>()
    expectTypeOf<LRUCache.Status<string, number>['get']>().toEqualTypeOf<
      Theirs.Status<string, number>['get']
    >()
  })

  it('publishes on their channels', () => {
    const heard: { op?: string; get?: string; delete?: string }[] = []
    const listener = (message: unknown): void => void heard.push({ ...(message as object) })
    const metrics = channel('lru-cache:metrics')
    metrics.subscribe(listener)
    try {
      const cache = new LRUCache<string, number>({ max: 2 })
      cache.set('a', 1).get('a')
      cache.get('b')
      cache.delete('a')
    } finally {
      metrics.unsubscribe(listener)
    }
    expect(heard.map(({ op, get, delete: why }) => [op, get ?? why])).toEqual([
      ['set', undefined],
      ['get', 'hit'],
      ['get', 'miss'],
      ['delete', 'delete'],
    ])
  })

  it('ends a fetch whose method gives undefined at once, where lru-cache waits for ever', async () => {
    const cache = new LRUCache<string, number>({ max: 2, fetchMethod: () => undefined })
    expect(await cache.fetch('a')).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  it('never serves a key of another identity', () => {
    const cache = new LRUCache<object | string | number, number>({ max: 10 })
    const [a, b] = [new Float64Array(2), new Float64Array(2)]
    cache.set(a, 1).set('1', 2).set(1, 3)
    expect([cache.get(a), cache.get(b), cache.get('1'), cache.get(1)]).toEqual([1, undefined, 2, 3])
    expect([...cache.keys()]).toEqual([1, '1', a])
  })

  it('stays whole when a listener writes to it', () => {
    const cache: LRUCache<number, number> = new LRUCache<number, number>({
      max: 3,
      disposeAfter: (value, key, reason) => {
        if (reason === 'evict' && key < 1_000) cache.set(key + 1_000, value)
      },
    })
    for (let i = 0; i < 200; i++) {
      cache.set(i % 50, i)
      expect(cache.size).toBeLessThanOrEqual(3)
      expect([...cache.keys()]).toHaveLength(cache.size)
    }
  })
})

describe("LRUCache with policy 'xg'", () => {
  it('keeps what is hit again through a scan, and iterates by recency', () => {
    const hits = (policy: 'lru' | 'xg'): number => {
      const cache = new LRUCache<string, number>({ max: 100, policy })
      let found = 0
      for (let round = 0; round < 50; round++) {
        for (let i = 0; i < 60; i++) {
          if (cache.get(`hot${i}`) === undefined) cache.set(`hot${i}`, i)
          else found++
        }
        for (let i = 0; i < 60; i++) cache.set(`scan${round}:${i}`, i)
      }
      const last = [...cache.keys()][0]
      expect(last).toBe('scan49:59')
      expect(cache.size).toBe(100)
      expect([...cache.rkeys()].reverse()).toEqual([...cache.keys()])
      return found
    }
    expect(hits('lru')).toBe(0)
    expect(hits('xg')).toBeGreaterThan(1_500)
  })

  it('evicts for sizes by the policy too, and tells of it', () => {
    const gone: string[] = []
    const cache = new LRUCache<string, string>({
      max: 50,
      maxSize: 100,
      policy: 'xg',
      sizeCalculation: (value) => value.length,
      dispose: (_, key, reason) => gone.push(`${key} ${reason}`),
    })
    for (let i = 0; i < 500; i++) cache.set(`k${i}`, 'x'.repeat(1 + (i % 9)))
    expect(cache.calculatedSize).toBeLessThanOrEqual(100)
    expect([...cache.values()].join('')).toHaveLength(cache.calculatedSize)
    expect(gone).toHaveLength(500 - cache.size)
    expect(new Set(gone.map((text) => text.split(' ')[1]))).toEqual(new Set(['evict']))
    expect(() => new LRUCache({ maxSize: 5, policy: 'xg' })).toThrow("policy 'xg' requires max")
  })
})

describe('autopurge', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('deletes what is over, without a read', () => {
    const gone: unknown[] = []
    const cache = new LRUCache<string, number>({
      ttl: 10,
      ttlAutopurge: true,
      perf: Date,
      dispose: (...told) => gone.push(told),
    })
    cache.set('a', 1)
    vi.advanceTimersByTime(20)
    expect(gone).toEqual([[1, 'a', 'expire']])
    expect(cache.size).toBe(0)
  })
})
