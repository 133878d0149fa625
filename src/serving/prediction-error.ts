/** What a batch rejects with when the model fails for some of its rows and `onModelError` is 'split'. */
import { HitpathError } from '../errors.js'
import type { NdArray } from '../key/ndarray.js'

export class PredictionError extends HitpathError {
  /** Rows of the batch that the model failed for, ascending. */
  readonly rows: readonly number[]
  /** The model's errors, aligned with `rows`. The first is the `cause`. */
  readonly errors: readonly unknown[]
  /** The predictions of the batch; those of `rows` are NaN, or 0 where the type has none. The good ones are kept as usual. */
  readonly predictions: NdArray

  /** @internal */
  constructor(failed: ReadonlyMap<number, unknown>, predictions: NdArray) {
    const rows = [...failed.keys()].sort((a, b) => a - b)
    const shown = rows.length > 10 ? `${rows.slice(0, 10).join(', ')}, …` : rows.join(', ')
    const errors = rows.map((row) => failed.get(row))
    super('MODEL_ERROR', `the model failed for ${rows.length} of ${predictions.shape[0]} rows: ${shown}`, {
      cause: errors[0],
    })
    this.rows = rows
    this.errors = errors
    this.predictions = predictions
  }
}
