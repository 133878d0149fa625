import { expect, describe as group, test } from 'vitest'
import { describe, HitpathError } from '../../src/errors.js'

group('HitpathError', () => {
  test('carries a code to branch on and the error that led to it', () => {
    const cause = new Error('socket closed')
    const error = new HitpathError('CLOSED', 'the store is closed', { cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'HitpathError',
      code: 'CLOSED',
      message: 'the store is closed',
      cause,
    })
    expect(String(error)).toBe('HitpathError: the store is closed')
  })

  test('has no cause of its own', () => {
    expect(Object.hasOwn(new HitpathError('CLOSED', 'closed'), 'cause')).toBe(false)
  })
})

group('describe', () => {
  class Order {}
  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [12n, '12n'],
    [2n ** 100_000n, 'a large bigint'],
    ['60', '"60"'],
    ['x'.repeat(1000), `"${'x'.repeat(40)}…"`],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [[1, 2], 'an array of 2'],
    [{ a: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [new Float64Array(3), 'Float64Array(3)'],
    [new Map(), 'an instance of Map'],
    [new Order(), 'an instance of Order'],
  ])('%# says what came in a few words', (value, words) => {
    expect(describe(value)).toBe(words)
  })

  test('never throws', () => {
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const hostile = {
      get constructor(): never {
        throw new Error('no')
      },
      toString(): never {
        throw new Error('no')
      },
    }
    expect(describe(revoked.proxy)).toBe('an object that cannot be inspected')
    expect(describe(hostile)).toBe('an object that cannot be inspected')
  })
})
