/**
 * Which clock the tiers read: one for all threads of the process, or the user's.
 *
 * Always true: `now()` is monotonic milliseconds on the base of `process.hrtime`, which the ticker of the first tier shares, so that a
 * hit may compare a deadline with the tick and read the clock only near it.
 */
import type { Clock } from '../l1/engine.js'
import { TICK_SLACK_MS, tick } from '../l1/tick.js'

/** `performance.now()` counts from another moment in each thread. Read with the first call: an import alone does not load it. */
let offsetMs: number | undefined

/** Monotonic milliseconds, comparable between threads. */
export function monotonicNow(): number {
  offsetMs ??= hrtimeMs() - performance.now()
  return performance.now() + offsetMs
}

function hrtimeMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
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
