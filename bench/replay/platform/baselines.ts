/** What hitpath is compared with: no cache at all, and the original design. */
import { TTL_MS } from '../contenders.js'
import { OneMap } from './one-map.js'
import { makeSignal, type Parts, type Platform } from './platform.js'
import { CONSUMERS } from './script.js'
import type { Batch } from './universe.js'
import { PREDICTION_WIDTH } from './work.js'

/** Everything is computed when it is asked for. */
export async function uncached(parts: Parts): Promise<Platform> {
  const { work, load } = parts
  let session = await load(1)
  const platform: Platform = {
    name: 'no cache',
    technical: (window) => work.technical(window),
    network: (window) => work.network(session, window),
    predict: (batch) => work.predict(session, batch),
    signal: (symbol, consumer) => makeSignal(platform, parts, symbol, consumer),
    bar() {},
    prepareSwap() {},
    async swap() {
      const old = session
      session = await load(2)
      await old.release()
    },
    held: () => ({ entries: 0, offHeapBytes: 0 }),
    notes: () => [],
    close: () => session.release(),
  }
  return platform
}

/**
 * The original design, written in JavaScript with care: one Map with a ttl for all types, keys of the hexadecimal md5 of the bytes, a
 * bar invalidates by a pattern over all keys, and the model is a variable.
 */
export async function originalDesign(parts: Parts): Promise<Platform> {
  const { market, work, load } = parts
  const map = new OneMap(TTL_MS)
  let session = await load(1)

  /** Row by row; what is missing goes to the model together. */
  async function predict({ data, shape: [n, width] }: Batch): Promise<Float32Array> {
    const out = new Float32Array(n * PREDICTION_WIDTH)
    const missing: { readonly row: number; readonly key: string }[] = []
    for (let row = 0; row < n; row++) {
      const key = `predictions:${map.digest(data.subarray(row * width, (row + 1) * width))}`
      const known = map.get<Float32Array>(key)
      if (known === undefined) missing.push({ row, key })
      else out.set(known, row * PREDICTION_WIDTH)
    }
    if (missing.length === 0) return out
    const rows = new Float32Array(missing.length * width)
    missing.forEach(({ row }, i) => {
      rows.set(data.subarray(row * width, (row + 1) * width), i * width)
    })
    const made = await work.predict(session, { data: rows, shape: [missing.length, width] })
    missing.forEach(({ row, key }, i) => {
      const prediction = made.slice(i * PREDICTION_WIDTH, (i + 1) * PREDICTION_WIDTH)
      map.set(key, prediction)
      out.set(prediction, row * PREDICTION_WIDTH)
    })
    return out
  }

  const platform: Platform = {
    name: 'md5 + one TTL map',
    technical: (window) => {
      const { data, offset, shape } = window
      const length = shape.reduce((product, extent) => product * extent, 1)
      const key = `technical:${map.digest(data.subarray(offset, offset + length))}`
      return map.getOrCompute(key, () => work.technical(window))
    },
    network: async (window) =>
      map.getOrCompute(`network:${map.digest(window.data)}`, () => work.network(session, window)),
    predict,
    signal: async (symbol, consumer) => {
      const key = `signals:${CONSUMERS[consumer]?.name}:${market.series[symbol]?.symbol}`
      return map.getOrCompute(key, () => makeSignal(platform, parts, symbol, consumer))
    },
    bar(symbol) {
      map.invalidatePattern(`signals:*:${market.series[symbol]?.symbol}`)
    },
    prepareSwap() {},
    async swap() {
      const old = session
      session = await load(2)
      for (const pattern of ['network:*', 'predictions:*', 'signals:*']) map.invalidatePattern(pattern)
      await old.release()
    },
    held: () => ({ entries: map.size, offHeapBytes: 0 }),
    notes: () => [],
    close: () => session.release(),
  }
  return platform
}
