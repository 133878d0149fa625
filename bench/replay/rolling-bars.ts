/**
 * The recent market as a service keeps it: a bounded buffer that bars are appended to, and from which each
 * consumer takes windows in the layout that suits it. The same 60 bars therefore arrive as different objects,
 * over different memory, with different strides: only their content says that they are the same window.
 *
 *   rows     bar 0: o h l c v | bar 1: o h l c v | ...            stride [5, 1]
 *   columns  o o o o ... | h h h h ... | l ... | c ... | v ...    stride [1, capacity]
 *
 * When the buffer is full its newest `retained` bars move to the front; windows taken before that are void.
 */
import ndarray from 'ndarray'
import { type Bars, FIELD_COUNT } from './bars.js'

/** Bars in a window. */
export const WINDOW_BARS = 60

/** How a consumer holds its windows. `view` and `ndarray` are row-major and `columns` strided, all without a copy. */
export type Layout = 'view' | 'ndarray' | 'columns' | 'copy'

/** A [60, 5] float64 array; element [i, j] is `data[offset + i * stride[0] + j * stride[1]]`. */
export interface BarWindow {
  readonly data: Float64Array
  readonly shape: number[]
  readonly stride: number[]
  readonly offset: number
}

export class RollingBars {
  readonly #bars: Bars
  readonly #retained: number
  readonly #capacity: number
  readonly #rows: Float64Array
  readonly #columns: Float64Array
  /** The market's index of the bar at position 0. */
  #first = 0
  /** The market's index of the next bar to append. */
  #next = 0

  /** @param retained bars that stay readable at any moment; windows of older bars are refused. */
  constructor(bars: Bars, retained: number) {
    this.#bars = bars
    this.#retained = retained
    this.#capacity = 2 * retained
    this.#rows = new Float64Array(this.#capacity * FIELD_COUNT)
    this.#columns = new Float64Array(this.#capacity * FIELD_COUNT)
  }

  /** Appends bars until `bar` is the newest one. */
  advanceTo(bar: number): void {
    while (this.#next <= bar) this.#append()
  }

  /** The window whose last bar is `end`. */
  window(end: number, layout: Layout): BarWindow {
    const start = end - WINDOW_BARS + 1 - this.#first
    if (start < 0 || end >= this.#next)
      throw new RangeError(`the window that ends at bar ${end} is not in the buffer`)
    const shape = [WINDOW_BARS, FIELD_COUNT]
    const offset = start * FIELD_COUNT
    switch (layout) {
      case 'view':
        return { data: this.#rows, shape, stride: [FIELD_COUNT, 1], offset }
      case 'ndarray':
        return ndarray(this.#rows, shape, [FIELD_COUNT, 1], offset)
      case 'columns':
        return { data: this.#columns, shape, stride: [1, this.#capacity], offset: start }
      case 'copy': {
        const data = this.#rows.slice(offset, offset + WINDOW_BARS * FIELD_COUNT)
        return { data, shape, stride: [FIELD_COUNT, 1], offset: 0 }
      }
    }
  }

  #append(): void {
    if (this.#next - this.#first === this.#capacity) this.#compact()
    const position = this.#next - this.#first
    for (let field = 0; field < FIELD_COUNT; field++) {
      const value = this.#bars.values[this.#next * FIELD_COUNT + field]!
      this.#rows[position * FIELD_COUNT + field] = value
      this.#columns[field * this.#capacity + position] = value
    }
    this.#next++
  }

  #compact(): void {
    const dropped = this.#capacity - this.#retained
    this.#rows.copyWithin(0, dropped * FIELD_COUNT)
    for (let field = 0; field < FIELD_COUNT; field++) {
      const column = field * this.#capacity
      this.#columns.copyWithin(column, column + dropped, column + this.#capacity)
    }
    this.#first += dropped
  }
}
