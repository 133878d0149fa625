/**
 * What is computed when no cache has the answer, the same code for every contender, counted.
 *
 * onnxruntime answers a lone row through other kernels, which differ in the last bits from those of a batch (8e-6 in this network);
 * rows of batches of two and more are the same bit for bit, whatever stands beside them. So a lone row gets a copy for company, and
 * answers are comparable to the bit.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { CELLS, OUTPUTS } from '../../models/network.js'
import { extractFeatures, type MarketFeatures } from '../features.js'
import { type BarWindow, WINDOW_BARS } from '../rolling-bars.js'
import { NETWORK, PREDICTIONS, SIGNALS, STAGES, TECHNICAL } from './script.js'
import type { Batch, NetworkWindow } from './universe.js'

export const PREDICTION_WIDTH = OUTPUTS.length
export const FEATURE_WIDTH = CELLS

/** One thread, so that contenders on a busy machine are alike. */
const SESSION = { intraOpNumThreads: 1, interOpNumThreads: 1 } as const

export function loadSession(path: string): Promise<InferenceSession> {
  return InferenceSession.create(path, SESSION)
}

export class Work {
  /** Computations by stage; rows for PREDICTIONS. */
  readonly computed = new Float64Array(STAGES.length)
  /** Milliseconds inside them. */
  readonly spentMs = new Float64Array(STAGES.length)

  technical(window: BarWindow): MarketFeatures {
    const start = performance.now()
    const features = extractFeatures(window)
    this.#done(TECHNICAL, 1, start)
    return features
  }

  async network(session: InferenceSession, window: NetworkWindow): Promise<Float32Array> {
    const start = performance.now()
    const features = await run(session, window.data, 1, 'features', FEATURE_WIDTH)
    this.#done(NETWORK, 1, start)
    return features
  }

  /** [n, 3] for [n, 300]. */
  async predict(session: InferenceSession, { data, shape: [n] }: Batch): Promise<Float32Array> {
    const start = performance.now()
    const predictions = await run(session, data, n, 'prediction', PREDICTION_WIDTH)
    this.#done(PREDICTIONS, n, start)
    return predictions
  }

  /** What a consumer acts on: direction and volatility expected by the mean of its lookback, and where the market stands. */
  signal(technical: MarketFeatures, network: Float32Array, predictions: Float32Array): Float64Array {
    const n = predictions.length / PREDICTION_WIDTH
    let direction = 0
    let volatility = 0
    for (let row = 0; row < n; row++) {
      direction += (predictions[row * PREDICTION_WIDTH] as number) / n
      volatility += (predictions[row * PREDICTION_WIDTH + 2] as number) / n
    }
    this.#done(SIGNALS, 1, performance.now())
    const last = WINDOW_BARS - 1
    return Float64Array.of(
      direction,
      Math.exp(volatility),
      technical.rsi[last] as number,
      technical.macdHistogram[last] as number,
      technical.adx[last] as number,
      network[0] as number,
    )
  }

  #done(stage: number, count: number, startMs: number): void {
    this.computed[stage] = (this.computed[stage] as number) + count
    this.spentMs[stage] = (this.spentMs[stage] as number) + performance.now() - startMs
  }
}

async function run(
  session: InferenceSession,
  rows: Float32Array,
  n: number,
  output: 'features' | 'prediction',
  width: number,
): Promise<Float32Array> {
  const data = n === 1 ? twice(rows) : rows
  const bars = new Tensor('float32', data, [Math.max(2, n), WINDOW_BARS, rows.length / n / WINDOW_BARS])
  const answer = await session.run({ bars }, [output])
  const values = answer[output]?.data
  if (!(values instanceof Float32Array)) throw new Error(`platform: the network gave no ${output}`)
  return n === 1 ? values.slice(0, width) : values
}

function twice(row: Float32Array): Float32Array {
  const rows = new Float32Array(2 * row.length)
  rows.set(row)
  rows.set(row, row.length)
  return rows
}
