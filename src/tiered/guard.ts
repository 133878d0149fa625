/**
 * Every call of the second tier passes here: refused at once while the circuit is open, given up at its deadline, ended by `close`.
 *
 * Always true: what leaves is a value or a HitpathError; a late answer of a call that was given up is dropped.
 */
import { HitpathError } from '../errors.js'
import { CircuitBreaker, type CircuitState } from '../l2/breaker.js'
import type { L2Miss, Recorder } from '../observe/recorder.js'

export interface GuardOptions {
  readonly timeoutMs: number
  readonly failures: number
  readonly resetAfterMs: number
  readonly random: () => number
  readonly onChange: (state: CircuitState, before: CircuitState) => void
  readonly recorder: Recorder
}

export class Guard {
  readonly breaker: CircuitBreaker
  readonly #timeoutMs: number
  readonly #recorder: Recorder
  readonly #pending = new Set<(error: HitpathError) => void>()
  #closed = false

  constructor(options: GuardOptions) {
    this.#timeoutMs = options.timeoutMs
    this.#recorder = options.recorder
    this.breaker = new CircuitBreaker({
      failures: options.failures,
      resetAfter: options.resetAfterMs,
      random: options.random,
      onChange: options.onChange,
    })
  }

  /** Whether a call would be let through now. */
  get open(): boolean {
    return this.breaker.state !== 'closed' && this.breaker.retryInMs > 0
  }

  /** @throws HitpathError L2_UNAVAILABLE while the circuit is open, L2_TIMEOUT, CLOSED, and what the store says */
  run<T>(call: () => Promise<T>, timeoutMs = this.#timeoutMs): Promise<T> {
    if (this.#closed) return Promise.reject(closedError())
    return this.breaker.run(() => this.#recorder.timed(this.#bounded(call, timeoutMs)))
  }

  close(): void {
    this.#closed = true
    for (const give of this.#pending) give(closedError())
    this.#pending.clear()
  }

  #bounded<T>(call: () => Promise<T>, timeoutMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const give = (error: HitpathError): void => {
        clearTimeout(timer)
        this.#pending.delete(give)
        reject(error)
      }
      const timer =
        timeoutMs === Infinity
          ? undefined
          : setTimeout(() => {
              give(new HitpathError('L2_TIMEOUT', `the second tier did not answer within ${timeoutMs} ms`))
            }, timeoutMs)
      this.#pending.add(give)
      started(call).then(
        (value) => {
          clearTimeout(timer)
          this.#pending.delete(give)
          resolve(value)
        },
        (error: unknown) => give(asHitpathError(error)),
      )
    })
  }
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
