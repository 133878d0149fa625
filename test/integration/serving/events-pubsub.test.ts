import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RedisServer, TcpProxy, waitFor } from '../../support/redis.js'
import { client, listener } from './events-world.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  await server.stop()
})

const FAST = { heartbeat: 100, grace: 200 } as const

describe('subscribe', () => {
  it('handles what is published, and passes over what makes no sense', async () => {
    const redis = client(server.port)
    const { invalidator, hold, held, gone, errors } = listener()
    const feed = invalidator.subscribe(redis, ['bars', 'quotes'], FAST)
    await feed.ready
    hold('A', 'B', 'C')

    await redis.publish('bars', '{"symbol":')
    await redis.publish('bars', '{"symbol":7}')
    await redis.publish('bars', '{"symbol":"A"}')
    await redis.publish('quotes', '{"symbol":"B"}')
    await gone('A')
    await gone('B')

    expect(held('C')).toBe(true)
    expect(errors).toHaveLength(2)
    expect(invalidator.stats()).toMatchObject({ malformed: 2, invalidated: 2, gaps: 0, linked: 1 })
    await invalidator.close()
    expect(redis.status).toBe('ready')
    redis.disconnect()
  })

  it('takes patterns of channels and a parser', async () => {
    const redis = client(server.port)
    const { invalidator, hold, gone } = listener()
    const parse = (symbol: string, channel: string) => (channel === 'md.bar' ? { symbol } : undefined)
    await invalidator.subscribe(redis, 'md.*', { ...FAST, patterns: true, parse }).ready
    hold('A')

    await redis.publish('md.other', 'A')
    await redis.publish('md.bar', 'A')
    await gone('A')

    expect(invalidator.stats().received).toBe(1)
    await invalidator.close()
    redis.disconnect()
  })

  it('serves nothing that changed while the link was cut', async () => {
    const proxy = await TcpProxy.start(server.port)
    const redis = client(proxy.port)
    const direct = client(server.port)
    const all = listener()
    const known = listener({ symbols: ['A', 'B'] })
    const feeds = [all, known].map(({ invalidator }) => invalidator.subscribe(redis, 'cut', FAST))
    await Promise.all(feeds.map(({ ready }) => ready))
    for (const { hold, cache } of [all, known]) {
      hold('A', 'B')
      cache.set('other', 1)
    }

    proxy.refuse()
    await waitFor('the links to fall', () => feeds.every(({ linked }) => !linked))
    await direct.publish('cut', '{"symbol":"A"}')
    proxy.resume()
    await Promise.all([all.gone('A'), known.gone('A'), known.gone('B'), all.gone('other')])

    expect(known.held('other')).toBe(true) // what is known goes by its tags, and no more
    expect(known.invalidator.stats().gaps).toBeGreaterThan(0)
    await waitFor('the links', () => feeds.every(({ linked }) => linked))
    await Promise.all([all.invalidator.close(), known.invalidator.close()])
    for (const one of [redis, direct]) one.disconnect()
    await proxy.stop()
  })

  it('notices a link that is half open, and a server that was restarted', async () => {
    const own = await RedisServer.start()
    const proxy = await TcpProxy.start(own.port)
    const redis = client(proxy.port)
    const { invalidator, hold, gone } = listener()
    const feed = invalidator.subscribe(redis, 'bars', FAST)
    await feed.ready

    hold('A')
    proxy.strand()
    await gone('A')
    await waitFor('the link', () => feed.linked)
    hold('B')
    await own.restart()
    await gone('B')

    await invalidator.close()
    redis.disconnect()
    await proxy.stop()
    await own.stop()
  })

  it('invalidates few times in a flood, and the last event counts', async () => {
    const redis = client(server.port)
    const { invalidator, hold, gone } = listener()
    // A loaded machine may be slow to send it.
    await invalidator.subscribe(redis, 'flood', { heartbeat: 100, grace: 20_000 }).ready
    for (let sent = 0; sent < 100_000; sent += 10_000) {
      const pipeline = redis.pipeline()
      for (let i = 0; i < 10_000; i++) pipeline.publish('flood', `{"symbol":"S${i % 10}"}`)
      await pipeline.exec()
    }
    await waitFor('the flood', () => invalidator.stats().received === 100_000, { timeoutMs: 100_000 })
    hold('S9')
    await redis.publish('flood', '{"symbol":"S9"}')
    await gone('S9')

    const { invalidated, coalesced, overflows, gaps } = invalidator.stats()
    expect(invalidated + coalesced).toBe(100_001)
    expect(coalesced).toBeGreaterThan(invalidated)
    expect([overflows, gaps]).toEqual([0, 0])
    await invalidator.close()
    redis.disconnect()
  })
})
