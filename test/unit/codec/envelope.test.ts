import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DEFAULT_MAX_PAYLOAD_BYTES,
  decodePayload,
  ENVELOPE_MAGIC,
  ENVELOPE_VERSION_AT,
  type EnvelopeMeta,
  encodeEnvelope,
  readHeader,
} from '../../../src/codec/envelope.js'
import { encodeValue, encodeValueAfter } from '../../../src/codec/value.js'
import { NdArray } from '../../../src/key/ndarray.js'
import { NDARRAYS, VALUES } from '../../interop/values.js'

const FRESH: EnvelopeMeta = { freshUntil: 1_700_000_060_000 }

function open(bytes: Uint8Array): unknown {
  const header = readHeader(bytes)
  return header && decodePayload(bytes, header)?.value
}

function hex(text: string): string {
  return text.replaceAll(/\s/g, '')
}

function changed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}

const metas = fc
  .record({
    freshUntil: fc.double({ min: 0, noNaN: true }),
    grace: fc.double({ min: 0, noNaN: true }),
    version: fc.maxSafeNat(),
    factoryMs: fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }),
    epoch: fc.maxSafeNat(),
    tags: fc.array(
      fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 40 }), version: fc.maxSafeNat() }),
      { maxLength: 64 },
    ),
    negative: fc.boolean(),
  })
  .map(({ grace, ...meta }) => ({ ...meta, deadAt: meta.freshUntil + grace }))

describe('the bytes', () => {
  test('are the example of ENVELOPE.md', () => {
    const bytes = encodeEnvelope(
      {
        freshUntil: 1_700_000_060_000,
        deadAt: Infinity,
        version: 1_700_000_000_000_001,
        factoryMs: 12.5,
        epoch: 7,
        tags: [{ name: 'btc', version: 3 }],
      },
      { bid: 1.5, x: Float64Array.of(1, 2) },
    )
    expect(bytes.toString('hex')).toBe(
      hex(`c1 68 01 00 28000000
           00002665febc7842 000000000000f07f 0400796090281843 00004841 0100 1800
           0000000000001c40 0000000000000840 0300 627463 000000
           82 a3626964 cb3ff8000000000000
           a178 c7156e 010c0001 00 000000000000f03f 0000000000000040`),
    )
    expect(bytes.readDoubleLE(ENVELOPE_VERSION_AT)).toBe(1_700_000_000_000_001)
  })

  test('of a negative entry are the head alone', () => {
    const bytes = encodeEnvelope({ freshUntil: 1, negative: true }, 'not written')
    expect(bytes.toString('hex')).toBe(
      hex(`c1 68 01 02 00000000
           000000000000f03f 000000000000f03f 0000000000000000 00000000 0000 0800
           0000000000000000`),
    )
    expect(readHeader(bytes)).toMatchObject({ negative: true, payloadBytes: 0, freshUntil: 1, deadAt: 1 })
    expect(open(bytes)).toBeUndefined()
  })

  test('hold the value as encodeValue writes it', () => {
    for (const [, value] of VALUES) {
      const bytes = encodeEnvelope({ ...FRESH, tags: [{ name: 'tag', version: 1 }] }, value)
      expect(bytes.subarray(readHeader(bytes)?.payloadAt)).toEqual(encodeValue(value))
      expect(encodeValueAfter(16, value).subarray(16)).toEqual(encodeValue(value))
    }
  })
})

describe('a value comes back', () => {
  test.each(VALUES)('%s', (_, value) => {
    for (const compressAbove of [0, Infinity]) {
      const back = open(encodeEnvelope(FRESH, value, { compressAbove }))
      expect(back).toStrictEqual(value)
      expect(Object.is(back, -0)).toBe(Object.is(value, -0))
    }
  })

  test('as does every ndarray', () => {
    for (const [, value] of NDARRAYS) {
      for (const compressAbove of [0, Infinity]) {
        expect(open(encodeEnvelope(FRESH, value, { compressAbove }))).toStrictEqual(value)
      }
    }
  })

  test('undefined is a value of its own beside bytes that are none', () => {
    const bytes = encodeEnvelope(FRESH, undefined)
    const header = readHeader(bytes)
    expect(header && decodePayload(bytes, header)).toEqual({ value: undefined, shared: true })
  })
})

describe('the head', () => {
  test('comes back, whatever it says', () => {
    fc.assert(
      fc.property(metas, fc.anything({ maxDepth: 2 }), (meta, value) => {
        const bytes = encodeEnvelope(meta, value)
        const header = readHeader(bytes)
        expect(header).toMatchObject(meta)
        expect(header?.payloadAt).toBe(bytes.length - (header?.payloadBytes ?? 0))
        expect((header?.payloadAt ?? 1) % 8).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('has what was left out', () => {
    expect(readHeader(encodeEnvelope({ freshUntil: Infinity }, 1))).toEqual({
      freshUntil: Infinity,
      deadAt: Infinity,
      version: 0,
      factoryMs: 0,
      epoch: 0,
      tags: [],
      negative: false,
      compressed: false,
      payloadBytes: 1,
      payloadAt: 48,
    })
  })

  test('takes the version that a script writes', () => {
    const bytes = changed(encodeEnvelope(FRESH, 1), (copy) => copy.writeDoubleLE(77, ENVELOPE_VERSION_AT))
    expect(readHeader(bytes)?.version).toBe(77)
  })

  test.each<readonly [string, EnvelopeMeta]>([
    ['no deadline', { freshUntil: Number.NaN }],
    ['a deadline before the epoch', { freshUntil: -1 }],
    ['a death before staleness', { freshUntil: 5, deadAt: 4 }],
    ['a version that is no integer', { ...FRESH, version: 0.5 }],
    ['an epoch beyond 2^53', { ...FRESH, epoch: 2 ** 53 }],
    ['a factory of negative time', { ...FRESH, factoryMs: -1 }],
    ['a tag version of NaN', { ...FRESH, tags: [{ name: 'a', version: Number.NaN }] }],
    ['a tag that UTF-8 would lose', { ...FRESH, tags: [{ name: '\ud800', version: 1 }] }],
  ])('%s is refused', (_, meta) => {
    expect(() => encodeEnvelope(meta, 1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('has room for 64 KiB of tags', () => {
    const tags = Array.from({ length: 64 }, (_, i) => ({ name: `${i}`.padStart(1000, 'é'), version: i }))
    expect(() => encodeEnvelope({ ...FRESH, tags }, 1)).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE' }),
    )
    const fewer = tags.slice(0, 32)
    expect(readHeader(encodeEnvelope({ ...FRESH, tags: fewer }, 1))?.tags).toEqual(fewer)
  })
})

describe('compression', () => {
  const text = 'features:BTCUSDT '.repeat(1000)

  test('is off unless asked for', () => {
    expect(readHeader(encodeEnvelope(FRESH, text))?.compressed).toBe(false)
  })

  test('begins above the threshold', () => {
    const { length } = encodeValue(text)
    expect(readHeader(encodeEnvelope(FRESH, text, { compressAbove: length }))?.compressed).toBe(false)
    const bytes = encodeEnvelope(FRESH, text, { compressAbove: length - 1 })
    expect(readHeader(bytes)).toMatchObject({ compressed: true, payloadBytes: length })
    expect(bytes.length).toBeLessThan(length / 10)
  })

  test('stays away where it saves less than a tenth', () => {
    const noise = Buffer.concat(
      Array.from({ length: 160 }, (_, i) => createHash('sha256').update(`${i}`).digest()),
    )
    expect(readHeader(encodeEnvelope(FRESH, noise, { compressAbove: 0 }))?.compressed).toBe(false)
  })

  test('gives more than a MiB back', () => {
    const zeros = new NdArray(new Float64Array(300_000), [3000, 100])
    expect(open(encodeEnvelope(FRESH, zeros, { compressAbove: 0 }))).toStrictEqual(zeros)
  })

  test('is not believed beyond its declared length', () => {
    const bytes = encodeEnvelope(FRESH, text, { compressAbove: 0 })
    for (const declared of [1, 1000, encodeValue(text).length - 1, encodeValue(text).length + 1]) {
      const lying = changed(bytes, (copy) => copy.writeUInt32LE(declared, 4))
      expect(open(lying)).toBeUndefined()
    }
  })

  test('cannot claim more than deflate makes of the bytes', () => {
    const bytes = encodeEnvelope(FRESH, text, { compressAbove: 0 })
    const lying = changed(bytes, (copy) => copy.writeUInt32LE(DEFAULT_MAX_PAYLOAD_BYTES, 4))
    expect(readHeader(lying)).toBeUndefined()
  })

  test('a bomb stops at maxBytes', () => {
    const bomb = deflateRawSync(Buffer.alloc(2 ** 24))
    const bytes = Buffer.concat([encodeEnvelope({ ...FRESH, negative: true }, 0), bomb])
    bytes[3] = 1
    bytes.writeUInt32LE(2 ** 24, 4)
    expect(readHeader(bytes, { maxBytes: 2 ** 24 })).toBeDefined()
    expect(readHeader(bytes, { maxBytes: 2 ** 24 - 1 })).toBeUndefined()
    bytes.writeUInt32LE(2 ** 20, 4)
    expect(open(bytes)).toBeUndefined()
  })
})

describe('arrays', () => {
  const array = new NdArray(
    Float64Array.from({ length: 100 }, (_, i) => i),
    [10, 10],
  )
  const bytes = encodeEnvelope({ ...FRESH, tags: [{ name: 'odd', version: 1 }] }, array)

  function decoded(from: Uint8Array, copy?: boolean): { buffer: ArrayBufferLike; shared: boolean } {
    const header = readHeader(from)
    const back = header && decodePayload(from, header, copy === undefined ? {} : { copy })
    if (!(back?.value instanceof NdArray)) throw new Error('no ndarray came back')
    expect(back.value).toStrictEqual(array)
    return { buffer: back.value.data.buffer, shared: back.shared }
  }

  test('are views of an envelope in memory of its own', () => {
    expect(decoded(bytes)).toEqual({ buffer: bytes.buffer, shared: true })
  })

  test('are copies on request', () => {
    expect(decoded(bytes, true).buffer).not.toBe(bytes.buffer)
  })

  test('are copies when the envelope is not aligned', () => {
    for (let shift = 1; shift < 8; shift++) {
      const moved = new Uint8Array(bytes.length + 8).subarray(shift, shift + bytes.length)
      moved.set(bytes)
      expect(decoded(moved).shared).toBe(false)
      expect(decoded(moved, false).buffer).not.toBe(moved.buffer)
    }
  })

  test('are copies when the envelope is a small part of a socket buffer', () => {
    const socket = new Uint8Array(65_536)
    socket.set(bytes, 800)
    const part = socket.subarray(800, 800 + bytes.length)
    expect(decoded(part)).toMatchObject({ shared: false })
    expect(decoded(part, false)).toEqual({ buffer: socket.buffer, shared: true })
  })
})

describe('bytes that are no envelope', () => {
  const tags = [
    { name: 'btc', version: 3 },
    { name: 'ünï', version: 4 },
  ]
  const valid = encodeEnvelope({ ...FRESH, deadAt: 1_700_000_090_000, tags }, { a: [1, Float32Array.of(1)] })

  test('are undefined when cut at any byte, or longer', () => {
    for (let length = 0; length < valid.length; length++)
      expect(open(valid.subarray(0, length))).toBeUndefined()
    expect(readHeader(Buffer.concat([valid, Buffer.alloc(1)]))).toBeUndefined()
  })

  test.each<readonly [string, (bytes: Buffer) => void]>([
    ['another first byte', (b) => void b.writeUInt8(0xc0, 0)],
    ['another second byte', (b) => void b.writeUInt8(0x67, 1)],
    ['a later format', (b) => void b.writeUInt8(2, 2)],
    ['an unknown flag', (b) => void b.writeUInt8(4, 3)],
    ['negative with a payload', (b) => void b.writeUInt8(2, 3)],
    ['compressed and negative', (b) => void b.writeUInt8(3, 3)],
    ['another length', (b) => void b.writeUInt32LE(1, 4)],
    ['fresh until NaN', (b) => void b.writeDoubleLE(Number.NaN, 8)],
    ['fresh until -Infinity', (b) => void b.writeDoubleLE(-Infinity, 8)],
    ['dead before stale', (b) => void b.writeDoubleLE(5, 16)],
    ['dead at NaN', (b) => void b.writeDoubleLE(Number.NaN, 16)],
    ['a version of Infinity', (b) => void b.writeDoubleLE(Infinity, 24)],
    ['a negative version', (b) => void b.writeDoubleLE(-1, 24)],
    ['factory time NaN', (b) => void b.writeFloatLE(Number.NaN, 32)],
    ['more tags than there are', (b) => void b.writeUInt16LE(0xffff, 36)],
    ['fewer tags than there are', (b) => void b.writeUInt16LE(1, 36)],
    ['a payload that is not aligned', (b) => void b.writeUInt16LE(b.readUInt16LE(38) + 1, 38)],
    ['a payload beyond the end', (b) => void b.writeUInt16LE(0xfff8, 38)],
    ['a payload within the epoch', (b) => void b.writeUInt16LE(0, 38)],
    ['an epoch of NaN', (b) => void b.writeDoubleLE(Number.NaN, 40)],
    ['a tag version of NaN', (b) => void b.writeDoubleLE(Number.NaN, 48)],
    ['a tag beyond the head', (b) => void b.writeUInt16LE(500, 56)],
    ['a tag that is no UTF-8', (b) => void b.writeUInt8(0xff, 58)],
    ['padding that is not zero', (b) => void b.writeUInt8(1, (readHeader(b)?.payloadAt ?? 0) - 1)],
  ])('%s', (_, change) => {
    expect(readHeader(changed(valid, change))).toBeUndefined()
  })

  test('what is no Uint8Array is undefined too', () => {
    for (const odd of [undefined, null, 5, 'c168', {}, new Uint16Array(64)])
      expect(readHeader(odd as unknown as Uint8Array)).toBeUndefined()
  })

  test('a payload that is no value gives no value', () => {
    const bytes = changed(valid, (b) => void b.writeUInt8(0xc1, readHeader(b)?.payloadAt ?? 0))
    expect(readHeader(bytes)).toBeDefined()
    expect(open(bytes)).toBeUndefined()
  })

  test('mutations give a value or nothing, never an exception', () => {
    const seeds = VALUES.filter(([name]) => name !== 'a long string').flatMap(([, value]) => [
      encodeEnvelope({ ...FRESH, tags }, value),
      encodeEnvelope(FRESH, [value, 'x'.repeat(100)], { compressAbove: 0 }),
    ])
    const mutation = fc.record({
      seed: fc.nat(seeds.length - 1),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.oneof(fc.constant(1), fc.nat(12)),
      put: fc.uint8Array({ maxLength: 12 }),
      keepLength: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        let bytes: Buffer = seeds[mutations[0]?.seed ?? 0] as Buffer
        for (const { at, cut, put, keepLength } of mutations) {
          const start = Math.floor(at * bytes.length)
          bytes = Buffer.concat([
            bytes.subarray(0, start),
            put,
            bytes.subarray(start + (keepLength ? put.length : cut)),
          ])
        }
        open(bytes)
      }),
      { numRuns: 20_000 },
    )
  })

  test('noise behind the right first bytes gives nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (noise) => {
        open(Buffer.concat([ENVELOPE_MAGIC, noise]))
      }),
      { numRuns: 5000 },
    )
  })
})
