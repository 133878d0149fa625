import { afterEach, describe, expect, it, vi } from 'vitest'
import { CachedFeatureExtractor, LocalCache, type NdArrayLike, TieredCache } from '../../../src/index.js'

type Row = { readonly last: Float64Array; readonly sum: number }
type Extract = (window: Float64Array) => Row
interface Wrong {
  readonly shapes?: 'same' | 'any'
  readonly nan?: 'allow' | 'refuse'
  readonly extractBatch?: (windows: readonly Float64Array[]) => readonly (Row | Error)[]
}

const summed: Extract = (window) => ({
  last: window.slice(-2),
  sum: window.reduce((sum, element) => sum + element, 0),
})
const of = (...elements: number[]) => Float64Array.from(elements)

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close()
})

/** The same extractor over either cache, awaited. */
const kinds = {
  'an L1'(extract: Extract, options: Wrong = {}) {
    const cache = new LocalCache<Row>()
    open.push(cache)
    return new CachedFeatureExtractor({ cache, name: 'row', version: 1, extract, ...options })
  },
  tiers(extract: Extract, options: Wrong = {}) {
    const cache = new TieredCache<Row>()
    open.push(cache)
    return new CachedFeatureExtractor({ cache, name: 'row', version: 1, extract, ...options })
  },
}

describe.each(['an L1', 'tiers'] as const)('wrong use of a CachedFeatureExtractor over %s', (kind) => {
  const setUp = (extract: Extract, options?: Wrong) => {
    const spy = vi.fn(extract)
    const extractor = kinds[kind](spy, options)
    return {
      spy,
      stats: () => extractor.stats(),
      extract: async (window: Float64Array, call?: object) => await extractor.extract(window, call),
      extractMany: async (windows: Float64Array[]) => await extractor.extractMany(windows),
    }
  }

  it('an extraction that throws: its error as it is, nothing cached, the next call tries again', async () => {
    const failure = new RangeError('not enough bars')
    const { spy, extract } = setUp(summed)
    spy.mockImplementationOnce(() => {
      throw failure
    })
    await expect(extract(of(1, 2))).rejects.toBe(failure)
    expect((await extract(of(1, 2))).sum).toBe(3)
    expect(spy).toHaveBeenCalledTimes(2)
  })

  it.each<[string, unknown, string]>([
    ['a feature more', { last: of(1, 2), sum: 1, mean: 1 }, '"mean"'],
    ['a feature less', { last: of(1, 2) }, '"sum"'],
    ['another shape', { last: of(1, 2, 3), sum: 1 }, 'float64[3] as "last"'],
    ['another element type', { last: new Float32Array(2), sum: 1 }, 'float32[2] as "last"'],
    ['an array for a number', { last: of(1, 2), sum: of(1) }, 'float64[1] as "sum"'],
  ])(
    'an extraction that returns %s than before: SHAPE_MISMATCH, and nothing cached',
    async (_, other, text) => {
      const { spy, extract } = setUp(summed)
      await extract(of(1, 2))
      spy.mockImplementationOnce(() => other as Row)
      await expect(extract(of(3, 4))).rejects.toMatchObject({
        code: 'SHAPE_MISMATCH',
        message: expect.stringContaining(text),
      })
      expect((await extract(of(3, 4))).sum).toBe(7)
    },
  )

  it('takes another form for windows of another form, and any form when told so', async () => {
    const { extract } = setUp(summed)
    await extract(of(1, 2))
    expect((await extract(of(1))).last).toHaveLength(1)
    let length = 0
    const any = setUp(() => ({ last: new Float64Array(++length), sum: 0 }), { shapes: 'any' })
    await any.extract(of(1, 2))
    expect((await any.extract(of(3, 4))).last).toHaveLength(2)
  })

  it('an extraction that writes to its window: filed under what the window held', async () => {
    const { spy, extract } = setUp((window) => {
      const features = summed(window)
      window.fill(0)
      return features
    })
    await extract(of(1, 2))
    expect((await extract(of(0, 0))).sum).toBe(0)
    expect((await extract(of(1, 2))).sum).toBe(3)
    expect(spy).toHaveBeenCalledTimes(2)
  })

  it('NaN in a window: cached by its bits, or refused before anything is computed', async () => {
    const allowing = setUp(summed)
    await allowing.extract(of(1, Number.NaN))
    expect((await allowing.extract(of(1, Number.NaN))).sum).toBeNaN()
    expect(allowing.spy).toHaveBeenCalledTimes(1)

    const refusing = setUp(summed, { nan: 'refuse' })
    await expect(refusing.extract(of(1, Number.NaN))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(refusing.extractMany([of(1, Number.NaN), of(5)])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect((await refusing.extract(of(5))).sum).toBe(5)
    expect(refusing.spy).toHaveBeenCalledTimes(1)
  })

  it('one window of a batch that fails: the first error, and the others are cached', async () => {
    const { spy, extract, extractMany, stats } = setUp((window) => {
      if (window[0] === 2) throw new Error('bad bar')
      return summed(window)
    })
    await expect(extractMany([of(1), of(2), of(3), of(1), of(2)])).rejects.toThrow('bad bar')
    expect(spy).toHaveBeenCalledTimes(3)
    await extract(of(1))
    await extract(of(3))
    expect(spy).toHaveBeenCalledTimes(3)
    expect(stats().misses).toBe(3)
  })

  describe('extractBatch', () => {
    it('computes what is missing together, each content once, and may fail one of them', async () => {
      const extractBatch = vi.fn((windows: readonly Float64Array[]) =>
        windows.map((window) => (window[0] === 3 ? new Error('bad bar') : summed(window))),
      )
      const { spy, extract, extractMany, stats } = setUp(summed, { extractBatch })
      await extract(of(1))
      expect((await extractMany([of(1), of(2), of(2), of(4)])).map(({ sum }) => sum)).toEqual([1, 2, 2, 4])
      expect(extractBatch.mock.calls[0]?.[0]).toEqual([of(2), of(4)])
      await expect(extractMany([of(3), of(5)])).rejects.toThrow('bad bar')
      expect((await extract(of(5))).sum).toBe(5)
      expect(spy).toHaveBeenCalledTimes(1)
      expect(stats()).toMatchObject({ misses: 5 })
    })

    it('throws, or returns another number of results: nothing new is cached', async () => {
      const failure = new Error('model down')
      const extractBatch = vi.fn((windows: readonly Float64Array[]): Row[] => windows.slice(1).map(summed))
      const { spy, extract, extractMany } = setUp(summed, { extractBatch })
      await expect(extractMany([of(1), of(2)])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' })
      extractBatch.mockImplementationOnce(() => {
        throw failure
      })
      await expect(extractMany([of(1), of(2)])).rejects.toBe(failure)
      expect((await extract(of(2))).sum).toBe(2)
      expect(spy).toHaveBeenCalledTimes(1)
    })
  })

  it.each<[object, string]>([
    [{ symbol: '' }, 'INVALID_ARGUMENT'],
    [{ symbol: 7 }, 'INVALID_ARGUMENT'],
    [{ tags: 'BTCUSDT' }, 'INVALID_ARGUMENT'],
    [{ tag: ['BTCUSDT'] }, 'INVALID_OPTION'],
    [{ ttl: -1 }, 'INVALID_TTL'],
  ])('refuses the options of a call %j', async (options, code) => {
    const { extract } = setUp(summed)
    await expect(extract(of(1), options)).rejects.toMatchObject({ code })
  })

  it('refuses a window that is no array, and a closed cache', async () => {
    const { extract } = setUp(summed)
    const wrong = { data: [1, 2], shape: [2] } as unknown as NdArrayLike
    await expect(extract(wrong as Float64Array)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await open.pop()?.close()
    await expect(extract(of(1))).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
