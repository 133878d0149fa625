/**
 * PredictionCache: a batch of rows goes in, their predictions come out in order, and only rows never seen reach the model.
 *
 * One crossing hashes the rows, looks them up and gathers what is known; the others are gathered, asked of the second tier in one call
 * and of the model in one call, each row once however often it occurs in the batch or in calls under way. Always true: one call that fails
 * takes no other with it and leaves nothing in the cache; keys and rows are taken before the call returns its promise.
 */
import { describe, HitpathError } from '../errors.js'
import { dtypeRow } from '../key/dtype.js'
import { NdArray, type NdArrayLike, type TypedArray } from '../key/ndarray.js'
import { packedRows, type Rows } from '../l1/row-matrix.js'
import { DIGEST_BYTES } from '../l1/rows.js'
import type { SharedCache } from '../l1/shared-cache.js'
import { Audit } from './prediction-audit.js'
import { gather, gathered } from './prediction-batch.js'
import { PredictionError } from './prediction-error.js'
import { abortable, Flights } from './prediction-flights.js'
import { Intake } from './prediction-intake.js'
import { type Counters, callModel, type Workshop } from './prediction-job.js'
import {
  type AuditReport,
  OWNER,
  type PredictionCacheOptions,
  type PredictionSettings,
  type PredictOptions,
  readPredictionOptions,
} from './prediction-options.js'
import { PredictionScopes, type RowScope, type VersionStore } from './prediction-scopes.js'

export interface PredictionStats {
  /** Rows asked for. Each was one of: a hit, a duplicate, shared, computed or failed; or it went with a call that was rejected. */
  readonly rows: number
  readonly l1Hits: number
  readonly l2Hits: number
  readonly computed: number
  /** Rows that occurred before in their batch. */
  readonly duplicates: number
  /** Rows that another call was computing. */
  readonly shared: number
  /** Rows that the model failed for, one by one. */
  readonly failed: number
  /** Rows that were computed and not kept: their predictions hold a NaN, or the first tier had no room. */
  readonly notKept: number
  readonly modelCalls: number
  readonly modelErrors: number
  /** Time inside the model. */
  readonly modelMs: number
  /** Hits over rows. */
  readonly hitRatio: number
  /** Undefined without an audit. */
  readonly audit: AuditReport | undefined
}

const NO_TAGS: readonly string[] = []

export class PredictionCache {
  readonly #settings: PredictionSettings
  readonly #cache: SharedCache
  readonly #tags: readonly string[]
  readonly #scopes: PredictionScopes
  readonly #audit: Audit | undefined
  readonly #shop: Workshop
  readonly #flights: Flights
  readonly #background = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()
  readonly #counters: Counters = {
    rows: 0,
    l1Hits: 0,
    l2Hits: 0,
    computed: 0,
    duplicates: 0,
    shared: 0,
    failed: 0,
    notKept: 0,
    modelCalls: 0,
    modelErrors: 0,
    modelMs: 0,
  }
  readonly #l2: PredictionCacheOptions['l2']
  readonly #intake: Intake
  #found = new Uint8Array(256)
  #digests = new Uint8Array(256 * DIGEST_BYTES)

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: PredictionCacheOptions) {
    const settings = readPredictionOptions(options)
    this.#settings = settings
    this.#intake = new Intake(settings, options.input)
    this.#cache = options.cache as SharedCache
    this.#l2 = options.l2
    this.#tags = tagNames(options.tags, `${OWNER}.tags`)
    const { outputs, grid } = settings
    this.#scopes = new PredictionScopes(
      [options.name, String(options.version), outputs, settings.dtype, grid ?? null],
      options.cache as unknown as VersionStore,
      options.l2?.rows,
    )
    const detach = (work: Promise<unknown>): Promise<void> => this.#detach(work)
    const run = (rows: Rows): Promise<TypedArray> => callModel(this.#shop, rows, this.#closing.signal)
    this.#audit = options.audit === undefined ? undefined : new Audit(options.audit, settings, run, detach)
    this.#shop = {
      settings,
      counters: this.#counters,
      scopes: this.#scopes,
      store: (digests, values) => this.#cache.storeRows(digests, values),
      rows: options.l2?.rows,
      audit: this.#audit,
      detach,
    }
    this.#flights = new Flights(this.#shop, this.#closing.signal)
  }

  /**
   * The predictions of a batch, `[n, outputs]` in the order of its rows.
   *
   * @param batch `[n, ...]`: the first axis counts the rows, all others are one row; a tensor of onnxruntime serves as it is
   * @throws what the model throws; PredictionError (MODEL_ERROR) with `onModelError: 'split'`; the reason of the signal;
   *   HitpathError SHAPE_MISMATCH, DTYPE_MISMATCH when the batch is not like those before or the model gives something else,
   *   OUT_TOO_SMALL, NAN_INPUT, INVALID_ARGUMENT, CLOSED
   */
  predict(batch: NdArrayLike, options?: PredictOptions): Promise<NdArray> {
    try {
      this.#refuseClosed()
      const rows = this.#intake.read(batch)
      const tags = this.#tagsOf(options)
      const out = this.#intake.outOf(rows.count, options?.out)
      const signal = options?.signal
      if (signal?.aborted === true) return Promise.reject(signal.reason)
      this.#counters.rows += rows.count
      if (rows.count === 0) return Promise.resolve(this.#answer(out, 0))
      const scope = this.#scopes.now(tags)
      if (scope === undefined)
        return this.#predictLater(gathered(gather(rows), rows, rows.count), tags, out, signal)
      if (this.#search(rows, scope, out) === rows.count) return Promise.resolve(this.#answer(out, rows.count))
      return this.#complete(rows, scope, out, signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The predictions of a batch if the first tier has them all, at once; else undefined, and nothing is computed.
   * @throws as predict(), but for what the model does
   */
  predictSync(batch: NdArrayLike, options?: Omit<PredictOptions, 'signal'>): NdArray | undefined {
    this.#refuseClosed()
    const rows = this.#intake.read(batch)
    const tags = this.#tagsOf(options)
    const out = this.#intake.outOf(rows.count, options?.out)
    const scope = rows.count === 0 ? undefined : this.#scopes.now(tags)
    if (rows.count > 0 && (scope === undefined || this.#search(rows, scope, out, true) < rows.count))
      return undefined
    this.#counters.rows += rows.count
    return this.#answer(out, rows.count)
  }

  /**
   * Makes every prediction of batches that carry the tag unreachable: here for all threads before it returns, elsewhere through the second
   * tier. O(1) in their number. Calls under way are answered, and what they compute is not met again.
   * @throws HitpathError INVALID_ARGUMENT, CLOSED, and what the second tier throws
   */
  async invalidateTag(tag: string): Promise<void> {
    this.#refuseClosed()
    if (typeof tag !== 'string')
      throw new HitpathError('INVALID_ARGUMENT', `a tag is a string; got ${describe(tag)}`)
    this.#scopes.invalidate(tag)
    await this.#l2?.invalidateTag(tag)
  }

  stats(): PredictionStats {
    const counters = this.#counters
    const hits = counters.l1Hits + counters.l2Hits
    return {
      ...counters,
      hitRatio: counters.rows === 0 ? 0 : hits / counters.rows,
      audit: this.#audit?.report(),
    }
  }

  /** Ends calls under way with CLOSED and waits for what is being stored. The tiers and the model are whoever's made them. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      const error = closedError()
      this.#closing.abort(error)
      this.#audit?.close()
      this.#flights.abort(error)
    }
    await Promise.allSettled(this.#background)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #tagsOf(options: PredictOptions | undefined): readonly string[] {
    if (options?.tags === undefined) return this.#tags
    const tags = tagNames(options.tags, 'tags')
    return this.#tags.length === 0 ? tags : [...this.#tags, ...tags]
  }

  #answer(out: TypedArray, count: number): NdArray {
    return new NdArray(out, [count, this.#settings.outputs], dtypeRow(this.#settings.dtype).name)
  }

  // ---- what is known ----

  /** Fills in what the first tier has; how many rows that are. The flags and digests of the rows are in #found and #digests. */
  #search(rows: Rows, { word, kept }: RowScope, out: TypedArray, whole = false): number {
    const { dtype, outputs } = this.#settings
    const { count } = rows
    if (this.#found.length < count) {
      this.#found = new Uint8Array(count)
      this.#digests = new Uint8Array(count * DIGEST_BYTES)
    }
    const values = packedRows(out, dtype, count, NO_SHAPE, outputs * out.BYTES_PER_ELEMENT)
    const search = { scope: word, digests: this.#digests, steps: this.#intake.steps }
    const hits = this.#cache.findRows(rows, values, this.#found, search)
    if (whole && hits < count) return hits
    this.#counters.l1Hits += hits
    if (kept) this.#audit?.take(rows, this.#found, hits, out)
    return hits
  }

  async #predictLater(
    rows: Rows,
    tags: readonly string[],
    out: TypedArray,
    signal: PredictOptions['signal'],
  ): Promise<NdArray> {
    const { report } = this.#settings
    const scope = await abortable(this.#scopes.read(tags, report), signal, this.#closing.signal)
    if (this.#search(rows, scope, out) === rows.count) return this.#answer(out, rows.count)
    return await this.#complete(rows, scope, out, signal)
  }

  /** Asks for what the search did not find. */
  async #complete(
    rows: Rows,
    scope: RowScope,
    out: TypedArray,
    signal: PredictOptions['signal'],
  ): Promise<NdArray> {
    const failed = await this.#flights.complete({ rows, scope, out, signal }, this.#found, this.#digests)
    this.#intake.learn(rows)
    if (failed.size === 0) return this.#answer(out, rows.count)
    throw new PredictionError(failed, this.#answer(out, rows.count))
  }

  #detach(work: Promise<unknown>): Promise<void> {
    const tracked = work.then(
      () => {},
      (error: unknown) => this.#settings.report(error),
    )
    this.#background.add(tracked)
    return tracked.finally(() => this.#background.delete(tracked))
  }

  #refuseClosed(): void {
    if (this.#closing.signal.aborted) throw closedError()
  }
}

const NO_SHAPE: readonly number[] = []

function closedError(): HitpathError {
  return new HitpathError('CLOSED', 'the prediction cache is closed')
}

function tagNames(tags: unknown, path: string): readonly string[] {
  if (tags === undefined) return NO_TAGS
  if (Array.isArray(tags) && tags.length <= 64 && tags.every((tag) => typeof tag === 'string')) return tags
  throw new HitpathError('INVALID_ARGUMENT', `${path} must be at most 64 strings; got ${describe(tags)}`)
}
