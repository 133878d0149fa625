/** The options of a PredictionCache, and their checks. */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import { type DTypeCode, type DTypeName, dtypeNamed, dtypeRow } from '../key/dtype.js'
import type { NdArrayLike, TypedArray } from '../key/ndarray.js'
import type { SharedCache } from '../l1/shared-cache.js'
import { functionOption, integerOption, oneOfOption, refuseUnknownOptions } from '../options.js'
import type { Signal } from '../platform.js'
import type { TieredCache } from '../tiered/tiered-cache.js'

/** Rows that a model is asked for: dense, in C order, a copy that is the model's to keep or to overwrite. */
export interface ModelRows {
  readonly data: TypedArray
  /** `[rows, ...shape of a row]`. */
  readonly shape: readonly number[]
}

export interface ModelContext {
  /** Aborted when nobody waits for these rows any more, or the cache is closed. */
  readonly signal: Signal
}

/** Gives `outputs` numbers for each row, in order: `[rows, outputs]`, or as many elements in any shape whose first axis is the rows. */
export type PredictionModel = (rows: ModelRows, context: ModelContext) => NdArrayLike | Promise<NdArrayLike>

export interface AuditOptions {
  /** Share of the hits that are computed again, from 0 to 1. */
  readonly sample: number
  /** How long a sampled row waits for a call of the model that it can join. Default: '1s'. Then it gets one of its own. */
  readonly delay?: Duration
  /** Told after each comparison. Default: none. */
  readonly onReport?: (report: AuditReport) => void
}

/** How far the predictions that were served lie from those that the model gives now, by output. */
export interface AuditReport {
  /** Hits that were computed again. */
  readonly rows: number
  readonly maxAbs: readonly number[]
  readonly meanAbs: readonly number[]
  readonly rmse: readonly number[]
  /** Rows that were not compared: a prediction was not finite, the model failed on them, or too many waited. */
  readonly dropped: number
}

export interface PredictionCacheOptions {
  /** Gives `outputs` numbers for each row; `onnxModel` makes one of a session of onnxruntime. */
  readonly model: PredictionModel
  /** Names the model; part of the key. */
  readonly name: string
  /** Changes whenever the model gives other predictions for the same row; part of the key. 1 and '1' are the same. */
  readonly version: string | number
  /** Numbers that the model gives for a row. */
  readonly outputs: number
  /** Their type. Default: 'float32'. */
  readonly dtype?: DTypeName
  /** What batches hold. Default: what the first batch held that the model answered. */
  readonly input?: { readonly shape?: readonly number[]; readonly dtype?: DTypeName }
  /** The first tier. It may hold other things, and serve other threads. */
  readonly cache: SharedCache<never> | SharedCache
  /** The second tier, a namespace of its own. Closed by whoever made it. Default: none. */
  readonly l2?: TieredCache<never> | TieredCache
  /** How long a prediction lives after it was computed. Default: '30s'. */
  readonly ttl?: Duration
  /**
   * Steps of a tolerance: rows are one key when they round to the same multiples of it, one number or one for each column (the last axis);
   * 0 is exact. Ties go to the even multiple, -0 to 0; NaN and infinities stay. The model gets the row of whoever asked first as it was.
   * Default: exact.
   */
  readonly grid?: number | readonly number[]
  /** Computes a share of the hits again, to measure what `grid` costs. Default: none. */
  readonly audit?: AuditOptions
  /** Tags of every batch. Default: none. */
  readonly tags?: readonly string[]
  /** NaN in a row: a key like any other bits, or NaN_INPUT that names the row. Default: 'accept'. */
  readonly nan?: 'accept' | 'refuse'
  /** Predictions with a NaN: returned and not kept, or kept like others. Default: 'skip'. */
  readonly nanOutputs?: 'skip' | 'store'
  /** When the model throws: the call rejects with its error, or bad rows are found by halving and the others kept. Default: 'reject'. */
  readonly onModelError?: 'reject' | 'split'
  /** Told of errors that reach no caller: a tier that does not store, a failed audit. Default: none. */
  readonly onError?: (error: unknown) => void
}

export interface PredictOptions {
  /** Tags of this batch, besides those of the cache. Their versions are part of the key. Default: none. */
  readonly tags?: readonly string[]
  /** Ends this caller's wait. Default: none. */
  readonly signal?: Signal
  /** Gets the predictions: as many elements as the result, of its type. Default: a new array. */
  readonly out?: TypedArray
}

/** Options, resolved. */
export interface PredictionSettings {
  readonly model: PredictionModel
  readonly outputs: number
  readonly dtype: DTypeCode
  readonly ttlMs: number
  readonly grid: readonly number[] | undefined
  readonly refuseNaN: boolean
  readonly keepNaN: boolean
  readonly split: boolean
  readonly report: (error: unknown) => void
}

export const OWNER = 'PredictionCache'
const OPTIONS = [
  'model',
  'name',
  'version',
  'outputs',
  'dtype',
  'input',
  'cache',
  'l2',
  'ttl',
  'grid',
  'audit',
  'tags',
  'nan',
  'nanOutputs',
  'onModelError',
  'onError',
]

/** @throws HitpathError INVALID_OPTION, INVALID_TTL */
export function readPredictionOptions(options: PredictionCacheOptions): PredictionSettings {
  refuseUnknownOptions(options, OWNER, OPTIONS)
  const { name, version, cache, l2, onError } = options
  if (typeof name !== 'string' || name === '') throw refused('name', 'a string that is not empty', name)
  if (!(typeof version === 'number' ? Number.isFinite(version) : typeof version === 'string' && version))
    throw refused('version', 'a finite number or a string that is not empty', version)
  if (typeof cache?.findRows !== 'function') throw refused('cache', 'a SharedCache', cache)
  if (l2 !== undefined && typeof l2?.rows?.stamp !== 'function') throw refused('l2', 'a TieredCache', l2)
  if (onError !== undefined) functionOption(onError, `${OWNER}.onError`)
  return {
    model: functionOption(options.model, `${OWNER}.model`),
    outputs: integerOption(options.outputs, `${OWNER}.outputs`, { max: 1_000_000 }),
    dtype: dtypeOption(options.dtype ?? 'float32', 'dtype'),
    ttlMs: parseDuration(options.ttl ?? '30s', `${OWNER}.ttl`),
    grid: gridOption(options.grid),
    refuseNaN: oneOfOption(options.nan ?? 'accept', `${OWNER}.nan`, ['accept', 'refuse']) === 'refuse',
    keepNaN: oneOfOption(options.nanOutputs ?? 'skip', `${OWNER}.nanOutputs`, ['skip', 'store']) === 'store',
    split:
      oneOfOption(options.onModelError ?? 'reject', `${OWNER}.onModelError`, ['reject', 'split']) === 'split',
    report(error) {
      try {
        onError?.(error)
      } catch {
        // it was told; what it does with that is its own
      }
    },
  }
}

export function dtypeOption(value: unknown, option: string): DTypeCode {
  const code = typeof value === 'string' ? dtypeNamed(value) : undefined
  if (code === undefined) throw refused(option, "the name of an element type, such as 'float32'", value)
  return code
}

/** The shape of a row and the type of its elements, as far as they were declared. */
export function inputOption(input: PredictionCacheOptions['input']): {
  shape: readonly number[] | undefined
  dtype: DTypeCode | undefined
} {
  if (input === undefined) return { shape: undefined, dtype: undefined }
  refuseUnknownOptions(input, `${OWNER}.input`, ['shape', 'dtype'])
  const { shape, dtype } = input
  if (shape !== undefined && !(Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0)))
    throw refused('input.shape', 'the shape of one row, such as [60, 5]', shape)
  return {
    shape: shape === undefined ? undefined : [...shape],
    dtype: dtype === undefined ? undefined : dtypeOption(dtype, 'input.dtype'),
  }
}

function gridOption(grid: unknown): readonly number[] | undefined {
  if (grid === undefined) return undefined
  const steps: unknown[] = Array.isArray(grid) ? [...grid] : [grid]
  if (steps.length === 0 || !steps.every(isStep))
    throw refused('grid', 'a finite number of at least 0, or one for each column', grid)
  return steps
}

function isStep(step: unknown): step is number {
  return typeof step === 'number' && step >= 0 && Number.isFinite(step)
}

export function refused(option: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${OWNER}.${option} must be ${expected}; got ${describe(value)}`)
}

/** A new array of an element type. Half floats are kept as their bits where the runtime has no array of them. */
export function arrayOf(dtype: DTypeCode, length: number): TypedArray {
  const { construct = Uint16Array, bytesPerElement } = dtypeRow(dtype)
  return new construct(new ArrayBuffer(length * bytesPerElement))
}
