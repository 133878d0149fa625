import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ArrayEnvelopes } from '../../../src/codec/array-envelopes.js'
import { decodePayload, type EnvelopeMeta, encodeEnvelope, readHeader } from '../../../src/codec/envelope.js'
import { SLAB_BYTES } from '../../../src/codec/slab.js'
import { NdArray, type TypedArray } from '../../../src/key/ndarray.js'
import { NDARRAYS, VALUES } from '../../interop/values.js'

const META: EnvelopeMeta = { freshUntil: 1000, deadAt: 2000, version: 5, epoch: 3, factoryMs: 1.5 }

const arrays: readonly (TypedArray | NdArray)[] = [
  Float64Array.of(1, -0, Number.NaN),
  new Float64Array(0),
  Float32Array.of(1.5),
  Int8Array.of(-1, 2, 3),
  Uint8Array.of(255),
  Uint8ClampedArray.of(7),
  Int16Array.of(-3),
  Uint16Array.of(4, 5),
  Int32Array.of(6),
  Uint32Array.of(2 ** 32 - 1),
  BigInt64Array.of(-1n),
  BigUint64Array.of(2n ** 64n - 1n),
  new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
  new NdArray(Float64Array.of(9), []),
]

/** Bytes at an address that is no multiple of 8, as they come out of a socket. */
function unaligned(bytes: Uint8Array, by = 3): Uint8Array {
  const memory = new Uint8Array(bytes.length + 16)
  memory.set(bytes, by)
  return memory.subarray(by, by + bytes.length)
}

function memoryOf(value: TypedArray | NdArray | undefined): ArrayBufferLike {
  return (value instanceof NdArray ? value.data : (value as TypedArray)).buffer
}

/** What is read here must be what the general way reads. */
function agrees(bytes: Uint8Array, envelopes: ArrayEnvelopes, own: boolean): boolean {
  const value = envelopes.read(bytes, own)
  if (value === undefined) return false
  const head = readHeader(bytes)
  expect(head).toBeDefined()
  if (head === undefined) return false
  expect(head).toMatchObject({ tags: [], negative: false, compressed: false })
  const { freshUntil, deadAt, version, epoch, factoryMs } = envelopes
  expect({ freshUntil, deadAt, version, epoch, factoryMs }).toEqual({
    freshUntil: head.freshUntil,
    deadAt: head.deadAt,
    version: head.version,
    epoch: head.epoch,
    factoryMs: head.factoryMs,
  })
  expect(value).toEqual(decodePayload(bytes, head)?.value)
  return true
}

describe.each([
  ['in a slab', false],
  ['in memory of its own', true],
])('an array %s', (_, own) => {
  test.each(arrays.map((array) => [array]))('%s comes back', (array) => {
    const envelopes = new ArrayEnvelopes()
    for (let by = 0; by < 8; by++) {
      expect(agrees(unaligned(encodeEnvelope(META, array), by), envelopes, own)).toBe(true)
      expect(envelopes.read(encodeEnvelope(META, array), own)).toEqual(array)
    }
  })

  test('and anything else is left to others', () => {
    const envelopes = new ArrayEnvelopes()
    const array = Float64Array.of(1)
    for (const value of [
      ...VALUES.map(([, value]) => value),
      1,
      'x',
      [array],
      new ArrayBuffer(8),
      new DataView(new ArrayBuffer(8)),
    ])
      agrees(encodeEnvelope(META, value), envelopes, own)
    expect(envelopes.read(encodeEnvelope(META, new ArrayBuffer(8)), own)).toBeUndefined()
    expect(
      envelopes.read(encodeEnvelope({ ...META, tags: [{ name: 't', version: 1 }] }, array), own),
    ).toBeUndefined()
    expect(envelopes.read(encodeEnvelope({ ...META, negative: true }, undefined), own)).toBeUndefined()
    expect(envelopes.read(encodeEnvelope(META, new Float64Array(600)), own)).toBeUndefined()
    const zeros = encodeEnvelope(META, new Float64Array(400), { compressAbove: 100 })
    expect(envelopes.read(zeros, own)).toBeUndefined()
    expect(envelopes.read(new Uint8Array(0), own)).toBeUndefined()
  })

  test('is never read where the general way reads something else, whatever the bytes', () => {
    const envelopes = new ArrayEnvelopes()
    let read = 0
    fc.assert(
      fc.property(
        fc.constantFrom(...arrays, ...NDARRAYS.map(([, array]) => array)),
        fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.option(fc.nat({ max: 400 }), { nil: undefined }),
        (array, changes, cut) => {
          const bytes = Buffer.from(encodeEnvelope(META, array))
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
          if (agrees(unaligned(bytes.subarray(0, cut)), envelopes, own)) read++
        },
      ),
      { numRuns: 5000 },
    )
    expect(read).toBeGreaterThan(100)
  })
})

test('values in slabs share at most 16 KB, do not overlap, and stay as they were', () => {
  const envelopes = new ArrayEnvelopes()
  const values: Float64Array[] = []
  for (let i = 0; i < 500; i++) {
    const array = Float64Array.from({ length: 1 + (i % 90) }, (_, k) => i + k / 100)
    values.push(envelopes.read(unaligned(encodeEnvelope(META, array)), false) as Float64Array)
  }
  const slabs = new Set(values.map((value) => value.buffer))
  expect(slabs.size).toBeLessThan(100)
  expect(Math.max(...[...slabs].map((slab) => slab.byteLength))).toBe(SLAB_BYTES)
  for (const [i, value] of values.entries()) value.fill(-i)
  for (const [i, value] of values.entries()) expect(value.every((element) => element === -i)).toBe(true)
})

test('memory of its own is as large as the array, and no other value has it', () => {
  const envelopes = new ArrayEnvelopes()
  const bytes = encodeEnvelope(META, Float64Array.of(1, 2))
  const [one, other] = [envelopes.read(bytes, true), envelopes.read(bytes, true)]
  expect(memoryOf(one).byteLength).toBe(16)
  expect(memoryOf(one)).not.toBe(memoryOf(other))
})

test('the memory of neighbours is not transferred away with a value', () => {
  const envelopes = new ArrayEnvelopes()
  const bytes = encodeEnvelope(META, Float64Array.of(1, 2))
  const [one, other] = [envelopes.read(bytes, false), envelopes.read(bytes, false)] as [
    TypedArray,
    TypedArray,
  ]
  try {
    structuredClone(one, { transfer: [one.buffer as ArrayBuffer] })
  } catch {
    // later versions of Node refuse instead of copying
  }
  expect([...other]).toEqual([1, 2])
})
