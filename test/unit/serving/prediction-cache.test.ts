import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import {
  type NdArrayLike,
  PredictionCache,
  type PredictionCacheOptions,
  SharedCache,
} from '../../../src/index.js'
import { batchOf, code, D, expected, linearModel, predicted, store } from './linear-model.js'

function make(options: Partial<PredictionCacheOptions> = {}) {
  const linear = linearModel()
  const cache = store()
  const base = { model: linear.model, name: 'linear', version: 1, outputs: 2, cache }
  return { linear, cache, predictions: new PredictionCache({ ...base, ...options }) }
}

describe('what reaches the model', () => {
  test('only rows never seen, together, duplicates once; the answer is in the order of the batch', async () => {
    const { linear, predictions, cache } = make()
    const first = await predictions.predict(batchOf(1, 2, 3))
    expect([...first.data]).toEqual(expected(batchOf(1, 2, 3)))
    expect(first.shape).toEqual([3, 2])
    expect(first.dtype).toBe('float32')
    const batch = batchOf(9, 2, 8, 9, 3, 8, 1)
    expect([...(await predictions.predict(batch)).data]).toEqual(expected(batch))
    expect(linear.calls).toEqual([3, 2])
    expect(linear.seen).toEqual([1, 2, 3, 9, 8])
    expect(predictions.stats()).toMatchObject({
      rows: 10,
      l1Hits: 3,
      l2Hits: 0,
      computed: 5,
      duplicates: 2,
      shared: 0,
      modelCalls: 2,
      hitRatio: 0.3,
    })
    cache.validate()
  })

  test('calls under way share their rows', async () => {
    const { linear, predictions } = make()
    const [a, b] = [batchOf(1, 2, 3), batchOf(4, 3, 2, 4)]
    const answers = await Promise.all([predictions.predict(a), predictions.predict(b)])
    expect(answers.map(({ data }) => [...data])).toEqual([expected(a), expected(b)])
    expect(linear.seen).toEqual([1, 2, 3, 4])
    expect(predictions.stats()).toMatchObject({ shared: 2, duplicates: 1, computed: 4 })
  })

  test('keys and rows are taken before the promise is returned', async () => {
    const { linear, predictions } = make()
    const batch = batchOf(1, 2)
    const pending = predictions.predict(batch)
    batch.data.fill(7)
    expect([...(await pending).data]).toEqual(expected(batchOf(1, 2)))
    expect([...(await predictions.predict(batchOf(1, 2))).data]).toEqual(expected(batchOf(1, 2)))
    expect(linear.calls).toEqual([2])
  })

  test('a model that overwrites its rows or keeps its output harms nobody', async () => {
    const out = { data: new Float32Array(2), shape: [1, 2] }
    const { predictions } = make({
      model: (rows) => {
        out.data.set((predicted(rows.data as Float32Array) as { data: Float32Array }).data)
        rows.data.fill(0 as never)
        return out
      },
    })
    const batch = batchOf(5)
    expect([...(await predictions.predict(batch)).data]).toEqual(expected(batch))
    out.data.fill(-1)
    expect([...(predictions.predictSync(batch)?.data ?? [])]).toEqual(expected(batch))
  })

  test('rows of more axes, tensors, strided arrays', async () => {
    const { linear, predictions } = make()
    const { data } = batchOf(1, 2, 3, 4)
    await predictions.predict({ data, dims: [4, D], type: 'float32' })
    const every2nd = ndarray(data, [4, D]).step(2, 1) as NdArrayLike
    expect([...(await predictions.predict(every2nd)).data]).toEqual(expected(batchOf(1, 3)))
    expect(linear.calls).toEqual([4])
    const strided = make()
    expect([...(await strided.predictions.predict(every2nd)).data]).toEqual(expected(batchOf(1, 3)))
    const cube = make()
    const answer = await cube.predictions.predict({ data, shape: [4, 2, 2] })
    expect([...answer.data]).toEqual(expected(batchOf(1, 2, 3, 4)))
    expect(cube.predictions.predictSync({ data, shape: [4, 2, 2] })).toEqual(answer)
  })

  test('predictSync answers when all is known and computes nothing', async () => {
    const { linear, predictions } = make()
    expect(predictions.predictSync(batchOf(1))).toBeUndefined()
    await predictions.predict(batchOf(1, 2))
    expect([...(predictions.predictSync(batchOf(2, 1))?.data ?? [])]).toEqual(expected(batchOf(2, 1)))
    expect(predictions.predictSync(batchOf(2, 3))).toBeUndefined()
    expect(linear.calls).toEqual([2])
    expect(predictions.stats()).toMatchObject({ rows: 4, l1Hits: 2 })
  })

  test('a batch without rows', async () => {
    const { linear, predictions } = make()
    expect((await predictions.predict({ data: new Float32Array(0), shape: [0, D] })).shape).toEqual([0, 2])
    expect(linear.calls).toEqual([])
  })

  test('out is filled in place', async () => {
    const { predictions } = make()
    const out = new Float32Array(6)
    const answer = await predictions.predict(batchOf(1, 2), { out })
    expect(answer.data.buffer).toBe(out.buffer)
    expect([...out]).toEqual([...expected(batchOf(1, 2)), 0, 0])
    const refuse = (bad: unknown) => predictions.predict(batchOf(1, 2), { out: bad as Float32Array })
    await expect(refuse(new Float32Array(3))).rejects.toEqual(code('OUT_TOO_SMALL'))
    await expect(refuse(new Float64Array(4))).rejects.toEqual(code('DTYPE_MISMATCH'))
    await expect(refuse([0, 0])).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
})

describe('the key', () => {
  test('a new version, another model and another grid never meet old predictions', async () => {
    const { cache, linear, predictions } = make()
    await predictions.predict(batchOf(1))
    for (const other of [{ version: 2 }, { name: 'b' }, { grid: 0.5 }, { version: '1', grid: 0 }]) {
      const base = { model: linear.model, name: 'linear', version: 1, outputs: 2, cache, ...other }
      expect(new PredictionCache(base).predictSync(batchOf(1))).toBeUndefined()
    }
    const same = { model: linear.model, name: 'linear', version: '1', outputs: 2, cache }
    expect(new PredictionCache(same).predictSync(batchOf(1))).toBeDefined()
  })

  test('an invalidated tag: what carried it is not met again, the rest is', async () => {
    const { linear, predictions, cache } = make()
    const [btc, eth] = [{ tags: ['BTC', 'x'] }, { tags: ['ETH'] }]
    await predictions.predict(batchOf(1), btc)
    await predictions.predict(batchOf(1), eth)
    expect(predictions.predictSync(batchOf(1), { tags: ['x', 'BTC', 'x'] })).toBeDefined()
    await predictions.invalidateTag('BTC')
    expect(predictions.predictSync(batchOf(1), btc)).toBeUndefined()
    expect(predictions.predictSync(batchOf(1), eth)).toBeDefined()
    await predictions.predict(batchOf(1), btc)
    cache.invalidateTag('x')
    expect(predictions.predictSync(batchOf(1), btc)).toBeUndefined()
    expect(linear.calls).toEqual([1, 1, 1])
    expect(predictions.predictSync(batchOf(1), { tags: ['["ETH"]'] })).toBeUndefined()
  })

  test('what was being computed when its tag was invalidated answers its caller and nobody later', async () => {
    const { linear, predictions } = make()
    let release = (): void => {}
    linear.before = () => new Promise((resolve) => (release = resolve))
    const pending = predictions.predict(batchOf(1), { tags: ['BTC'] })
    await predictions.invalidateTag('BTC')
    release()
    await pending
    expect(predictions.predictSync(batchOf(1), { tags: ['BTC'] })).toBeUndefined()
  })

  test('predictions end with their ttl, on a clock of the user', async () => {
    const clock = { time: 0, now: () => clock.time }
    const cache = SharedCache.create({ maxBytes: 2 ** 20, clock })
    const { predictions } = make({ cache, ttl: '30s' })
    await predictions.predict(batchOf(1), { tags: ['t'] })
    clock.time = 30_000
    expect(predictions.predictSync(batchOf(1), { tags: ['t'] })).toBeDefined()
    clock.time = 30_001
    expect(predictions.predictSync(batchOf(1), { tags: ['t'] })).toBeUndefined()
  })
})

describe('a grid', () => {
  test('rows that round to the same share the prediction of the first', async () => {
    const { linear, predictions } = make({ grid: [1, 0, 0, 0.5] })
    const row = (first: number, last: number): NdArrayLike => ({
      data: Float32Array.of(first, 1, 2, last),
      shape: [1, D],
    })
    await predictions.predict(row(1.4, 3.1))
    expect(linear.seen.map((x) => x.toFixed(1))).toEqual(['1.4'])
    expect(predictions.predictSync(row(0.6, 2.9))?.data[1]).toBeCloseTo(1.4)
    expect(predictions.predictSync(row(1.6, 3.1))).toBeUndefined()
    expect(predictions.predictSync(row(1.4, 3.4))).toBeUndefined()
    const ints = { data: new Int32Array(D), shape: [1, D] }
    await expect(predictions.predict(ints)).rejects.toEqual(code('DTYPE_MISMATCH'))
    await expect(make({ grid: [1, 2] }).predictions.predict(batchOf(1))).rejects.toEqual(
      code('INVALID_OPTION'),
    )
  })

  test('an audit tells how far that is off', async () => {
    const reports: number[] = []
    const { predictions } = make({
      grid: 1,
      audit: { sample: 1, onReport: ({ rows }) => reports.push(rows) },
    })
    const row = (first: number): NdArrayLike => ({ data: Float32Array.of(first, 1, 2, 3), shape: [1, D] })
    await predictions.predict(row(1))
    await predictions.predict(row(1.25))
    await predictions.predict(row(1))
    expect(predictions.stats().audit).toMatchObject({ rows: 0 })
    await predictions.predict(row(5))
    const { audit, modelCalls } = predictions.stats()
    expect(audit).toEqual({
      rows: 2,
      maxAbs: [0.25, 0.25],
      meanAbs: [0.125, 0.125],
      rmse: [Math.sqrt(0.03125), Math.sqrt(0.03125)],
      dropped: 0,
    })
    expect(modelCalls).toBe(2)
    expect(reports).toEqual([2])
  })

  test('an audit without misses to join makes a call of its own; its failures cost nobody anything', async () => {
    const errors: unknown[] = []
    const { linear, predictions } = make({ audit: { sample: 1, delay: 5 }, onError: (e) => errors.push(e) })
    await predictions.predict(batchOf(1))
    predictions.predictSync(batchOf(1))
    await expect.poll(() => predictions.stats().audit?.rows).toBe(1)
    linear.before = ({ data }) => {
      if (data[0] === 1 || data.length > D) throw new Error('bad')
    }
    predictions.predictSync(batchOf(1))
    await expect.poll(() => predictions.stats().audit?.dropped).toBe(1)
    expect(errors).toHaveLength(1)
    predictions.predictSync(batchOf(1))
    expect([...(await predictions.predict(batchOf(6))).data]).toEqual(expected(batchOf(6)))
    expect(predictions.stats().audit).toMatchObject({ rows: 1, dropped: 2 })
  })
})
