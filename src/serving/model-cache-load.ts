/**
 * One load of one model, and those who wait for it.
 *
 * Always true: a waiter who gives up leaves the load to the others. Its signal is aborted only when all have left and nothing else
 * needs it; from then on nobody joins it, and what it brings all the same is disposed.
 */
import type { Signal } from '../platform.js'
import type { ModelLease, Resident } from './model-cache-lease.js'

interface Waiter<M extends object> {
  readonly resolve: (lease: ModelLease<M>) => void
  readonly reject: (error: unknown) => void
}

export class ModelLoad<M extends object> {
  readonly #waiters = new Set<Waiter<M>>()
  readonly #controller = new AbortController()
  readonly #onEnd: () => void
  readonly #held: boolean
  #settled = false
  /** A waiter wants this version and no other. */
  exact = false

  /** `held`: it goes on without waiters. */
  constructor(onEnd: () => void, held: boolean) {
    this.#onEnd = onEnd
    this.#held = held
  }

  get signal(): Signal {
    return this.#controller.signal
  }

  get abandoned(): boolean {
    return this.#controller.signal.aborted
  }

  /** @throws what the loader threw, the signal's reason, CLOSED */
  join(signal: Signal | undefined): Promise<ModelLease<M>> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        signal?.removeEventListener('abort', onAbort)
        this.#waiters.delete(waiter)
      }
      const onAbort = (): void => {
        leave()
        reject(signal?.reason)
        if (this.#waiters.size === 0 && !this.#held && !this.#settled) this.abandon(signal?.reason)
      }
      const waiter: Waiter<M> = {
        resolve: (lease) => {
          leave()
          resolve(lease)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', onAbort)
    })
  }

  abandon(reason: unknown): void {
    this.#end()
    this.#controller.abort(reason)
  }

  /** Each waiter gets a lease, counted before anything else can run. */
  succeed(resident: Resident<M>): void {
    this.#end()
    for (const waiter of [...this.#waiters]) waiter.resolve(resident.lease())
  }

  fail(error: unknown): void {
    this.#end()
    for (const waiter of [...this.#waiters]) waiter.reject(error)
  }

  /** Before anyone is told: who asks again begins another load. */
  #end(): void {
    this.#settled = true
    this.#onEnd()
  }
}
