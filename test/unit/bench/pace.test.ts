import { expect, test } from 'vitest'
import { evenRounds, isEven, pace, type Taken } from '../../../bench/harness/pace.js'

/** Rounds of which those that are named had a pace that changed, by the number of the attempt. */
function rounds(uneven: (attempt: number) => boolean): {
  readonly take: (round: number) => Promise<Taken<string>>
  readonly taken: string[]
} {
  const taken: string[] = []
  const take = async (round: number): Promise<Taken<string>> => {
    const value = `${round}:${taken.length}`
    const paces = uneven(taken.length) ? [1, 1, 2, 2] : [1, 1.1, 1, 1.2]
    taken.push(value)
    return { value, paces }
  }
  return { take, taken }
}

test('a round in which the pace changed is taken again, and its first times are left out', async () => {
  const { take } = rounds((attempt) => attempt === 1)
  const { values, repeated, uneven } = await evenRounds(3, take)
  expect(values).toEqual(['0:0', '1:2', '2:3'])
  expect([repeated, uneven]).toEqual([1, 0])
})

test('no more than half of the rounds come on top, and those that stay uneven are told', async () => {
  const { take, taken } = rounds(() => true)
  const { values, repeated, uneven } = await evenRounds(5, take)
  expect(values.length).toBe(5)
  expect(taken.length).toBe(8)
  expect([repeated, uneven]).toEqual([3, 5])
})

test('rounds that stay uneven do not count where half of them are even', async () => {
  const { take } = rounds((attempt) => attempt > 2)
  const { values, repeated, uneven } = await evenRounds(5, take)
  expect(values).toEqual(['0:0', '1:1', '2:2'])
  expect([repeated, uneven]).toEqual([3, 0])
})

test('a slow machine is as even as a quick one', () => {
  expect(isEven([2, 2.1, 2.05, 2.4])).toBe(true)
  expect(isEven([1, 1.05, 1.9, 1])).toBe(false)
})

test('the pace is a time', () => {
  expect(pace()).toBeGreaterThan(0)
})
