import fc from 'fast-check'
import { xxhash3, xxhash128 } from 'hash-wasm'
import { expect, test } from 'vitest'
import { xxh3Of64, xxh3Of128 } from '../../../../src/native/portable/xxh3.js'

const hex = (word: bigint): string => word.toString(16).padStart(16, '0')

/** Bytes whose products carry as far as they can, and others. */
function inputs(length: number): readonly Uint8Array[] {
  return [
    new Uint8Array(length),
    new Uint8Array(length).fill(255),
    Uint8Array.from({ length }, (_, i) => (i * 167 + length * 31) & 255),
  ]
}

const EDGES = [1023, 1024, 1025, 1088, 1089, 2047, 2048, 2049, 4096, 10_000, 65_537, 262_144]

test('XXH3-128 of every short length and around the edges of blocks', async () => {
  for (const length of [...Array(520).keys(), ...EDGES])
    for (const bytes of inputs(length)) {
      const { low, high } = xxh3Of128(bytes)
      expect(hex(high) + hex(low), `${length} bytes`).toBe(await xxhash128(bytes))
    }
})

test('XXH3-64 of every length from 17 on, with seeds', async () => {
  for (const length of [...Array.from({ length: 520 }, (_, i) => 17 + i), ...EDGES])
    for (const bytes of inputs(length))
      for (const [low, high] of [
        [0, 0],
        [1, 0],
        [0xffff_ffff, 0xffff_ffff],
        [0x9e37_79b1, 0x85eb_ca77],
      ] as const) {
        const seed = (BigInt(high) << 32n) | BigInt(low)
        expect(hex(xxh3Of64(bytes, seed)), `${length} bytes`).toBe(await xxhash3(bytes, low, high))
      }
})

test('bytes at any offset of their buffer, of any content', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 17, maxLength: 3000 }),
      fc.nat(9),
      fc.nat(0xffff_ffff),
      async (content, offset, seed) => {
        const bytes = new Uint8Array(content.length + offset).subarray(offset)
        bytes.set(content)
        const { low, high } = xxh3Of128(bytes)
        expect(hex(high) + hex(low)).toBe(await xxhash128(content))
        expect(hex(xxh3Of64(bytes, BigInt(seed)))).toBe(await xxhash3(content, seed, 0))
      },
    ),
  )
})
