import { expect, test } from 'vitest'
import { LocalCache } from '../../../src/index.js'

/** So many that hits are taken to come from memory. */
const LARGE = 300_000

const KEYS: readonly (readonly [string, string])[] = [
  ['no characters', ''],
  ['one character', 'k'],
  ['as many as are left alone', 'x'.repeat(24)],
  ['one more', 'y'.repeat(25)],
  ['two bytes a character', 'ключ:признаки:рынок:окно:60'],
  ['more than the native side keeps', 'z'.repeat(5_000)],
  ['an unpaired surrogate', `${'s'.repeat(24)}\ud800`],
]

test.each(['native', 'portable'] as const)(
  'a large cache of the %s engine finds keys of every length',
  (engine) => {
    const cache = new LocalCache<string>({ maxEntries: LARGE, ttl: '1h', engine })
    for (const [name, key] of KEYS) cache.set(key, name)
    for (const [name, key] of KEYS) {
      expect(cache.get(key)).toBe(name)
      expect(cache.get(`${key.slice(0, -1)}!`)).toBeUndefined()
    }
    cache.close()
  },
)

test('a large cache finds keys that are put together for each call', () => {
  const cache = new LocalCache<number>({ maxEntries: LARGE })
  const keyOf = (id: number): string => `features:BTC${id}:w060x${id % 60}:close`
  for (let id = 0; id < 5_000; id++) cache.set(keyOf(id), id)
  for (let id = 0; id < 5_000; id++) expect(cache.get(keyOf(id))).toBe(id)
  expect(cache.get(keyOf(5_000))).toBeUndefined()
  expect(cache.stats()).toMatchObject({ hits: 5_000, misses: 1 })
  cache.close()
  expect(() => cache.get(keyOf(1))).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})
