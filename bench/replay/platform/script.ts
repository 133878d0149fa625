/**
 * What happens, made once from a seed before anything runs: bars of one symbol after the other, and after each bar the requests that
 * it causes. Every contender plays the same script.
 */
import { between, type Random, seededRandom } from '../random.js'

/** The types of data that consumers ask for, in the order in which one is made of the others. */
export const STAGES = ['technical features', 'CNN+LSTM features', 'predictions', 'signals'] as const
export type Stage = (typeof STAGES)[number]

export const TECHNICAL = 0
export const NETWORK = 1
export const PREDICTIONS = 2
export const SIGNALS = 3

/** Who asks for signals, by name; each averages the predictions of that many windows. */
export const CONSUMERS = [
  { name: 'intraday', lookback: 2 },
  { name: 'momentum', lookback: 8 },
  { name: 'reversion', lookback: 5 },
  { name: 'breakout', lookback: 3 },
  { name: 'hedging', lookback: 16 },
  { name: 'risk', lookback: 32 },
  { name: 'allocation', lookback: 24 },
  { name: 'dashboard', lookback: 12 },
] as const

export type Request =
  | { readonly stage: typeof TECHNICAL | typeof NETWORK; readonly symbol: number; readonly age: number }
  | {
      readonly stage: typeof PREDICTIONS
      readonly symbols: readonly number[]
      readonly lookback: number
    }
  | { readonly stage: typeof SIGNALS; readonly symbol: number; readonly consumer: number }

export interface Bar {
  /** The symbol that has a new bar. */
  readonly symbol: number
  readonly requests: readonly Request[]
}

export interface Script {
  readonly bars: readonly Bar[]
  /** The model's second version begins to load with this bar, and answers from the other on. */
  readonly loadAt: number
  readonly swapAt: number
}

const LOOKBACKS = [8, 16, 32] as const
/** Bars between the beginning of the load and the switch. */
const LOAD_AHEAD = 12

export function createScript(symbols: number, steps: number, seed: number): Script {
  const random = seededRandom(seed)
  const all = Array.from({ length: symbols }, (_, symbol) => symbol)
  const bars = Array.from({ length: steps * symbols }, (_, index) => {
    const symbol = index % symbols
    const requests = requestsOf(symbol, symbols, random)
    // Once all have a new bar: the whole market, ranked by two consumers.
    if (symbol === symbols - 1) {
      for (let i = 0; i < 2; i++) requests.push({ stage: PREDICTIONS, symbols: all, lookback: 4 })
    }
    return { symbol, requests }
  })
  const swapAt = Math.floor(bars.length / 2)
  return { bars, swapAt, loadAt: Math.max(0, swapAt - LOAD_AHEAD) }
}

function requestsOf(symbol: number, symbols: number, random: Random): Request[] {
  const pick = (): number => (random() < 0.6 ? symbol : between(random, 0, symbols - 1))
  const age = (oldest: number): number => (random() < 0.6 ? 0 : between(random, 1, oldest))
  const lookback = (): number => LOOKBACKS[between(random, 0, LOOKBACKS.length - 1)] as number
  const requests: Request[] = [
    ...times(6, (): Request => ({ stage: TECHNICAL, symbol: pick(), age: age(20) })),
    ...times(4, (): Request => ({ stage: NETWORK, symbol: pick(), age: age(10) })),
    ...times(3, (): Request => ({ stage: PREDICTIONS, symbols: [pick()], lookback: lookback() })),
    ...times(
      12,
      (): Request => ({ stage: SIGNALS, symbol: pick(), consumer: between(random, 0, CONSUMERS.length - 1) }),
    ),
  ]
  // Consumers come in any order.
  for (let i = requests.length - 1; i > 0; i--) {
    const j = between(random, 0, i)
    ;[requests[i], requests[j]] = [requests[j] as Request, requests[i] as Request]
  }
  return requests
}

function times<T>(n: number, make: () => T): T[] {
  return Array.from({ length: n }, make)
}
