import { expect, test } from 'vitest'
import { LatencyHistogram } from '../../../src/coherence/latency-histogram.js'

test('percentiles are upper bounds within 19 %', () => {
  const histogram = new LatencyHistogram()
  for (let i = 1; i <= 1000; i++) histogram.record(i / 100)
  for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
    const exact = share * 10
    expect(histogram.percentile(share)).toBeGreaterThanOrEqual(exact - 1e-9)
    expect(histogram.percentile(share)).toBeLessThanOrEqual(exact * 1.19)
  }
  expect(histogram.maxMs).toBe(10)
  expect(histogram.count).toBe(1000)
})

test('extremes land in the outer buckets', () => {
  const histogram = new LatencyHistogram()
  expect(histogram.percentile(0.5)).toBeNaN()
  histogram.record(Number.NaN)
  expect(histogram.count).toBe(0)
  histogram.record(-4)
  expect(histogram.percentile(0.99)).toBe(0)
  histogram.record(1e9)
  expect(histogram.percentile(1)).toBe(1e9)
  histogram.reset()
  expect(histogram.count).toBe(0)
})
