/**
 * The bytes of an ndarray in C order, which is what digests and the codec take.
 *
 * Always true: bits are moved, never numbers, so the payload of a NaN survives.
 * Cost: nothing is copied when the elements already lie in C order. Otherwise one pass, whose inner loop
 * follows the last axis.
 */
import { type ArrayView, refuseOutOfData } from './array-view.js'
import { dtypeRow, type TypedArray } from './dtype.js'

/** Unsigned words as wide as an element; two words of 32 bits stand for eight bytes. */
type Words = Uint8Array | Uint16Array | Uint32Array

/**
 * The elements of `view` in C order, as bytes in the machine's order.
 *
 * @returns bytes that share the memory of `view.data` when `view.contiguous`, a copy otherwise
 * @throws HitpathError SHAPE_MISMATCH when the buffer has shrunk since the view was made
 */
export function cOrderBytes(view: ArrayView): Uint8Array {
  refuseOutOfData(view)
  const { data, offset, size } = view
  const { bytesPerElement } = dtypeRow(view.dtype)
  if (size === 0) return new Uint8Array(0)
  if (view.contiguous) {
    return new Uint8Array(data.buffer, data.byteOffset + offset * bytesPerElement, size * bytesPerElement)
  }
  const bytes = new Uint8Array(size * bytesPerElement)
  gather(view, wordsOf(data, bytesPerElement), wordsOf(bytes, bytesPerElement), bytesPerElement === 8 ? 2 : 1)
  return bytes
}

function wordsOf(array: TypedArray, bytesPerElement: number): Words {
  const { buffer, byteOffset, byteLength } = array
  if (bytesPerElement === 1) return new Uint8Array(buffer, byteOffset, byteLength)
  if (bytesPerElement === 2) return new Uint16Array(buffer, byteOffset, byteLength / 2)
  return new Uint32Array(buffer, byteOffset, byteLength / 4)
}

/** Walks the axes before the last as an odometer, and copies one run along the last axis at each step. */
function gather(view: ArrayView, from: Words, to: Words, wordsPerElement: 1 | 2): void {
  const { shape, strides } = view
  const last = shape.length - 1
  const runLength = shape[last] ?? 1
  const runStride = strides[last] ?? 1
  const index = new Array<number>(shape.length).fill(0)
  let start = view.offset
  for (let written = 0; written < view.size; written += runLength) {
    if (wordsPerElement === 2) copyPairs(from, start, runStride, to, written, runLength)
    else copyWords(from, start, runStride, to, written, runLength)
    for (let axis = last - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0
      const length = shape[axis] ?? 1
      const next = (index[axis] ?? 0) + 1
      if (next < length) {
        index[axis] = next
        start += stride
        break
      }
      index[axis] = 0
      start -= stride * (length - 1)
    }
  }
}

function copyWords(from: Words, start: number, stride: number, to: Words, at: number, count: number): void {
  for (let i = 0, source = start; i < count; i++, source += stride) to[at + i] = from[source] as number
}

function copyPairs(from: Words, start: number, stride: number, to: Words, at: number, count: number): void {
  for (let i = 0, source = 2 * start, target = 2 * at; i < count; i++, source += 2 * stride, target += 2) {
    to[target] = from[source] as number
    to[target + 1] = from[source + 1] as number
  }
}
