import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FollowOptions, MarketEvent } from '../../../src/index.js'
import { RedisServer, waitFor } from '../../support/redis.js'
import { client, listener } from './events-world.js'

let server: RedisServer
let redis: ReturnType<typeof client>
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  await server.stop()
})
beforeEach(async () => {
  await server.flushAll()
  redis = client(server.port)
})
afterEach(() => redis.disconnect())

const FAST = { heartbeat: 100, grace: 500, stream: 'md' } as const
const GROUP = { ...FAST, group: 'g', consumer: 'one' } as const
const ALONE = { ...FAST, group: false } as const

const add = (symbol: string) => redis.xadd('md', '*', 'symbol', symbol)
const pending = async (): Promise<number> => Number((await redis.xpending('md', 'g'))[0])

describe.each<[string, FollowOptions<MarketEvent>]>([
  ['a consumer of a group', GROUP],
  ['a reader of its own', ALONE],
])('follow, %s', (_, options) => {
  it('handles entries that are added, and passes over what makes no sense', async () => {
    const { invalidator, hold, held, gone, errors } = listener()
    const feed = invalidator.follow(redis, options)
    await feed.ready
    hold('A', 'B')

    await redis.xadd('md', '*', 'nothing', 'here')
    const last = await add('A')
    await gone('A')
    await waitFor('the position', () => feed.position === last)

    expect(held('B')).toBe(true)
    expect(errors).toHaveLength(1)
    expect(invalidator.stats()).toMatchObject({ malformed: 1, invalidated: 1, gaps: 0 })
    if (options.group !== false) await waitFor('the acknowledgement', async () => (await pending()) === 0)
    await invalidator.close()
  })

  it('goes on where it was after the link was cut, and misses nothing', async () => {
    const { invalidator, hold, gone } = listener()
    const feed = invalidator.follow(redis, options)
    await feed.ready
    hold('A', 'B')

    await redis.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await add('A')
    await gone('A')
    await waitFor('the link', () => feed.linked)

    expect(invalidator.stats().gaps).toBe(0)
    await invalidator.close()
  })

  it('invalidates everything when the server comes back empty, and hears the new stream', async () => {
    const own = await RedisServer.start()
    const one = client(own.port)
    const { invalidator, hold, gone } = listener()
    const feed = invalidator.follow(one, options)
    await feed.ready
    await one.xadd('md', '*', 'symbol', 'B')
    await waitFor('the first', () => feed.position)
    hold('A')

    await own.restart()
    await gone('A')
    await waitFor('the link', () => feed.linked)
    hold('C')
    await waitFor('the client', () => one.xadd('md', '*', 'symbol', 'C'))
    await gone('C')

    await invalidator.close()
    one.disconnect()
    await own.stop()
  })

  it('takes entries that were trimmed unread for missed', async () => {
    const first = listener()
    const feed = first.invalidator.follow(redis, options)
    await feed.ready
    await add('A')
    await waitFor('the first', () => feed.position)
    await first.invalidator.close()
    for (let i = 0; i < 50; i++) await add(`S${i}`)
    await redis.xtrim('md', 'MAXLEN', 2)

    const { invalidator, hold, gone } = listener()
    hold('never named', 'S49')
    const from = options.group === false ? { from: feed.position as string } : {}
    invalidator.follow(redis, { ...options, ...from })
    await gone('never named')
    await gone('S49')
    await waitFor('the last', () => invalidator.stats().received === 2)
    hold('kept')
    await add('X')
    await waitFor('one more', () => invalidator.stats().received === 3)

    expect(invalidator.stats().gaps).toBe(1) // once
    await invalidator.close()
  })

  it('reads a flood no faster than it is handled, and few invalidations cover it', async () => {
    const { invalidator, hold, gone } = listener()
    const feed = invalidator.follow(redis, options)
    await feed.ready
    for (let sent = 0; sent < 100_000; sent += 10_000) {
      const pipeline = redis.pipeline()
      for (let i = 0; i < 10_000; i++) pipeline.xadd('md', '*', 'symbol', `S${i % 10}`)
      await pipeline.exec()
    }
    hold('LAST')
    await add('LAST')
    await gone('LAST')

    const { received, invalidated, coalesced, overflows, gaps } = invalidator.stats()
    expect(received).toBe(100_001)
    expect(invalidated + coalesced).toBe(received)
    expect(invalidated).toBeLessThan(received / 5)
    expect([overflows, gaps]).toEqual([0, 0])
    await invalidator.close()
  })

  it('does not count an entry as done before its invalidation succeeds', async () => {
    const failing = { invalidateTag: async () => Promise.reject(new Error('refused')), clear: async () => {} }
    const { invalidator } = listener({ caches: failing, retries: 0 })
    const feed = invalidator.follow(redis, { ...options, claimIdle: 100 })
    await feed.ready
    await add('A')
    await waitFor('it to be tried again', () => invalidator.stats().failed >= 2)

    failing.invalidateTag = async () => undefined as never
    await waitFor('success', () => invalidator.stats().invalidated === 1)
    if (options.group !== false) await waitFor('the acknowledgement', async () => (await pending()) === 0)
    await invalidator.close()
  })
})

describe('follow, a group', () => {
  it('takes up what it was given before it died', async () => {
    await redis.xgroup('CREATE', 'md', 'g', '$', 'MKSTREAM')
    await add('A')
    await redis.xreadgroup('GROUP', 'g', 'one', 'COUNT', 10, 'STREAMS', 'md', '>')
    const { invalidator, hold, gone } = listener()
    hold('A')

    invalidator.follow(redis, GROUP)

    await gone('A')
    await waitFor('the acknowledgement', async () => (await pending()) === 0)
    await invalidator.close()
  })

  it('takes over what another consumer left', async () => {
    await redis.xgroup('CREATE', 'md', 'g', '$', 'MKSTREAM')
    await add('A')
    await redis.xreadgroup('GROUP', 'g', 'dead', 'COUNT', 10, 'STREAMS', 'md', '>')
    const { invalidator, hold, gone } = listener()
    hold('A')

    invalidator.follow(redis, { ...GROUP, claimIdle: 150 })

    await gone('A')
    await waitFor('the acknowledgement', async () => (await pending()) === 0)
    await invalidator.close()
  })

  it('takes an entry that went after it was given out for missed', async () => {
    await redis.xgroup('CREATE', 'md', 'g', '$', 'MKSTREAM')
    await add('A')
    await redis.xreadgroup('GROUP', 'g', 'one', 'COUNT', 10, 'STREAMS', 'md', '>')
    await redis.xtrim('md', 'MAXLEN', 0)
    const { invalidator, hold, gone } = listener()
    hold('A')

    invalidator.follow(redis, GROUP)

    await gone('A')
    await waitFor('the acknowledgement', async () => (await pending()) === 0)
    await invalidator.close()
  })
})
