import { describe, expect, it } from 'vitest'
import { conclusion, type Judged, judged, median, nsText, sentence } from '../../../src/cli/bench/advice.js'
import type { Case } from '../../../src/cli/bench/protocol.js'

const CALM = [1, 1.01, 0.99]

function compared(
  hitpath: number[],
  others: Readonly<Record<string, number[]>>,
  which: Case = 'hit-built',
  noise: readonly number[] = CALM,
): Judged {
  return judged({ which, rounds: new Map([['hitpath', hitpath], ...Object.entries(others)]), noise })
}

describe('the advice of hitpath bench', () => {
  it('compares with the fastest other cache, and never with the floor', () => {
    const found = compared([50, 50, 52], {
      slow: [300, 300, 300],
      'lru-cache': [100, 102, 99],
      Map: [10, 10, 10],
    })

    expect(found.rival?.name).toBe('lru-cache')
    expect(found.rival?.ratio).toBeCloseTo(0.5, 1)
    expect(found.verdict).toBe('pays')
    expect(sentence(found)).toContain('of the time of lru-cache')
    expect(found.medians.map(([name]) => name)).toEqual(['Map', 'hitpath', 'lru-cache', 'slow'])
  })

  it('says so when hitpath is slower, or hardly different', () => {
    expect(compared([130, 130, 131], { a: [100, 100, 100] }).verdict).toBe('costs')
    expect(compared([95, 95, 95], { a: [100, 100, 100] }).verdict).toBe('same')
  })

  it('takes what noise alone does for nothing', () => {
    const busy = [1.4, 0.7, 1.3]
    const found = compared([75, 75, 75], { a: [100, 100, 100] }, 'hit-kept', busy)

    expect(found.noise).toBeCloseTo(0.3)
    expect(found.verdict).toBe('same')
    expect(sentence(found)).toContain('0.75 of the time of a, which says nothing here')
    expect(sentence(compared([95, 95, 95], { a: [100, 100, 100] }))).toContain('no difference that matters')
  })

  it('compares rounds that ran side by side', () => {
    // a machine that becomes ten times slower slows both
    expect(compared([50, 500, 50], { a: [100, 1000, 100] }).rival?.ratio).toBe(0.5)
    const uneven = compared([50, 90, 50], { a: [100, 100, 200], Map: [10, 10, 10] })
    expect(uneven.ratios).toEqual({ a: 0.5, Map: 5 })
    expect(uneven.rival?.ratio).toBe(uneven.ratios['a'])
  })

  it('has a conclusion for what pays, what does not, and what stands alone', () => {
    const pays = compared([50, 50, 50], { a: [100, 100, 100] })
    const costs = compared([200, 200, 200], { a: [100, 100, 100] }, 'hit-kept')
    const same = compared([100, 100, 100], { a: [100, 100, 100] })
    const alone = compared([50, 50, 50], { Map: [10, 10, 10] })

    expect(conclusion([pays, same])).toContain('hitpath pays')
    expect(conclusion([costs, same])).toContain('does not pay')
    expect(conclusion([pays, costs])).toContain('depends')
    expect(conclusion([alone, alone])).toContain('Install')
    expect(sentence(alone)).toContain('nothing here to compare it with')
  })

  it('shows times as a person reads them', () => {
    expect([nsText(52.4), nsText(12_345), nsText(2_000_000)]).toEqual(['52 ns', '12.3 µs', '2.0 ms'])
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
  })
})
