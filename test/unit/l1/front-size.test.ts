import { describe, expect, test } from 'vitest'
import type { Engine } from '../../../src/l1/engine.js'
import { Front } from '../../../src/l1/front.js'
import { SLOT_BYTES } from '../../../src/native/layout.js'

const WORDS = SLOT_BYTES / 4

/** An engine of which the front needs no more than this: `entries` of them are alive, and no slot ever changes. */
function still(entries: number): Engine {
  const words = new Int32Array(entries * WORDS)
  const engine: Partial<Engine> = {
    words,
    bytes: new Uint8Array(words.buffer).fill(3),
    quick: true,
    count: () => entries,
    wordOf: (slot) => slot * WORDS,
    touch: () => undefined,
  }
  return engine as Engine
}

/** Reads every key once in their order; the share that the front knew. */
function pass(front: Front, keys: readonly string[], seq: number): number {
  let known = 0
  for (const [slot, key] of keys.entries()) {
    const found = front.lookup(key)
    if (found === slot) known++
    else if (found !== -1) throw new Error(`${key} is in slot ${slot}, not ${found}`)
    else front.remember(key, slot, seq, Number.POSITIVE_INFINITY)
  }
  return known / keys.length
}

describe('a front whose cache is read in a circle', () => {
  const seq = 0x0303_0303

  test.each([500, 2_000, 2_040, 3_000, 4_000, 8_100, 10_000, 16_000, 32_000, 100_000])(
    'knows nearly all of %i keys, whatever that is beside a power of two',
    (entries) => {
      const front = new Front(still(entries))
      const keys = Array.from({ length: entries }, (_, i) => `feature:${String(i).padStart(7, '0')}`)
      for (let i = 0; i < Math.max(12, 600_000 / entries); i++) pass(front, keys, seq)
      expect(pass(front, keys, seq)).toBeGreaterThan(0.9)
    },
  )

  test('keeps no key once the cache is emptied', () => {
    const front = new Front(still(1_000))
    const keys = Array.from({ length: 1_000 }, (_, i) => `feature:${i}`)
    for (let i = 0; i < 20; i++) pass(front, keys, seq)
    front.clear()
    for (const key of keys) expect(front.lookup(key)).toBe(-1)
  })

  test('stands aside when the cache is much larger than it, and looks again later', () => {
    const front = new Front(still(300_000))
    const keys = Array.from({ length: 300_000 }, (_, i) => `feature:${String(i).padStart(7, '0')}`)
    pass(front, keys, seq)
    expect(pass(front, keys, seq)).toBeLessThan(0.05)
    const few = keys.slice(0, 1_000)
    let known = 0
    for (let i = 0; i < 3_000 && known < 0.9; i++) known = pass(front, few, seq)
    expect(known).toBeGreaterThan(0.9)
  })
})
