import { describe, expect, it } from 'vitest'
import type { NdArrayLike } from '../../../src/key/ndarray.js'
import { WindowSnapshot } from '../../../src/serving/window-snapshot.js'
import { contentOf } from './fake-feature-cache.js'

const rows = Float64Array.from({ length: 12 }, (_, index) => index)
const bits = new Uint32Array([0x7fc00000, 0x7fc00001, 0x80000000])

const windows: [string, NdArrayLike][] = [
  ['a typed array', rows.subarray(3, 9)],
  ['an offset view', { data: rows, shape: [2, 3], offset: 4 }],
  ['a transposed view', { data: rows, shape: [3, 4], stride: [1, 3] }],
  ['a reversed view', { data: rows, shape: [12], strides: [-1], offset: 11 }],
  ['one row repeated', { data: rows, shape: [2, 3], stride: [0, 1] }],
  ['a scalar', { data: rows, shape: [], offset: 7 }],
  ['an empty array', { data: rows, shape: [0, 5] }],
  ['a tensor', { data: new BigInt64Array([1n, -2n]), dims: [2, 1], type: 'int64' }],
  ['bits of float16', { data: new Uint16Array([0x3c00, 0]), dims: [2], type: 'float16' }],
  ['a Buffer', Buffer.from([1, 2, 3])],
  ['a zero with a sign', new Float64Array([-0])],
]

describe('WindowSnapshot', () => {
  it.each(windows)('of %s is the same key', (_, window) => {
    expect(contentOf(new WindowSnapshot(window).array)).toBe(contentOf(window))
  })

  it.each(windows.filter(([, window]) => 'shape' in window || 'dims' in window))(
    'of %s keeps what it held',
    (_, window) => {
      const before = contentOf(window)
      const { data } = window as { data: Float64Array | Uint16Array | BigInt64Array }
      const saved = data.slice()
      const snapshot = new WindowSnapshot(window)

      if (data instanceof BigInt64Array) data.fill(9n)
      else data.fill(9)

      expect(contentOf(snapshot.array)).toBe(before)
      data.set(saved as Float64Array & BigInt64Array)
    },
  )

  it('has equal content exactly for equal keys', () => {
    const different: NdArrayLike[] = [
      ...windows.map(([, window]) => window),
      new Float32Array([0]),
      new Float64Array([0]),
      new Uint32Array([0]),
      { data: rows, shape: [3, 2], offset: 4 },
      { data: rows, shape: [6], offset: 4 },
      ...Array.from(bits, (_, index) => new Float32Array(bits.buffer, 4 * index, 1)),
    ]
    const contents = different.map((window) => new WindowSnapshot(window).content())
    expect(new Set(contents).size).toBe(different.length)
    expect(new WindowSnapshot({ data: rows.slice(3, 9), shape: [6] }).content()).toBe(contents[0])
  })

  it('refuses what is no ndarray', () => {
    expect(() => new WindowSnapshot('window' as unknown as NdArrayLike)).toThrow(
      expect.objectContaining({ name: 'HitpathError' }),
    )
  })
})
