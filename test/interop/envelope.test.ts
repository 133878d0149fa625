import { beforeAll, describe, expect, test } from 'vitest'
import { decodePayload, type EnvelopeMeta, encodeEnvelope, readHeader } from '../../src/codec/envelope.js'
import { NdArray } from '../../src/key/ndarray.js'
import { requirePython } from '../support/python.js'
import { runPeer } from './peer.js'
import { NDARRAYS, VALUES } from './values.js'

beforeAll(requirePython, 300_000)

const ALL = [...VALUES, ...NDARRAYS]

const META: EnvelopeMeta = {
  freshUntil: 1_700_000_060_000,
  deadAt: 1_700_000_090_000.5,
  version: 1_700_000_000_000_001,
  factoryMs: 12.5,
  epoch: 7,
}

function open(bytes: Uint8Array): unknown {
  const header = readHeader(bytes)
  const payload = header && decodePayload(bytes, header)
  if (payload === undefined) throw new Error('Python wrote no envelope')
  return payload.value
}

describe('what Node writes, Python reads, checks and writes again', () => {
  test.each([
    ['as it is', 0, Infinity],
    ['compressed', 1, 0],
  ])('%s', (_, compressed, compressAbove) => {
    const tags = [
      { name: 'compressed', version: compressed },
      { name: 'ünï😀', version: 2 ** 53 - 1 },
    ]
    const sent = ALL.map(([, value]) => encodeEnvelope({ ...META, tags }, value, { compressAbove }))
    const frames = ALL.flatMap(([name], i) => [Buffer.from(name), sent[i] as Buffer])
    const answers = runPeer('echo', frames)
    expect(answers.length).toBe(ALL.length)
    for (const [i, [name, value]] of ALL.entries()) {
      const answer = answers[i] as Buffer
      expect(readHeader(answer), name).toMatchObject({ ...META, tags })
      // Python has one type for both; hitpath_envelope.BigInt writes the other
      const expected = name === '1n' ? 1 : value
      const back = open(answer)
      expect(back, name).toStrictEqual(expected)
      expect(Object.is(back, -0), name).toBe(Object.is(value, -0))
    }
    expect(answers.some((answer) => readHeader(answer)?.compressed)).toBe(compressed === 1)
  })
})

describe('what Python writes of its own, Node reads', () => {
  let written: Map<string, Buffer>

  beforeAll(() => {
    const frames = runPeer('write')
    written = new Map()
    for (let i = 0; i < frames.length; i += 2) written.set(`${frames[i]}`, frames[i + 1] as Buffer)
  })

  const square = new NdArray(
    Float32Array.from({ length: 12 }, (_, i) => i),
    [3, 4],
  )

  test.each<readonly [string, unknown]>([
    ['numpy float32', square],
    ['Fortran order', square],
    ['a strided view', new NdArray(Int32Array.of(0, 3, 12, 15), [2, 2])],
    ['big endian', new NdArray(Float64Array.of(0, 1, 2), [3])],
    ['bool', new NdArray(Uint8Array.of(1, 0), [2])],
    ['a typed array', Uint8ClampedArray.of(1, 2, 255)],
    ['a small BigInt', 1n],
    ['an int beyond 32 bits', 5_000_000_000n],
    ['numpy scalars', [0.5, 7, true]],
    ['a datetime', new Date(1_700_000_000_123)],
    [
      'a Map',
      new Map<unknown, unknown>([
        [1, 'a'],
        [[1, 2], new Set([null])],
      ]),
    ],
    ['zeros', { a: new NdArray(new Float64Array(1000), [100, 10]), text: 'x'.repeat(1000) }],
  ])('%s', (name, value) => {
    const bytes = written.get(name) as Buffer
    expect(open(bytes)).toStrictEqual(value)
    expect(readHeader(bytes)).toMatchObject({
      freshUntil: 1_700_000_060_000,
      deadAt: Infinity,
      version: 1_700_000_000_000_001,
      factoryMs: 12.5,
      epoch: 7,
      tags: [
        { name: 'btc', version: 3 },
        { name: 'ünï', version: 4 },
      ],
      compressed: name === 'zeros',
    })
  })

  test('a numpy array is a view where it lies, not a copy', () => {
    const bytes = Buffer.from(written.get('numpy float32') as Buffer)
    const own = new Uint8Array(bytes)
    const value = open(own) as NdArray
    expect(value.data.buffer).toBe(own.buffer)
  })

  test('a negative entry', () => {
    expect(readHeader(written.get('negative') as Buffer)).toMatchObject({
      negative: true,
      freshUntil: 5,
      deadAt: 6,
    })
  })
})
