import { describe, expect, test } from 'vitest'
import { compareIds, entriesOf, entriesOfXread } from '../../../src/coherence/stream-message.js'

const ENTRY = ['5-0', ['k', 's', 'n', 'sx', 'v', '17', 'o', 'me', 'p', '4-0']]
const READ = {
  id: '5-0',
  message: { kind: 'set', name: 'sx', version: 17, origin: 'me', previous: '4-0' },
}

describe('the reply of XREAD', () => {
  test.each([
    ['RESP2 pairs', [['bus', [ENTRY]]]],
    ['a RESP3 map, flattened', ['bus', [ENTRY]]],
    ['a RESP3 map as an object', { bus: [ENTRY] }],
    ['a RESP3 map as a Map', new Map([['bus', [ENTRY]]])],
  ])('%s', (_, reply) => {
    expect(entriesOfXread(reply)).toEqual([READ])
  })

  test.each([[null], [undefined], [[]], [{}], ['OK'], [[['bus']]], [[['bus', [7, [9, []]]]]]])(
    'nothing to read: %j',
    (reply) => {
      expect(entriesOfXread(reply)).toEqual([])
    },
  )
})

describe('an entry that is not understood has an id and no message', () => {
  test.each([
    ['another kind', ['k', 'z', 'v', '1', 'p', '0-0']],
    ['a kind from the prototype', ['k', 'toString', 'v', '1', 'p', '0-0']],
    ['no kind', ['n', 'x', 'v', '1', 'p', '0-0']],
    ['no chain', ['k', 's', 'n', 'x', 'v', '1']],
    ['no version', ['k', 's', 'n', 'x', 'p', '0-0']],
    ['a version that is no number', ['k', 's', 'n', 'x', 'v', 'one', 'p', '0-0']],
    ['no fields', null],
  ])('%s', (_, fields) => {
    expect(entriesOf([['9-1', fields]])).toEqual([{ id: '9-1', message: undefined }])
  })
})

test('ids are ordered by milliseconds, then sequence', () => {
  expect(compareIds('9-0', '10-0')).toBeLessThan(0)
  expect(compareIds('10-9', '10-10')).toBeLessThan(0)
  expect(compareIds('10-2', '10-2')).toBe(0)
  expect(compareIds('1700000000001-0', '1700000000000-99')).toBeGreaterThan(0)
})
