import { describe, expect, test } from 'vitest'
import {
  booleanOption,
  functionOption,
  integerOption,
  oneOfOption,
  refuseUnknownOptions,
} from '../../src/options.js'

function invalidOption(message: string): unknown {
  return expect.objectContaining({ code: 'INVALID_OPTION', message })
}

describe('integerOption', () => {
  test('gives back an integer of the range, its ends included', () => {
    expect(integerOption(1, 'maxEntries')).toBe(1)
    expect(integerOption(90, 'share', { min: 1, max: 90 })).toBe(90)
  })

  test.each([
    [0, '0'],
    [1.5, '1.5'],
    ['5', '"5"'],
    [Number.NaN, 'NaN'],
    [2 ** 53, '9007199254740992'],
    [undefined, 'undefined'],
  ])('refuses %s', (value, shown) => {
    expect(() => integerOption(value, 'LocalCache.maxEntries')).toThrow(
      invalidOption(`LocalCache.maxEntries must be an integer of at least 1; got ${shown}`),
    )
  })

  test('names a range that has an end', () => {
    expect(() => integerOption(91, 'share', { min: 1, max: 90 })).toThrow(
      invalidOption('share must be an integer from 1 to 90; got 91'),
    )
  })
})

describe('oneOfOption', () => {
  test('gives back a member, refuses the rest with the list', () => {
    expect(oneOfOption('xg', 'policy', ['xg', 'lru'])).toBe('xg')
    expect(() => oneOfOption('fifo', 'policy', ['xg', 'lru'])).toThrow(
      invalidOption(`policy must be one of 'xg', 'lru'; got "fifo"`),
    )
  })
})

describe('booleanOption and functionOption', () => {
  test('give back what they check', () => {
    const now = (): number => 5
    expect(booleanOption(false, 'grace')).toBe(false)
    expect(functionOption(now, 'clock.now')()).toBe(5)
  })

  test('refuse the rest', () => {
    expect(() => booleanOption(0, 'grace')).toThrow(invalidOption('grace must be true or false; got 0'))
    expect(() => functionOption(undefined, 'clock.now')).toThrow(
      invalidOption('clock.now must be a function; got undefined'),
    )
  })
})

describe('refuseUnknownOptions', () => {
  test('a misspelt option is an error that lists the options', () => {
    expect(() => refuseUnknownOptions({ maxEntires: 5 }, 'LocalCache', ['maxEntries', 'ttl'])).toThrow(
      invalidOption(`LocalCache has no option "maxEntires"; its options are 'maxEntries', 'ttl'`),
    )
  })

  test('known options pass', () => {
    expect(() => refuseUnknownOptions({ ttl: 5 }, 'LocalCache', ['maxEntries', 'ttl'])).not.toThrow()
  })

  test.each([undefined, null, 5, 'options', [1]])('refuses %j, which is no dictionary', (options) => {
    expect(() => refuseUnknownOptions(options, 'LocalCache', [])).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    )
  })
})
