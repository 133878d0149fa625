/**
 * A circuit breaker: after some failures in a row calls are refused at once, and one probe at a time finds out whether the
 * server is back.
 *
 *   closed --`failures` in a row--> open --`resetAfter` over, a call comes--> half-open --probe succeeds--> closed
 *                                    ^                                            |
 *                                    +------ probe fails: waits twice as long ----+
 *
 * Always true: the result of a call that began before the last change of state changes nothing. There is no timer: an open circuit
 * is probed by the first call after its time. A probe that never reports is given up after the same wait.
 * Cost: a call through a closed circuit is two comparisons and no allocation.
 *
 * Our own, not cockatiel or opossum: both wrap each call in promises and timers of theirs, read the time themselves, and neither ties
 * a late result to the state that it belongs to.
 */
import { type Duration, parseDuration } from '../duration.js'
import { HitpathError } from '../errors.js'
import { functionOption, integerOption, refuseUnknownOptions } from '../options.js'

export type CircuitState = 'closed' | 'open' | 'half-open'

export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit. Default 5. */
  readonly failures?: number | undefined
  /** How long it stays open before the first probe; doubled after each probe that fails. Default 1 s. */
  readonly resetAfter?: Duration | undefined
  /** The longest wait. Default 30 s. Each wait is up to a quarter shorter, at random, so that processes do not probe together. */
  readonly maxResetAfter?: Duration | undefined
  /** Called after each change of state, on the call that caused it; must not throw. */
  readonly onChange?: ((state: CircuitState, before: CircuitState) => void) | undefined
  /** Monotonic milliseconds. Default `performance.now()`. */
  readonly now?: (() => number) | undefined
  /** From 0 to 1. Default `Math.random()`. */
  readonly random?: (() => number) | undefined
}

/** Leave for one call; its result is reported under it. */
export type Permit = number & { readonly __permit: true }

const JITTER = 0.25

export class CircuitBreaker {
  readonly #failures: number
  readonly #resetAfterMs: number
  readonly #maxResetAfterMs: number
  readonly #onChange: CircuitBreakerOptions['onChange']
  readonly #now: () => number
  readonly #random: () => number
  #state: CircuitState = 'closed'
  /** Changes with the state and with each probe; a permit is the era that it was given in. */
  #era = 1
  #failuresInARow = 0
  #probeFailures = 0
  /** When the next probe may go out: of an open circuit, or instead of a probe that does not report. */
  #probeAt = 0
  #probing = false

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: CircuitBreakerOptions = {}) {
    refuseUnknownOptions(options, 'CircuitBreaker', [
      'failures',
      'resetAfter',
      'maxResetAfter',
      'onChange',
      'now',
      'random',
    ])
    this.#failures = integerOption(options.failures ?? 5, 'CircuitBreaker.failures')
    this.#resetAfterMs = parseDuration(options.resetAfter ?? '1s', 'CircuitBreaker.resetAfter')
    this.#maxResetAfterMs = Math.max(
      this.#resetAfterMs,
      parseDuration(options.maxResetAfter ?? '30s', 'CircuitBreaker.maxResetAfter'),
    )
    this.#onChange = options.onChange && functionOption(options.onChange, 'CircuitBreaker.onChange')
    this.#now = functionOption(options.now ?? (() => performance.now()), 'CircuitBreaker.now')
    this.#random = functionOption(options.random ?? Math.random, 'CircuitBreaker.random')
  }

  /** An open circuit whose wait is over is 'open' until a call comes. */
  get state(): CircuitState {
    return this.#state
  }

  /** Milliseconds until a call would be let through; 0 when one would be now. */
  get retryInMs(): number {
    if (this.#state === 'closed' || (this.#state === 'half-open' && !this.#probing)) return 0
    return Math.max(0, this.#probeAt - this.#now())
  }

  /** Leave for a call, to be given back to `succeeded`, `failed` or `abandoned`; undefined while the circuit is open. */
  tryAcquire(): Permit | undefined {
    if (this.#state === 'closed') return this.#era as Permit
    if (this.retryInMs > 0) return undefined
    this.#probing = true
    this.#era++
    this.#probeAt = this.#now() + this.#waitMs()
    this.#become('half-open')
    return this.#era as Permit
  }

  /** The server answered, be it with an error. */
  succeeded(permit: Permit): void {
    if (permit !== this.#era) return
    this.#failuresInARow = 0
    if (this.#state !== 'half-open') return
    this.#probing = false
    this.#probeFailures = 0
    this.#era++
    this.#become('closed')
  }

  /** No answer, or none in time. */
  failed(permit: Permit): void {
    if (permit !== this.#era) return
    if (this.#state === 'closed' && ++this.#failuresInARow < this.#failures) return
    if (this.#state === 'half-open') this.#probeFailures++
    this.#failuresInARow = 0
    this.#probing = false
    this.#era++
    this.#probeAt = this.#now() + this.#waitMs()
    this.#become('open')
  }

  /** The call ended without telling anything of the server: the next one may probe. */
  abandoned(permit: Permit): void {
    if (permit === this.#era) this.#probing = false
  }

  /**
   * The result of `call`, made under a permit. L2_TIMEOUT and L2_UNAVAILABLE are failures, L2_ERROR is an answer, any
   * other error tells nothing.
   *
   * @throws HitpathError L2_UNAVAILABLE, without calling, while the circuit is open
   */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const permit = this.tryAcquire()
    if (permit === undefined) throw this.refusal()
    try {
      const result = await call()
      this.succeeded(permit)
      return result
    } catch (error) {
      this.settled(permit, error)
      throw error
    }
  }

  /** A call under a permit failed: what that tells, `run` says. */
  settled(permit: Permit, error: unknown): void {
    const code = error instanceof HitpathError ? error.code : undefined
    if (code === 'L2_TIMEOUT' || code === 'L2_UNAVAILABLE') this.failed(permit)
    else if (code === 'L2_ERROR') this.succeeded(permit)
    else this.abandoned(permit)
  }

  /** What a call that is not let through is rejected with. */
  refusal(): HitpathError {
    return new HitpathError(
      'L2_UNAVAILABLE',
      `the circuit is open; the next probe is in ${Math.ceil(this.retryInMs)} ms`,
    )
  }

  #waitMs(): number {
    const doubled = Math.min(this.#maxResetAfterMs, this.#resetAfterMs * 2 ** this.#probeFailures)
    return doubled * (1 - JITTER * this.#random())
  }

  #become(state: CircuitState): void {
    const before = this.#state
    this.#state = state
    if (state !== before) this.#onChange?.(state, before)
  }
}
