/**
 * A window as it was before anyone's code ran on it: a dense copy, under which features are filed. Without it, an
 * extraction that writes to its window would file its features under what it wrote, and the next window with that
 * content would be served the features of another. Made on a miss only; costs one pass over the elements.
 */
import { type DTypeName, dtypeRow } from '../key/dtype.js'
import { cOrderBytes, dtypeOf, type NdArrayLike, type TypedArray, viewOf } from '../key/ndarray.js'

export class WindowSnapshot {
  /** The same key as the window was: its elements in C order, in memory of their own. */
  readonly array: { readonly data: TypedArray; readonly shape: readonly number[]; readonly dtype: DTypeName }
  readonly #bytes: Uint8Array

  /** @throws HitpathError when `window` is no ndarray, as `viewOf` does. */
  constructor(window: NdArrayLike) {
    const view = viewOf(window)
    const bytes = cOrderBytes(view)
    this.#bytes = view.contiguous ? bytes.slice() : bytes
    // float16 may lie in a Uint16Array: the class of the data makes the copy, the dtype names it.
    const { construct = Uint8Array } = dtypeRow(dtypeOf(view.data))
    const data = new construct(this.#bytes.buffer, 0, view.size)
    this.array = { data, shape: view.shape, dtype: dtypeRow(view.dtype).name }
  }

  /** Equal for two snapshots exactly when they are the same key. */
  content(): string {
    const elements = Buffer.from(this.#bytes.buffer).toString('latin1')
    return `${this.array.dtype}[${this.array.shape}]${elements}`
  }
}
