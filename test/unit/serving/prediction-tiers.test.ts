import { describe, expect, test } from 'vitest'
import { PredictionCache, type PredictionCacheOptions, SharedCache } from '../../../src/index.js'
import { waitFor } from '../../support/wait.js'
import { deferred, settled, World } from '../tiered/world.js'
import { batchOf, expected, linearModel } from './linear-model.js'

/** A process: its own first tier and model, the second tier of the world. */
function processOf(world: World, options: Partial<PredictionCacheOptions> = {}) {
  const linear = linearModel()
  const { cache: l2, store, bus } = world.process()
  const cache = SharedCache.create({ maxBytes: 2 ** 20, clock: world.clock })
  const errors: unknown[] = []
  const predictions = new PredictionCache({
    model: linear.model,
    name: 'linear',
    version: 1,
    outputs: 2,
    cache,
    l2,
    onError: (error) => errors.push(error),
    ...options,
  })
  return { linear, cache, l2, store, bus, predictions, errors }
}

describe('predictions in two tiers', () => {
  test('what one process computed another reads, in one call, with the ttl that is left', async () => {
    await using world = new World()
    const [a, b] = [processOf(world), processOf(world)]
    await a.predictions.predict(batchOf(1, 2, 3), { tags: ['BTC'] })
    await settled()
    world.advance(20_000)
    const answer = await b.predictions.predict(batchOf(3, 4, 1, 3), { tags: ['BTC'] })
    expect([...answer.data]).toEqual(expected(batchOf(3, 4, 1, 3)))
    expect(b.linear.seen).toEqual([4])
    expect(b.predictions.stats()).toMatchObject({ l2Hits: 2, computed: 1, duplicates: 1 })
    world.advance(10_000)
    expect(b.predictions.predictSync(batchOf(1, 3, 4), { tags: ['BTC'] })).toBeDefined()
    world.advance(1)
    expect(b.predictions.predictSync(batchOf(4), { tags: ['BTC'] })).toBeDefined()
    expect(b.predictions.predictSync(batchOf(1), { tags: ['BTC'] })).toBeUndefined()
    await b.predictions.predict(batchOf(1), { tags: ['BTC'] })
    expect(b.linear.seen).toEqual([4, 1])
  })

  test('other tags, versions and grids are other names', async () => {
    await using world = new World()
    const a = processOf(world)
    await a.predictions.predict(batchOf(1), { tags: ['BTC'] })
    await settled()
    const others = [processOf(world, { version: 2 }), processOf(world, { grid: 1 }), processOf(world)]
    for (const { predictions, linear } of others) {
      await predictions.predict(batchOf(1), { tags: ['ETH'] })
      expect(linear.seen).toEqual([1])
    }
  })

  test('rows made under a version of a tag that the second tier never gets are not stored in it', async () => {
    await using world = new World()
    const gate = deferred<void>()
    const [a, b] = [processOf(world), processOf(world)]
    a.linear.before = () => gate.promise
    const btc = { tags: ['BTC'] }
    for (const { l2 } of [a, b]) await l2.set('known', 1, btc)
    a.store.down()
    await a.l2.invalidateTag('BTC')
    await a.l2.clear()
    const predicted = a.predictions.predict(batchOf(1), btc)
    await settled()
    a.store.up()
    await waitFor('an empty queue', () => a.l2.stats().replaying === 0, { everyMs: 1 })
    gate.resolve()
    await predicted
    await settled()
    await b.predictions.predict(batchOf(1), btc)
    await b.l2.set('more', 'm', btc)
    for (const { l2 } of [a, b]) expect(await l2.get('more')).toBe('m')
    expect(b.linear.seen).toEqual([1])
  })

  test('a tag invalidated in another process, by either cache, is not met again in any tier', async () => {
    await using world = new World()
    const [a, b] = [processOf(world), processOf(world)]
    const btc = { tags: ['BTC'] }
    for (const invalidate of [() => b.predictions.invalidateTag('BTC'), () => b.l2.invalidateTag('BTC')]) {
      await a.predictions.predict(batchOf(1), btc)
      await settled()
      expect(a.predictions.predictSync(batchOf(1), btc)).toBeDefined()
      a.linear.seen.length = 0
      await invalidate()
      await settled()
      expect(a.predictions.predictSync(batchOf(1), btc)).toBeUndefined()
      await a.predictions.predict(batchOf(1), btc)
      expect(a.linear.seen).toEqual([1])
    }
    await settled()
    a.linear.seen.length = 0
    await a.l2.clear()
    await settled()
    await a.predictions.predict(batchOf(1), btc)
    expect(a.linear.seen).toEqual([1])
  })

  test('a tag invalidated while the model runs: what it gives is believed in no tier (R4)', async () => {
    await using world = new World()
    const [a, b] = [processOf(world), processOf(world)]
    const btc = { tags: ['BTC'] }
    a.linear.before = async () => {
      await b.l2.invalidateTag('BTC')
    }
    expect([...(await a.predictions.predict(batchOf(1), btc)).data]).toEqual(expected(batchOf(1)))
    await settled()
    a.linear.before = () => {}
    for (const { predictions, linear } of [b, a]) {
      linear.seen.length = 0
      expect(predictions.predictSync(batchOf(1), btc)).toBeUndefined()
    }
    await b.predictions.predict(batchOf(1), btc)
    expect(b.linear.seen).toEqual([1])
  })

  test('a tag invalidated while the second tier is read: what it gave is not met again (R1)', async () => {
    await using world = new World()
    const [a, b] = [processOf(world), processOf(world)]
    const btc = { tags: ['BTC'] }
    await a.predictions.predict(batchOf(1), btc)
    await b.predictions.predict(batchOf(9), btc)
    await settled()
    const hold = b.store.hold('getMany', 'reply')
    const pending = b.predictions.predict(batchOf(1), btc)
    await hold.reached
    await a.predictions.invalidateTag('BTC')
    hold.release()
    await pending
    await settled()
    expect(b.predictions.predictSync(batchOf(1), btc)).toBeUndefined()
  })

  test('without the second tier predictions go on', async () => {
    await using world = new World()
    const a = processOf(world)
    await a.predictions.predict(batchOf(1), { tags: ['BTC'] })
    await settled()
    a.store.down()
    expect([...(await a.predictions.predict(batchOf(7), { tags: ['late'] })).data]).toEqual(
      expected(batchOf(7)),
    )
    expect(a.predictions.predictSync(batchOf(1), { tags: ['BTC'] })).toBeDefined()
    await a.l2.close()
    for (const tags of [['BTC'], ['never asked'], []]) {
      expect([...(await a.predictions.predict(batchOf(1, 2), { tags })).data]).toEqual(
        expected(batchOf(1, 2)),
      )
    }
    expect(a.errors.length).toBeGreaterThan(0)
  })

  test('a row of the second tier that is no row of this model is a miss', async () => {
    await using world = new World()
    const [a, b] = [processOf(world), processOf(world)]
    await a.predictions.predict(batchOf(1))
    await settled()
    const [name] = [...world.server.entries.keys()]
    await a.l2.set(a.l2.key('x'), 1)
    const other = world.server.entries.get('sx')
    if (name !== undefined && other !== undefined) world.server.entries.set(name, other)
    expect([...(await b.predictions.predict(batchOf(1))).data]).toEqual(expected(batchOf(1)))
    expect(b.linear.seen).toEqual([1])
  })
})
