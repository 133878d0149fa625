import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  DTYPE,
  dtypeNamed,
  dtypeOf,
  dtypeRow,
  isTypedArray,
  type TypedArray,
} from '../../../src/key/dtype.js'

const BUFFER = new ArrayBuffer(16)

describe('dtype codes', () => {
  test('are part of the public digest: they never change', () => {
    expect(DTYPE).toEqual({
      int8: 1,
      uint8: 2,
      uint8_clamped: 3,
      int16: 4,
      uint16: 5,
      int32: 6,
      uint32: 7,
      int64: 8,
      uint64: 9,
      float16: 10,
      float32: 11,
      float64: 12,
    })
  })

  test.each(Object.values(DTYPE))('row %i agrees with the array that it constructs', (code) => {
    const row = dtypeRow(code)
    expect(row).toMatchObject({ code, bytesPerElement: expect.any(Number) })
    expect(dtypeNamed(row.name)).toBe(code)
    if (row.construct === undefined) return
    const array = new row.construct(BUFFER)
    expect(array.BYTES_PER_ELEMENT).toBe(row.bytesPerElement)
    expect(dtypeOf(array)).toBe(code)
  })

  test('a number that is no code has no row', () => {
    expect([0, 13, -1, 1.5].map((code) => dtypeRow(code))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('names of other libraries are known', () => {
    expect(dtypeNamed('uint8c')).toBe(DTYPE.uint8_clamped)
    expect(dtypeNamed('bigint64')).toBe(DTYPE.int64)
    expect(dtypeNamed('buffer')).toBe(DTYPE.uint8)
    expect(dtypeNamed('generic')).toBeUndefined()
    expect(dtypeNamed('constructor')).toBeUndefined()
  })
})

describe('typed arrays', () => {
  test('of another realm and of a subclass are recognised', () => {
    class Prices extends Float64Array {}
    const foreign = runInNewContext('new Float32Array(2)') as TypedArray
    expect(dtypeOf(foreign)).toBe(DTYPE.float32)
    expect(dtypeOf(new Prices(1))).toBe(DTYPE.float64)
    expect(dtypeOf(Buffer.from('x'))).toBe(DTYPE.uint8)
  })

  test('a Symbol.toStringTag of the user does not deceive', () => {
    expect(isTypedArray({ [Symbol.toStringTag]: 'Float64Array' })).toBe(false)
  })

  test.each([BUFFER, new SharedArrayBuffer(8), new DataView(BUFFER), [1], 'x', 5, null, undefined])(
    '%# is none, and dtypeOf says so',
    (value) => {
      expect(isTypedArray(value)).toBe(false)
      expect(() => dtypeOf(value as unknown as TypedArray)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    },
  )
})
