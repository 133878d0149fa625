/**
 * Batches of rows in memory: what came, what is gathered for the model, and what the model gave.
 *
 * Always true: what is gathered is a copy, so that nobody who changes his batch later changes what is computed or kept.
 */
import { describe, HitpathError } from '../errors.js'
import { DTYPE, type DTypeCode, dtypeRow } from '../key/dtype.js'
import { cOrderBytes, type NdArrayLike, type TypedArray, viewOf } from '../key/ndarray.js'
import { packedRows, type Rows } from '../l1/row-matrix.js'
import { arrayOf } from './prediction-options.js'

/** Dense copies of the rows that `which` names, one behind the other; of all without it. */
export function gather(rows: Rows, which?: ArrayLike<number>): TypedArray {
  const { rowBytes, strideBytes, offsetBytes } = rows
  const count = which === undefined ? rows.count : which.length
  const { bytesPerElement } = dtypeRow(rows.dtype as DTypeCode)
  const out = arrayOf(rows.dtype as DTypeCode, (count * rowBytes) / bytesPerElement)
  const to = new Uint8Array(out.buffer)
  const from = new Uint8Array(rows.data.buffer, rows.data.byteOffset, rows.data.byteLength)
  const touching = strideBytes === rowBytes
  for (let i = 0; i < count; ) {
    const first = which === undefined ? i : (which[i] as number)
    // A run of rows that stand side by side is one copy.
    let run = 1
    while (touching && i + run < count && (which === undefined || which[i + run] === first + run)) run++
    const at = offsetBytes + first * strideBytes
    to.set(from.subarray(at, at + run * rowBytes), i * rowBytes)
    i += run
  }
  return out
}

/** Rows as gather() gives them. */
export function gathered(data: TypedArray, like: Rows, count: number): Rows {
  return packedRows(data, like.dtype, count, like.shape, like.rowBytes)
}

/** The predictions of `count` rows, dense. @throws HitpathError SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_VALUE */
export function readOutput(
  result: NdArrayLike,
  count: number,
  outputs: number,
  dtype: DTypeCode,
): TypedArray {
  const view = outputView(result)
  const plain = view.shape.length === 1 && view.size === count * outputs
  if (!plain && (view.shape[0] !== count || view.size !== count * outputs)) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `the model was asked for ${count} rows of ${outputs} outputs; it gave an array of shape [${view.shape}]`,
    )
  }
  const half = dtype === DTYPE.float16 && view.dtype === DTYPE.uint16
  if (view.dtype !== dtype && !half) {
    throw new HitpathError(
      'DTYPE_MISMATCH',
      `the model gave ${dtypeRow(view.dtype).name}; its predictions are declared as ${dtypeRow(dtype).name}`,
    )
  }
  const bytes = cOrderBytes(view)
  const out = arrayOf(dtype, view.size)
  new Uint8Array(out.buffer).set(bytes)
  return out
}

function outputView(result: NdArrayLike): ReturnType<typeof viewOf> {
  try {
    return viewOf(result)
  } catch (cause) {
    throw new HitpathError(
      'INVALID_VALUE',
      `a model must return an ndarray or a tensor of its predictions; got ${describe(result)}`,
      { cause },
    )
  }
}

/** Copies row `from` of predictions to row `to`. */
export function copyRow(
  source: TypedArray,
  from: number,
  target: TypedArray,
  to: number,
  width: number,
): void {
  for (let k = 0; k < width; k++) target[to * width + k] = source[from * width + k] as never
}

const NAN_BITS_OF_HALF = 0x7c00

/** Whether any of `count` elements from `start` is a NaN. */
export function hasNaN(data: TypedArray, dtype: DTypeCode, start: number, count: number): boolean {
  if (dtype < DTYPE.float16) return false
  const bits = dtype === DTYPE.float16 && data instanceof Uint16Array
  for (let i = start; i < start + count; i++) {
    const value = data[i] as number
    if (bits ? (value & 0x7fff) > NAN_BITS_OF_HALF : Number.isNaN(value)) return true
  }
  return false
}

/** The first row with a NaN, or -1. */
export function firstNaNRow(rows: Rows): number {
  const dtype = rows.dtype as DTypeCode
  if (dtype < DTYPE.float16) return -1
  const dense = rows.packed && rows.offsetBytes === 0 ? rows.data : gather(rows)
  const width = rows.rowBytes / dtypeRow(dtype).bytesPerElement
  for (let i = 0; i < rows.count; i++) if (hasNaN(dense, dtype, i * width, width)) return i
  return -1
}
