import { describe, expect, test } from 'vitest'
import { marketStates } from '../../../bench/adaptive-ttl/market-states.js'
import { adaptive, bestAt, compare, fixedCurve, readTimes } from '../../../bench/adaptive-ttl/simulation.js'
import { loadBars } from '../../../bench/replay/bars.js'

const states = marketStates(loadBars(), 2_700)
const bars = Object.values(states)[0]!.length
const times = readTimes(bars, 3)

describe('AdaptiveTtl over ten years of the S&P 500', () => {
  test('takes fewer recomputations than the best fixed ttl of each type, at equal staleness', () => {
    const { adaptive: learned, each, oneForWorst } = compare(states, times, 0.05)
    expect(learned.computed / each).toBeLessThan(0.95)
    expect(learned.computed / oneForWorst).toBeLessThan(0.7)
    expect(learned.stale).toBeGreaterThan(0.035)
    expect(learned.stale).toBeLessThan(0.065)
  })

  test('gives each type its own ttl, and the more staleness is allowed the longer', () => {
    const strict = adaptive(states, times, 0.02)
    const loose = adaptive(states, times, 0.1)
    for (const type of Object.keys(states))
      expect(loose[type]!.computed).toBeLessThan(strict[type]!.computed / 2)
    expect(strict['trend']!.computed).toBeLessThan(strict['strength']!.computed / 5)
  })
})

describe('the judge of fixed ttls', () => {
  test('finds the fewest recomputations between two points of a curve', () => {
    const curve = [
      { stale: 0, computed: 1 },
      { stale: 0.1, computed: 0.5 },
      { stale: 0.3, computed: 0.2 },
    ]
    expect(bestAt(0, curve)).toBe(1)
    expect(bestAt(0.2, curve)).toBeCloseTo(0.35)
    expect(bestAt(0.5, curve)).toBe(0.2)
  })

  test('counts stale reads of a value that changes with every bar as the model says', () => {
    const changing = Array.from({ length: 2_000 }, (_, bar) => bar)
    const curve = fixedCurve(changing, readTimes(2_000, 1))
    // A ttl of half a bar: changes fall into half of the ttls, and spoil half of the reads of each on average.
    const half = curve[Math.round(Math.log(12) / Math.log(1.1))]!
    expect(half.stale).toBeGreaterThan(0.2)
    expect(half.stale).toBeLessThan(0.27)
  })
})
