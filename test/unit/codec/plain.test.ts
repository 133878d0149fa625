import { describe, expect, test } from 'vitest'
import { isPlain } from '../../../src/codec/plain.js'
import { decodeValue, encodeValue } from '../../../src/codec/value.js'

const record = (id: number): object => ({
  id,
  symbol: 'BTCUSDT',
  rsi: 55.25,
  macd: { line: 0.5, signal: -1.25 },
  bands: [1.5, null, 2.5],
  zß鍵: undefined,
  volatile: false,
})
const records = (count: number): object[] => Array.from({ length: count }, (_, id) => record(id))

class Point {
  readonly x = 1
}
class Items extends Array<number> {}
const shared = { x: 1 }
const cycle: unknown[] = []
cycle.push(cycle)

test.each([
  ['a record', record(1)],
  ['a few of them', records(5)],
  ['a dictionary without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ['equal but distinct objects', [{ x: 1 }, { x: 1 }]],
  ['nothing', undefined],
  ['a number', 0],
])('%s goes to msgpackr as it is', (_, value) => {
  expect(isPlain(value)).toBe(true)
})

test.each([
  ['an object that occurs twice', [shared, shared]],
  ['a cycle', cycle],
  ['-0', { x: -0 }],
  ['a bigint', [1n]],
  ['a function', { f: () => 1 }],
  ['a symbol', [Symbol('s')]],
  ['a lone surrogate', ['\ud800']],
  ['a lone surrogate in a key', { '\udc00': 1 }],
  ['a byte order mark', ['\ufeffx']],
  ['a Map', { map: new Map() }],
  ['a Date', [new Date(0)]],
  ['a typed array', { x: Float64Array.of(1) }],
  ['what may be an ndarray', { data: [1], shape: [1] }],
  ['an instance of a class', [new Point()]],
  ['an array of another class', Items.from([1])],
  ['a boxed number', [Object(1)]],
  ['many objects', records(6)],
])('%s is lowered', (_, value) => {
  expect(isPlain(value)).toBe(false)
})

test('what cannot be read is refused with its path', () => {
  const unreadable = {
    get inner() {
      throw new Error('no')
    },
  }
  expect(isPlain([unreadable])).toBe(false)
  expect(() => encodeValue([unreadable])).toThrow(/value\[0\] cannot be read/)
})

describe('what is lowered and what is not', () => {
  test('have the same bytes', () => {
    const many = records(15)
    const alone = many.map((one) => encodeValue(one))
    expect(encodeValue(many)).toEqual(Buffer.concat([Buffer.of(0x9f), ...alone]))
  })

  test('come back alike', () => {
    for (const value of [records(5), records(6)]) expect(decodeValue(encodeValue(value))).toEqual(value)
  })
})
