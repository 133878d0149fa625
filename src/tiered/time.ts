/**
 * Which clock the tiers read: one for all threads of the process, or the user's.
 *
 * Always true: `now()` is monotonic milliseconds on the base of `process.hrtime`, which the ticker of the first tier shares, so that a
 * hit may compare a deadline with the tick and read the clock only near it.
 */
import type { Clock } from '../l1/engine.js'
import { TICK_SLACK_MS, tick } from '../l1/tick.js'

const [seconds, nanoseconds] = process.hrtime()
/** `performance.now()` counts from another moment in each thread. */
const OFFSET_MS = seconds * 1000 + nanoseconds / 1e6 - performance.now()

/** Monotonic milliseconds, comparable between threads. */
export function monotonicNow(): number {
  return performance.now() + OFFSET_MS
}

export interface Time {
  /** Milliseconds, exact. */
  now(): number
  /** Whether `deadline` is certainly ahead, found out without reading a clock; false means: ask `now`. */
  surelyBefore(deadline: number): boolean
}

export const systemTime: Time = {
  now: monotonicNow,
  surelyBefore(deadline) {
    const ticked = tick()
    return ticked > 0 && ticked + TICK_SLACK_MS <= deadline
  },
}

export function timeOf(clock: Clock | undefined): Time {
  return clock === undefined ? systemTime : { now: () => clock.now(), surelyBefore: () => false }
}
