import fc from 'fast-check'
import { xxhash128 } from 'hash-wasm'
import { describe, expect, test } from 'vitest'
import { digest, type NdArrayLike, type TypedArray } from '../../../src/index.js'

function code(expected: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: expected })
}

const CODES: Readonly<Record<string, number>> = {
  Int8Array: 1,
  Uint8Array: 2,
  Uint8ClampedArray: 3,
  Int16Array: 4,
  Uint16Array: 5,
  Int32Array: 6,
  Uint32Array: 7,
  BigInt64Array: 8,
  BigUint64Array: 9,
  Float32Array: 11,
  Float64Array: 12,
}

/** The definition in the documentation of digest(), by another implementation of XXH3. */
async function defined(
  array: TypedArray,
  shape: readonly number[],
  dtype = CODES[array.constructor.name]!,
): Promise<string> {
  const elements = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  const header = Buffer.alloc(2 + 8 * shape.length)
  header[0] = dtype
  header[1] = shape.length
  for (const [axis, extent] of shape.entries()) header.writeBigUInt64LE(BigInt(extent), 2 + 8 * axis)
  const hashes = [await xxhash128(elements), await xxhash128(header, 1, 0)].map((hex) => BigInt(`0x${hex}`))
  return ((hashes[0] as bigint) ^ (hashes[1] as bigint)).toString(16).padStart(32, '0')
}

const SIX = Float32Array.of(1, 2, 3, 4, 5, 6)

describe('digest', () => {
  test.each<[string, NdArrayLike, string]>([
    ['an empty Uint8Array', new Uint8Array(0), 'f218504e2d161fdfa2cdfa244a280bf2'],
    ['three bytes', Uint8Array.of(1, 2, 3), 'd40e62066d5d9141ed16a4e554d069fb'],
    ['one float64', Float64Array.of(1.5), 'd41d92aab7d712ec3b6e0c64dc0517ef'],
    ['the same as a scalar', { data: Float64Array.of(1.5), shape: [] }, 'ddf45ea685cea908a16f2f336b8a3939'],
    ['[2, 3]', { data: SIX, shape: [2, 3] }, 'a960bd5b5deb455ec1c46483200c3dc9'],
    ['[3, 2]', { data: SIX, shape: [3, 2] }, 'dca1dbd70b130c9ed948475eddbfa0ff'],
    [
      'a window',
      { data: Float64Array.from({ length: 300 }, (_, i) => i / 7), shape: [60, 5] },
      '1ec7a2e933654f38b1e72cefd1ffcc61',
    ],
    ['one int64', BigInt64Array.of(-1n), '427a0c9e894f6dcb9188067b73214484'],
    ['[0, 3]', { data: new Float64Array(0), shape: [0, 3] }, '41028c3924a2bd9c7db3fd9afe86e288'],
  ])('golden: %s', (_name, array, golden) => {
    expect(digest(array)).toBe(golden)
  })

  test('is the documented one for any type, shape and length', async () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(1024, 4096, 9600))
    const makers = [
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
      BigInt64Array,
      BigUint64Array,
      Float32Array,
      Float64Array,
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...makers),
        lengths,
        fc.integer({ min: 1, max: 7 }),
        fc.nat(255),
        fc.nat(3),
        async (Maker, length, rows, start, offset) => {
          const width = Maker.BYTES_PER_ELEMENT
          const bytes = Uint8Array.from(
            { length: (length + offset) * width },
            (_, i) => (start + i * 167) & 255,
          )
          const array = new Maker(bytes.buffer, offset * width, length)
          expect(digest(array)).toBe(await defined(array, [length]))
          const shape = length % rows === 0 ? [rows, length / rows, 1] : [length, 1]
          expect(digest({ data: array, shape })).toBe(await defined(array, shape))
        },
      ),
      { numRuns: 300, seed: 20_240_502 },
    )
  })

  test('of float16 bits', async () => {
    const data = Uint16Array.of(0x3c00, 0xc000)
    expect(digest({ data, shape: [2], dtype: 'float16' })).toBe(await defined(data, [2], 10))
  })

  test('of a strided array is that of its copy in C order', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ extent: fc.integer({ min: 1, max: 7 }), step: fc.integer({ min: -3, max: 3 }) }),
          { minLength: 1, maxLength: 4 },
        ),
        (axes) => {
          const shape = axes.map(({ extent }) => extent)
          let low = 0
          let high = 0
          const strides = axes.map(({ extent, step }, axis) => {
            const stride = step * (axis + 1)
            if (stride < 0) low += (extent - 1) * stride
            else high += (extent - 1) * stride
            return stride
          })
          const data = Float64Array.from({ length: high - low + 3 }, (_, i) => Math.sqrt(i))
          const offset = 1 - low
          const dense: number[] = []
          const walk = (axis: number, at: number): void => {
            if (axis === shape.length) dense.push(data[at]!)
            else for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, at + i * strides[axis]!)
          }
          walk(0, offset)
          expect(digest({ data, shape, strides, offset })).toBe(
            digest({ data: Float64Array.from(dense), shape }),
          )
        },
      ),
      { numRuns: 300, seed: 20_240_503 },
    )
  })

  test('tells -0 from 0, and NaNs of other bits apart', () => {
    expect(digest(Float64Array.of(-0))).not.toBe(digest(Float64Array.of(0)))
    const quiet = new Float64Array(BigUint64Array.of(0x7ff8_0000_0000_0000n).buffer)
    const payload = new Float64Array(BigUint64Array.of(0x7ff8_0000_0000_0001n).buffer)
    expect(digest(quiet)).not.toBe(digest(payload))
  })

  test.each([null, undefined, 5, 'text', {}, [1], new ArrayBuffer(8), new DataView(new ArrayBuffer(8))])(
    '%s has none',
    (value) => {
      expect(() => digest(value as unknown as NdArrayLike)).toThrow(
        expect.objectContaining({ name: 'HitpathError' }),
      )
    },
  )

  test('of what cannot be read is an error', () => {
    const gone = new Float64Array(100)
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    expect(() => digest(gone)).toThrow(code('DETACHED'))
    expect(() => digest({ data: SIX, shape: [7] })).toThrow(code('SHAPE_MISMATCH'))
    expect(() => digest({ data: SIX, shape: [6], dtype: 'float64' })).toThrow(code('DTYPE_MISMATCH'))
  })
})
