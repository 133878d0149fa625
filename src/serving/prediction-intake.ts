/**
 * What may come into a PredictionCache: batches of one shape and type, declared or as of the first that the model answered.
 */
import { describe, HitpathError } from '../errors.js'
import { type DTypeCode, dtypeRow } from '../key/dtype.js'
import type { NdArrayLike, TypedArray } from '../key/ndarray.js'
import { batchRows, type Rows } from '../l1/row-matrix.js'
import { firstNaNRow } from './prediction-batch.js'
import {
  arrayOf,
  inputOption,
  type PredictionCacheOptions,
  type PredictionSettings,
  refused,
} from './prediction-options.js'

export class Intake {
  /** A step of the grid for each element of the rows that were read last. */
  steps: Float64Array | undefined
  readonly #settings: PredictionSettings
  #shape: readonly number[] | undefined
  #dtype: DTypeCode | undefined

  /** @throws HitpathError INVALID_OPTION */
  constructor(settings: PredictionSettings, input: PredictionCacheOptions['input']) {
    const { shape, dtype } = inputOption(input)
    this.#settings = settings
    this.#shape = shape
    this.#dtype = dtype
  }

  /** Later batches must be like these rows, which the model answered. */
  learn(rows: Rows): void {
    this.#shape ??= rows.shape
    this.#dtype ??= rows.dtype as DTypeCode
  }

  /** @throws HitpathError DTYPE_MISMATCH, SHAPE_MISMATCH, NAN_INPUT, INVALID_OPTION for a grid of other columns */
  read(batch: NdArrayLike): Rows {
    const rows = batchRows(batch, 'the batch')
    if (this.#dtype !== undefined && rows.dtype !== this.#dtype) {
      throw new HitpathError(
        'DTYPE_MISMATCH',
        `the batch holds ${nameOf(rows.dtype)}; this model takes ${nameOf(this.#dtype)}`,
      )
    }
    if (this.#shape !== undefined && !isSameShape(rows.shape, this.#shape)) {
      throw new HitpathError(
        'SHAPE_MISMATCH',
        `the rows of the batch have the shape [${rows.shape}]; this model takes [${this.#shape}]`,
      )
    }
    if (this.#settings.grid !== undefined) this.steps = this.#stepsOf(rows)
    if (this.#settings.refuseNaN) {
      const row = firstNaNRow(rows)
      if (row >= 0) throw new HitpathError('NAN_INPUT', `row ${row} of the batch holds a NaN`)
    }
    return rows
  }

  /** A step for each element of a row. */
  #stepsOf({ shape, dtype, rowBytes }: Rows): Float64Array {
    const grid = this.#settings.grid as readonly number[]
    const name = nameOf(dtype)
    if (name !== 'float32' && name !== 'float64')
      throw new HitpathError('DTYPE_MISMATCH', `a grid is for float32 and float64; the batch holds ${name}`)
    const columns = shape.at(-1) ?? 1
    if (grid.length !== 1 && grid.length !== columns)
      throw refused('grid', `one step for each of ${columns} columns`, grid)
    const elements = rowBytes / dtypeRow(dtype as DTypeCode).bytesPerElement
    if (this.steps?.length === elements) return this.steps
    return Float64Array.from({ length: elements }, (_, i) => grid[i % grid.length] as number)
  }

  /** Where the predictions of `count` rows go. @throws HitpathError DTYPE_MISMATCH, OUT_TOO_SMALL, INVALID_ARGUMENT */
  outOf(count: number, out: TypedArray | undefined): TypedArray {
    const { outputs, dtype } = this.#settings
    if (out === undefined) return arrayOf(dtype, count * outputs)
    const { dtype: given, data, packed } = packedOut(out)
    if (!packed || given !== dtype) {
      throw new HitpathError(
        'DTYPE_MISMATCH',
        `out must be an array of ${nameOf(dtype)}; got ${describe(out)}`,
      )
    }
    if (data.length < count * outputs) {
      throw new HitpathError(
        'OUT_TOO_SMALL',
        `out has ${data.length} elements; ${count * outputs} are needed`,
      )
    }
    return data.subarray(0, count * outputs)
  }
}

function nameOf(dtype: number): string {
  return dtypeRow(dtype as DTypeCode).name
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis])
}

function packedOut(out: TypedArray): Rows {
  if (!ArrayBuffer.isView(out))
    throw new HitpathError('INVALID_ARGUMENT', `out must be a typed array; got ${describe(out)}`)
  return batchRows(out, 'out')
}
