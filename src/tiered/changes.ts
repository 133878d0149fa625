/**
 * Changes on their way to the second tier, and when they were made.
 *
 * A call that failed may still be done by a server that was frozen, but not after the time that was sent with it: until then it is in
 * doubt. Always true: nothing is replayed while a call is in doubt; the `to` of a moment lies behind whatever is in doubt, so
 * that a deletion takes away what such a call may yet write.
 */
import { undone } from '../l2/failure.js'
import type { CallOptions, Moment } from '../l2/store.js'
import type { Core } from './core.js'
import { isOutage } from './guard.js'

export class Changes {
  readonly #core: Core<unknown>
  /** Of `performance.now()`. */
  #doubtUntil = Number.NEGATIVE_INFINITY
  readonly #waiting = new Set<() => void>()

  constructor(core: Core<unknown>) {
    this.#core = core
  }

  /** @throws what the guard throws */
  async run<T>(call: (by: CallOptions) => Promise<T>, timeoutMs?: number): Promise<T> {
    const core = this.#core
    let until: number | undefined
    const begin = (): Promise<T> => {
      until = performance.now() + core.doneWithinMs
      return call(core.bySet())
    }
    try {
      return await core.guard.run(begin, timeoutMs)
    } catch (error) {
      if (until !== undefined && isOutage(error) && !undone(error))
        this.#doubtUntil = Math.max(this.#doubtUntil, until)
      throw error
    }
  }

  /** Now, to be ordered among the changes of others: undefined while the server's clock is not known. */
  moment(from: number): Moment | undefined {
    const { serverClock, serverOffset, time } = this.#core
    if (!serverClock.known) return undefined
    const latest = time.now() + serverOffset + serverClock.uncertainty + this.#doubtMs()
    return { from, to: Math.max(from, Math.ceil(latest * 1000)) }
  }

  /** Ends when no call is in doubt any more, or the cache is closed. */
  async settled(): Promise<void> {
    for (let ms = this.#doubtMs(); ms > 0 && !this.#core.closed; ms = this.#doubtMs()) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(end)
          resolve()
        }
        const timer = setTimeout(end, Math.ceil(ms))
        this.#waiting.add(end)
      })
    }
  }

  close(): void {
    for (const end of this.#waiting) end()
  }

  #doubtMs(): number {
    return Math.max(0, this.#doubtUntil - performance.now())
  }
}
