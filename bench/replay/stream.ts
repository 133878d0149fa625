/**
 * Who asks for which window when: made once from a seed, as flat arrays, before anything runs. Bars arrive in
 * order; with each bar come its requests, the newest window first, then the consumers' mixture.
 */
import type { Bars } from './bars.js'
import { seededRandom } from './random.js'
import { WINDOW_BARS } from './rolling-bars.js'
import { MAX_AGE } from './strategies.js'
import type { Strategy } from './strategy.js'

/** Requests a bar brings when the whole market is replayed once with the default count. */
export const REQUESTS_PER_BAR = 20

export interface RequestStream {
  readonly length: number
  /** Request `i` comes while this is the newest bar; ascending. */
  readonly bar: Int32Array
  /** The last bar of the window that it asks for. */
  readonly end: Int32Array
  /** Index of the strategy that asks. */
  readonly strategy: Uint8Array
}

/** Bars that have a whole window behind them. */
export function windowCount(bars: Bars): number {
  return bars.length - WINDOW_BARS + 1
}

/** Fewer requests than twenty a bar replay a shorter market; more poll each bar more often. */
export function createStream(
  bars: Bars,
  strategies: readonly Strategy[],
  requests: number,
  seed: number,
): RequestStream {
  const random = seededRandom(seed)
  const barCount = Math.min(windowCount(bars), Math.max(1, Math.ceil(requests / REQUESTS_PER_BAR)))
  const stream = {
    length: requests,
    bar: new Int32Array(requests),
    end: new Int32Array(requests),
    strategy: new Uint8Array(requests),
  }
  const turns = strategies.flatMap((strategy, index) => Array<number>(strategy.weight).fill(index))
  let previous = -1
  for (let request = 0; request < requests; request++) {
    const step = Math.floor((request * barCount) / requests)
    const index = turns[Math.floor(random() * turns.length)]!
    const wanted = step > previous ? 0 : strategies[index]!.chooseAge(random)
    previous = step
    const bar = WINDOW_BARS - 1 + step
    stream.bar[request] = bar
    stream.end[request] = bar - Math.min(wanted, step, MAX_AGE)
    stream.strategy[request] = index
  }
  return stream
}
