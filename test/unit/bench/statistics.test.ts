import { describe, expect, test } from 'vitest'
import { median, medianDifference, pairedRatio, quantile, spread } from '../../../bench/harness/statistics.js'

describe('quantile', () => {
  test('interpolates between neighbours, whatever the order of the values', () => {
    expect(quantile([40, 10, 30, 20], 0)).toBe(10)
    expect(quantile([40, 10, 30, 20], 0.5)).toBe(25)
    expect(quantile([40, 10, 30, 20], 1)).toBe(40)
  })

  test('stays infinite where its neighbours are', () => {
    expect(quantile([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY], 0.5)).toBe(Number.POSITIVE_INFINITY)
  })

  test('of nothing is not a number', () => {
    expect(quantile([], 0.5)).toBeNaN()
  })

  test('leaves its values as they were', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
})

test('a spread is the median and the middle half', () => {
  expect(spread([1, 2, 3, 4, 100])).toEqual({ median: 3, low: 2, high: 4 })
})

describe('pairedRatio', () => {
  test('compares rounds that ran side by side: a slow second slows both', () => {
    const hitpath = [10, 10, 100, 10]
    const peer = [20, 20, 200, 20]
    expect(pairedRatio(hitpath, peer)).toEqual({ median: 0.5, low: 0.5, high: 0.5 })
  })

  test('refuses rounds that are not aligned', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow('rounds are not aligned: 2 against 1')
  })
})

test('medianDifference takes runs that are not aligned', () => {
  expect(medianDifference([5, 7, 9], [4])).toEqual({ median: 3, low: 2, high: 4 })
})
