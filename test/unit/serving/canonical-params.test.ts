import { describe, expect, it } from 'vitest'
import { canonicalParams, type Params } from '../../../src/serving/canonical-params.js'

/** What a JavaScript caller may hand over, whatever the types say. */
const untyped = (value: unknown) => canonicalParams(value as Params)

describe('canonicalParams', () => {
  it('does not depend on the order in which names were written', () => {
    const one = canonicalParams({ rsi: 14, macd: { short: 12, long: 26 } })
    const other = canonicalParams({ macd: { long: 26, short: 12 }, rsi: 14 })
    expect(one).toBe(other)
    expect(one).toBe('{"macd":{"long":26,"short":12},"rsi":14}')
  })

  it('depends on the order of an array', () => {
    expect(canonicalParams([1, 2])).not.toBe(canonicalParams([2, 1]))
  })

  it('spells every difference that JSON would lose', () => {
    const values: Params[] = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null]
    const similar: Params[] = [
      '0',
      '-0',
      'NaN',
      'null',
      '',
      [],
      {},
      [[]],
      [null],
      false,
      'false',
      { a: 1 },
      [['a', 1]],
    ]
    const spellings = [...values, ...similar].map(canonicalParams)
    expect(new Set(spellings).size).toBe(spellings.length)
  })

  it('keeps names and strings apart, whatever they contain', () => {
    const nested: Params[] = [
      { 'a":1,"b': 2 },
      { a: 1, b: 2 },
      ['a,b'],
      ['a', 'b'],
      '\ud800',
      '\udfff',
      '\ufffd',
    ]
    const spellings = nested.map(canonicalParams)
    expect(new Set(spellings).size).toBe(spellings.length)
  })

  it('takes the same object twice, and one without a prototype', () => {
    const period = { bars: 14 }
    expect(canonicalParams({ a: period, b: period })).toBe('{"a":{"bars":14},"b":{"bars":14}}')
    expect(untyped(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
  })

  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  it.each([
    ['undefined', { a: undefined }, 'params.a'],
    ['a function', { a: { b: () => 1 } }, 'params.a.b'],
    ['a symbol', [Symbol('x')], 'params[0]'],
    ['a bigint', 1n, 'params'],
    ['a date', { since: new Date(0) }, 'params.since'],
    ['a map', new Map(), 'params'],
    ['a typed array', { weights: new Float64Array(2) }, 'params.weights'],
    ['a hole', { periods: new Array(1) }, 'params.periods[0]'],
    ['a symbol for a name', { a: { [Symbol('x')]: 1 } }, 'params.a'],
    ['itself', cyclic, 'params.self'],
  ])('refuses %s, and says where', (_, value, path) => {
    expect(() => untyped(value)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`${path}:`) }),
    )
  })
})
