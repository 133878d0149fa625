import fc from 'fast-check'
import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import { NdArray, type NdArrayLike, SharedCache } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

const make = (): SharedCache => SharedCache.create({ maxBytes: 2 ** 22, shards: 3 })

/** n rows of d elements, all rows different. */
function matrix(n: number, d: number, from = 0): NdArray<Float64Array> {
  return new NdArray(
    Float64Array.from({ length: n * d }, (_, i) => from + Math.floor(i / d) + (i % d) / 100),
    [n, d],
  )
}

describe('rows as keys', () => {
  test('in a prediction batch only the rows never seen are computed', () => {
    const cache = make()
    const [out, found] = [new Float64Array(4 * 2), new Uint8Array(4)]
    expect(cache.getRows(matrix(4, 3), out, found)).toBe(0)
    expect([...found]).toEqual([0, 0, 0, 0])
    expect(cache.setRows(matrix(4, 3), matrix(4, 2), found)).toBe(4)
    const later = new Uint8Array(6)
    const wide = new Float64Array(12).fill(-1)
    expect(cache.getRows(matrix(6, 3, 2), wide, later)).toBe(2)
    expect([...later]).toEqual([1, 1, 0, 0, 0, 0])
    expect([...wide]).toEqual([2, 2.01, 3, 3.01, -1, -1, -1, -1, -1, -1, -1, -1])
    expect(cache.setRows(matrix(6, 3, 2), matrix(6, 2, 50), later)).toBe(4)
    expect(cache.get(matrix(1, 3, 2).data)).toEqual(matrix(1, 2, 2).data)
    cache.validate()
  })

  test('a row is the key of that row alone, as a typed array or an ndarray of its shape', () => {
    const cache = make()
    const cube = new NdArray(
      Float64Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 4],
    )
    cache.setRows(cube, Float64Array.of(7, 8), new Uint8Array(2))
    expect(cache.get({ data: cube.data.slice(12), shape: [3, 4] })).toEqual(Float64Array.of(8))
    expect(cache.get(cube.data.slice(12))).toBeUndefined()
    const flat = Float64Array.of(1, 2, 3, 4)
    cache.setRows(flat, Float64Array.of(5, 6), new Uint8Array(2))
    expect(cache.get(Float64Array.of(3, 4))).toEqual(Float64Array.of(6))
  })

  test.each([1, 2, 31, 32, 33, 64, 100, 5000])('%i rows in one call', (n) => {
    const cache = make()
    const found = new Uint8Array(n)
    cache.setRows(matrix(n, 5), matrix(n, 1), found)
    const out = new NdArray(new Float64Array(n), [n, 1])
    expect(cache.getRows(matrix(n, 5), out, found)).toBe(n)
    expect(out.data).toEqual(matrix(n, 1).data)
    expect(found.every((flag) => flag === 1)).toBe(true)
  })

  test('rows in a scope are the keys of that scope', () => {
    const cache = make()
    const [out, found] = [new Float64Array(4), new Uint8Array(4)]
    cache.setRows(matrix(4, 3), matrix(4, 1), found, { scope: 'net@1' })
    expect(cache.getRows(matrix(4, 3), out, found)).toBe(0)
    expect(cache.getRows(matrix(4, 3), out, found, { scope: 'net@2' })).toBe(0)
    expect(cache.getRows(matrix(4, 3), out, found, { scope: 'net@1' })).toBe(4)
    expect([...out]).toEqual([0, 1, 2, 3])
    expect(cache.scope('net@1').get(matrix(1, 3, 2).data)).toEqual(Float64Array.of(2))
    cache.setRows(matrix(4, 3), matrix(4, 1, 9), new Uint8Array(4), { scope: 'net@2', ttl: '1h' })
    expect(cache.getRows(matrix(4, 3), out, found, { scope: 'net@1' })).toBe(4)
    expect([...out]).toEqual([0, 1, 2, 3])
    expect(() => cache.getRows(matrix(4, 3), out, found, { scope: '' })).toThrow(code('INVALID_ARGUMENT'))
    cache.validate()
  })

  test('tensors of onnxruntime, arrays of more axes and of the ndarray package are matrices alike', () => {
    const cache = make()
    const { data } = matrix(4, 6)
    const flags = new Uint8Array(4)
    cache.setRows({ data, dims: [4, 6], type: 'float64' }, matrix(4, 1), flags)
    for (const same of [{ data, shape: [4, 6] }, ndarray(data, [4, 6]), new NdArray(data, [4, 6])]) {
      expect(cache.getRows(same as NdArrayLike, new Float64Array(4), flags)).toBe(4)
    }
    expect(cache.getRows({ data, shape: [4, 2, 3] }, new Float64Array(4), flags)).toBe(0)
    cache.setRows({ data, dims: [4, 2, 3] }, matrix(4, 1), flags)
    expect(cache.getRows(ndarray(data, [4, 2, 3]) as NdArrayLike, new Float64Array(4), flags)).toBe(4)
    expect(() => cache.getRows({ data, dims: [4, 6], type: 'float32' }, new Float64Array(4), flags)).toThrow(
      code('DTYPE_MISMATCH'),
    )
  })

  test('no rows at all', () => {
    const cache = make()
    expect(
      cache.getRows(new NdArray(new Float64Array(0), [0, 5]), new Float64Array(0), new Uint8Array(0)),
    ).toBe(0)
    expect(cache.setRows(new Float64Array(0), new Float64Array(0), new Uint8Array(0))).toBe(0)
  })

  test('rows that occur twice in a batch, the last one is kept', () => {
    const cache = make()
    expect(cache.setRows(Float64Array.of(1, 1, 2), Float64Array.of(10, 11, 12), new Uint8Array(3))).toBe(3)
    const [out, found] = [new Float64Array(3), new Uint8Array(3)]
    expect(cache.getRows(Float64Array.of(1, 1, 2), out, found)).toBe(3)
    expect([...out]).toEqual([11, 11, 12])
  })

  test('strided matrices: every other row, columns cut off, transposed, reversed', () => {
    const data = Float64Array.from({ length: 60 }, (_, i) => i)
    const whole = ndarray(data, [10, 6])
    for (const strided of [
      whole.step(2, 1),
      whole.hi(10, 4),
      whole.lo(1, 2),
      whole.transpose(1, 0),
      whole.step(-1, 1),
      whole.step(1, -1),
    ]) {
      const cache = make()
      const [n = 0, d = 0] = strided.shape
      const values = Float64Array.from({ length: n }, (_, i) => i)
      expect(cache.setRows(strided as NdArrayLike, values, new Uint8Array(n))).toBe(n)
      for (let i = 0; i < n; i++) {
        const row = Float64Array.from({ length: d }, (_, j) => strided.get(i, j))
        expect(cache.get(row)).toEqual(Float64Array.of(i))
      }
      const out = new Float64Array(n)
      expect(cache.getRows(strided as NdArrayLike, out, new Uint8Array(n))).toBe(n)
      expect(out).toEqual(values)
    }
  })

  test('strided values are stored in C order', () => {
    const cache = make()
    const values = ndarray(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3]).transpose(1, 0)
    cache.setRows(matrix(3, 2), values as NdArrayLike, new Uint8Array(3))
    expect(cache.get(matrix(1, 2, 1).data)).toEqual(Float64Array.of(2, 5))
    cache.setRows(
      matrix(3, 2),
      ndarray(Float64Array.of(1, 2, 3), [3]).step(-1) as NdArrayLike,
      new Uint8Array(3),
    )
    expect(cache.get(matrix(1, 2, 0).data)).toEqual(Float64Array.of(3))
  })

  test('out is written in place, from its offset; where that cannot be, it is refused', () => {
    const cache = make()
    cache.setRows(matrix(2, 3), matrix(2, 2), new Uint8Array(2))
    const data = new Float64Array(10)
    expect(cache.getRows(matrix(2, 3), { data, shape: [2, 2], offset: 3 }, new Uint8Array(2))).toBe(2)
    expect([...data]).toEqual([0, 0, 0, 0, 0.01, 1, 1.01, 0, 0, 0])
    const square = ndarray(new Float64Array(4), [2, 2])
    for (const out of [square.transpose(1, 0), square.step(-1, 1), ndarray(data, [2, 4]).hi(2, 2)]) {
      expect(() => cache.getRows(matrix(2, 3), out as NdArrayLike, new Uint8Array(2))).toThrow(
        code('SHAPE_MISMATCH'),
      )
    }
    const reversed = { data: new Float64Array(2), shape: [2], strides: [-1], offset: 1 }
    cache.setRows(Float64Array.of(8, 9), Float64Array.of(80, 90), new Uint8Array(2))
    expect(() => cache.getRows(Float64Array.of(8, 9), reversed, new Uint8Array(2))).toThrow(
      code('SHAPE_MISMATCH'),
    )
  })

  test('the ttl of setRows, the cache’s, and expiry', () => {
    const clock = { ms: 0, now: () => clock.ms }
    const cache = SharedCache.create({ maxBytes: 2 ** 20, ttl: 50, clock })
    cache.setRows(Float64Array.of(1, 2), Float64Array.of(1, 2), new Uint8Array(2))
    cache.setRows(Float64Array.of(3, 4), Float64Array.of(3, 4), new Uint8Array(2), { ttl: 10 })
    const found = new Uint8Array(4)
    const out = new Float64Array(4)
    clock.ms = 10
    expect(cache.getRows(Float64Array.of(1, 2, 3, 4), out, found)).toBe(4)
    clock.ms = 11
    expect([cache.getRows(Float64Array.of(1, 2, 3, 4), out, found), [...found]]).toEqual([2, [1, 1, 0, 0]])
    expect(() =>
      cache.setRows(Float64Array.of(3), Float64Array.of(3), new Uint8Array(1), { ttl: -1 }),
    ).toThrow(code('INVALID_TTL'))
  })

  test('count as hits and misses', () => {
    const cache = make()
    cache.setRows(Float64Array.of(1, 2), Float64Array.of(1, 2), new Uint8Array(2))
    cache.getRows(Float64Array.of(1, 2, 3), new Float64Array(3), new Uint8Array(3))
    expect(cache.stats()).toMatchObject({ hits: 2, misses: 1, inserts: 2 })
  })

  test('agree with one-by-one get and set', () => {
    const row = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 2 })
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 80 }),
        fc.array(row, { minLength: 1, maxLength: 80 }),
        (stored, asked) => {
          const [one, many] = [make(), make()]
          const flags = new Uint8Array(stored.length)
          const values = Float32Array.from(stored, (_, i) => i)
          for (const [i, key] of stored.entries()) one.set(Int32Array.from(key), Float32Array.of(i))
          many.setRows(new NdArray(Int32Array.from(stored.flat()), [stored.length, 2]), values, flags)
          const [out, found] = [new Float32Array(asked.length), new Uint8Array(asked.length)]
          const hits = many.getRows(new NdArray(Int32Array.from(asked.flat()), [asked.length, 2]), out, found)
          const expected = asked.map((key) => one.get(Int32Array.from(key)) as Float32Array | undefined)
          expect([...found]).toEqual(expected.map((value) => (value === undefined ? 0 : 1)))
          expect([...out]).toEqual(expected.map((value) => value?.[0] ?? 0))
          expect(hits).toBe(expected.filter((value) => value !== undefined).length)
          many.validate()
        },
      ),
      { numRuns: 40, seed: 20_240_501 },
    )
  })

  const two = new Uint8Array(2)
  test.each<[string, unknown, unknown, unknown, string]>([
    ['found is no Uint8Array', matrix(2, 3), new Float64Array(4), [0, 0], 'INVALID_ARGUMENT'],
    ['found is clamped', matrix(2, 3), new Float64Array(4), new Uint8ClampedArray(2), 'INVALID_ARGUMENT'],
    ['found is missing', matrix(2, 3), new Float64Array(4), undefined, 'INVALID_ARGUMENT'],
    ['fewer flags than rows', matrix(3, 3), new Float64Array(6), two, 'SHAPE_MISMATCH'],
    ['more flags than rows', matrix(1, 3), new Float64Array(2), two, 'SHAPE_MISMATCH'],
    ['a plain matrix that does not divide', new Float64Array(5), new Float64Array(4), two, 'SHAPE_MISMATCH'],
    ['an out that does not divide', matrix(2, 3), new Float64Array(3), two, 'SHAPE_MISMATCH'],
    ['an out of other rows', matrix(2, 3), matrix(3, 2), two, 'SHAPE_MISMATCH'],
    ['an out with shorter rows', matrix(2, 3), new Float64Array(2), two, 'SHAPE_MISMATCH'],
    ['an out with longer rows', matrix(2, 3), new Float64Array(6), two, 'SHAPE_MISMATCH'],
    ['an out of another type', matrix(2, 3), new Float32Array(4), two, 'DTYPE_MISMATCH'],
    ['an out of another type, as wide', matrix(2, 3), new BigInt64Array(4), two, 'DTYPE_MISMATCH'],
    ['no matrix', null, new Float64Array(4), two, 'INVALID_ARGUMENT'],
    ['a list as matrix', [1, 2], new Float64Array(4), two, 'INVALID_ARGUMENT'],
    ['a list as out', matrix(2, 3), [1, 2], two, 'INVALID_ARGUMENT'],
    ['a scalar', new NdArray(Float64Array.of(1), []), new Float64Array(4), two, 'SHAPE_MISMATCH'],
  ])('getRows refuses: %s', (_name, keys, out, found, expected) => {
    const cache = make()
    cache.setRows(matrix(2, 3), matrix(2, 2), new Uint8Array(2))
    expect(() => cache.getRows(keys as NdArrayLike, out as NdArrayLike, found as Uint8Array)).toThrow(
      code(expected),
    )
    expect(cache.getRows(matrix(2, 3), new Float64Array(4), new Uint8Array(2))).toBe(2)
    cache.validate()
  })

  test('a row stored as something else is a clear error', () => {
    const cache = make()
    for (const value of [5, 'text', [1], Float32Array.of(1), Float64Array.of(1, 2, 3)]) {
      cache.set(Float64Array.of(1), value)
      expect(() => cache.getRows(Float64Array.of(1), new Float64Array(1), new Uint8Array(1))).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(DTYPE|SHAPE)_MISMATCH$/) }),
      )
    }
  })

  test('detached arrays in every place', () => {
    const cache = make()
    const gone = new Float64Array(40)
    const flags = new Uint8Array(40)
    structuredClone([gone.buffer, flags.buffer], { transfer: [gone.buffer, flags.buffer] })
    for (const call of [
      () => cache.getRows(gone, new Float64Array(2), two),
      () => cache.getRows(matrix(2, 3), gone, two),
      () => cache.setRows(gone, new Float64Array(2), two),
      () => cache.setRows(matrix(2, 3), gone, two),
      () => cache.getRows({ data: gone, shape: [2, 20] }, new Float64Array(2), two),
    ]) {
      expect(call).toThrow(code('DETACHED'))
    }
    expect(() => cache.getRows(matrix(2, 3), new Float64Array(4), flags)).toThrow(/./)
  })

  test('values larger than a shard takes', () => {
    const cache = SharedCache.create({ maxBytes: 2 ** 16 })
    cache.set('kept', 1)
    expect(() => cache.setRows(Float64Array.of(1), new Float64Array(10_000), new Uint8Array(1))).toThrow(
      code('TOO_LARGE'),
    )
    expect(cache.get('kept')).toBe(1)
  })
})
