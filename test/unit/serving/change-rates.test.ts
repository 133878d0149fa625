import { describe, expect, test } from 'vitest'
import { ChangeRates, changesPerTtl } from '../../../src/serving/change-rates.js'

const bounds = (staleness: number) => ({
  minMs: 10,
  maxMs: 1_000_000,
  changesPerTtl: changesPerTtl(staleness),
})

/** Numbers from 0 to 1, the same each time. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('changesPerTtl', () => {
  test.each([0.001, 0.01, 0.05, 0.2, 0.5])(
    'inverts the staleness of reads spread over a ttl: %d',
    (share) => {
      const x = changesPerTtl(share)
      expect(1 - (1 - Math.exp(-x)) / x).toBeCloseTo(share, 9)
    },
  )

  test('is twice the share when that is small', () => {
    expect(changesPerTtl(0.001)).toBeCloseTo(0.002, 5)
  })
})

describe('ChangeRates', () => {
  test('finds the rate of a Poisson process from whether it changed within ages of any length', () => {
    const random = numbers(7)
    const rates = new ChangeRates(bounds(0.05))
    const rate = 1 / 2_000
    let stood = 0
    for (let i = 0; i < 20_000; i++) {
      const age = 4_000 * random()
      stood = rates.observe(stood, age, random() > Math.exp(-rate * age))
    }
    expect(rates.rate / rate).toBeGreaterThan(0.85)
    expect(rates.rate / rate).toBeLessThan(1.15)
    // Counting the changes that were seen would find 0.63 of it at these ages.
    expect(rates.ttlMs()).toBeGreaterThan(0.7 * changesPerTtl(0.05) * 2_000)
    expect(rates.ttlMs()).toBeLessThan(1.4 * changesPerTtl(0.05) * 2_000)
  })

  test('gives what has long stood a longer ttl where changes come in bursts, and not where they do not', () => {
    const ratio = (rateAfter: (stoodMs: number) => number): number => {
      const random = numbers(3)
      const rates = new ChangeRates(bounds(0.05))
      let stood = 0
      for (let i = 0; i < 20_000; i++) {
        const age = Math.max(10, rates.ttlMs(stood))
        stood = rates.observe(stood, age, random() > Math.exp(-rateAfter(stood) * age))
      }
      return rates.ttlMs(20_000) / rates.ttlMs(0)
    }
    expect(ratio((stood) => (stood < 1_000 ? 1 / 500 : 1 / 20_000))).toBeGreaterThan(2.5)
    expect(ratio(() => 1 / 2_000)).toBeLessThan(1.6)
    expect(ratio(() => 1 / 2_000)).toBeGreaterThan(0.6)
  })

  test('grows to the longest ttl while nothing changes, and comes back when it does', () => {
    const rates = new ChangeRates({ minMs: 10, maxMs: 5_000, changesPerTtl: changesPerTtl(0.05) })
    expect(rates.ttlMs(0)).toBe(10)
    let stood = 0
    const ttls: number[] = []
    for (let i = 0; i < 200; i++) {
      stood = rates.observe(stood, rates.ttlMs(stood), false)
      ttls.push(rates.ttlMs(stood))
    }
    expect(ttls).toEqual([...ttls].sort((a, b) => a - b))
    expect(ttls.at(-1)).toBe(5_000)
    for (let i = 0; i < 100; i++) stood = rates.observe(stood, rates.ttlMs(stood), true)
    expect(rates.ttlMs(stood)).toBeLessThan(200)
  })

  test('takes an age beyond the longest ttl for the longest ttl', () => {
    const [seldom, often] = [
      new ChangeRates({ ...bounds(0.05), maxMs: 1_000 }),
      new ChangeRates(bounds(0.05)),
    ]
    for (let i = 0; i < 50; i++) {
      seldom.observe(0, 1e9, false)
      often.observe(0, 1e9, false)
    }
    expect(seldom.rate / often.rate).toBeCloseTo(1000)
  })

  test('stays finite when everything changes', () => {
    const rates = new ChangeRates(bounds(0.05))
    for (let i = 0; i < 5_000; i++) rates.observe(0, 1e-3, true)
    expect(Number.isFinite(rates.rate)).toBe(true)
    expect(rates.ttlMs(0)).toBe(10)
  })
})
