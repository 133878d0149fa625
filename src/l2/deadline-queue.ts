/**
 * Calls in the order in which their deadlines pass, all of the same length, and one timer for all: a call costs a few words and
 * no timer of its own.
 *
 * Always true: what is pending is rejected within the deadline, give or take a turn of the event loop; what has settled is not kept beyond
 * the oldest that has not. After the event loop stood still, answers that lie in the socket are read before anything is given up.
 */
import type { HitpathError } from '../errors.js'

export interface PendingCall {
  /** Of `performance.now()`. */
  readonly began: number
  /** Undefined once the call has settled. */
  reject: ((error: HitpathError) => void) | undefined
  /** The call that began after it. */
  next: PendingCall | undefined
}

export interface DeadlineQueueOptions {
  /** `Infinity`: never. */
  readonly ms: number
  readonly late: () => HitpathError
  /** Whether a call under way keeps the process alive, for calls that may have no socket that does. Default false. */
  readonly keepsAlive?: boolean
  /** Called after calls were given up, with the time. */
  readonly onExpired?: (now: number) => void
}

export class DeadlineQueue {
  readonly #ms: number
  readonly #late: () => HitpathError
  readonly #keepsAlive: boolean
  readonly #onExpired: ((now: number) => void) | undefined
  // A list, not an array: to empty an array and fill it again takes a microsecond a call.
  #first: PendingCall | undefined
  #last: PendingCall | undefined
  #timer: NodeJS.Timeout | undefined

  constructor({ ms, late, keepsAlive = false, onExpired }: DeadlineQueueOptions) {
    this.#ms = ms
    this.#late = late
    this.#keepsAlive = keepsAlive
    this.#onExpired = onExpired
  }

  /** Begins to wait for a call. */
  add(reject: (error: HitpathError) => void): PendingCall {
    const call: PendingCall = { began: performance.now(), reject, next: undefined }
    if (this.#last === undefined) {
      this.#first = call
      if (this.#keepsAlive) this.#timer?.ref()
    } else this.#last.next = call
    this.#last = call
    if (this.#timer === undefined) this.#arm(this.#ms)
    return call
  }

  /** The call has an answer, or an error. */
  settle(call: PendingCall): void {
    call.reject = undefined
    if (this.#first === call) this.#skipSettled()
  }

  /** Rejects all that is pending. */
  rejectAll(error: HitpathError): void {
    let call = this.#first
    this.#first = this.#last = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (; call !== undefined; call = call.next) end(call, error)
  }

  #skipSettled(): void {
    let call = this.#first
    while (call !== undefined && call.reject === undefined) call = call.next
    this.#first = call
    if (call !== undefined) return
    this.#last = undefined
    if (this.#keepsAlive) this.#timer?.unref()
  }

  #arm(ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(this.#onTimer, ms)
    if (!this.#keepsAlive) this.#timer.unref()
  }

  readonly #onTimer = (): void => {
    const spent = this.#timer
    setImmediate(() => {
      if (this.#timer === spent) this.#expire(spent)
    })
  }

  /** `spent` stays in place until all have been told, so that who adds a call meanwhile arms no second timer. */
  #expire(spent: NodeJS.Timeout | undefined): void {
    const now = performance.now()
    let expired = false
    try {
      for (;;) {
        this.#skipSettled()
        const call = this.#first
        if (call === undefined || call.began + this.#ms > now) break
        expired = true
        end(call, this.#late())
      }
    } finally {
      if (this.#timer === spent) {
        this.#timer = undefined
        if (this.#first !== undefined) this.#arm(Math.max(1, this.#first.began + this.#ms - now))
      }
    }
    if (expired) this.#onExpired?.(now)
  }
}

/** It has settled before it is told: who hears of it may come back here. */
function end(call: PendingCall, error: HitpathError): void {
  const { reject } = call
  call.reject = undefined
  reject?.(error)
}
