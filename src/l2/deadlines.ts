/**
 * One deadline for every call, all of the same length: a queue in order of expiry and one timer, so that a call costs a few
 * words and no timer of its own.
 *
 * Always true: a guarded promise settles within the deadline, give or take a turn of the event loop; once it has settled nothing of it
 * is kept. After the event loop stood still, answers that lie in the socket are read before anything is given up.
 */
import { HitpathError } from '../errors.js'
import { failure } from './failure.js'

interface Call {
  readonly dueAt: number
  /** Undefined once the call has settled. */
  reject: ((error: HitpathError) => void) | undefined
}

export class Deadlines {
  readonly #ms: number
  readonly #onSilence: () => void
  readonly #silenceMs: number
  #queue: Call[] = []
  #head = 0
  #timer: NodeJS.Timeout | undefined
  /** When the first call expired after which none was answered; 0 while calls are answered. */
  #silentSince = 0

  /** @param onSilence is called when calls expired for `silenceMs` and none was answered */
  constructor(ms: number, onSilence: () => void, silenceMs: number) {
    this.#ms = ms
    this.#onSilence = onSilence
    this.#silenceMs = silenceMs
  }

  /** The work's result; its error as `failure` sees it; L2_TIMEOUT when it takes too long. What it comes to later is dropped. */
  guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call: Call = { dueAt: performance.now() + this.#ms, reject }
      this.#queue.push(call)
      this.#timer ??= this.#timerOf(this.#ms)
      work.then(
        (value) => {
          this.#silentSince = 0
          this.#settle(call)
          resolve(value)
        },
        (error: unknown) => {
          this.#settle(call)
          reject(failure(error))
        },
      )
    })
  }

  #late(): HitpathError {
    return new HitpathError('L2_TIMEOUT', `Redis did not answer within ${this.#ms} ms`)
  }

  #settle(call: Call): void {
    call.reject = undefined
    if (this.#queue[this.#head] !== call) return
    this.#skipSettled()
  }

  #skipSettled(): void {
    const queue = this.#queue
    let head = this.#head
    while (head < queue.length && queue[head]?.reject === undefined) head++
    this.#head = head
    if (head === queue.length) {
      queue.length = this.#head = 0
    } else if (head > 1024 && 2 * head > queue.length) {
      this.#queue = queue.slice(head)
      this.#head = 0
    }
  }

  /** It keeps no process alive: the sockets of calls under way do. */
  #timerOf(ms: number): NodeJS.Timeout {
    return setTimeout(this.#onTimer, ms).unref()
  }

  readonly #onTimer = (): void => {
    setImmediate(() => this.#expire())
  }

  #expire(): void {
    const now = performance.now()
    let expired = false
    for (;;) {
      this.#skipSettled()
      const call = this.#queue[this.#head]
      if (call === undefined || call.dueAt > now) {
        this.#timer = call && this.#timerOf(Math.max(1, call.dueAt - now))
        break
      }
      call.reject?.(this.#late())
      call.reject = undefined
      expired = true
    }
    if (expired) this.#listen(now)
  }

  #listen(now: number): void {
    if (this.#silentSince === 0) this.#silentSince = now
    if (now - this.#silentSince + this.#ms < this.#silenceMs) return
    this.#silentSince = 0
    this.#onSilence()
  }
}
