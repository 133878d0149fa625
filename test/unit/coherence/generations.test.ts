import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { Generations, type Token } from '../../../src/coherence/generations.js'

describe.each([
  ['of one thread', () => new Generations()],
  ['over a shared buffer', () => new Generations(new SharedArrayBuffer(Generations.BYTES))],
])('generations %s', (_, make) => {
  test('a token holds until its name is bumped', () => {
    const generations = make()
    const token = generations.token('sfeatures:BTCUSDT')
    expect(generations.unchanged(token)).toBe(true)
    generations.bump('sfeatures:BTCUSDT')
    expect(generations.unchanged(token)).toBe(false)
    expect(generations.unchanged(generations.token('sfeatures:BTCUSDT'))).toBe(true)
  })

  test('a bump of an absent name breaks its tokens too', () => {
    const generations = make()
    const token = generations.token('')
    generations.bump('')
    expect(generations.unchanged(token)).toBe(false)
  })

  test('bumpAll breaks every token', () => {
    const generations = make()
    const tokens = Array.from({ length: 5000 }, (_, i) => generations.token(`s${i}`))
    generations.bumpAll()
    expect(tokens.some((token) => generations.unchanged(token))).toBe(false)
  })

  test('a snapshot is a token of every name', () => {
    const generations = make()
    const names = Array.from({ length: 5000 }, (_, i) => `s${i}`)
    generations.bump('s7')
    const snapshot = generations.snapshot()
    const tokens = names.map((name) => generations.token(name))
    expect(names.every((name) => generations.unchangedSince(snapshot, name))).toBe(true)
    for (const bumped of ['s7', 's4711', 'elsewhere']) {
      generations.bump(bumped)
      const changed = names.filter((name) => !generations.unchangedSince(snapshot, name))
      expect(changed).toEqual(names.filter((_, i) => !generations.unchanged(tokens[i] as Token)))
    }
    expect(generations.unchangedSince(snapshot, 's7')).toBe(false)
    expect(generations.unchangedSince(snapshot, 's4711')).toBe(false)
    generations.bumpAll()
    expect(names.some((name) => generations.unchangedSince(snapshot, name))).toBe(false)
    expect(generations.unchangedSince(generations.snapshot(), 's7')).toBe(true)
  })

  test('false aborts are as rare as 1,024 counters make them', () => {
    const generations = make()
    const tokens = Array.from({ length: 10_240 }, (_, i) => generations.token(`sfeatures:${i}:5m`))
    generations.bump('sprediction:BTCUSDT')
    const broken = tokens.filter((token) => !generations.unchanged(token)).length
    expect(broken).toBeGreaterThan(0)
    expect(broken).toBeLessThan(30)
  })

  test('names spread over all counters', () => {
    const generations = make()
    const indices = new Set(Array.from({ length: 20_000 }, (_, i) => Number(generations.token(`n${i}`))))
    expect(indices.size).toBe(1024)
  })
})

test('a counter that wraps around keeps its tokens exact', () => {
  const buffer = new SharedArrayBuffer(Generations.BYTES)
  const generations = new Generations(buffer)
  new Int32Array(buffer).fill(2 ** 31 - 1)
  const before = generations.token('a')
  generations.bump('a')
  expect(generations.unchanged(before)).toBe(false)
  expect(generations.unchanged(generations.token('a'))).toBe(true)
  new Int32Array(buffer).fill(-1)
  const last = generations.token('a')
  expect(generations.unchanged(last)).toBe(true)
  generations.bump('a')
  expect(generations.unchanged(last)).toBe(false)
})

test('another thread breaks a token', async () => {
  const buffer = new SharedArrayBuffer(Generations.BYTES)
  const generations = new Generations(buffer)
  const token = generations.token('sx')
  const source = `
    const { workerData } = require('node:worker_threads')
    const counters = new Int32Array(workerData.buffer)
    Atomics.add(counters, workerData.index, 1)`
  const index = Math.floor(token / 2 ** 32)
  const worker = new Worker(source, { eval: true, workerData: { buffer, index } })
  await new Promise((resolve) => worker.once('exit', resolve))
  expect(generations.unchanged(token)).toBe(false)
})

test('a bump of another thread that has returned is seen in a snapshot', async () => {
  const rounds = 500
  const buffer = new SharedArrayBuffer(Generations.BYTES)
  const turns = new SharedArrayBuffer(4)
  const turn = new Int32Array(turns)
  const generations = new Generations(buffer)
  const worker = new Worker(new URL('./bumping.mjs', import.meta.url), {
    workerData: { buffer, rounds, turns },
  })
  const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
  for (let round = 0; round < rounds; round++) {
    const snapshot = generations.snapshot()
    Atomics.store(turn, 0, 2 * round + 1)
    Atomics.notify(turn, 0)
    Atomics.wait(turn, 0, 2 * round + 1, 10_000)
    expect(generations.unchangedSince(snapshot, `s${round % 7}`)).toBe(false)
    expect(generations.unchangedSince(snapshot, `s${(round + 1) % 7}`)).toBe(true)
  }
  await ended
})

test.each([
  ['too small', new SharedArrayBuffer(8)],
  ['not shared', new ArrayBuffer(Generations.BYTES) as unknown as SharedArrayBuffer],
])('a buffer that is %s is refused', (_, buffer) => {
  expect(() => new Generations(buffer)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})
