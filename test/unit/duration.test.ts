import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Duration, parseDuration } from '../../src/duration.js'

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

describe('parseDuration', () => {
  test.each<[Duration, number]>([
    [60_000, 60_000],
    [0.5, 0.5],
    ['250ms', 250],
    ['60s', 60_000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('%s is %d ms', (written, ms) => {
    expect(parseDuration(written, 'ttl')).toBe(ms)
  })

  test('Infinity only where the caller allows it', () => {
    expect(parseDuration(Infinity, 'ttl', { allowInfinity: true })).toBe(Infinity)
    expect(() => parseDuration(Infinity, 'ttl')).toThrow(expect.objectContaining({ code: 'INVALID_TTL' }))
  })

  test.each([
    Number.NaN,
    0,
    -1,
    '0s',
    '-1s',
    '60',
    '',
    's',
    '1 s',
    ' 1s',
    '1s ',
    '1e3s',
    '.5s',
    '1.s',
    '1S',
    '1w',
    'Infinitys',
    `${'9'.repeat(400)}s`,
    5n,
    null,
    undefined,
    {},
    [1],
    new Date(),
    Symbol('1s'),
  ])('%# refuses what is no duration', (value) => {
    expect(() => parseDuration(value, 'ttl')).toThrow(expect.objectContaining({ code: 'INVALID_TTL' }))
  })

  test('the message names the option, what was expected and what came', () => {
    expect(() => parseDuration('soon', 'TieredCache.ttl')).toThrow(
      `TieredCache.ttl must be a positive number of milliseconds, or a string such as '60s' (units: ms, s, m, h, d); got "soon"`,
    )
  })

  test('a written duration is its number times its unit', () => {
    const amounts = fc.integer({ min: 1, max: 1e9 }).map((n) => n / 1000)
    const units = fc.constantFrom(...(Object.keys(MS) as (keyof typeof MS)[]))
    fc.assert(
      fc.property(amounts, units, (amount, unit) => {
        expect(parseDuration(`${amount}${unit}`, 'ttl')).toBe(amount * MS[unit])
      }),
    )
  })

  test('any other string is refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text))
        expect(() => parseDuration(text, 'ttl')).toThrow(expect.objectContaining({ code: 'INVALID_TTL' }))
      }),
    )
  })
})
