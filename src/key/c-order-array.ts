/**
 * The ndarray that a cache gives back for an ndarray that it was given.
 *
 * Always true: C order, dense, offset 0, and `data` holds exactly the elements of `shape`. The fields have the
 * names of the `ndarray` package, so its operations take it as it is.
 */
import { HitpathError } from '../errors.js'
import { cOrderStrides, elementCount } from './array-view.js'
import { type DTypeName, dtypeOf, dtypeRow, type TypedArray } from './dtype.js'

export class NdArray<A extends TypedArray = TypedArray> {
  readonly data: A
  readonly shape: readonly number[]
  /** Name of the element type, such as 'float64'. */
  readonly dtype: DTypeName
  /** Elements between neighbours along each axis. */
  readonly stride: readonly number[]
  readonly offset = 0
  /** Number of elements. */
  readonly size: number

  /**
   * @param data the elements in C order; kept, not copied
   * @param shape length of each axis; `[]` is a scalar. Default: `[data.length]`
   * @param dtype default: that of `data`. 'float16' over a `Uint16Array` of its bits is the one other choice
   * @throws HitpathError SHAPE_MISMATCH when `data` has not the number of elements of `shape`
   */
  constructor(data: A, shape: readonly number[] = [data.length], dtype?: DTypeName) {
    const size = elementCount(shape)
    if (size !== data.length) {
      throw new HitpathError(
        'SHAPE_MISMATCH',
        `shape [${shape}] has ${size} elements; data has ${data.length}`,
      )
    }
    this.data = data
    this.shape = Object.freeze([...shape])
    this.dtype = dtype ?? dtypeRow(dtypeOf(data)).name
    this.stride = Object.freeze(cOrderStrides(shape))
    this.size = size
  }
}
