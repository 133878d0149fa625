/**
 * The symbols of the platform: stretches of one real series. `SPX-2003` is the S&P 500 as it was from some day of 2003 on; all
 * symbols receive their bars at the same time, and no two of them ever hold the same window. No bar is made up.
 */
import { type Bars, FIELD_COUNT } from '../bars.js'
import { type BarWindow, WINDOW_BARS } from '../rolling-bars.js'

/** Bars that a symbol has before the replay begins: the oldest window that anyone asks for, and some. */
export const HISTORY = 150

export interface Series {
  readonly symbol: string
  /** [length, 5] row-major, as they come and as the network takes them. */
  readonly bars: Float64Array
  readonly single: Float32Array
}

/** A [60, 5] float32 array over the series itself. */
export interface NetworkWindow {
  readonly data: Float32Array
  readonly shape: readonly [number, number]
}

/** Row after row of windows, dense: [n, 300]. */
export interface Batch {
  readonly data: Float32Array
  readonly shape: readonly [number, number]
}

const ROW = WINDOW_BARS * FIELD_COUNT

/** @param steps bars that each symbol receives during the replay */
export function createUniverse(bars: Bars, symbols: number, steps: number): Series[] {
  const length = HISTORY + steps
  const stride = Math.floor((bars.length - length) / Math.max(1, symbols - 1))
  if (stride < length)
    throw new Error(`platform: ${symbols} symbols of ${length} bars do not fit into ${bars.length} bars`)
  return Array.from({ length: symbols }, (_, index) => {
    const first = index * stride
    const values = bars.values.slice(first * FIELD_COUNT, (first + length) * FIELD_COUNT)
    const year = bars.dates[first + HISTORY]?.slice(0, 4) ?? ''
    return { symbol: `SPX-${year}`, bars: values, single: Float32Array.from(values) }
  })
}

/** Where each symbol is: the index of its newest bar. */
export class Market {
  readonly series: readonly Series[]
  readonly newest: Int32Array

  constructor(series: readonly Series[]) {
    this.series = series
    this.newest = new Int32Array(series.length).fill(HISTORY - 1)
  }

  advance(symbol: number): void {
    this.newest[symbol] = (this.newest[symbol] as number) + 1
  }

  /** The window that ended `age` bars ago, in float64, without a copy. */
  window(symbol: number, age: number): BarWindow {
    const offset = this.#first(symbol, age) * FIELD_COUNT
    return {
      data: this.#of(symbol).bars,
      shape: [WINDOW_BARS, FIELD_COUNT],
      stride: [FIELD_COUNT, 1],
      offset,
    }
  }

  /** The same in float32. */
  networkWindow(symbol: number, age: number): NetworkWindow {
    const at = this.#first(symbol, age) * FIELD_COUNT
    return { data: this.#of(symbol).single.subarray(at, at + ROW), shape: [WINDOW_BARS, FIELD_COUNT] }
  }

  /** The newest `lookback` windows of each of the symbols, oldest first, copied as a caller would. */
  batch(symbols: readonly number[], lookback: number): Batch {
    const data = new Float32Array(symbols.length * lookback * ROW)
    symbols.forEach((symbol, i) => {
      for (let age = lookback - 1; age >= 0; age--) {
        const row = i * lookback + lookback - 1 - age
        data.set(this.networkWindow(symbol, age).data, row * ROW)
      }
    })
    return { data, shape: [symbols.length * lookback, ROW] }
  }

  #of(symbol: number): Series {
    return this.series[symbol] as Series
  }

  #first(symbol: number, age: number): number {
    return (this.newest[symbol] as number) - age - WINDOW_BARS + 1
  }
}
