/**
 * One plain description of an ndarray, whatever library made it.
 *
 * Always true of an `ArrayView` when it is made: every index that shape, strides and offset can reach lies
 * within `data`. Strides and offset count elements, not bytes; strides may be negative or zero.
 */
import { HitpathError } from '../errors.js'
import type { DTypeCode, TypedArray } from './dtype.js'

/** An ndarray, read once and checked. Shape `[]` is a scalar of one element. */
export interface ArrayView {
  readonly data: TypedArray
  readonly dtype: DTypeCode
  readonly shape: readonly number[]
  /** In elements, one for each axis. */
  readonly strides: readonly number[]
  /** Index in `data` of the element at the origin. */
  readonly offset: number
  /** Whether the elements lie in C order without gaps, from `offset` on. */
  readonly contiguous: boolean
  /** Number of elements: the product of `shape`. */
  readonly size: number
}

/** Strides of a dense array in C order: the last axis is the fastest. */
export function cOrderStrides(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= shape[axis] ?? 0
  }
  return strides
}

/** Strides along axes of length 1 are never used, so any will do; an empty array is in every order. */
export function isCOrder(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1
  let dense = true
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] ?? 0
    if (length === 0) return true
    if (length !== 1 && strides[axis] !== step) dense = false
    step *= length
  }
  return dense
}

/**
 * Throws unless every reachable index lies within the data as it is now: a resizable buffer may have shrunk
 * since the view was made.
 */
export function refuseOutOfData(view: ArrayView): void {
  const { shape, strides, offset, size, data } = view
  if (strides.length !== shape.length) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `shape has ${shape.length} axes and strides has ${strides.length}`,
    )
  }
  if (size === 0) return
  let lowest = offset
  let highest = offset
  for (let axis = 0; axis < shape.length; axis++) {
    const reach = ((shape[axis] ?? 0) - 1) * (strides[axis] ?? 0)
    if (reach < 0) lowest += reach
    else highest += reach
  }
  if (lowest < 0 || highest >= data.length) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      `shape [${shape}] with strides [${strides}] and offset ${offset} reaches indices ${lowest} to ${highest}; ` +
        `data has ${data.length} elements`,
    )
  }
}

/** The product of `shape`; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let size = 1
  for (const length of shape) size *= length
  return size
}
