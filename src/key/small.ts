/**
 * Small arrays by way of the scratch.
 *
 * V8 keeps arrays of up to 64 bytes inside its heap and moves them out when native code asks for their bytes, which
 * costs five times as much as copying them to memory that is outside already.
 */
import { scratch } from '../native/binding.js'
import { DTYPE, dtypeRow, type TypedArray } from './dtype.js'

export const SMALL_BYTES = 64

/** By dtype, a view of SMALL_BYTES bytes of the scratch. A copy into it allocates nothing. */
export function smallViews(offset: number): readonly (TypedArray | undefined)[] {
  const views: (TypedArray | undefined)[] = [undefined]
  for (const code of Object.values(DTYPE)) {
    const { construct, bytesPerElement } = dtypeRow(code)
    const View = code === DTYPE.float16 ? Uint16Array : construct
    views[code] = View && new View(scratch.buffer, scratch.byteOffset + offset, SMALL_BYTES / bytesPerElement)
  }
  return views
}

/** Copies an array of at most SMALL_BYTES bytes into the view of its dtype. */
export function copySmall(
  views: readonly (TypedArray | undefined)[],
  dtype: number,
  array: TypedArray,
): void {
  // A call of set() takes 50 ns. Element by element only doubles keep every bit: on its way through one a float32 that is a
  // signalling NaN becomes a quiet one.
  if (dtype === DTYPE.float64 && array.length <= SMALL_BYTES / 8) {
    copyDoubles(views[dtype] as Float64Array, array as Float64Array)
    return
  }
  // Of float16 the bits, which also come in a Uint16Array: from one to the other, set() would convert the numbers.
  const source =
    dtype === DTYPE.float16 ? new Uint16Array(array.buffer, array.byteOffset, array.length) : array
  ;(views[dtype] as Uint8Array).set(source as Uint8Array)
}

function copyDoubles(to: Float64Array, from: Float64Array): void {
  for (let i = 0; i < from.length; i++) to[i] = from[i] as number
}
