/**
 * One computation of one key, and those who wait for it.
 *
 * Always true: a waiter who gives up (signal, timeouts) leaves the computation to the others; its signal is aborted only when all
 * have left by their own signal. A flight that an invalidation overtook is joined by nobody: what it brings is older than the
 * question.
 */

import { HitpathError } from '../errors.js'
import { keepShape } from '../l2/shapes.js'
import type { Signal } from '../platform.js'
import { type Entry, entryValue } from './entry.js'

export interface Waiting<V> {
  readonly soft: number
  readonly hard: number
  readonly signal: Signal | undefined
  /** What may be served instead. */
  readonly stale: Entry<V> | undefined
  readonly onStale: (reason: 'slow' | 'error') => void
}

export class Flight<V> {
  readonly #done: Promise<Entry<V> | undefined>
  readonly #onAbandoned: () => void
  #controller: AbortController | undefined
  #aborted: unknown
  #waiters = 0
  #held = false
  /** The second tier had it, no factory ran. */
  answered = false
  #overtaken = false
  #onOvertaken: (() => void) | undefined
  /** Where the value came from was told. */
  settled = false

  constructor(run: (flight: Flight<V>) => Promise<Entry<V> | undefined>, onAbandoned: () => void) {
    this.#onAbandoned = onAbandoned
    this.#done = run(this)
    const end = (): void => {
      this.settled = true
    }
    this.#done.then(end, end)
  }

  /** The name was invalidated, or written by its owner, since this began, or nobody waits any more. */
  get overtaken(): boolean {
    return this.#overtaken
  }

  /** Nobody joins it any more, but others still wait for it: it may be what changed the name. */
  outdate(): void {
    this.#overtaken = true
  }

  overtake(): void {
    this.#overtaken = true
    this.#onOvertaken?.()
    this.#onOvertaken = undefined
  }

  /** Calls back once it is overtaken. */
  whenOvertaken(call: () => void): void {
    this.#onOvertaken = call
  }

  /** Aborted when nobody waits any more. Made when it is asked for. */
  get signal(): Signal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  get done(): Promise<Entry<V> | undefined> {
    return this.#done
  }

  /** It goes on, whoever leaves. */
  hold(): void {
    this.#held = true
  }

  abort(reason: unknown): void {
    this.#aborted = reason
    this.#controller?.abort(reason)
    this.overtake()
  }

  /** The value, or the stale one, as this waiter's options say. @throws what the factory threw, FACTORY_TIMEOUT, the signal's reason */
  join(waiting: Waiting<V>): Promise<V | undefined> {
    this.#waiters++
    const { soft, hard, signal, stale } = waiting
    if (stale === undefined && hard === Infinity && signal === undefined) return this.#done.then(entryValue)
    if (signal?.aborted === true) {
      this.#leave(signal.reason)
      return Promise.reject(signal.reason)
    }
    return new Promise<V | undefined>((resolve, reject) => {
      const timers: NodeJS.Timeout[] = []
      const settle = (): void => {
        for (const timer of timers) clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        settle()
        this.#leave(signal?.reason)
        reject(signal?.reason)
      }
      const serveStale = (reason: 'slow' | 'error'): void => {
        settle()
        this.hold()
        waiting.onStale(reason)
        resolve(entryValue(stale))
      }
      if (stale !== undefined && soft < hard) timers.push(setTimeout(serveStale, soft, 'slow'))
      if (hard < Infinity) {
        const expire = (): void => {
          if (stale !== undefined) serveStale('slow')
          else {
            settle()
            this.hold()
            reject(new HitpathError('FACTORY_TIMEOUT', `there was no value within ${hard} ms`))
          }
        }
        timers.push(setTimeout(expire, hard))
      }
      signal?.addEventListener('abort', onAbort)
      this.#done.then(
        (entry) => {
          settle()
          resolve(entryValue(entry))
        },
        (error: unknown) => {
          if (stale !== undefined && !isClosed(error)) serveStale('error')
          else {
            settle()
            reject(error)
          }
        },
      )
    })
  }

  #leave(reason: unknown): void {
    if (--this.#waiters > 0 || this.#held || this.settled) return
    this.abort(reason)
    this.#onAbandoned()
  }
}

keepShape(
  new Flight(
    async () => undefined,
    () => {},
  ),
)

function isClosed(error: unknown): boolean {
  return error instanceof HitpathError && error.code === 'CLOSED'
}
