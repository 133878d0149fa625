import { describe, expect, test } from 'vitest'
import { RUN, Runs } from '../../../src/key/runs.js'

const hashes = (runs: Runs, keys: readonly string[]): number =>
  new Set(keys.map((key) => runs.hash(key, key.length))).size

describe('runs of characters', () => {
  const symbols = Array.from({ length: 16 }, (_, i) => String(i).padStart(5, '0'))
  const windows = Array.from({ length: 16 }, (_, i) => String(i).padStart(5, '0'))

  test.each([
    ['in front', (a: string, b: string) => `${a}:${b}:features:close:of:the:day`],
    ['in the middle', (a: string, b: string) => `features:${a}:of:${b}:close`],
    ['at the end and far before it', (a: string, b: string) => `features:${a}:of:a:market:of:crypto:${b}`],
  ])('are learnt of keys that differ %s', (_, keyOf) => {
    const keys = symbols.flatMap((a) => windows.map((b) => keyOf(a, b)))
    const runs = new Runs()
    expect(hashes(runs, keys)).toBeLessThan(keys.length / 4)
    expect(runs.learn(keys)).toBe(true)
    expect(hashes(runs, keys)).toBe(keys.length)
    expect(runs.learn(keys)).toBe(false)
  })

  test('stay as they are for keys that they tell apart already', () => {
    const keys = Array.from({ length: 128 }, (_, i) => `BTC${String(i).padStart(3, '0')}xyz`)
    const runs = new Runs()
    expect(hashes(runs, keys)).toBe(keys.length)
    expect(runs.learn(keys)).toBe(false)
  })

  test('stay as they are for keys that no others tell apart better', () => {
    let state = 7
    const digit = (): string => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return (state >>> 28).toString(16)
    }
    const keys = Array.from({ length: 128 }, () => Array.from({ length: 32 }, digit).join(''))
    expect(new Runs().learn(keys)).toBe(false)
  })

  test('of equal strings are equal, whatever their length and characters', () => {
    const runs = new Runs()
    for (const key of ['abc', 'abcd', 'äöü€', '\u{1f600}\u{1f600}', 'x'.repeat(500)]) {
      expect(key.length).toBeGreaterThanOrEqual(RUN)
      expect(runs.hash(key, key.length)).toBe(runs.hash([...key].join(''), key.length))
    }
  })
})
