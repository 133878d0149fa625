/**
 * An InferenceSession of onnxruntime as the model of a PredictionCache. Types are structural: nothing of onnxruntime is imported.
 */
import { HitpathError } from '../errors.js'
import { codeOf, type DTypeCode, dtypeRow } from '../key/dtype.js'
import type { NdArrayLike, TypedArray } from '../key/ndarray.js'
import { functionOption, refuseUnknownOptions } from '../options.js'
import type { PredictionModel } from './prediction-options.js'

/** What is used of `ort.InferenceSession`. */
export interface OnnxSession {
  readonly run: (feeds: never) => Promise<Readonly<Record<string, unknown>>>
}

/** What is used of `ort.Tensor`. */
export type OnnxTensorConstructor = new (type: never, data: never, dims: readonly number[]) => object

export interface OnnxModelOptions {
  /** The name of the input that takes the rows. */
  readonly input: string
  /** The name of the output that holds the predictions. */
  readonly output: string
  /** The other inputs, for so many rows: states, sampling rates. Default: none. */
  readonly feeds?: (rows: number) => Readonly<Record<string, unknown>>
  /** `ort.Tensor`. */
  readonly Tensor: OnnxTensorConstructor
}

/**
 * The rows that PredictionCache gathers are the tensor's data, and the tensor that comes out is read in place: no copies between.
 * @throws HitpathError INVALID_OPTION; the model: INVALID_VALUE when the session gives no such output
 */
export function onnxModel(session: OnnxSession, options: OnnxModelOptions): PredictionModel {
  refuseUnknownOptions(options, 'onnxModel', ['input', 'output', 'feeds', 'Tensor'])
  const { input, output, feeds, Tensor } = options
  for (const [name, value] of Object.entries({ input, output })) {
    if (typeof value !== 'string' || value === '')
      throw new HitpathError('INVALID_OPTION', `onnxModel.${name} must be the name of a tensor`)
  }
  if (typeof session?.run !== 'function')
    throw new HitpathError('INVALID_OPTION', 'onnxModel takes an InferenceSession of onnxruntime')
  if (typeof Tensor !== 'function')
    throw new HitpathError('INVALID_OPTION', 'onnxModel.Tensor must be the Tensor of onnxruntime')
  if (feeds !== undefined) functionOption(feeds, 'onnxModel.feeds')
  return async ({ data, shape }) => {
    const rows = new Tensor(typeOf(data) as never, data as never, shape)
    const results = await session.run({ ...feeds?.(shape[0] as number), [input]: rows } as never)
    const result = results[output]
    if (result === undefined) {
      const names = Object.keys(results).join(', ')
      throw new HitpathError('INVALID_VALUE', `the session has no output ${output}; it gave ${names}`)
    }
    return result as NdArrayLike
  }
}

/** What onnxruntime calls the elements. */
function typeOf(data: TypedArray): string {
  return dtypeRow(codeOf(data) as DTypeCode).name
}
