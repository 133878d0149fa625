/**
 * A window as it was before anyone's code ran on it: a dense copy, under which features are filed. Without it, an
 * extraction that writes to its window would file its features under what it wrote, and the next window with that
 * content would be served the features of another. Made on a miss only; costs one pass over the elements.
 */
import { type DTypeName, dtypeRow } from '../key/dtype.js'
import {
  cOrderBytes,
  dtypeOf,
  isTypedArray,
  type NdArrayLike,
  type TypedArray,
  viewOf,
} from '../key/ndarray.js'

/** What stands for a window while its buffer may change: its elements in C order, in memory of their own. */
export interface DenseWindow {
  readonly data: TypedArray
  readonly shape: number[]
  readonly stride: number[]
  readonly offset: number
  readonly dtype: DTypeName
}

export class WindowSnapshot {
  /** The same key as the window was. */
  readonly array: DenseWindow
  /** The array for user code: a typed array for a typed array. */
  readonly window: NdArrayLike
  readonly #bytes: Uint8Array

  /** @throws HitpathError when `window` is no ndarray, as `viewOf` does. */
  constructor(window: NdArrayLike) {
    const view = viewOf(window)
    const bytes = cOrderBytes(view)
    this.#bytes = view.contiguous ? bytes.slice() : bytes
    // float16 may lie in a Uint16Array: the class of the data makes the copy, the dtype names it.
    const { construct = Uint8Array } = dtypeRow(dtypeOf(view.data))
    const data = new construct(this.#bytes.buffer, 0, view.size)
    const shape = [...view.shape]
    const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((size, length) => size * length, 1))
    this.array = { data, shape, stride, offset: 0, dtype: dtypeRow(view.dtype).name }
    this.window = isTypedArray(window) ? data : this.array
  }

  /** Equal for two snapshots exactly when they are the same key. */
  content(): string {
    const elements = Buffer.from(this.#bytes.buffer).toString('latin1')
    return `${this.form}${elements}`
  }

  /** Element type and shape, as `float64[60,5]`. */
  get form(): string {
    return `${this.array.dtype}[${this.array.shape}]`
  }

  hasNaN(): boolean {
    const { data, dtype } = this.array
    if (dtype === 'float16' && data instanceof Uint16Array)
      return data.some((bits) => (bits & 0x7fff) > 0x7c00)
    if (!dtype.startsWith('float')) return false
    for (let i = 0; i < data.length; i++) if (Number.isNaN(data[i])) return true
    return false
  }
}
