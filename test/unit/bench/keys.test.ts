import { expect, test } from 'vitest'
import { internedKeys, keyAt, keySpace, walkOf } from '../../../bench/harness/keys.js'

const space = keySpace(1_000)

test('keys have 28 characters and differ', () => {
  const keys = internedKeys(space)
  expect(keys.every((key) => key.length === 28)).toBe(true)
  expect(new Set(keys).size).toBe(space.count)
})

test('a walk visits each key once, and knows of what each is made', () => {
  const { ids, symbolAt, windowAt } = walkOf(space)
  expect(new Set(ids).size).toBe(space.count)
  const at = 17
  const key = `features:${space.symbols[symbolAt[at]!]}:${space.windows[windowAt[at]!]}`
  expect(key).toBe(keyAt(space, ids[at]!))
})
