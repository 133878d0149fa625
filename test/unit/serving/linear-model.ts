/** A model whose predictions are easy to foretell: sum and first element of each row. It counts what it is asked. */
import { expect } from 'vitest'
import type { NdArrayLike } from '../../../src/index.js'
import { NdArray, SharedCache } from '../../../src/index.js'
import type { ModelContext, ModelRows, PredictionModel } from '../../../src/serving/prediction-options.js'

export const D = 4

export interface LinearModel {
  readonly model: PredictionModel
  /** The number of rows of each call. */
  readonly calls: number[]
  /** First elements of the rows asked for, in order. */
  readonly seen: number[]
  /** Called before each answer. */
  before: (rows: ModelRows, context: ModelContext) => void | Promise<void>
}

export function linearModel(): LinearModel {
  const linear: LinearModel = {
    calls: [],
    seen: [],
    before: () => {},
    async model(rows, context) {
      linear.calls.push(rows.shape[0] as number)
      for (let i = 0; i < (rows.shape[0] as number); i++) linear.seen.push(Number(rows.data[i * D]))
      await linear.before(rows, context)
      return predicted(rows.data as Float32Array)
    },
  }
  return linear
}

export function predicted(data: Float32Array): NdArrayLike {
  const n = data.length / D
  const out = new Float32Array(n * 2)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < D; j++) out[2 * i] = (out[2 * i] as number) + (data[i * D + j] as number)
    out[2 * i + 1] = data[i * D] as number
  }
  return { data: out, shape: [n, 2] }
}

/** Rows whose first elements are given, the others made of them. */
export function batchOf(...firsts: number[]): NdArray<Float32Array> {
  const data = Float32Array.from({ length: firsts.length * D }, (_, i) => {
    const first = firsts[Math.floor(i / D)] as number
    return i % D === 0 ? first : first * 0.25 + (i % D)
  })
  return new NdArray(data, [firsts.length, D])
}

export function expected(batch: NdArray<Float32Array>): number[] {
  return [...((predicted(batch.data) as { data: Float32Array }).data as Float32Array)]
}

export const store = (): SharedCache => SharedCache.create({ maxBytes: 2 ** 20, maxEntries: 5000 })

export function code(name: string): unknown {
  return expect.objectContaining({ name: 'HitpathError', code: name })
}
