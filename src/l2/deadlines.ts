/**
 * The deadline of every call of Redis, and what it means when none is answered.
 *
 * Always true: a guarded promise settles within the deadline, give or take a turn of the event loop; once it has settled nothing of it
 * is kept.
 */
import { HitpathError } from '../errors.js'
import { DeadlineQueue, type PendingCall } from './deadline-queue.js'
import { failure } from './failure.js'

export class Deadlines {
  readonly #ms: number
  readonly #onSilence: () => void
  readonly #silenceMs: number
  readonly #queue: DeadlineQueue
  /** When the first call expired after which none was answered; 0 while calls are answered. */
  #silentSince = 0

  /** @param onSilence is called when calls expired for `silenceMs` and none was answered */
  constructor(ms: number, onSilence: () => void, silenceMs: number) {
    this.#ms = ms
    this.#onSilence = onSilence
    this.#silenceMs = silenceMs
    this.#queue = new DeadlineQueue({
      ms,
      late: () => new HitpathError('L2_TIMEOUT', `Redis did not answer within ${ms} ms`),
      // the sockets of calls under way keep the process alive
      onExpired: (now) => this.#listen(now),
    })
  }

  /** The work's result; its error as `failure` sees it; L2_TIMEOUT when it takes too long. What it comes to later is dropped. */
  guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.begin(reject)
      work.then(
        (value) => {
          this.answered(call)
          resolve(value)
        },
        (error: unknown) => {
          this.refused(call)
          reject(failure(error))
        },
      )
    })
  }

  /** The deadline of a call without a promise, which ends with `answered` or `refused`; `late` is told of L2_TIMEOUT if neither came in time. */
  begin(late: (error: HitpathError) => void): PendingCall {
    return this.#queue.add(late)
  }

  answered(call: PendingCall): void {
    this.#silentSince = 0
    this.#queue.settle(call)
  }

  refused(call: PendingCall): void {
    this.#queue.settle(call)
  }

  #listen(now: number): void {
    if (this.#silentSince === 0) this.#silentSince = now
    if (now - this.#silentSince + this.#ms < this.#silenceMs) return
    this.#silentSince = 0
    this.#onSilence()
  }
}
