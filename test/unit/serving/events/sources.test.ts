import { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { EventInvalidator } from '../../../../src/serving/events/event-invalidator.js'
import { isSettled, Recorder, turn } from './recorder.js'

interface Bar {
  readonly symbol: string
}

function over(cache: Recorder) {
  const errors: unknown[] = []
  const invalidator = new EventInvalidator<Bar>({
    caches: cache,
    tags: ({ symbol }) => [`bar:${symbol}`],
    retries: 0,
    onError: (error) => errors.push(error),
  })
  return { invalidator, errors }
}

describe('listen', () => {
  it('begins within emit, and turns a flood into a few invalidations', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)
    const emitter = new EventEmitter()
    invalidator.listen(emitter, 'bar')

    emitter.emit('bar', { symbol: 'S0' })
    expect(cache.asked).toEqual(['bar:S0'])
    for (let i = 0; i < 100_000; i++) emitter.emit('bar', { symbol: `S${i % 3}` })
    await invalidator.close()

    expect(cache.asked.length).toBeLessThan(20)
    expect(new Set(cache.asked.slice(-3))).toEqual(new Set(['bar:S0', 'bar:S1', 'bar:S2']))
    const { received, coalesced, invalidated } = invalidator.stats()
    expect(received).toBe(100_001)
    expect(coalesced + invalidated).toBe(received)
  })

  it('survives what makes no sense and what fails, and never throws into emit', async () => {
    const cache = new Recorder()
    const { invalidator, errors } = over(cache)
    const emitter = new EventEmitter()
    const feed = invalidator.listen(emitter, 'bar', (kind: string, symbol: string) => {
      if (kind === 'bad') throw new Error('no such kind')
      return kind === 'other' ? undefined : { symbol }
    })

    emitter.emit('bar', 'bad', 'X')
    emitter.emit('bar', 'other', 'X')
    cache.failures = 1
    emitter.emit('bar', 'bar', 'X')
    await turn()
    emitter.emit('bar', 'bar', 'Y')
    await turn()

    expect(cache.asked).toEqual(['bar:X', 'bar:Y'])
    expect(errors).toHaveLength(2)
    expect(feed.linked).toBe(true)
    expect(invalidator.stats()).toMatchObject({
      malformed: 1,
      failed: 1,
      invalidated: 1,
      sources: 1,
      linked: 1,
    })
  })

  it('hears nothing more once closed, and the invalidator forgets it', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)
    const emitter = new EventEmitter()
    const feed = invalidator.listen(emitter, 'bar')
    await feed.ready

    await feed.close()
    emitter.emit('bar', { symbol: 'X' })

    await feed.done
    expect(emitter.listenerCount('bar')).toBe(0)
    expect(cache.asked).toEqual([])
    expect(invalidator.stats().sources).toBe(0)
  })

  it('hears an EventTarget', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)
    const target = new EventTarget()
    invalidator.listen(target, 'message', (event: MessageEvent) => event.data as Bar)

    target.dispatchEvent(new MessageEvent('message', { data: { symbol: 'X' } }))

    expect(cache.asked).toEqual(['bar:X'])
    await invalidator.close()
  })

  it('refuses what emits nothing', () => {
    const { invalidator } = over(new Recorder())
    for (const emitter of [undefined, 7, {}, { on() {} }])
      expect(() => invalidator.listen(emitter as never, 'bar')).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
  })
})

describe('consume', () => {
  async function* bars(count: number, read: { count: number }): AsyncGenerator<Bar> {
    for (let i = 0; i < count; i++) {
      read.count++
      yield { symbol: `S${i}` }
    }
  }

  it('reads no further ahead than the window, and is done once all is handled', async () => {
    const cache = new Recorder()
    cache.held = true
    const { invalidator } = over(cache)
    const read = { count: 0 }

    const { done } = invalidator.consume(bars(100, read), { window: 5 })
    await turn()
    expect(read.count).toBe(5)
    await cache.step()
    await turn()
    expect(read.count).toBe(10)
    expect(await isSettled(done)).toBe(false)
    await cache.release()
    await done

    expect(cache.asked).toHaveLength(100)
    expect(invalidator.stats()).toMatchObject({ received: 100, invalidated: 100, sources: 0 })
  })

  it('reads a Readable and an array', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)

    await invalidator.consume(Readable.from([{ symbol: 'A' }, { symbol: 'B' }])).done
    await invalidator.consume([{ symbol: 'C' }]).done

    expect(cache.asked).toEqual(['bar:A', 'bar:B', 'bar:C'])
  })

  it('passes over an event that makes no sense and one whose invalidation fails', async () => {
    const cache = new Recorder()
    cache.failures = 1
    const { invalidator, errors } = over(cache)

    await invalidator.consume([{ symbol: 'A' }, null as never, { symbol: 'B' }]).done

    expect(cache.asked).toEqual(['bar:A', 'bar:B'])
    expect(errors).toHaveLength(2)
  })

  it('rejects done with what the iterable throws, after what came before it', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)
    async function* broken(): AsyncGenerator<Bar> {
      yield { symbol: 'A' }
      throw new Error('cut')
    }

    await expect(invalidator.consume(broken()).done).rejects.toThrow('cut')
    expect(cache.asked).toEqual(['bar:A'])
  })

  it('ends at the signal, even before a source that never gives', async () => {
    const cache = new Recorder()
    const { invalidator } = over(cache)
    const controller = new AbortController()
    const mute: AsyncIterable<Bar> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }

    const feed = invalidator.consume(mute, { signal: controller.signal })
    expect(await isSettled(feed.done)).toBe(false)
    controller.abort()
    await feed.done
    await invalidator.consume(mute, { signal: controller.signal }).done
    await invalidator.close()
  })

  it('lets the iterable clean up when it is closed', async () => {
    const { invalidator } = over(new Recorder())
    let cleaned = false
    async function* endless(): AsyncGenerator<Bar> {
      try {
        for (;;) {
          await turn()
          yield { symbol: 'A' }
        }
      } finally {
        cleaned = true
      }
    }
    const feed = invalidator.consume(endless())
    await turn()

    await feed.close()
    await turn()
    await turn()

    expect(cleaned).toBe(true)
  })

  it('lets the event loop run before an iterable that always has one and caches that answer at once', async () => {
    const invalidator = new EventInvalidator<Bar>({
      caches: { invalidateTag() {}, clear() {} },
      tags: ({ symbol }) => [symbol],
    })
    let turns = 0
    let counting = true
    const count = (): void => {
      turns++
      if (counting) setImmediate(count)
    }
    setImmediate(count)

    await invalidator.consume(Array.from({ length: 10_000 }, (_, i) => ({ symbol: `${i}` }))).done
    counting = false

    expect(turns).toBeGreaterThan(50)
  })

  it.each([[7], [undefined], ['text'], [{}]])('refuses %j', (events) => {
    const { invalidator } = over(new Recorder())
    expect(() => invalidator.consume(events as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
})

describe('subscribe and follow', () => {
  const client = { status: 'wait', duplicate: () => client, callBuffer: () => {}, options: {} }

  it.each([
    ['no client', () => ({}) as never, 's', {}],
    ['no channel', () => client, [], {}],
    ['an option that is none', () => client, 's', { channel: 1 }],
    ['a parser that is none', () => client, 's', { parse: 'json' }],
    ['a heartbeat that is none', () => client, 's', { heartbeat: 0 }],
  ])('subscribe refuses %s', (_, make, channels, options) => {
    const { invalidator } = over(new Recorder())
    expect(() => invalidator.subscribe(make() as never, channels, options as never)).toThrow(
      expect.objectContaining({ name: 'HitpathError' }),
    )
    expect(invalidator.stats().sources).toBe(0)
  })

  it.each([
    ['no options', undefined],
    ['no stream', { group: false }],
    ['no group', { stream: 's' }],
    ['a group without a consumer', { stream: 's', group: 'g' }],
    ['a consumer without a group', { stream: 's', group: false, consumer: 'c' }],
    ['a beginning that is none', { stream: 's', group: false, from: 'now' }],
    ['an empty batch', { stream: 's', group: false, batch: 0 }],
    ['an option that is none', { stream: 's', group: false, idle: 1 }],
  ])('follow refuses %s', (_, options) => {
    const { invalidator } = over(new Recorder())
    expect(() => invalidator.follow(client as never, options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    )
  })
})
