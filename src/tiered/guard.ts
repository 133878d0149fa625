/**
 * Every call of the second tier passes here: refused at once while the circuit is open, given up at its deadline, ended by `close`.
 *
 * Always true: what leaves is a value or a HitpathError; a late answer of a call that was given up is dropped.
 */
import { HitpathError } from '../errors.js'
import { CircuitBreaker, type CircuitState, type Permit } from '../l2/breaker.js'
import { DeadlineQueue, type PendingCall } from '../l2/deadline-queue.js'
import { keepShape } from '../l2/shapes.js'
import type { Receiver } from '../l2/store.js'
import type { L2Miss, Recorder } from '../observe/recorder.js'
import type { Bytes } from '../platform.js'

export interface GuardOptions {
  /** Of every call. */
  readonly timeoutMs: number
  /** Whether a call under way keeps the process alive: where the store may have no socket that does. */
  readonly keepsAlive: boolean
  readonly failures: number
  readonly resetAfterMs: number
  readonly random: () => number
  readonly onChange: (state: CircuitState, before: CircuitState) => void
  readonly recorder: Recorder
}

export class Guard {
  readonly breaker: CircuitBreaker
  readonly #timed: DeadlineQueue
  readonly #untimed: DeadlineQueue
  readonly #recorder: Recorder
  #closed = false

  constructor({ timeoutMs, keepsAlive, failures, resetAfterMs, random, onChange, recorder }: GuardOptions) {
    this.#recorder = recorder
    this.#timed = queueOf(timeoutMs, keepsAlive)
    this.#untimed = queueOf(Number.POSITIVE_INFINITY, false)
    this.breaker = new CircuitBreaker({ failures, resetAfter: resetAfterMs, random, onChange })
  }

  /** Whether a call would be let through now. */
  get open(): boolean {
    return this.breaker.state !== 'closed' && this.breaker.retryInMs > 0
  }

  /**
   * @param timeoutMs `Infinity` for a call that bounds itself; else it has the deadline of all
   * @throws HitpathError L2_UNAVAILABLE while the circuit is open, L2_TIMEOUT, CLOSED, and what the store says
   */
  run<T>(call: () => Promise<T>, timeoutMs?: typeof Infinity): Promise<T> {
    if (this.#closed) return Promise.reject(closedError())
    const { breaker } = this
    const permit = breaker.tryAcquire()
    if (permit === undefined) return Promise.reject(breaker.refusal())
    const queue = timeoutMs === Infinity ? this.#untimed : this.#timed
    return new Promise<T>((resolve, reject) => {
      const pending = queue.add((error) => {
        this.#recorder.askedL2(performance.now() - pending.began)
        breaker.settled(permit, error)
        reject(error)
      })
      started(call).then(
        (value) => {
          if (pending.reject === undefined) return
          queue.settle(pending)
          this.#recorder.askedL2(performance.now() - pending.began)
          breaker.succeeded(permit)
          resolve(value)
        },
        (error: unknown) => {
          if (pending.reject === undefined) return
          queue.settle(pending)
          this.#recorder.askedL2(performance.now() - pending.began)
          const ours = asHitpathError(error)
          breaker.settled(permit, ours)
          reject(ours)
        },
      )
    })
  }

  /** As `run`, for a call that tells a receiver: what it tells leaves here, or the error of this guard does. */
  tell(call: (receiver: Receiver) => void, receiver: Receiver): void {
    const { breaker } = this
    const permit = this.#closed ? undefined : breaker.tryAcquire()
    if (permit === undefined) {
      receiver.failed(this.#closed ? closedError() : breaker.refusal())
      return
    }
    const guarded = new GuardedReceiver(receiver, this.#timed, breaker, permit, this.#recorder)
    try {
      call(guarded)
    } catch (error) {
      guarded.failed(error)
    }
  }

  close(): void {
    this.#closed = true
    const error = closedError()
    this.#timed.rejectAll(error)
    this.#untimed.rejectAll(error)
  }
}

/** A receiver that hears of the first end of its call alone. */
class GuardedReceiver implements Receiver {
  readonly #receiver: Receiver
  readonly #queue: DeadlineQueue
  readonly #breaker: CircuitBreaker
  readonly #permit: Permit
  readonly #recorder: Recorder
  readonly #pending: PendingCall

  constructor(
    receiver: Receiver,
    queue: DeadlineQueue,
    breaker: CircuitBreaker,
    permit: Permit,
    recorder: Recorder,
  ) {
    this.#receiver = receiver
    this.#queue = queue
    this.#breaker = breaker
    this.#permit = permit
    this.#recorder = recorder
    this.#pending = queue.add((error) => this.#fail(error))
  }

  found(bytes: Bytes | null): void {
    if (this.#pending.reject === undefined) return
    this.#queue.settle(this.#pending)
    this.#recorder.askedL2(performance.now() - this.#pending.began)
    this.#breaker.succeeded(this.#permit)
    this.#receiver.found(bytes)
  }

  failed(error: unknown): void {
    if (this.#pending.reject === undefined) return
    this.#queue.settle(this.#pending)
    this.#fail(asHitpathError(error))
  }

  #fail(error: HitpathError): void {
    this.#recorder.askedL2(performance.now() - this.#pending.began)
    this.#breaker.settled(this.#permit, error)
    this.#receiver.failed(error)
  }
}

keepShape(
  new GuardedReceiver(
    undefined as never,
    queueOf(Number.POSITIVE_INFINITY, false),
    undefined as never,
    1 as Permit,
    undefined as never,
  ),
)

function queueOf(ms: number, keepsAlive: boolean): DeadlineQueue {
  return new DeadlineQueue({
    ms,
    late: () => new HitpathError('L2_TIMEOUT', `the second tier did not answer within ${ms} ms`),
    keepsAlive,
  })
}

/** A store that throws where it should reject does no harm. */
function started<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call()
  } catch (error) {
    return Promise.reject(error)
  }
}

function asHitpathError(error: unknown): HitpathError {
  if (error instanceof HitpathError) return error
  return new HitpathError('L2_ERROR', 'the second tier failed', { cause: error })
}

export function closedError(): HitpathError {
  return new HitpathError('CLOSED', 'the cache is closed')
}

/** Whether the call may have failed for want of the server, so that a change must be made later. */
export function isOutage(error: unknown): boolean {
  return error instanceof HitpathError && (error.code === 'L2_TIMEOUT' || error.code === 'L2_UNAVAILABLE')
}

/** Why a read of the second tier was a miss. */
export function reasonOf(error: unknown, open: boolean): L2Miss {
  if (!isOutage(error)) return 'error'
  if ((error as HitpathError).code === 'L2_TIMEOUT') return 'timeout'
  return open ? 'circuit' : 'unavailable'
}
