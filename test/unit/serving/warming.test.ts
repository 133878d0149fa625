import { describe, expect, test } from 'vitest'
import { LocalCache, SharedCache, TieredCache, warmFromStore, warmKeys } from '../../../src/index.js'

const code = (expected: string): unknown => expect.objectContaining({ name: 'HitpathError', code: expected })
const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
const load = async (some: string[]) => some.map((key) => Number(key.slice(4)))

const makers = {
  LocalCache: () => new LocalCache<number>(),
  'portable LocalCache': () => new LocalCache<number>({ engine: 'portable' }),
  SharedCache: () => SharedCache.create<number>({ maxBytes: 2 ** 20 }),
  TieredCache: () => new TieredCache<number>(),
} as const

async function storedIn(cache: ReturnType<(typeof makers)[keyof typeof makers]>, key: string) {
  return await cache.get(key)
}

describe.each(Object.keys(makers) as (keyof typeof makers)[])('%s', (kind) => {
  test('loads what it lacks, in batches', async () => {
    const cache = makers[kind]()
    await cache.set('key 3', -3)
    const asked: string[][] = []
    const told: number[] = []
    const result = await warmKeys(
      cache,
      keys,
      (some) => {
        asked.push(some)
        return load(some)
      },
      { batch: 30, concurrency: 1, onProgress: ({ done, total }) => told.push(done, total as number) },
    )
    expect(result).toMatchObject({ done: 100, total: 100, warmed: 100, failed: 0, bytes: 0, complete: true })
    expect(asked.map(({ length }) => length)).toEqual([29, 30, 30, 10])
    expect(told).toEqual([30, 100, 60, 100, 90, 100, 100, 100])
    expect(await storedIn(cache, 'key 3')).toBe(-3)
    expect(await storedIn(cache, 'key 99')).toBe(99)
    await cache.close()
  })

  test('a key that fails takes no other with it', async () => {
    const cache = makers[kind]()
    const bad = new Error('no data')
    const result = await warmKeys(
      cache,
      keys,
      async (some) => {
        if (some.includes('key 41') || some.includes('key 42')) throw bad
        return load(some)
      },
      { batch: 10 },
    )
    expect(result).toMatchObject({ done: 100, warmed: 98, failed: 2, error: bad })
    expect(await storedIn(cache, 'key 40')).toBe(40)
    expect(await storedIn(cache, 'key 41')).toBeUndefined()
    await cache.close()
  })

  test('a value of undefined is a failed key, a wrong number of them a failed batch', async () => {
    const cache = makers[kind]()
    const some = await warmKeys(cache, keys, (k) => k.map((key) => (key === 'key 5' ? undefined : 1)))
    expect(some).toMatchObject({ warmed: 99, failed: 1 })
    const other = makers[kind]()
    expect(await warmKeys(other, keys, () => [])).toMatchObject({
      warmed: 0,
      failed: 100,
      error: code('INVALID_VALUE'),
    })
    await cache.close()
    await other.close()
  })

  test('stopOnError throws what the loader threw, and begins no further batch', async () => {
    const cache = makers[kind]()
    let calls = 0
    const failing = async (): Promise<number[]> => {
      calls++
      throw new Error('down')
    }
    const options = { stopOnError: true, concurrency: 2, batch: 10 }
    await expect(warmKeys(cache, keys, failing, options)).rejects.toThrow('down')
    expect(calls).toBeLessThanOrEqual(2)
    await cache.close()
  })
})

test('at most so many batches are under way, however fast the keys come', async () => {
  const cache = new LocalCache<number>()
  let under = 0
  let most = 0
  let given = 0
  let returned = false
  async function* source() {
    try {
      for (const key of keys) {
        given++
        yield key
      }
    } finally {
      returned = true
    }
  }
  await warmKeys(
    cache,
    source(),
    async (some) => {
      most = Math.max(most, ++under)
      expect(given).toBeLessThanOrEqual(cache.size + 40)
      await new Promise((resolve) => setImmediate(resolve))
      under--
      return load(some)
    },
    { concurrency: 3, batch: 10 },
  )
  expect([most, returned, cache.size]).toEqual([3, true, 100])
})

test('a cancelled warming waits neither for its keys nor for further batches', async () => {
  const cache = new LocalCache<number>()
  const stop = new AbortController()
  const reason = new Error('enough')
  async function* endless() {
    yield* keys.slice(0, 20)
    await new Promise(() => {})
  }
  const warming = warmKeys(cache, endless(), load, {
    batch: 10,
    signal: stop.signal,
    onProgress: ({ done }) => done === 20 && stop.abort(reason),
  })
  await expect(warming).rejects.toBe(reason)
  expect(cache.size).toBe(20)
})

test('an iterable that throws ends it', async () => {
  function* source() {
    yield 'key 1'
    throw new Error('the list is broken')
  }
  await expect(warmKeys(new LocalCache<number>(), source(), load)).rejects.toThrow('the list is broken')
})

test('what is wrong in use is said', async () => {
  const cache = new LocalCache<number>()
  await expect(warmKeys(cache, 5 as never, load)).rejects.toEqual(code('INVALID_ARGUMENT'))
  await expect(warmKeys(cache, keys, 5 as never)).rejects.toEqual(code('INVALID_OPTION'))
  await expect(warmKeys(cache, keys, load, { batches: 5 } as never)).rejects.toEqual(code('INVALID_OPTION'))
  await expect(warmKeys(cache, keys, load, { batch: 0 })).rejects.toEqual(code('INVALID_OPTION'))
  cache.close()
  await expect(warmKeys(cache, keys, load)).rejects.toEqual(code('CLOSED'))
  const tiered = new TieredCache()
  await expect(warmFromStore(tiered, { order: 'coldest' as never })).rejects.toEqual(code('INVALID_OPTION'))
  await expect(warmFromStore(tiered, { timeout: '-1s' as never })).rejects.toEqual(code('INVALID_TTL'))
  expect(await warmFromStore(tiered)).toMatchObject({ done: 0, total: 0, complete: true })
  await tiered.close()
  await expect(warmFromStore(tiered)).rejects.toEqual(code('CLOSED'))
})
