/** The sketch of hot keys, the fates of keys, and the recorder. */
import { expect, test } from 'vitest'
import { Fates } from '../../../src/observe/fates.js'
import { HeavyHitters } from '../../../src/observe/heavy-hitters.js'
import { Recorder } from '../../../src/observe/recorder.js'

test('the heaviest keys are found, and counts bound the truth from both sides', () => {
  const hitters = new HeavyHitters(32, Infinity)
  const truth = new Map<string, number>()
  let seed = 7
  for (let i = 0; i < 20_000; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    const key = seed % 10 < 3 ? 'hot' : seed % 10 === 3 ? 'warm' : `k${seed % 3000}`
    truth.set(key, (truth.get(key) ?? 0) + 1)
    hitters.add(key)
  }
  expect(hitters.top(2).map(({ key }) => key)).toEqual(['hot', 'warm'])
  for (const { key, count, error } of hitters.top(32)) {
    expect(count).toBeGreaterThanOrEqual(truth.get(key) as number)
    expect(count - error).toBeLessThanOrEqual(truth.get(key) as number)
  }
})

test('what was hot cools down', () => {
  const hitters = new HeavyHitters(8, 100)
  for (let i = 0; i < 90; i++) hitters.add('yesterday')
  for (let i = 0; i < 400; i++) hitters.add('today')
  expect(hitters.top(1)[0]?.key).toBe('today')
  expect(hitters.top(8).find(({ key }) => key === 'yesterday')?.share ?? 0).toBeLessThan(0.1)
})

test('fates: new, expired, evicted, removed', () => {
  const fates = new Fates()
  fates.put('expires', 10)
  fates.put('evicted', 1000)
  fates.put('removed', 1000)
  fates.removed('removed')
  for (const name of ['new', 'expires', 'evicted', 'removed']) fates.missed(name, 11)
  expect(fates.misses).toEqual({ new: 1, expired: 1, evicted: 1, removed: 1 })
  expect(fates.of('expires', 10)).toBe('evicted')
  expect(fates.share).toBe(1)
})

test('a million keys are followed in a bounded sample that tells the proportions', () => {
  const fates = new Fates()
  for (let i = 0; i < 200_000; i++) fates.put(`key:${i}`, i % 4 === 0 ? 5 : 1000)
  for (let i = 0; i < 200_000; i++) fates.missed(`key:${i}`, 100)
  const { expired, evicted, new: unseen } = fates.misses
  expect(unseen).toBe(0)
  expect(expired + evicted).toBeGreaterThan(1000)
  expect(expired + evicted).toBeLessThanOrEqual(4096)
  expect(expired / (expired + evicted)).toBeCloseTo(0.25, 1)
  expect(fates.share).toBeLessThan(1 / 32)
})

test('values are compared only after they expired', () => {
  const fates = new Fates()
  const make = (value: unknown, at: number, until: number): void => {
    fates.computed('key', value, at)
    fates.put('key', until)
  }
  fates.put('key', 0)
  make({ a: [1, 2] }, 1, 10)
  make({ a: [1, 2] }, 5, 10) // it was alive: something else made it go
  make({ a: [1, 2] }, 11, 20)
  make({ a: [1, 3] }, 21, 30)
  expect(fates.recomputed).toEqual({ changed: 1, unchanged: 1 })
})

test('the finest sampler counts, and the last one that leaves ends all', () => {
  let told = 0
  const recorder = new Recorder(() => told++)
  const coarse = recorder.attach(1000)
  const fine = recorder.attach(10)
  expect(recorder.every).toBe(10)
  const gaps = Array.from({ length: 2000 }, () => recorder.gap())
  expect(Math.min(...gaps)).toBe(1)
  expect(Math.max(...gaps)).toBe(19)
  expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeCloseTo(10, 0)
  fine()
  fine()
  expect(recorder.every).toBe(1000)
  coarse()
  expect([recorder.every, recorder.hot, recorder.fates]).toEqual([0, undefined, undefined])
  expect(told).toBe(4)
})
