import { describe, expect, it, vi } from 'vitest'
import { EventInvalidator } from '../../../../src/serving/events/event-invalidator.js'
import type { EventInvalidatorOptions } from '../../../../src/serving/events/options.js'
import { isSettled, Recorder, turn } from './recorder.js'

interface Bar {
  readonly symbol: string
  readonly seq?: number | bigint
  readonly also?: string
}

const tagsOf = ({ symbol, also }: Bar): string[] => [`bar:${symbol}`, ...(also === undefined ? [] : [also])]

function over(cache: Recorder | readonly Recorder[], options: Partial<EventInvalidatorOptions<Bar>> = {}) {
  const errors: unknown[] = []
  const invalidator = new EventInvalidator<Bar>({
    caches: cache,
    tags: tagsOf,
    key: ({ symbol }) => symbol,
    retryDelay: 1,
    onError: (error) => errors.push(error),
    ...options,
  })
  return { invalidator, errors }
}

describe('EventInvalidator.handle', () => {
  it('resolves once every cache has invalidated', async () => {
    const caches = [new Recorder(), new Recorder()]
    caches[1]!.held = true
    const { invalidator } = over(caches)

    const handled = invalidator.handle({ symbol: 'X' })

    expect(caches.map(({ asked }) => asked)).toEqual([['bar:X'], ['bar:X']])
    expect(await isSettled(handled)).toBe(false)
    await caches[1]!.release()
    await handled
    expect(invalidator.stats()).toMatchObject({ received: 1, invalidated: 1, failed: 0 })
  })

  it('begins within the call where the key is idle, and is over then with caches that answer at once', () => {
    const asked: string[] = []
    const invalidator = new EventInvalidator<Bar>({
      caches: { invalidateTag: (tag) => asked.push(tag), clear: () => {} },
      tags: tagsOf,
      dependencies: { 'bar:{symbol}': ['features:{symbol}'], 'features:{symbol}': ['predictions:{symbol}'] },
    })

    void invalidator.handle({ symbol: 'X' })

    expect(asked).toEqual(['bar:X', 'features:X', 'predictions:X'])
  })

  it('asks for what depends on a tag after the tag has gone', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache, { dependencies: { 'bar:{s}': ['features:{s}'] } })

    const handled = invalidator.handle({ symbol: 'X' })
    await turn()
    expect(cache.asked).toEqual(['bar:X'])
    await cache.step()
    expect(cache.asked).toEqual(['bar:X', 'features:X'])
    await cache.step()
    await handled
  })

  it('invalidates patterns after tags', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache, { patterns: ({ symbol }) => [`f:*${symbol}*`] })

    await invalidator.handle({ symbol: 'X' })

    expect(cache.asked).toEqual(['bar:X', 'pattern f:*X*'])
  })

  it('covers with one invalidation the events of a key that come while one is under way', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache)

    const first = invalidator.handle({ symbol: 'X' })
    const later = Array.from({ length: 100 }, () => invalidator.handle({ symbol: 'X' }))
    later.push(invalidator.handle({ symbol: 'X', also: 'extra' }))
    await cache.step()
    await first
    expect(await isSettled(later[0]!)).toBe(false) // the first began before they came: it does not cover them
    expect(cache.asked).toEqual(['bar:X', 'bar:X'])
    await cache.release()
    await Promise.all(later)

    expect(cache.asked).toEqual(['bar:X', 'bar:X', 'extra'])
    expect(invalidator.stats()).toMatchObject({ received: 102, invalidated: 2, coalesced: 100, waiting: 0 })
  })

  it('handles keys side by side, at most `concurrency` of them', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache, { queue: { concurrency: 2 } })

    for (const symbol of ['A', 'B', 'C', 'D']) void invalidator.handle({ symbol })
    expect(cache.asked).toEqual(['bar:A', 'bar:B'])
    await cache.step()
    expect(cache.asked).toEqual(['bar:A', 'bar:B', 'bar:C', 'bar:D'])
    await cache.release()
    await invalidator.close()
  })

  it('clears the caches once when more keys wait than may, and all of them are covered', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache, { queue: { max: 3, concurrency: 1 } })

    const all = Array.from({ length: 50 }, (_, i) => invalidator.handle({ symbol: `S${i}` }))
    expect(cache.asked).toEqual(['bar:S0', 'clear'])
    await cache.step()
    expect(cache.asked).toEqual(['bar:S0', 'clear', 'clear'].concat(cache.asked.slice(3)))
    await cache.release()
    await Promise.all(all)
    await invalidator.close()

    const { overflows, invalidated, waiting, received } = invalidator.stats()
    expect(received).toBe(50)
    expect(overflows).toBeGreaterThan(0)
    expect(invalidated).toBeLessThan(20)
    expect(waiting).toBe(0)
  })

  it('does not take a clear under way for a cover of what comes after it began', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache, { queue: { max: 1, concurrency: 1 } })
    void invalidator.handle({ symbol: 'A' })
    void invalidator.handle({ symbol: 'B' })
    const covered = invalidator.handle({ symbol: 'C' })
    expect(cache.asked).toEqual(['bar:A', 'clear'])

    const after = invalidator.handle({ symbol: 'D' })
    await cache.step()
    expect(await isSettled(covered)).toBe(true)
    expect(await isSettled(after)).toBe(false)
    expect(cache.asked).toEqual(['bar:A', 'clear', 'bar:D'])
    await cache.release()
    await after
  })

  it('gives up the oldest on an overflow when told so, and says so', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator, errors } = over(cache, { queue: { max: 1, concurrency: 1, overflow: 'oldest' } })
    void invalidator.handle({ symbol: 'A' })
    const given = invalidator.handle({ symbol: 'B' })
    const kept = invalidator.handle({ symbol: 'C' })

    await expect(given).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await cache.release()
    await kept
    expect(cache.asked).toEqual(['bar:A', 'bar:C'])
    expect(invalidator.stats()).toMatchObject({ overflows: 1, failed: 1, invalidated: 2 })
    expect(errors).toHaveLength(1)
  })

  it('does not let one waiting key gather tags without end', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache)
    const all = Array.from({ length: 3000 }, (_, i) => invalidator.handle({ symbol: 'X', also: `t${i}` }))

    expect(cache.asked).toContain('clear')
    await cache.release()
    await Promise.all(all)
  })
})

describe('sequence', () => {
  const sequence = ({ seq = 0 }: Bar): number | bigint => seq

  it('passes over a duplicate, which settles with the event that it repeats', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache, { sequence })

    const first = invalidator.handle({ symbol: 'X', seq: 7 })
    const again = invalidator.handle({ symbol: 'X', seq: 7n })
    expect(await isSettled(again)).toBe(false)
    await cache.release()
    await Promise.all([first, again])
    await invalidator.handle({ symbol: 'X', seq: 7 })

    expect(cache.asked).toEqual(['bar:X'])
    expect(invalidator.stats()).toMatchObject({ received: 3, duplicates: 2, late: 0, invalidated: 1 })
  })

  it('lets a late event invalidate, or not when told so; keys have sequences of their own', async () => {
    for (const [late, asked] of [
      ['invalidate', ['bar:X', 'bar:X', 'bar:Y']],
      ['ignore', ['bar:X', 'bar:Y']],
    ] as const) {
      const cache = new Recorder()
      const { invalidator } = over(cache, { sequence, late })
      await invalidator.handle({ symbol: 'X', seq: 7 })
      await invalidator.handle({ symbol: 'X', seq: 6 })
      await invalidator.handle({ symbol: 'Y', seq: 1 })

      expect(cache.asked).toEqual(asked)
      expect(invalidator.stats()).toMatchObject({ late: 1, duplicates: 0 })
    }
  })

  it('does not take an event for a duplicate of one whose invalidation failed', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache, { sequence, retries: 0 })
    cache.failures = 1
    await expect(invalidator.handle({ symbol: 'X', seq: 7 })).rejects.toThrow('refused')

    await invalidator.handle({ symbol: 'X', seq: 7 })

    expect(invalidator.stats()).toMatchObject({ invalidated: 1, failed: 1, duplicates: 0 })
  })

  it('forgets the least recently changed key beyond `maxKeys`', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache, { sequence, maxKeys: 2 })
    for (const symbol of ['A', 'B', 'C', 'C', 'B', 'A']) await invalidator.handle({ symbol, seq: 1 })

    expect(invalidator.stats()).toMatchObject({ duplicates: 2, invalidated: 4 })
  })
})

describe('what fails', () => {
  it('is tried again, and counts as one invalidation', async () => {
    const cache = new Recorder()
    const { invalidator, errors } = over(cache)
    cache.failures = 3

    await invalidator.handle({ symbol: 'X' })

    expect(cache.asked).toEqual(['bar:X', 'bar:X', 'bar:X', 'bar:X'])
    expect(invalidator.stats()).toMatchObject({ retried: 3, invalidated: 1, failed: 0 })
    expect(errors).toEqual([])
  })

  it('is given up after the retries, reported, and no business of other keys', async () => {
    const cache = new Recorder()
    const { invalidator, errors } = over(cache, { retries: 1 })
    cache.failures = 2

    await expect(invalidator.handle({ symbol: 'X' })).rejects.toThrow('refused bar:X')
    await invalidator.handle({ symbol: 'Y' })

    expect(errors).toHaveLength(1)
    expect(invalidator.stats()).toMatchObject({ retried: 1, invalidated: 1, failed: 1 })
  })

  it('is not tried again when the cache is closed', async () => {
    const { LocalCache } = await import('../../../../src/l1/local-cache.js')
    const cache = new LocalCache()
    cache.close()
    const invalidator = new EventInvalidator<Bar>({ caches: cache, tags: tagsOf, onError: () => {} })

    await expect(invalidator.handle({ symbol: 'X' })).rejects.toMatchObject({ code: 'CLOSED' })
    expect(invalidator.stats().retried).toBe(0)
  })

  it('in one cache does not keep it from the others', async () => {
    const [bad, good] = [new Recorder(), new Recorder()]
    bad.failures = 9
    const { invalidator } = over([bad, good], { retries: 0 })

    await expect(invalidator.handle({ symbol: 'X' })).rejects.toThrow('refused')
    expect(good.asked).toEqual(['bar:X'])
  })

  it('is malformed when the functions make no sense of it, and rejects', async () => {
    const cache = new Recorder()
    const { invalidator, errors } = over(cache, { sequence: ({ seq = 0 }) => seq })
    const bad = [undefined, { symbol: 7 }, { symbol: 'X', seq: Number.NaN }, { symbol: 'X', seq: '1' }]

    for (const event of bad)
      await expect(invalidator.handle(event as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })

    expect(cache.asked).toEqual([])
    expect(invalidator.stats()).toMatchObject({ received: 4, malformed: 4, failed: 0 })
    expect(errors).toHaveLength(4)
  })

  it('never ends the process: a listener that throws, one that rejects, a promise that nobody awaits', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const cache = new Recorder()
    cache.failures = 3
    const listeners: ((error: unknown) => unknown)[] = [
      () => {
        throw new Error('mine')
      },
      async () => {
        throw new Error('mine too')
      },
    ]
    for (const onError of listeners)
      void over(cache, { retries: 0, onError: onError as () => void }).invalidator.handle({ symbol: 'X' })
    const { invalidator } = over(cache, { retries: 0, onError: undefined as never })
    void invalidator.handle({ symbol: 'X' })
    await turn()
    await turn()

    const said = warned.mock.calls.map(([text]) => String(text))
    expect(said).toHaveLength(3)
    for (const [i, why] of ['mine', 'refused', 'mine too'].entries()) expect(said[i]).toContain(why)
    expect(unhandled).not.toHaveBeenCalled()
    process.off('unhandledRejection', unhandled)
    warned.mockRestore()
  })
})

describe('options and life', () => {
  it.each([
    [{ caches: [] }, /caches/],
    [{ caches: {} }, /invalidateTag/],
    [{ caches: { invalidateTag() {} } }, /clear/],
    [{ patterns: () => [], caches: { invalidateTag() {}, clear() {} } }, /invalidatePattern/],
    [{ tags: undefined }, /tags/],
    [{ tags: ['x'] }, /tags/],
    [{ queue: { max: 0 } }, /queue.max/],
    [{ queue: { size: 1 } }, /no option "size"/],
    [{ queue: { overflow: 'newest' } }, /overflow/],
    [{ gap: 'known' }, /gap/],
    [{ late: 'drop' }, /late/],
    [{ retries: -1 }, /retries/],
    [{ dependencies: { a: ['a'] } }, /EventInvalidator.dependencies has a cycle/],
    [{ tag: () => [] }, /no option "tag"/],
  ])('refuses %j', (options, message) => {
    const all = { caches: new Recorder(), tags: tagsOf, ...options }
    expect(() => new EventInvalidator<Bar>(all as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) }),
    )
  })

  it('needs no clear() where nothing may ask for one', async () => {
    const asked: string[] = []
    const invalidator = new EventInvalidator<Bar>({
      caches: { invalidateTag: (tag) => asked.push(tag) },
      tags: tagsOf,
      gap: 'ignore',
      queue: { overflow: 'oldest' },
    })

    await invalidator.handle({ symbol: 'X' })

    expect(asked).toEqual(['bar:X'])
  })

  it('waits for what is under way when it is closed, and takes nothing more', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache)
    const handled = invalidator.handle({ symbol: 'X' })

    const closed = invalidator.close()
    expect(await isSettled(closed)).toBe(false)
    await expect(invalidator.handle({ symbol: 'Y' })).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => invalidator.consume([])).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await cache.release()
    await Promise.all([handled, closed])
    expect(cache.asked).toEqual(['bar:X'])
  })

  it('tells the lag once there is one', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)
    expect(invalidator.stats().lagMs).toBeUndefined()

    await invalidator.handle({ symbol: 'X' })

    const { p50, p99, max } = invalidator.stats().lagMs!
    expect(p50).toBeLessThanOrEqual(p99)
    expect(p99).toBeLessThanOrEqual(max)
  })
})
