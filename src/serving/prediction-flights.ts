/**
 * The rows that are being computed, and who waits for them.
 *
 * Always true: a row is computed by one job at a time, but for one whose job failed with another call's rows, which gets a job of its
 * own; rows are copied before anything is waited for; a job that nobody waits for any more is aborted and joined by nobody.
 */
import type { TypedArray } from '../key/ndarray.js'
import type { Rows } from '../l1/row-matrix.js'
import { DIGEST_BYTES } from '../l1/rows.js'
import type { Signal } from '../platform.js'
import { copyRow, gather, gathered } from './prediction-batch.js'
import { digestAt, Job, type Workshop } from './prediction-job.js'
import type { PredictOptions } from './prediction-options.js'
import type { RowScope } from './prediction-scopes.js'

/** A row that is being computed. */
interface Place {
  readonly job: Job
  readonly index: number
}

/** A batch whose known rows are in `out`. */
export interface Asked {
  readonly rows: Rows
  readonly scope: RowScope
  readonly out: TypedArray
  readonly signal: PredictOptions['signal']
}

interface Question extends Asked {
  /** Rows that wait, by job: row of the batch, row of the job, row of the batch, ... */
  readonly waits: Map<Job, number[]>
}

export class Flights {
  readonly #shop: Workshop
  readonly #closing: Signal
  readonly #places = new Map<string, Place>()

  constructor(shop: Workshop, closing: Signal) {
    this.#shop = shop
    this.#closing = closing
  }

  abort(error: unknown): void {
    for (const job of new Set([...this.#places.values()].map(({ job }) => job))) job.abort(error)
  }

  /** Fills in the rows that `found` does not flag; errors by row of those that the model failed for, one by one. */
  async complete(
    asked: Asked,
    found: Uint8Array,
    allDigests: Uint8Array,
  ): Promise<ReadonlyMap<number, unknown>> {
    const { rows, scope, out } = asked
    const failed = new Map<number, unknown>()
    const question: Question = { ...asked, waits: new Map() }
    const { waits } = question
    const missing: number[] = []
    for (let i = 0; i < rows.count; i++) if (found[i] === 0) missing.push(i)
    const copy = gathered(gather(rows, missing), rows, missing.length)
    const digests = gatherDigests(allDigests, missing)
    // Which row of the copy a row of the batch is.
    const left = missing.map((_, at) => at)
    const own = this.#place(copy, digests, scope, left, missing, question, true)
    try {
      const again: number[] = []
      for (const [job, pairs] of waits) {
        try {
          await abortable(job.done, question.signal)
          this.#deliver(job, pairs, out, failed)
        } catch (error) {
          if (job === own || question.signal?.aborted === true || this.#closing.aborted) throw error
          // It failed with another call's rows: these get a call of their own.
          for (let i = 0; i < pairs.length; i += 2) again.push(missing.indexOf(pairs[i] as number))
        }
      }
      if (again.length > 0) {
        this.#leave(question)
        waits.clear()
        const second = this.#place(copy, digests, scope, again, missing, question, false) as Job
        await abortable(second.done, question.signal)
        this.#deliver(second, waits.get(second) as number[], out, failed)
      }
    } finally {
      this.#leave(question)
    }
    return failed
  }

  /** Finds each row a job: one that is under way, if it may join, or a new one, which is started. The new one. */
  #place(
    copy: Rows,
    digests: Uint8Array,
    scope: RowScope,
    wanted: readonly number[],
    batchRow: readonly number[],
    { waits }: Question,
    joins: boolean,
  ): Job | undefined {
    const fresh = new Map<string, number>()
    const own: number[] = []
    const ownPairs: number[] = []
    for (const at of wanted) {
      const key = digestAt(digests, at)
      const row = batchRow[at] as number
      const place = joins ? this.#places.get(key) : undefined
      let index = fresh.get(key)
      if (place !== undefined) {
        this.#shop.counters.shared++
        const pairs = waits.get(place.job)
        if (pairs !== undefined) pairs.push(row, place.index)
        else {
          waits.set(place.job, [row, place.index])
          place.job.join()
        }
        continue
      }
      if (index === undefined) {
        index = own.push(at) - 1
        fresh.set(key, index)
      } else this.#shop.counters.duplicates++
      ownPairs.push(row, index)
    }
    if (own.length === 0) return undefined
    const data = own.length === copy.count ? copy.data : gather(copy, own)
    const job = new Job(
      this.#shop,
      gathered(data, copy, own.length),
      gatherDigests(digests, own),
      scope,
      (ended) => this.#forget(fresh, ended),
    )
    for (const [key, index] of fresh) if (!this.#places.has(key)) this.#places.set(key, { job, index })
    waits.set(job, ownPairs)
    job.join()
    job.start()
    return job
  }

  #forget(keys: ReadonlyMap<string, number>, job: Job): void {
    for (const key of keys.keys()) if (this.#places.get(key)?.job === job) this.#places.delete(key)
  }

  #deliver(job: Job, pairs: readonly number[], out: TypedArray, failed: Map<number, unknown>): void {
    const { outputs } = this.#shop.settings
    for (let i = 0; i < pairs.length; i += 2) {
      const row = pairs[i] as number
      const index = pairs[i + 1] as number
      if (!job.failed.has(index)) copyRow(job.values, index, out, row, outputs)
      else {
        failed.set(row, job.failed.get(index))
        const nothing = typeof out[0] === 'bigint' ? 0n : Number.NaN
        out.fill(nothing as never, row * outputs, (row + 1) * outputs)
      }
    }
  }

  #leave({ waits, signal }: Question): void {
    for (const job of waits.keys()) job.leave(signal?.reason)
  }
}

function gatherDigests(digests: Uint8Array, which: readonly number[]): Uint8Array {
  const out = new Uint8Array(which.length * DIGEST_BYTES)
  for (const [at, i] of which.entries())
    out.set(digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES), at * DIGEST_BYTES)
  return out
}

/** The promise, or the reason of the first signal that is aborted before it settles. */
export function abortable<T>(
  work: Promise<T>,
  ...signals: readonly (PredictOptions['signal'] | undefined)[]
): Promise<T> {
  const given = signals.filter((signal) => signal !== undefined)
  if (given.length === 0) return work
  return new Promise<T>((resolve, reject) => {
    const stops = given.map((signal) => {
      const stop = (): void => reject(signal.reason)
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      return (): void => signal.removeEventListener('abort', stop)
    })
    work.then(resolve, reject).finally(() => {
      for (const stop of stops) stop()
    })
  })
}
