import fc from 'fast-check'
import { expect, test } from 'vitest'
import { globMatches } from '../../../src/glob.js'
import { LocalCache } from '../../../src/l1/local-cache.js'
import { scanGlob } from '../../../src/l2/glob.js'

const piece = fc.constantFrom('a', 'b', 'c', '*', '?', '[', ']', '^', '-', '\\', 'é', '😀', '\ud83d')
const glob = fc.string({ unit: piece, maxLength: 8 })
const key = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', '-', ']', '^', '*', 'é', '😀', '\ude00'),
  maxLength: 6,
})

test('globs over names mean what the first tier means by them', () => {
  fc.assert(
    fc.property(glob, fc.uniqueArray(key, { minLength: 1, maxLength: 20 }), (pattern, keys) => {
      const cache = new LocalCache<number>({ maxEntries: 64 })
      for (const one of keys) cache.set(one, 1)
      cache.invalidatePattern(pattern)
      const left = keys.filter((one) => cache.has(one))
      cache.close()
      expect(keys.filter((one) => !globMatches(pattern, one))).toEqual(left)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['features:*BTC?', 'features:*BTC*'],
  ['a[b-d]c', 'a*c'],
  ['*\\**', '*\\**'],
  ['a?*?b', 'a*b'],
  ['a\\*b', 'a\\*b'],
  ['x]y', 'x\\]y'],
  ['[', '*'],
  ['a\\', 'a\\\\'],
  ['é😀*', 'é😀*'],
  ['\ud83d*', '*'],
  ['a*b*c*d*e*f*g*h*i*j', 'a*b*c*d*e*f*g*h*'],
])('%j is asked of Redis as %j', (pattern, asked) => {
  expect(scanGlob(pattern)).toBe(asked)
})
