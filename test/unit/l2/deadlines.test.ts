import { afterEach, expect, test, vi } from 'vitest'
import { HitpathError } from '../../../src/errors.js'
import { DeadlineQueue } from '../../../src/l2/deadline-queue.js'
import { Deadlines } from '../../../src/l2/deadlines.js'

const late = expect.objectContaining({ code: 'L2_TIMEOUT' })

afterEach(() => {
  vi.useRealTimers()
})

function never<T>(): Promise<T> {
  return new Promise(() => {})
}

test('work that is done in time is passed on; its errors are seen as ours', async () => {
  const deadlines = new Deadlines(1000, () => {}, 1000)
  const ours = new HitpathError('CLOSED', 'closed')
  expect(await deadlines.guard(Promise.resolve(1))).toBe(1)
  await expect(deadlines.guard(Promise.reject(ours))).rejects.toBe(ours)
  await expect(deadlines.guard(Promise.reject(new Error('no')))).rejects.toMatchObject({
    code: 'L2_UNAVAILABLE',
  })
  const reply = Object.assign(new Error('ERR no'), { name: 'ReplyError' })
  await expect(deadlines.guard(Promise.reject(reply))).rejects.toMatchObject({
    code: 'L2_ERROR',
    cause: reply,
  })
  const elsewhere = Object.assign(new Error('CLUSTERDOWN no'), { name: 'ReplyError' })
  await expect(deadlines.guard(Promise.reject(elsewhere))).rejects.toMatchObject({ code: 'L2_UNAVAILABLE' })
})

test('each call has its own deadline, in whatever order calls settle', async () => {
  vi.useFakeTimers()
  const begin = performance.now()
  const deadlines = new Deadlines(100, () => {}, 10_000)
  const ends: number[] = []
  const unanswered = (): void => {
    deadlines.guard(never()).catch((error: unknown) => {
      expect(error).toEqual(late)
      ends.push(performance.now() - begin)
    })
  }
  unanswered()
  const answered = Array.from({ length: 3000 }, (_, i) =>
    deadlines.guard(new Promise((resolve) => setTimeout(resolve, i % 50, i))),
  )
  await vi.advanceTimersByTimeAsync(60)
  unanswered()
  expect((await Promise.all(answered)).length).toBe(3000)
  await vi.advanceTimersByTimeAsync(200)
  // Give or take a turn of the event loop.
  expect(ends.map((ms) => Math.floor(ms / 5) * 5)).toEqual([100, 160])
})

test('an answer that arrived while the event loop stood still counts', async () => {
  const deadlines = new Deadlines(20, () => {}, 10_000)
  const answer = deadlines.guard(new Promise((resolve) => setTimeout(resolve, 5, 'here')))
  const until = performance.now() + 60
  while (performance.now() < until);
  expect(await answer).toBe('here')
})

test('silence is reported when nothing is answered for long, not while something is', async () => {
  vi.useFakeTimers()
  const onSilence = vi.fn()
  const deadlines = new Deadlines(20, onSilence, 80)
  const ask = async () => {
    const asked = deadlines.guard(never()).catch(() => {})
    await vi.advanceTimersByTimeAsync(21)
    await asked
  }
  await ask()
  await deadlines.guard(Promise.resolve())
  await ask()
  await ask()
  expect(onSilence).not.toHaveBeenCalled()
  for (let i = 0; i < 5; i++) await ask()
  expect(onSilence).toHaveBeenCalled()
})

test('who is told of the end of a call may begin another, or end all; each is told once, and there is one timer', async () => {
  vi.useFakeTimers()
  const queue = new DeadlineQueue({ ms: 20, late: () => new HitpathError('L2_TIMEOUT', 'late') })
  const told: string[] = []
  const begin = (left: number): void => {
    queue.add((error) => {
      told.push(error.code)
      if (left > 0) begin(left - 1)
    })
  }
  for (let i = 0; i < 3; i++) begin(20)
  for (let ms = 0; ms < 30 * 22; ms++) {
    await vi.advanceTimersByTimeAsync(1)
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1)
  }
  expect(told).toEqual(new Array(3 * 21).fill('L2_TIMEOUT'))
  told.length = 0
  for (let i = 0; i < 3; i++) {
    queue.add((error) => {
      told.push(error.code)
      queue.rejectAll(new HitpathError('CLOSED', 'closed'))
    })
  }
  await vi.advanceTimersByTimeAsync(40)
  expect(told).toEqual(['L2_TIMEOUT', 'CLOSED', 'CLOSED'])
  expect(vi.getTimerCount()).toBe(0)
})
