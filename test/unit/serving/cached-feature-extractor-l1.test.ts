import { afterEach, describe, expect, it, vi } from 'vitest'
import { LocalCache, type NdArrayLike, SharedCache } from '../../../src/index.js'
import { CachedFeatureExtractor } from '../../../src/serving/cached-feature-extractor.js'
import { contentOf } from './fake-feature-cache.js'

type Described = { readonly content: Float64Array; readonly count: number }

const clock = { ms: 0, now: () => clock.ms }
const kinds = {
  LocalCache: (maxEntries: number) => new LocalCache<Described>({ maxEntries, clock }),
  'portable LocalCache': (maxEntries: number) =>
    new LocalCache<Described>({ maxEntries, clock, engine: 'portable' }),
  SharedCache: (maxEntries: number) =>
    SharedCache.create<Described>({ maxEntries, maxBytes: 2 ** 22, clock }),
}

const names = ['LocalCache', 'portable LocalCache', 'SharedCache'] as const

describe.each(names)('CachedFeatureExtractor over a %s', (kind) => {
  const open: { close(): void }[] = []
  afterEach(() => {
    for (const cache of open.splice(0)) cache.close()
    clock.ms = 0
  })

  function setUp(maxEntries = 1000) {
    const cache = kinds[kind](maxEntries)
    open.push(cache)
    const extract = vi.fn((window: NdArrayLike): Described => {
      const elements = contentOf(window).replace(/^.*\]/, '').split(',').map(Number)
      return { content: Float64Array.from(elements), count: elements.length }
    })
    const create = (version: number, params = {}) =>
      new CachedFeatureExtractor<Described>({
        cache,
        name: 'described',
        version,
        params,
        extract,
        ttl: '60s',
      })
    return { cache, extract, create, extractor: create(1) }
  }

  it('knows a window by its content, in whatever memory it lies', () => {
    const { extract, extractor } = setUp()
    const rows = Float64Array.from({ length: 40 }, (_, index) => index + 0.5)
    const columns = Float64Array.from(
      { length: 40 },
      (_, index) => (index % 20) * 2 + Math.floor(index / 20) + 0.5,
    )

    const first = extractor.extract({ data: rows, shape: [10, 2], offset: 20 })
    const copied = extractor.extract({ data: rows.slice(20), shape: [10, 2], dtype: 'float64' })
    const strided = extractor.extract({ data: columns, shape: [10, 2], stride: [1, 20], offset: 10 })

    expect(extract).toHaveBeenCalledTimes(1)
    expect([copied, strided]).toEqual([first, first])
    expect([...strided.content]).toEqual([...rows.slice(20)])
  })

  it('never meets features of another version, of other parameters or of the cache itself', () => {
    const { cache, extract, extractor, create } = setUp()
    const window = new Float64Array(300).fill(1)
    cache.set(window, { content: new Float64Array(1), count: -1 })

    extractor.extract(window)
    create(2).extract(window)
    create(1, { period: 14 }).extract(window)
    expect(extract).toHaveBeenCalledTimes(3)

    expect(create(1).extract(window).count).toBe(300)
    expect(extract).toHaveBeenCalledTimes(3)
    expect(cache.get(window)?.count).toBe(-1)
  })

  it('computes again once the ttl is over, and not before', () => {
    const { extract, extractor } = setUp()
    const window = new Float64Array([1, 2, 3])
    const calls = [0, 60_000, 60_001].map((ms) => {
      clock.ms = ms
      extractor.extract(window)
      return extract.mock.calls.length
    })
    expect(calls).toEqual([1, 1, 2])
  })

  it('forgets the windows of an invalidated tag and no others', () => {
    const { cache, extract, extractor } = setUp()
    const [bitcoin, ether] = [new Float64Array([1]), new Float64Array([2])]
    extractor.extract(bitcoin, { tags: ['BTCUSDT'] })
    extractor.extract(ether, { tags: ['ETHUSDT'] })

    expect(cache.invalidateTag('BTCUSDT')).toBe(1)
    extractor.extract(ether)
    expect(extract).toHaveBeenCalledTimes(2)
    extractor.extract(bitcoin)
    expect(extract).toHaveBeenCalledTimes(3)
  })

  it('files features under what the window held before the extraction wrote to it', () => {
    const { extract, extractor } = setUp()
    const compute = extract.getMockImplementation()!
    extract.mockImplementation((window) => {
      const features = compute(window)
      if (window instanceof Float64Array) window.fill(0)
      return features
    })
    extractor.extract(new Float64Array([1, 2]))

    expect([...extractor.extract(new Float64Array([0, 0])).content]).toEqual([0, 0])
    expect([...extractor.extract(new Float64Array([1, 2])).content]).toEqual([1, 2])
    expect(extract).toHaveBeenCalledTimes(2)
  })

  it('computes each distinct window of a batch once, even beyond the capacity of the cache', () => {
    const { extract, extractor } = setUp(8)
    const windows = Array.from({ length: 300 }, (_, index) => new Float64Array([index % 100, 7]))

    const answers = extractor.extractMany(windows)

    expect(answers.map(({ content }) => content[0])).toEqual(windows.map((window) => window[0]))
    expect(extract).toHaveBeenCalledTimes(100)
    expect(extractor.stats()).toMatchObject({ hits: 200, misses: 100 })
  })

  it('caches nothing when the extraction throws', () => {
    const { cache, extract, extractor } = setUp()
    const failure = new Error('bad bar')
    extract.mockImplementationOnce(() => {
      throw failure
    })
    expect(() => extractor.extract(new Float64Array([1]))).toThrow(failure)
    expect(cache.size).toBe(0)
    expect(extractor.extract(new Float64Array([1])).count).toBe(1)
  })

  it('says so when the window is no array or the cache is closed', () => {
    const { cache, extractor } = setUp()
    const wrong = { data: [1, 2], shape: [2] } as unknown as NdArrayLike
    expect(() => extractor.extract(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
    cache.close()
    expect(() => extractor.extract(new Float64Array([1]))).toThrow(
      expect.objectContaining({ code: 'CLOSED' }),
    )
  })
})
