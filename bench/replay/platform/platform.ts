/** What the replay asks of a contender, and what it gives it. */
import type { InferenceSession } from 'onnxruntime-node'
import type { MarketFeatures } from '../features.js'
import type { BarWindow } from '../rolling-bars.js'
import { CONSUMERS } from './script.js'
import type { Batch, Market, NetworkWindow } from './universe.js'
import type { Work } from './work.js'

type Eventual<T> = T | Promise<T>

export interface Held {
  /** Entries of all types. */
  readonly entries: number
  /** Bytes in use in memory that was reserved when the platform was made, outside the JavaScript heap. */
  readonly offHeapBytes: number
}

export interface Platform {
  readonly name: string
  /** Of a window, by what it holds. */
  technical(window: BarWindow): Eventual<MarketFeatures>
  network(window: NetworkWindow): Promise<Float32Array>
  /** [n, 3] for a batch [n, 300]. */
  predict(batch: Batch): Promise<Float32Array>
  /** What a consumer wants to know about a symbol now, by name. */
  signal(symbol: number, consumer: number): Promise<Float64Array>
  /** The symbol has a new bar: what depended on the old one must not be served any more. */
  bar(symbol: number): Eventual<void>
  /** The second version of the model is about to come. */
  prepareSwap(): void
  /** From now on it answers. */
  swap(): Promise<void>
  held(): Held
  /** Anything worth telling, a line each. */
  notes(): readonly string[]
  close(): Promise<void>
}

export interface Parts {
  readonly market: Market
  readonly work: Work
  readonly load: (version: 1 | 2) => Promise<InferenceSession>
}

export type PlatformFactory = (parts: Parts) => Promise<Platform>

/** A signal is made of the other three, asked of the platform itself. */
export async function makeSignal(
  platform: Pick<Platform, 'technical' | 'network' | 'predict'>,
  { market, work }: Parts,
  symbol: number,
  consumer: number,
): Promise<Float64Array> {
  const { lookback } = CONSUMERS[consumer] as (typeof CONSUMERS)[number]
  const technical = await platform.technical(market.window(symbol, 0))
  const network = await platform.network(market.networkWindow(symbol, 0))
  const predictions = await platform.predict(market.batch([symbol], lookback))
  return work.signal(technical, network, predictions)
}
