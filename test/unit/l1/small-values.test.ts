import { expect, test } from 'vitest'
import { type NdArrayLike, SharedCache, type TypedArray } from '../../../src/index.js'

/** Longer ones come back as views of the region. */
const COPIED_BYTES = 1024
const KINDS = [Uint8Array, Int16Array, Float32Array, Float64Array, BigInt64Array] as const

const bytesOf = ({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

function bytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) & 255)
}

test('small arrays are copies that share memory and never each other’s bytes; long ones are views', () => {
  const cache = SharedCache.create<TypedArray>({ maxBytes: 2 ** 25, maxEntries: 4096 })
  const expected = new Map<string, Uint8Array>()
  for (let i = 0; i < 1500; i++) {
    const Kind = KINDS[i % KINDS.length]!
    const length = Kind.BYTES_PER_ELEMENT * Math.ceil((i * 1.4) / Kind.BYTES_PER_ELEMENT)
    const raw = bytes(length, i)
    expected.set(`key ${i}`, raw)
    cache.set(`key ${i}`, new Kind(raw.buffer))
  }
  const held = new Map([...expected.keys()].map((key) => [key, cache.get(key)!]))
  cache.clear() // what was read stays what it was
  for (let i = 0; i < 3000; i++) cache.set(`other ${i}`, new Uint8Array(1100).fill(255))
  const memories = new Set<ArrayBufferLike>()
  for (const [key, raw] of expected) {
    const array = held.get(key)!
    expect(Buffer.compare(bytesOf(array), raw), key).toBe(0)
    expect(array.buffer === cache.handle.region, key).toBe(raw.length > COPIED_BYTES)
    if (raw.length <= COPIED_BYTES) memories.add(array.buffer)
  }
  expect(memories.size).toBeGreaterThan(1)
  expect(memories.size).toBeLessThan(100)
  cache.validate()
})

test('a write into one reaches neither the store nor the next', () => {
  const cache = SharedCache.create<Float64Array>({ maxBytes: 2 ** 16 })
  for (const key of ['a', 'b', 'c']) cache.set(key, Float64Array.of(1, 2, 3))
  const [a, b, c] = ['a', 'b', 'c'].map((key) => cache.get(key)!)
  a!.fill(-1)
  b!.fill(-2)
  expect(c).toEqual(Float64Array.of(1, 2, 3))
  expect(SharedCache.attach<Float64Array>(cache.handle).peek('a')).toEqual(Float64Array.of(1, 2, 3))
})

test('nothing of them is pinned', () => {
  const cache = SharedCache.create<NdArrayLike>({ maxBytes: 2 ** 18 })
  cache.set('a', new Float64Array(COPIED_BYTES / 8)).set('b', new Float64Array(COPIED_BYTES / 8 + 1))
  cache.get('a')
  expect(cache.stats().pinnedBytes).toBe(0)
  const view = cache.get('b')
  expect(cache.stats().pinnedBytes).toBeGreaterThan(0)
  expect(view).toBeDefined()
})
