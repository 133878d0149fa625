/** Readings of the last minute, so that what happened in it is a difference. At most one every four seconds: the rest is not kept. */
import { kept, type Reading } from './reading.js'

const MINUTE_MS = 60_000
const APART_MS = 4000

interface Kept {
  readonly at: number
  readonly reading: Reading
}

export class Window {
  readonly #kept: Kept[]

  /** Counts from `first`, read at `at`, on. */
  constructor(at: number, first: Reading) {
    this.#kept = [{ at, reading: kept(first) }]
  }

  add(at: number, reading: Reading): void {
    if (at - (this.#kept.at(-1) as Kept).at < APART_MS) return
    this.#kept.push({ at, reading: kept(reading) })
    this.#forget(at)
  }

  /** What was read a minute before `now`, or longest ago since. */
  start(now: number): Reading {
    this.#forget(now)
    return (this.#kept[0] as Kept).reading
  }

  /** The newest that is a minute old stays, as the beginning of the minute. */
  #forget(now: number): void {
    while (this.#kept.length > 1 && (this.#kept[1] as Kept).at <= now - MINUTE_MS) this.#kept.shift()
  }
}
