import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../../../src/codec/value.js'
import { HitpathError } from '../../../src/errors.js'
import { NdArray } from '../../../src/key/ndarray.js'

const RICH = encodeValue({
  s: 'text',
  'k\ud800': 'lone \ud800',
  n: [0, -0, 1.5, 70_000, 2n ** 63n, 2n ** 90n, null, undefined],
  d: [new Date(1), new Date(1_700_000_000_000), new Date(Number.NaN)],
  m: new Map<unknown, unknown>([[{ a: 1 }, new Set([1])]]),
  e: new TypeError('t', { cause: /x/g }),
  b: [Buffer.from('abc'), new ArrayBuffer(3), new DataView(new ArrayBuffer(2))],
  a: [Float64Array.of(1, 2), new NdArray(new Float32Array(6), [2, 3]), new BigInt64Array(1)],
  p: JSON.parse('{"__proto__":1}') as unknown,
})

/** Decodes, and lets nothing pass but a value or INVALID_VALUE. */
function attempt(bytes: Uint8Array): unknown {
  try {
    return decodeValue(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(HitpathError)
    expect(error).toMatchObject({ code: 'INVALID_VALUE' })
    return undefined
  }
}

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

describe('bytes that are not a value', () => {
  test('are refused when cut at any byte', () => {
    for (let length = 0; length < RICH.length; length++) {
      expect(() => decodeValue(RICH.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'INVALID_VALUE' }),
      )
    }
  })

  test('never do worse than INVALID_VALUE when a byte is changed', () => {
    for (let at = 0; at < RICH.length; at++) {
      for (const byte of [
        0x00,
        0x68,
        0x80,
        0x91,
        0xc1,
        0xc9,
        0xd4,
        0xdd,
        0xdf,
        0xff,
        (RICH[at] as number) ^ 1,
      ]) {
        const bytes = Buffer.from(RICH)
        bytes[at] = byte
        attempt(bytes)
      }
    }
  })

  test('never do worse than INVALID_VALUE when they are random', () => {
    const noise = fc.uint8Array({ maxLength: 200 })
    const spliced = fc
      .tuple(fc.nat(RICH.length), fc.nat(40), fc.uint8Array({ maxLength: 40 }))
      .map(([at, cut, bytes]) => Buffer.concat([RICH.subarray(0, at), bytes, RICH.subarray(at + cut)]))
    fc.assert(
      fc.property(fc.oneof(noise, spliced), (bytes) => void attempt(bytes)),
      { numRuns: 3000 },
    )
  })

  test.each([
    ['nothing', ''],
    ['a byte more', 'c0 c0'],
    ['the unused byte 0xc1', 'c1'],
    ['an array of 2^32 - 1', 'dd ffffffff'],
    ['an array of 2^32 - 1 in each of its items', 'dd ffffffff dd ffffffff dd ffffffff'],
    ['a map of 2^32 - 1', 'df ffffffff c0'],
    ['a string of 2^32 - 1', 'db ffffffff 61'],
    ['a bin of 2^32 - 1', 'c6 ffffffff 00'],
    ['an extension of 2^32 - 1', 'c9 ffffffff 6e 00'],
    ['an extension that is none of ours', 'd4 05 00'],
    ['a record of msgpackr', 'd4 72 40 91 a1 61 c0'],
    ['a reference of msgpackr', 'd6 69 00000001 c0'],
    ['an error of msgpackr', 'd4 65 00 92 a1 61 a1 62'],
    ['a bundle of msgpackr', 'd6 62 00000000 c0'],
    ['an unknown tag', '91 d4 68 63'],
    ['a tag outside an array', 'd4 68 00'],
    ['a tag after the first place', '92 c0 d4 68 00'],
    ['a tag as a key', '81 d4 68 00 c0'],
    ['a Map of an odd number', '92 d4 68 00 c0'],
    ['a reference to nothing', '92 d4 68 08 05'],
    ['a reference to -1', '92 d4 68 08 ff'],
    ['a reference to itself', '92 d4 68 08 00'],
    ['a RegExp that does not compile', '93 d4 68 04 a1 28 a0'],
    ['a BigInt that is no number', '92 d4 68 05 a1 7a'],
    ['a string of half a unit', '92 d4 68 06 c4 01 00'],
    ['an array without a header', 'd4 6e 00'],
    ['an array of an unknown kind', 'c7 04 6e 09 00 00 00'],
    ['an array of an unknown dtype', 'c7 04 6e 01 63 00 00'],
    ['an array whose axes are not there', 'c7 05 6e 00 0c ff 00 00'],
    ['an array whose padding is not there', 'c7 04 6e 01 0c 00 07'],
    ['half an element', 'c7 06 6e 01 0c 00 00 01 02'],
    ['a shape larger than the elements', 'c7 0c 6e 00 0c 02 00 ffffffff ffffffff'],
    ['a shape of nothing times everything', `c7 ff 6e 00 02 3e 00 ${'ff'.repeat(247)} 00000000`],
    ['an ArrayBuffer with axes', 'c7 08 6e 02 00 01 00 00000000'],
  ])('%s', (_, bytes) => {
    expect(() => decodeValue(hex(bytes))).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
  })

  test('a tower of arrays does not run out of stack', () => {
    for (const levels of [600, 100_000]) {
      const tower = new Uint8Array(levels + 1).fill(0x91)
      tower[levels] = 0xc0
      expect(() => decodeValue(tower)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
    }
  })

  test('what is no Uint8Array is INVALID_ARGUMENT', () => {
    expect(() => decodeValue('c0' as unknown as Uint8Array)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
})
