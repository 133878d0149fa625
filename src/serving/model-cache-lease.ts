/**
 * A loaded model and the leases on it.
 *
 * Always true: a model is disposed once, and only when it was retired and nobody holds it. Whoever is handed a lease was counted
 * before the promise settled, so that nothing can dispose the model on the way to him.
 */
import { HitpathError } from '../errors.js'
import type { RetireReason } from './model-cache-options.js'

export interface ResidentId {
  readonly name: string
  readonly version: string
  /** Of both. */
  readonly key: string
}

/** What a resident tells the shelf. */
export interface ResidentHost<M extends object> {
  /** One that is not retired has lost its last lease. */
  idle(): void
  retired(resident: Resident<M>, reason: RetireReason): void
  dispose(resident: Resident<M>, reason: RetireReason): void
  leaked(resident: Resident<M>): void
}

export class Resident<M extends object> implements ResidentId {
  readonly name: string
  readonly version: string
  readonly key: string
  readonly model: M
  readonly bytes: number
  readonly #host: ResidentHost<M>
  #holds = 0
  #retired: RetireReason | undefined
  /** Number of the use that was the last one; the smallest is the least recent. */
  lastUse = 0
  /** After a failed load in the background: when to try again, in milliseconds of the cache's clock. */
  retryAtMs = 0

  constructor(host: ResidentHost<M>, id: ResidentId, model: M, bytes: number) {
    this.#host = host
    this.name = id.name
    this.version = id.version
    this.key = id.key
    this.model = model
    this.bytes = bytes
  }

  get holds(): number {
    return this.#holds
  }

  get isRetired(): boolean {
    return this.#retired !== undefined
  }

  /** New leases will not find it; it is disposed now, or after the last lease. The first reason counts. */
  retire(reason: RetireReason): void {
    if (this.#retired !== undefined) return
    this.#retired = reason
    this.#host.retired(this, reason)
    if (this.#holds === 0) this.#host.dispose(this, reason)
  }

  lease(): ModelLease<M> {
    this.#holds++
    return new ModelLease(new Hold(this))
  }

  /** By a Hold, once. */
  letGo(): void {
    if (--this.#holds > 0) return
    if (this.#retired !== undefined) this.#host.dispose(this, this.#retired)
    else this.#host.idle()
  }

  leaked(): void {
    this.#host.leaked(this)
  }
}

/** One unit of use. It outlives a lease that is collected, and must not refer to it. */
class Hold<M extends object> {
  resident: Resident<M> | undefined
  readonly name: string
  readonly version: string

  constructor(resident: Resident<M>) {
    this.resident = resident
    this.name = resident.name
    this.version = resident.version
  }

  end(): void {
    const { resident } = this
    this.resident = undefined
    resident?.letGo()
  }
}

const collected = new FinalizationRegistry<Hold<object>>((hold) => {
  const { resident, name, version } = hold
  if (resident === undefined) return
  process.emitWarning(
    `a lease of the model ${name}@${version} was garbage collected without release()`,
    'HitpathWarning',
    'HITPATH_LEASE',
  )
  resident.leaked()
  hold.end()
})

/**
 * The right to use a model. Keep it as long as the model is used, then `release()` it, or declare it with `using`. A lease that is
 * garbage collected first gives a process warning (`HITPATH_LEASE`) and counts as released.
 */
export class ModelLease<M extends object> {
  readonly #hold: Hold<M>

  /** @internal */
  constructor(hold: Hold<M>) {
    this.#hold = hold
    collected.register(this, hold as unknown as Hold<object>, hold)
  }

  get name(): string {
    return this.#hold.name
  }

  /** Of the model that was leased: after a `swap` another than the one asked for. */
  get version(): string {
    return this.#hold.version
  }

  get released(): boolean {
    return this.#hold.resident === undefined
  }

  /** @throws HitpathError CLOSED after release() */
  get model(): M {
    const { resident, name, version } = this.#hold
    if (resident !== undefined) return resident.model
    throw new HitpathError('CLOSED', `the lease of the model ${name}@${version} was released`)
  }

  /** Ends the use. Calls after the first do nothing. */
  release(): void {
    collected.unregister(this.#hold)
    this.#hold.end()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
