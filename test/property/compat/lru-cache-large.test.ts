/**
 * Many string keys in this LRUCache and in lru-cache: what the front remembers and the order that is made up for later must not show.
 *
 * Caches are large enough for both, and keys are of forms that the front finds hard: alike where it looks first, or nowhere different that
 * it looks at.
 */
import { LRUCache as Theirs } from 'lru-cache'
import { expect, it } from 'vitest'
import { LRUCache as Ours } from '../../../src/compat/lru-cache/index.js'

const MAX = 40_000
const KEYS = 60_000

function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

it.each([
  ['numbered at the end', (i: number) => `features:${i}`],
  ['of two fields', (i: number) => `BTC${String(i % 245).padStart(5, '0')}:w${Math.floor(i / 245)}:1m`],
  ['with a long common end', (i: number) => `${i}${'x'.repeat(60)}`],
  ['of one to five characters', (i: number) => i.toString(16)],
  ['of two bytes a character', (i: number) => `値段${i}円`],
])('keys %s', (_, keyOf) => {
  const draw = random(Number(process.env['HITPATH_SEED'] ?? 11))
  const ours = new Ours<string, number>({ max: MAX, ttl: 1_000_000 })
  const theirs = new Theirs<string, number>({ max: MAX, ttl: 1_000_000 })
  let wrong = 0
  for (let n = 0; n < 130_000; n++) {
    const key = keyOf(n < KEYS ? n : draw(KEYS))
    const what = n < KEYS ? 9 : draw(10)
    if (what < 6) wrong += Number(ours.get(key) !== theirs.get(key))
    else if (what === 6) wrong += Number(ours.delete(key) !== theirs.delete(key))
    else {
      ours.set(key, n)
      theirs.set(key, n)
    }
    if (n % 30_000 === 0) wrong += Number(ours.keys().next().value !== theirs.keys().next().value)
  }
  expect(wrong).toBe(0)
  expect(ours.size).toBe(theirs.size)
  expect([...ours.entries()]).toEqual([...theirs.entries()])
  expect([...ours.rkeys()]).toEqual([...theirs.rkeys()])
})
