import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ArrayView, cOrderBytes, type TypedArray, viewOf } from '../../../src/key/ndarray.js'

const ARRAYS = [Int8Array, Int16Array, Float32Array, Float64Array, BigInt64Array] as const

/** The obvious way: every index, in order, one element at a time. */
function cOrderElements({ data, shape, strides, offset }: ArrayView): unknown[] {
  const visit = (axis: number, at: number): unknown[] => {
    if (axis === shape.length) return [data[at]]
    return Array.from({ length: shape[axis] ?? 0 }, (_, i) =>
      visit(axis + 1, at + i * (strides[axis] ?? 0)),
    ).flat()
  }
  return visit(0, offset)
}

function elementsOf(bytes: Uint8Array, like: TypedArray): unknown[] {
  const Elements = like.constructor as new (buffer: ArrayBufferLike, at: number, length: number) => TypedArray
  const elements = new Elements(bytes.buffer, bytes.byteOffset, bytes.byteLength / like.BYTES_PER_ELEMENT)
  return Array.from(elements as ArrayLike<unknown>)
}

/** Any strided view: the data is made just large enough for what its strides reach. */
const views = fc
  .record({
    axes: fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -7, max: 7 })), {
      maxLength: 4,
    }),
    Elements: fc.constantFrom(...ARRAYS),
    slack: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ axes, Elements, slack }) => {
    const reaches = axes.map(([length, stride]) => Math.max(0, length - 1) * stride)
    const below = -reaches.filter((reach) => reach < 0).reduce((a, b) => a + b, 0)
    const above = reaches.filter((reach) => reach > 0).reduce((a, b) => a + b, 0)
    const data = new Elements(below + above + 1 + 2 * slack)
    for (let i = 0; i < data.length; i++) data[i] = Elements === BigInt64Array ? BigInt(i * 7 + 1) : i * 7 + 1
    return { data, shape: axes.map(([n]) => n), strides: axes.map(([, s]) => s), offset: below + slack }
  })

describe('cOrderBytes', () => {
  test('reads any strided view as nested loops would', () => {
    fc.assert(
      fc.property(views, (array) => {
        const view = viewOf(array)
        expect(elementsOf(cOrderBytes(view), array.data)).toEqual(cOrderElements(view))
      }),
    )
  })

  test('a contiguous view is not copied', () => {
    const data = Float64Array.of(0, 1, 2, 3)
    const bytes = cOrderBytes(viewOf({ data, shape: [2], offset: 2 }))
    expect(bytes.buffer).toBe(data.buffer)
    expect([bytes.byteOffset, bytes.byteLength]).toEqual([16, 16])
  })

  test('the payload of a NaN survives a gather', () => {
    const bits = Uint32Array.of(0x7f800001, 0, 0xffc12345, 0)
    const view = viewOf({ data: new Float32Array(bits.buffer), shape: [2], stride: [2] })
    expect(Array.from(new Uint32Array(cOrderBytes(view).buffer))).toEqual([0x7f800001, 0xffc12345])
  })

  test('a buffer that shrank since is an error, not zeros', () => {
    const buffer = new (ArrayBuffer as new (n: number, o: { maxByteLength: number }) => ArrayBuffer)(64, {
      maxByteLength: 64,
    })
    const view = viewOf(new Float64Array(buffer))
    ;(buffer as ArrayBuffer & { resize(byteLength: number): void }).resize(16)
    expect(() => cOrderBytes(view)).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }))
  })
})
