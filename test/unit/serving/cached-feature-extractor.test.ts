import ndarray from 'ndarray'
import { describe, expect, it, vi } from 'vitest'
import type { NdArrayLike } from '../../../src/key/ndarray.js'
import {
  CachedFeatureExtractor,
  type CachedFeatureExtractorOptions,
} from '../../../src/serving/cached-feature-extractor.js'
import type { Params } from '../../../src/serving/canonical-params.js'
import { contentOf, FakeFeatureCache } from './fake-feature-cache.js'

type Sum = { readonly sum: number }
type Options = CachedFeatureExtractorOptions<Sum, NdArrayLike>

/** Sums the window's elements and remembers what it was called with. */
function summing() {
  return vi.fn((window: NdArrayLike): Sum => {
    const elements = contentOf(window).replace(/^.*\]/, '').split(',')
    return { sum: elements.reduce((sum, element) => sum + Number(element), 0) }
  })
}

function extractorOver(cache: FakeFeatureCache<Sum>, options: Partial<Options> = {}) {
  return new CachedFeatureExtractor<Sum>({ cache, name: 'sum', version: 1, extract: summing(), ...options })
}

describe('CachedFeatureExtractor', () => {
  it('computes a window once and returns the same features again', () => {
    const extract = summing()
    const extractor = extractorOver(new FakeFeatureCache(), { extract })
    const window = new Float64Array([1, 2, 3])

    const first = extractor.extract(window)
    const second = extractor.extract(window)

    expect(first).toEqual({ sum: 6 })
    expect(second).toBe(first)
    expect(extract).toHaveBeenCalledExactlyOnceWith(window)
  })

  it('knows a window by its content: a copy, a strided view and an ndarray are one', () => {
    const extract = summing()
    const extractor = extractorOver(new FakeFeatureCache(), { extract })
    const rows = new Float64Array([9, 1, 2, 3, 4, 9])
    const columns = new Float64Array([1, 3, 9, 2, 4, 9])

    extractor.extract({ data: rows, shape: [2, 2], offset: 1 })
    extractor.extract({ data: columns, shape: [2, 2], stride: [1, 3] })
    extractor.extract(ndarray(rows.slice(1, 5), [2, 2]))

    expect(extract).toHaveBeenCalledTimes(1)
  })

  it('keeps apart what differs in dtype, in shape or in one element', () => {
    const extract = summing()
    const extractor = extractorOver(new FakeFeatureCache(), { extract })
    const data = new Float64Array([1, 2, 3, 4])

    extractor.extract(data)
    extractor.extract(Float32Array.from(data))
    extractor.extract({ data, shape: [2, 2] })
    data[3] = 5
    extractor.extract(data)

    expect(extract).toHaveBeenCalledTimes(4)
  })

  it('sees a rolling buffer as another window after each append', () => {
    const extractor = extractorOver(new FakeFeatureCache())
    const buffer = new Float64Array([1, 2, 3])
    const sums = [4, 5].map((next) => {
      const { sum } = extractor.extract(buffer)
      buffer.copyWithin(0, 1)
      buffer[2] = next
      return sum
    })
    expect([...sums, extractor.extract(buffer).sum]).toEqual([6, 9, 12])
  })

  it.each<[string, Partial<Options>, Partial<Options>]>([
    ['name', { name: 'sum' }, { name: 'mean' }],
    ['version', { version: 1 }, { version: 2 }],
    ['parameter', { params: { period: 14 } }, { params: { period: 21 } }],
    ['parameter that JSON cannot tell', { params: { floor: 0 } }, { params: { floor: -0 } }],
    ['split of name and version', { name: 'a@1', version: 2 }, { name: 'a', version: '1@2' }],
    ['split of version and params', { version: '1?{}' }, { version: 1, params: {} }],
  ])('never meets features of another %s', (_, one, other) => {
    const cache = new FakeFeatureCache<Sum>()
    const window = new Float64Array([1])
    extractorOver(cache, one).extract(window)
    const extract = summing()

    extractorOver(cache, { ...other, extract }).extract(window)

    expect(extract).toHaveBeenCalledTimes(1)
  })

  it('shares features with another extractor of the same name, version and parameters', () => {
    const cache = new FakeFeatureCache<Sum>()
    const window = new Float64Array([1])
    extractorOver(cache, { version: 1, params: { a: 1, b: 2 } }).extract(window)
    const extract = summing()

    extractorOver(cache, { version: '1', params: { b: 2, a: 1 }, extract }).extract(window)

    expect(extract).not.toHaveBeenCalled()
    expect(cache.scopes).toEqual(['features/sum@1?{"a":1,"b":2}', 'features/sum@1?{"a":1,"b":2}'])
  })

  it.each<[string, Partial<Options>, number]>([
    ['60 s unless told otherwise', {}, 60_000],
    ['the ttl of the constructor', { ttl: '5s' }, 5000],
  ])('serves features for %s', (_, options, ttlMs) => {
    const cache = new FakeFeatureCache<Sum>()
    const extract = summing()
    const extractor = extractorOver(cache, { ...options, extract })
    const window = new Float64Array([1])

    extractor.extract(window)
    cache.ms = ttlMs
    extractor.extract(window)
    expect(extract).toHaveBeenCalledTimes(1)

    cache.ms = ttlMs + 1
    extractor.extract(window)
    expect(extract).toHaveBeenCalledTimes(2)
  })

  it('takes the ttl of the call that computes', () => {
    const cache = new FakeFeatureCache<Sum>()
    const extract = summing()
    const extractor = extractorOver(cache, { extract })
    const window = new Float64Array([1])

    extractor.extract(window, { ttl: 100 })
    cache.ms = 101
    extractor.extract(window)

    expect(extract).toHaveBeenCalledTimes(2)
  })

  it('tags an entry with the tags of the constructor and of the call', () => {
    const cache = new FakeFeatureCache<Sum>()
    const fixed = extractorOver(cache, { tags: ['daily'] })
    fixed.extract(new Float64Array([1]), { tags: ['BTCUSDT'] })
    fixed.extract(new Float64Array([2]))
    expect(cache.tags).toEqual([['daily', 'BTCUSDT'], ['daily']])
  })

  it('asks a function for the tags, on a miss only', () => {
    const cache = new FakeFeatureCache<Sum>()
    const tags = vi.fn((_: NdArrayLike, context: { features: Sum }) => [`sum:${context.features.sum}`])
    const extractor = extractorOver(cache, { name: 'sum', version: 7, tags })
    const window = new Float64Array([1, 2])

    extractor.extract(window)
    extractor.extract(window)

    expect(tags).toHaveBeenCalledExactlyOnceWith(window, { name: 'sum', version: '7', features: { sum: 3 } })
    expect(cache.tags).toEqual([['sum:3']])
  })

  it('rethrows what the extraction throws as it is, caches nothing and recovers', () => {
    const cache = new FakeFeatureCache<Sum>()
    const failure = new RangeError('not enough bars')
    const extract = summing().mockImplementationOnce(() => {
      throw failure
    })
    const extractor = extractorOver(cache, { extract })
    const window = new Float64Array([1])

    expect(() => extractor.extract(window)).toThrow(failure)
    expect(cache.size).toBe(0)
    expect(extractor.extract(window)).toEqual({ sum: 1 })
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 1],
    ['a promise', Promise.resolve({ sum: 1 })],
  ])('refuses an extraction that returns %s, and caches nothing', (_, result) => {
    const cache = new FakeFeatureCache<Sum>()
    const extractor = extractorOver(cache, { extract: () => result as unknown as Sum })
    expect(() => extractor.extract(new Float64Array([1]))).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_VALUE' }),
    )
    expect(cache.size).toBe(0)
  })

  it('is not misled by an extraction that writes to its window', () => {
    const extractor = extractorOver(new FakeFeatureCache(), {
      extract: (window) => {
        const features = summing()(window)
        if (window instanceof Float64Array) window.fill(0)
        return features
      },
    })
    extractor.extract(new Float64Array([1, 2]))
    expect(extractor.extract(new Float64Array([0, 0]))).toEqual({ sum: 0 })
    expect(extractor.extract(new Float64Array([1, 2]))).toEqual({ sum: 3 })
  })

  it('may be called by its own extraction', () => {
    const extractor: CachedFeatureExtractor<Sum, Float64Array> = new CachedFeatureExtractor<
      Sum,
      Float64Array
    >({
      cache: new FakeFeatureCache<Sum>(),
      name: 'triangle',
      version: 1,
      extract: ([n = 0]) => ({ sum: n === 0 ? 0 : n + extractor.extract(new Float64Array([n - 1])).sum }),
    })
    expect(extractor.extract(new Float64Array([4]))).toEqual({ sum: 10 })
    expect(extractor.stats()).toMatchObject({ hits: 0, misses: 5 })
  })

  it('counts hits, misses and the time spent extracting', () => {
    const extractor = extractorOver(new FakeFeatureCache())
    expect(extractor.stats()).toEqual({ hits: 0, misses: 0, extractMs: 0 })

    extractor.extract(new Float64Array([1]))
    extractor.extract(new Float64Array([1]))
    extractor.extract(new Float64Array([2]))

    const { hits, misses, extractMs } = extractor.stats()
    expect({ hits, misses }).toEqual({ hits: 1, misses: 2 })
    expect(extractMs).toBeGreaterThan(0)
  })

  it.each<[string, unknown]>([
    ['cache', {}],
    ['cache', undefined],
    ['name', ''],
    ['version', Number.NaN],
    ['version', ''],
    ['extract', 'sum'],
    ['tags', 'BTCUSDT'],
    ['tags', [1]],
    ['params', new Date(0) as unknown as Params],
    ['ttl', 0],
    ['maxAge', 1],
  ])('refuses a wrong %s by name', (option, value) => {
    const create = () => extractorOver(new FakeFeatureCache(), { [option]: value })
    expect(create).toThrow(
      expect.objectContaining({ name: 'HitpathError', message: expect.stringContaining(option) }),
    )
  })

  describe('extractMany', () => {
    it('answers in order, computes each distinct content once, and finds all of it again', () => {
      const extract = summing()
      const extractor = extractorOver(new FakeFeatureCache(), { extract })
      extractor.extract(new Float64Array([3]))
      const windows = [1, 2, 1, 3, 2].map((value) => new Float64Array([value]))

      const sums = extractor.extractMany(windows).map((features) => features.sum)

      expect(sums).toEqual([1, 2, 1, 3, 2])
      expect(extract).toHaveBeenCalledTimes(3)
      expect(extractor.stats()).toMatchObject({ hits: 3, misses: 3 })
    })

    it('computes a duplicate once even when the cache cannot hold the batch', () => {
      const extract = summing()
      const extractor = extractorOver(new FakeFeatureCache({ maxEntries: 1 }), { extract })
      const windows = [1, 2, 3, 1, 2, 3].map((value) => new Float64Array([value]))

      const sums = extractor.extractMany(windows).map((features) => features.sum)

      expect(sums).toEqual([1, 2, 3, 1, 2, 3])
      expect(extract).toHaveBeenCalledTimes(3)
    })

    it('throws what the first window that fails threw, and keeps all others', () => {
      const extract = summing()
      const failure = new Error('bad bar')
      const extractor = extractorOver(new FakeFeatureCache(), {
        extract: (window) => {
          const sum = extract(window)
          if (sum.sum === 2) throw failure
          if (sum.sum === 3) throw new Error('another')
          return sum
        },
      })
      const windows = [1, 2, 3, 2, 4].map((value) => new Float64Array([value]))

      expect(() => extractor.extractMany(windows)).toThrow(failure)
      expect(extract).toHaveBeenCalledTimes(4)
      extractor.extract(new Float64Array([1]))
      extractor.extract(new Float64Array([4]))

      expect(extract).toHaveBeenCalledTimes(4)
    })

    it('passes tags and ttl to every entry, and takes an empty batch', () => {
      const cache = new FakeFeatureCache<Sum>()
      const extractor = extractorOver(cache)
      expect(extractor.extractMany([])).toEqual([])

      extractor.extractMany([new Float64Array([1]), new Float64Array([2])], { tags: ['BTCUSDT'] })

      expect(cache.tags).toEqual([['BTCUSDT'], ['BTCUSDT']])
    })
  })
})
