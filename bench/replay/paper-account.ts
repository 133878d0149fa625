/** Paper trading at the close: one position of -1, 0 or 1 times the equity, no costs. */
import type { Outcome } from './strategy.js'

export type Position = -1 | 0 | 1

export class PaperAccount {
  #position: Position = 0
  #equity = 1
  #trades = 0
  #bar = -1
  #close = 0

  get position(): Position {
    return this.#position
  }

  /** Marks the old position to `close`, then holds `position`; the first decision on a bar stands. */
  hold(bar: number, close: number, position: Position): void {
    if (bar === this.#bar) return
    if (this.#bar >= 0) this.#equity *= 1 + this.#position * (close / this.#close - 1)
    if (position !== this.#position) this.#trades++
    this.#position = position
    this.#bar = bar
    this.#close = close
  }

  outcome(strategy: string): Outcome {
    return { strategy, signals: this.#trades, measure: 'paper return, %', value: 100 * (this.#equity - 1) }
  }
}
