/**
 * One computation of rows that nobody has: asked of the second tier in one call, then of the model in one call, then kept.
 *
 * Always true: rows and their digests are copies that were taken before; what is kept stands under the scope that was current before
 * anything was read or computed; when the model fails nothing is kept, but for the rows that halving found good; whoever waits is told
 * in the same turn in which the rows are kept and the job is forgotten, so a later call finds the one or the other.
 */
import { HitpathError } from '../errors.js'
import { codeOf } from '../key/dtype.js'
import type { TypedArray } from '../key/ndarray.js'
import type { Rows } from '../l1/row-matrix.js'
import { DIGEST_BYTES, type RowValues } from '../l1/rows.js'
import type { RowAccess } from '../tiered/row-access.js'
import type { Audit } from './prediction-audit.js'
import { copyRow, gather, gathered, hasNaN, readOutput } from './prediction-batch.js'
import { arrayOf, type PredictionSettings } from './prediction-options.js'
import type { PredictionScopes, RowScope } from './prediction-scopes.js'

export interface Counters {
  rows: number
  l1Hits: number
  l2Hits: number
  computed: number
  duplicates: number
  shared: number
  failed: number
  notKept: number
  modelCalls: number
  modelErrors: number
  modelMs: number
}

/** What all jobs of a cache have in common. */
export interface Workshop {
  readonly settings: PredictionSettings
  readonly counters: Counters
  readonly scopes: PredictionScopes
  readonly store: (digests: Uint8Array, values: RowValues) => void
  readonly rows: RowAccess | undefined
  readonly audit: Audit | undefined
  /** Work that nobody waits for. */
  readonly detach: (work: Promise<unknown>) => Promise<void>
}

/** Digests as the keys of a map, and as names in the second tier. */
export function digestAt(digests: Uint8Array, i: number): string {
  return Buffer.from(digests.buffer, digests.byteOffset + i * DIGEST_BYTES, DIGEST_BYTES).toString('latin1')
}

export class Job {
  /** Settled with the job. Its rejection is taken care of. */
  readonly done: Promise<void>
  /** Row after row, once it is done. */
  readonly values: TypedArray
  /** Errors of rows that halving found bad. */
  readonly failed = new Map<number, unknown>()
  readonly #shop: Workshop
  readonly #rows: Rows
  readonly #digests: Uint8Array
  readonly #scope: RowScope
  readonly #controller = new AbortController()
  readonly #end: () => void
  #waiting = 0
  #settled = false
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  /**
   * @param rows gathered: the job's own
   * @param end called once, before whoever waits is told
   */
  constructor(shop: Workshop, rows: Rows, digests: Uint8Array, scope: RowScope, end: (job: Job) => void) {
    this.#shop = shop
    this.#rows = rows
    this.#digests = digests
    this.#scope = scope
    this.#end = () => end(this)
    this.values = arrayOf(shop.settings.dtype, rows.count * shop.settings.outputs)
    this.done = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.done.catch(() => {}) // those who wait have it; perhaps nobody does any more
  }

  start(): void {
    this.#run().then(
      () => this.#settle(),
      (error: unknown) => this.#settle(error, true),
    )
  }

  join(): void {
    this.#waiting++
  }

  /** Aborts the work once nobody waits for it. */
  leave(reason: unknown): void {
    if (--this.#waiting === 0 && !this.#settled) this.abort(reason)
  }

  abort(reason: unknown): void {
    this.#settle(reason, true)
    this.#controller.abort(reason)
  }

  #settle(error?: unknown, rejects = false): void {
    if (this.#settled) return
    this.#settled = true
    this.#end()
    if (rejects) this.#reject(error)
    else this.#resolve()
  }

  async #run(): Promise<void> {
    const { counters } = this.#shop
    const { count } = this.#rows
    const missing = await this.#fromSecondTier()
    if (missing.length === 0) return
    const signal = this.#controller.signal
    signal.throwIfAborted()
    await this.#compute(missing)
    counters.computed += missing.length - this.failed.size
    counters.failed += this.failed.size
    this.#keep(missing, count)
  }

  // ---- the second tier ----

  /** Fills in what it has and keeps that in the first tier; the rows that it lacks. */
  async #fromSecondTier(): Promise<number[]> {
    const { rows, settings, counters } = this.#shop
    const { count } = this.#rows
    const all = Array.from({ length: count }, (_, i) => i)
    if (rows === undefined || !this.#scope.kept) return all
    const found = await rows.read(this.#names()).catch((error: unknown) => {
      settings.report(error)
      return []
    })
    const ttls = new Float64Array(count)
    const skip = new Uint8Array(count).fill(1)
    const missing = all.filter((i) => {
      const row = found[i]
      if (row === undefined || !this.#fits(row.value)) return true
      copyRow(row.value, 0, this.values, i, settings.outputs)
      ttls[i] = row.ttl
      skip[i] = 0
      return false
    })
    counters.l2Hits += count - missing.length
    if (missing.length < count) this.#store(skip, ttls)
    return missing
  }

  #fits(value: unknown): value is TypedArray {
    const code = codeOf(value)
    return code === codeOf(this.values) && (value as TypedArray).length === this.#shop.settings.outputs
  }

  #names(): string[] {
    const mask = this.#shop.scopes.nameMask(this.#scope)
    const bytes = Buffer.from(this.#digests)
    for (let i = 0; i < bytes.length; i++)
      bytes[i] = (bytes[i] as number) ^ (mask[i % DIGEST_BYTES] as number)
    return Array.from({ length: this.#rows.count }, (_, i) =>
      bytes.toString('hex', i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES),
    )
  }

  // ---- the model ----

  async #compute(which: readonly number[]): Promise<void> {
    const { split } = this.#shop.settings
    const all = which.length === this.#rows.count
    // A model that writes to its rows must not change what halves are made of.
    const data = all && !split ? this.#rows.data : gather(this.#rows, which)
    let output: TypedArray
    try {
      output = await this.#ask(data, which.length)
    } catch (error) {
      if (!split || isMisuse(error) || this.#controller.signal.aborted) throw error
      if (which.length === 1) {
        this.failed.set(which[0] as number, error)
        return
      }
      const middle = which.length >> 1
      await this.#compute(which.slice(0, middle))
      await this.#compute(which.slice(middle))
      return
    }
    const { outputs } = this.#shop.settings
    for (const [from, to] of which.entries()) copyRow(output, from, this.values, to, outputs)
  }

  /** One call of the model, which rows of the audit may join: should it fail, it is made again without them. */
  async #ask(data: TypedArray, count: number): Promise<TypedArray> {
    const { settings, audit } = this.#shop
    const { signal } = this.#controller
    const rows = gathered(data, this.#rows, count)
    const riders = audit?.join(rows)
    if (riders !== undefined) {
      try {
        const both = await callModel(this.#shop, riders.rows, signal)
        audit?.compare(riders, both.subarray(count * settings.outputs))
        return both.subarray(0, count * settings.outputs)
      } catch {
        audit?.drop(riders.count)
        signal.throwIfAborted()
      }
    }
    return await callModel(this.#shop, rows, signal)
  }

  // ---- keeping ----

  #keep(computed: readonly number[], count: number): void {
    const { settings, counters, rows, detach } = this.#shop
    const { stamp, kept, tags } = this.#scope
    if (!kept) return
    const skip = new Uint8Array(count).fill(1)
    for (const i of computed) {
      const { outputs, dtype, keepNaN } = settings
      if (this.failed.has(i)) continue
      if (!keepNaN && hasNaN(this.values, dtype, i * outputs, outputs)) counters.notKept++
      else skip[i] = 0
    }
    this.#store(skip)
    if (rows === undefined || stamp === undefined) return
    const names = this.#names()
    const outgoing = computed
      .filter((i) => skip[i] === 0)
      .map((i) => ({ digest: names[i] as string, value: this.#row(i) }))
    if (outgoing.length > 0) void detach(rows.write(outgoing, settings.ttlMs, tags, stamp))
  }

  #row(i: number): TypedArray {
    const { outputs } = this.#shop.settings
    return this.values.slice(i * outputs, (i + 1) * outputs)
  }

  /** A first tier that does not take the rows, because views hold its room or it was closed, costs no caller his predictions. */
  #store(skip: Uint8Array, ttls?: Float64Array): void {
    const { settings, counters, store } = this.#shop
    const { dtype, outputs: width, ttlMs: ttl } = settings
    try {
      store(this.#digests, { data: this.values, dtype, width, skip, ttl, ttls })
    } catch (error) {
      counters.notKept += skip.length - skip.reduce((sum, flag) => sum + flag, 0)
      settings.report(error)
    }
  }
}

/** Predictions of rows, checked and copied. @throws what the model throws; HitpathError SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_VALUE */
export async function callModel(
  { settings, counters }: Pick<Workshop, 'settings' | 'counters'>,
  rows: Rows,
  signal: AbortSignal,
): Promise<TypedArray> {
  const { model, outputs, dtype } = settings
  counters.modelCalls++
  const began = performance.now()
  try {
    const shape = [rows.count, ...rows.shape]
    const result = await model({ data: rows.data, shape }, { signal })
    return readOutput(result, rows.count, outputs, dtype)
  } catch (error) {
    counters.modelErrors++
    throw error
  } finally {
    counters.modelMs += performance.now() - began
  }
}

/** Whether the model answered with what is no answer: no row is to blame. */
function isMisuse(error: unknown): boolean {
  return (
    error instanceof HitpathError &&
    ['SHAPE_MISMATCH', 'DTYPE_MISMATCH', 'INVALID_VALUE'].includes(error.code)
  )
}
