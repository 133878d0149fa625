import { describe, expect, test } from 'vitest'
import {
  PredictionCache,
  type PredictionCacheOptions,
  PredictionError,
  SharedCache,
} from '../../../src/index.js'
import { batchOf, code, D, expected, linearModel, predicted, store } from './linear-model.js'

function make(options: Partial<PredictionCacheOptions> = {}) {
  const linear = linearModel()
  const cache = store()
  const base = { model: linear.model, name: 'linear', version: 1, outputs: 2, cache }
  return { linear, cache, predictions: new PredictionCache({ ...base, ...options }) }
}

/** Fails on rows whose first element is one of these. */
const failsOn =
  (...bad: number[]): PredictionCacheOptions['model'] =>
  ({ data }) => {
    for (let i = 0; i < data.length; i += D)
      if (bad.includes(data[i] as number)) throw new Error(`row ${data[i]}`)
    return predicted(data as Float32Array)
  }

describe('options', () => {
  test.each([
    [{ model: 1 }, 'INVALID_OPTION'],
    [{ name: '' }, 'INVALID_OPTION'],
    [{ version: Number.NaN }, 'INVALID_OPTION'],
    [{ outputs: 0 }, 'INVALID_OPTION'],
    [{ dtype: 'string' }, 'INVALID_OPTION'],
    [{ cache: new Map() }, 'INVALID_OPTION'],
    [{ l2: {} }, 'INVALID_OPTION'],
    [{ ttl: 0 }, 'INVALID_TTL'],
    [{ grid: -1 }, 'INVALID_OPTION'],
    [{ grid: [] }, 'INVALID_OPTION'],
    [{ grid: Infinity }, 'INVALID_OPTION'],
    [{ audit: { sample: 2 } }, 'INVALID_OPTION'],
    [{ audit: { sample: 1, rate: 1 } }, 'INVALID_OPTION'],
    [{ tags: 'BTC' }, 'INVALID_ARGUMENT'],
    [{ nan: 'no' }, 'INVALID_OPTION'],
    [{ nanOutputs: 'no' }, 'INVALID_OPTION'],
    [{ onModelError: 'retry' }, 'INVALID_OPTION'],
    [{ input: { shape: [1.5] } }, 'INVALID_OPTION'],
    [{ input: { dtype: 'x' } }, 'INVALID_OPTION'],
    [{ modle: 1 }, 'INVALID_OPTION'],
  ])('%j is refused', (options, name) => {
    expect(() => make(options as Partial<PredictionCacheOptions>)).toThrow(code(name))
  })
})

describe('a model that gives something else', () => {
  test.each([
    ['a row less', () => ({ data: new Float32Array(2), shape: [1, 2] }), 'SHAPE_MISMATCH'],
    ['other columns', () => ({ data: new Float32Array(6), shape: [2, 3] }), 'SHAPE_MISMATCH'],
    ['rows and columns exchanged', () => ({ data: new Float32Array(4), shape: [1, 4] }), 'SHAPE_MISMATCH'],
    ['another type', () => new Float64Array(4), 'DTYPE_MISMATCH'],
    ['nothing', () => undefined, 'INVALID_VALUE'],
    ['numbers', () => [1, 2, 3, 4], 'INVALID_VALUE'],
  ])('%s: the call rejects, hits and all, and nothing is kept', async (_, model, name) => {
    for (const onModelError of ['reject', 'split'] as const) {
      const { linear, cache, predictions } = make({ onModelError })
      await predictions.predict(batchOf(5))
      const base = { name: 'linear', version: 1, outputs: 2, cache, onModelError }
      const wrong = new PredictionCache({ ...base, model: model as never })
      await expect(wrong.predict(batchOf(1, 5, 2))).rejects.toEqual(code(name))
      expect(predictions.predictSync(batchOf(1))).toBeUndefined()
      expect(predictions.predictSync(batchOf(5))).toBeDefined()
      expect(linear.calls).toEqual([1])
      expect(wrong.stats()).toMatchObject({ modelCalls: 1, modelErrors: 1, computed: 0 })
    }
  })
})

describe('a model that fails', () => {
  test('the call rejects with its error, nothing is kept, and calls that shared its rows are computed again', async () => {
    const { predictions } = make({ model: failsOn(1) })
    const [bad, good] = await Promise.allSettled([
      predictions.predict(batchOf(1, 2)),
      predictions.predict(batchOf(2, 3)),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'row 1' } })
    expect(good.status === 'fulfilled' && [...good.value.data]).toEqual(expected(batchOf(2, 3)))
    expect(predictions.predictSync(batchOf(1))).toBeUndefined()
    expect(predictions.predictSync(batchOf(2, 3))).toBeDefined()
    await expect(predictions.predict(batchOf(1))).rejects.toThrow('row 1')
  })

  test("'split' keeps the good rows and names the bad ones", async () => {
    const { predictions } = make({ model: failsOn(3, 6), onModelError: 'split' })
    const batch = batchOf(1, 2, 3, 4, 5, 6, 3)
    const error = await predictions.predict(batch).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(PredictionError)
    const { rows, errors, predictions: partial, cause, code: name } = error as PredictionError
    expect(name).toBe('MODEL_ERROR')
    expect(rows).toEqual([2, 5, 6])
    expect(errors.map(String)).toEqual(['Error: row 3', 'Error: row 6', 'Error: row 3'])
    expect(cause).toBe(errors[0])
    const wanted = expected(batch).map((value, i) => (rows.includes(i >> 1) ? Number.NaN : value))
    expect([...partial.data]).toEqual(wanted)
    expect(predictions.predictSync(batchOf(1, 2, 4, 5))).toBeDefined()
    expect(predictions.predictSync(batchOf(3))).toBeUndefined()
    expect(predictions.stats()).toMatchObject({ computed: 4, failed: 2 })
  })

  test("'split' hands each half an unspoilt copy", async () => {
    const fails = failsOn(2)
    const { predictions } = make({
      onModelError: 'split',
      model: (rows, context) => {
        const copy = { data: rows.data.slice(), shape: rows.shape }
        rows.data.fill(99 as never)
        return fails(copy, context)
      },
    })
    await expect(predictions.predict(batchOf(1, 2, 3))).rejects.toMatchObject({ rows: [1] })
    expect([...(predictions.predictSync(batchOf(1, 3))?.data ?? [])]).toEqual(expected(batchOf(1, 3)))
  })
})

describe('NaN', () => {
  const rows = { data: Float32Array.of(1, 1, 1, 1, 2, Number.NaN, 2, 2), shape: [2, D] }

  test('in a row is a key; a prediction with a NaN is returned and not kept, unless it is asked for', async () => {
    const { linear, predictions } = make()
    const answer = await predictions.predict(rows)
    expect([...answer.data]).toEqual([4, 1, Number.NaN, 2])
    await predictions.predict(rows)
    expect(linear.calls).toEqual([2, 1])
    expect(predictions.stats()).toMatchObject({ notKept: 2 })
    const storing = make({ nanOutputs: 'store' })
    await storing.predictions.predict(rows)
    await storing.predictions.predict(rows)
    expect(storing.linear.calls).toEqual([2])
  })

  test('is refused on request, by the row', async () => {
    const { linear, predictions } = make({ nan: 'refuse' })
    await expect(predictions.predict(rows)).rejects.toThrow('row 1')
    await expect(predictions.predict(rows)).rejects.toEqual(code('NAN_INPUT'))
    await predictions.predict(batchOf(1))
    expect(linear.calls).toEqual([1])
  })
})

describe('a batch that is not like the others', () => {
  test('after one that the model answered, or as declared', async () => {
    const { predictions } = make()
    await predictions.predict(batchOf(1))
    await expect(predictions.predict({ data: new Float32Array(5), shape: [1, 5] })).rejects.toEqual(
      code('SHAPE_MISMATCH'),
    )
    await expect(predictions.predict({ data: new Float64Array(4), shape: [1, 4] })).rejects.toEqual(
      code('DTYPE_MISMATCH'),
    )
    const declared = make({ input: { shape: [D], dtype: 'float32' } }).predictions
    await expect(declared.predict({ data: new Float32Array(5), shape: [1, 5] })).rejects.toEqual(
      code('SHAPE_MISMATCH'),
    )
    await expect(declared.predict({ data: new Float64Array(4), shape: [1, 4] })).rejects.toEqual(
      code('DTYPE_MISMATCH'),
    )
    await expect(declared.predict('rows' as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(declared.predict(batchOf(1), { tags: 'BTC' as never })).rejects.toEqual(
      code('INVALID_ARGUMENT'),
    )
    await expect(declared.invalidateTag(1 as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
  })

  test('a first batch that the model refuses does not decide', async () => {
    const { predictions } = make({ model: failsOn(1) })
    await expect(
      predictions.predict({ data: new Float32Array(8).fill(1), shape: [1, 2, 4] }),
    ).rejects.toThrow()
    await predictions.predict(batchOf(2))
  })
})

describe('endings', () => {
  test('an aborted caller leaves; the model hears of it when nobody else waits', async () => {
    const signals: AbortSignal[] = []
    const { linear, predictions } = make()
    linear.before = (_, { signal }) => {
      signals.push(signal)
      return new Promise((resolve) => setTimeout(resolve, 20))
    }
    const [one, two] = [new AbortController(), new AbortController()]
    const first = predictions.predict(batchOf(1), { signal: one.signal })
    const second = predictions.predict(batchOf(1), { signal: two.signal })
    const third = predictions.predict(batchOf(2), { signal: one.signal })
    one.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await expect(third).rejects.toThrow('enough')
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true])
    expect([...(await second).data]).toEqual(expected(batchOf(1)))
    await expect(predictions.predict(batchOf(1), { signal: one.signal })).rejects.toThrow('enough')
    linear.before = () => {}
    expect([...(await predictions.predict(batchOf(2))).data]).toEqual(expected(batchOf(2)))
  })

  test('close ends calls under way and refuses later ones', async () => {
    const { linear, predictions } = make()
    linear.before = () => new Promise(() => {})
    const pending = predictions.predict(batchOf(1))
    await Promise.all([expect(pending).rejects.toEqual(code('CLOSED')), predictions.close()])
    await expect(predictions.predict(batchOf(1))).rejects.toEqual(code('CLOSED'))
    expect(() => predictions.predictSync(batchOf(1))).toThrow(code('CLOSED'))
    await expect(predictions.invalidateTag('a')).rejects.toEqual(code('CLOSED'))
  })

  test('a first tier that is closed, or has no room, costs no prediction under way', async () => {
    const errors: unknown[] = []
    const { linear, cache, predictions } = make({ onError: (error) => errors.push(error) })
    linear.before = () => cache.close()
    expect([...(await predictions.predict(batchOf(1))).data]).toEqual(expected(batchOf(1)))
    expect(errors).toEqual([code('CLOSED')])
    expect(predictions.stats()).toMatchObject({ notKept: 1 })
    await expect(predictions.predict(batchOf(1))).rejects.toEqual(code('CLOSED'))
    const small = SharedCache.create({ maxBytes: 2 ** 16 })
    const wide = make({ cache: small, outputs: 50_000, model: () => new Float32Array(50_000) }).predictions
    expect((await wide.predict(batchOf(1))).shape).toEqual([1, 50_000])
  })
})
