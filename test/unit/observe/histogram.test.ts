import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Histogram } from '../../../src/observe/histogram.js'

const durations = fc.array(
  fc.oneof(fc.nat(200), fc.nat(1_000_000), fc.double({ min: 0, max: 2 ** 40, noNaN: true })),
  { minLength: 1, maxLength: 300 },
)

function of(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

test('a quantile is never below the true one, and at most 3.2 % (or a nanosecond) above', () => {
  fc.assert(
    fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const sorted = [...values].sort((a, b) => a - b)
      const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1] as number
      const told = of(values).quantile(share)
      expect(told).toBeGreaterThanOrEqual(exact)
      expect(told).toBeLessThanOrEqual(Math.max(exact * (1 + 1 / 31), exact + 1))
    }),
  )
})

test('every power of two is an exact edge', () => {
  const edges = Array.from({ length: 41 }, (_, i) => 2 ** i)
  const values = edges.flatMap((edge) => [edge - 0.5, edge, edge + 1])
  expect(of(values).cumulative(edges)).toEqual(
    edges.map((edge) => values.filter((value) => value <= edge).length),
  )
})

test('merging is recording together, and since takes away what was there', () => {
  fc.assert(
    fc.property(durations, durations, (first, second) => {
      const both = of([...first, ...second])
      const merged = of(first).merge(of(second))
      const histogram = of(first)
      const earlier = histogram.copy()
      for (const value of second) histogram.record(value)
      const delta = histogram.since(earlier)
      for (const share of [0, 0.5, 0.99, 1]) expect(merged.quantile(share)).toBe(both.quantile(share))
      for (const share of [0, 0.5, 0.9]) {
        const exact = of(second).quantile(share)
        expect(delta.quantile(share)).toBeLessThanOrEqual(Math.max(1.04 * exact, exact + 1))
      }
      expect(delta.count).toBe(second.length)
      expect(merged.maxNs).toBe(both.maxNs)
    }),
  )
})

test('extremes land in the outer buckets', () => {
  const histogram = new Histogram()
  expect(histogram.quantile(0.5)).toBeNaN()
  expect(histogram.summary()).toBeUndefined()
  histogram.record(Number.NaN)
  expect(histogram.count).toBe(0)
  histogram.record(-4)
  expect(histogram.quantile(0.99)).toBe(0)
  histogram.recordMs(1e12)
  expect(histogram.quantileMs(1)).toBe(1e12)
  expect(histogram.maxMs).toBe(1e12)
  histogram.record(Infinity)
  expect(histogram.quantile(1)).toBe(Infinity)
  expect(() => histogram.quantile(99)).toThrowError(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
  )
})

test('after a reset, since gives what was recorded after it', () => {
  const histogram = of([1, 2, 3])
  const earlier = histogram.copy()
  histogram.reset()
  histogram.record(1)
  histogram.record(2)
  expect(histogram.since(earlier).count).toBe(2)
})
