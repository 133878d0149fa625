import { describe, expect, test } from 'vitest'
import { judge, rounded, rule, sentence } from '../../../bench/harness/judge.js'
import { suites } from '../../../bench/suites/index.js'
import { type Target, targets } from '../../../bench/targets.js'

const target: Target = {
  id: 'get',
  figure: 'get',
  statistic: 'ratio',
  of: 'hitpath',
  peer: 'lru-cache',
  limit: { max: 0.5 },
  gate: { max: 0.8 },
  why: 'Because.',
}
const measured = { contenders: { hitpath: [60, 61, 62], 'lru-cache': [100, 100, 100] } }

describe('a limit', () => {
  test.each([
    [0.5, { max: 0.5 }, 'met'],
    [0.6, { max: 0.5 }, 'near'],
    [0.7, { max: 0.5 }, 'missed'],
    [1.8, { min: 1.8 }, 'met'],
    [1.5, { min: 1.8 }, 'near'],
    [1.2, { min: 1.8 }, 'missed'],
    [Number.POSITIVE_INFINITY, { max: 5_000 }, 'missed'],
    [Number.NaN, { max: 1 }, 'missed'],
    [Number.NaN, { min: 1 }, 'missed'],
  ] as const)('rules %d under %o as %s', (value, limit, ruling) => {
    expect(rule(value, limit)).toBe(ruling)
  })
})

describe('judge', () => {
  test('holds the full form against the target and the CI form against the gate', () => {
    expect(judge(target, measured, 'full')).toMatchObject({ limit: { max: 0.5 }, ruling: 'near' })
    expect(judge(target, measured, 'ci')).toMatchObject({ limit: { max: 0.8 }, ruling: 'met' })
  })

  test('gives a target without a gate no limit in the CI form', () => {
    const { gate: _, ...ungated } = target
    expect(judge(ungated, measured, 'ci').ruling).toBe('unlimited')
  })

  test('does not judge what is nearer to the limit than the contender is to itself', () => {
    const noisy = { ...measured, noise: [0.8, 1, 1.2] }
    const near = { ...target, limit: { max: 0.57 } }
    expect(judge(near, measured, 'full')).toMatchObject({ margin: 0, ruling: 'near' })
    expect(judge(near, noisy, 'full')).toMatchObject({ margin: 0.1, ruling: 'noise' })
    expect(judge(target, noisy, 'full').ruling).toBe('near')
  })

  test('takes differences and single values', () => {
    expect(judge({ ...target, statistic: 'difference' }, measured, 'full').result.median).toBe(-39)
    expect(judge({ ...target, statistic: 'value' }, measured, 'full').result.median).toBe(61)
  })

  test('names the contender that it does not find', () => {
    expect(() => judge({ ...target, peer: 'nobody' }, measured, 'full')).toThrow(
      'target get: no contender is called nobody',
    )
  })
})

test('a missed limit is a sentence', () => {
  expect(sentence(judge(target, measured, 'full'))).toBe(
    'get: hitpath against lru-cache is 0.610 times; it must be at most 0.5. Because.',
  )
})

test.each([
  [1234.5, '1235'],
  [12.34, '12.3'],
  [1.234, '1.23'],
  [0.1234, '0.123'],
  [Number.POSITIVE_INFINITY, 'never'],
])('%d is printed as %s', (value, text) => {
  expect(rounded(value)).toBe(text)
})

describe('the targets', () => {
  test('have names of their own', () => {
    expect(new Set(targets.map(({ id }) => id)).size).toBe(targets.length)
  })

  test('judge figures that a suite has, and every suite is judged', () => {
    const figuresOf = suites.map((suite) =>
      suite.subjects.flatMap(({ figures }) => figures.map(({ id }) => id)),
    )
    const known = new Set(figuresOf.flat())
    for (const { figure } of targets) expect(known).toContain(figure)
    for (const figures of figuresOf) expect(targets.some(({ figure }) => figures.includes(figure))).toBe(true)
  })

  test('have gates no stricter than their limits', () => {
    for (const { limit, gate } of targets) {
      if (limit.max !== undefined && gate !== undefined) expect(gate.max).toBeGreaterThanOrEqual(limit.max)
      if (limit.min !== undefined && gate !== undefined) expect(gate.min).toBeLessThanOrEqual(limit.min)
    }
  })
})
