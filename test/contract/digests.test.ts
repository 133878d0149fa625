/** The digests of arrays on the portable engine: what they are, and that they never meet those of the native one. */
import { xxhash64 } from 'hash-wasm'
import { describe, expect, test } from 'vitest'
import { LocalCache, type NdArrayLike, TieredCache, type TypedArray } from '../../src/index.js'
import { Names } from '../../src/tiered/names.js'
import { MemoryServer, MemoryStore } from '../support/memory-store.js'

const FLOAT64 = 12

/** The definition in ENVELOPE.md, by another implementation of XXH64. */
async function defined(elements: TypedArray, shape: readonly number[], dtype: number): Promise<string> {
  const header = Buffer.alloc(2 + 8 * shape.length)
  header[0] = dtype
  header[1] = shape.length
  for (const [axis, extent] of shape.entries()) header.writeBigUInt64LE(BigInt(extent), 2 + 8 * axis)
  const bytes = Buffer.concat([
    header,
    Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength),
  ])
  return `x${await xxhash64(bytes, 0, 0)}${await xxhash64(bytes, 1, 0)}`
}

const portable = new LocalCache<string>({ engine: 'portable' })
const digest = (array: NdArrayLike): string => portable.key(array).toString()

describe('the digest of the portable engine', () => {
  test.each([0, 1, 2, 8, 9, 100, 8191, 8192, 8193, 40_000])(
    'is the documented one: %i elements',
    async (n) => {
      const data = Float64Array.from({ length: n }, (_, i) => i / 7)
      expect(digest(data)).toBe(await defined(data, [n], FLOAT64))
      expect(digest({ data, shape: [n, 1] })).toBe(await defined(data, [n, 1], FLOAT64))
    },
  )

  test.each<[TypedArray, number]>([
    [Int8Array.of(-1, 2, 3), 1],
    [Uint8Array.of(1, 2, 3), 2],
    [Uint8ClampedArray.of(1, 2, 3), 3],
    [Int16Array.of(-1, 2, 3), 4],
    [Uint16Array.of(1, 2, 3), 5],
    [Int32Array.of(-1, 2, 3), 6],
    [Uint32Array.of(1, 2, 3), 7],
    [BigInt64Array.of(-1n, 2n), 8],
    [BigUint64Array.of(1n, 2n), 9],
    [Float32Array.of(1.5, -0, Number.NaN), 11],
  ])('tells element types apart: %o', async (data, dtype) => {
    expect(digest(data)).toBe(await defined(data, [data.length], dtype))
  })

  test('is that of the elements in C order, wherever they lie', async () => {
    const [rows, columns] = [300, 70]
    const dense = Float64Array.from({ length: rows * columns }, (_, i) => i)
    const transposed = new Float64Array(rows * columns)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) transposed[j * rows + i] = dense[i * columns + j]!
    const expected = await defined(dense, [rows, columns], FLOAT64)
    const shape = [rows, columns]
    expect(digest({ data: dense, shape })).toBe(expected)
    expect(digest({ data: transposed, shape, strides: [1, rows] })).toBe(expected)
    const padded = Float64Array.of(9, 9, ...dense, 9)
    expect(digest({ data: padded, shape, offset: 2 })).toBe(expected)
    const backwards = dense.slice().reverse()
    const strides = [-columns, -1]
    expect(digest({ data: backwards, shape, strides, offset: rows * columns - 1 })).toBe(expected)
  })

  test('of a scope is another, and of two scopes two', () => {
    const array = Float64Array.of(1, 2)
    const texts = [portable, portable.scope('a'), portable.scope('b')].map((one) => one.key(array).toString())
    expect(new Set(texts).size).toBe(3)
  })

  test('a detached array, or one cut short, is refused', () => {
    const detached = new Float64Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const refused = expect.objectContaining({ name: 'HitpathError' })
    expect(() => portable.get(detached)).toThrow(refused)
    expect(() => portable.get({ data: Float64Array.of(1), shape: [2] })).toThrow(refused)
  })
})

describe('in one second tier', () => {
  function tier(server: MemoryServer, engine: 'native' | 'portable'): TieredCache<string> {
    return new TieredCache<string>({
      l1: new LocalCache<never>({ engine }),
      l2: new MemoryStore(server),
      bus: false,
      ttl: 60_000,
    })
  }

  const array = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] }

  test('the engines share strings and numbers, and never arrays', async () => {
    const server = new MemoryServer()
    const tiers = [tier(server, 'native'), tier(server, 'portable')]
    const [native, other] = tiers as [TieredCache<string>, TieredCache<string>]
    await native.set('text', 'of native')
    await other.set(7, 'of portable')
    expect([await other.get('text'), await native.get(7)]).toEqual(['of native', 'of portable'])
    await native.set(array, 'of native')
    expect(await other.get(array)).toBeUndefined()
    await other.set(array, 'of portable')
    expect([await native.get(array), await other.get(array)]).toEqual(['of native', 'of portable'])
    const names = [...server.entries.keys()].filter((name) => /^[dx][0-9a-f]{32}$/.test(name))
    expect(names.map(([kind]) => kind).sort()).toEqual(['d', 'x'])
    await native.delete(array)
    expect(await other.get(array)).toBe('of portable')
    await Promise.all(tiers.map((one) => one.close()))
  })

  test.each([undefined, 'inner'])('names say whose they are (namespace: %s)', (namespace) => {
    const [native, other] = (['native', 'portable'] as const).map(
      (engine) => new Names(new LocalCache({ engine }), namespace),
    ) as [Names, Names]
    for (const [own, foreign, kind] of [
      [native, other, 'd'],
      [other, native, 'x'],
    ] as const) {
      const name = own.nameOf(array)
      expect(name).toMatch(new RegExp(`^${kind}[0-9a-f]{32}$`))
      expect(own.nameOf(own.keyOf(name)!)).toBe(name)
      expect(foreign.keyOf(name)).toBeUndefined()
    }
    for (const none of ['d', 'x', 'dx', `d${'0'.repeat(31)}`, `x${'g'.repeat(32)}`, `dx${'0'.repeat(32)}`])
      expect([native.keyOf(none), other.keyOf(none)]).toEqual([undefined, undefined])
  })
})
