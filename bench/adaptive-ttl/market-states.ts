/**
 * Five states of a market, as a service caches them by type: each is computed from the bars so far and holds until a bar changes it.
 * Real ones, of the S&P 500: some change every third bar, some stand for months, most change in bursts.
 */
import { ATR, BollingerBands, EMA, MACD, RSI, SMA } from 'trading-signals'
import { type Bars, FIELD_COUNT } from '../replay/bars.js'

/** Bars that the longest of the indicators takes. */
const WARM_UP = 200

export type MarketStates = Readonly<Record<string, readonly number[]>>

/** State by type and bar, from the bar on at which all are known. */
export function marketStates(bars: Bars, limit = bars.length): MarketStates {
  const trend = new SMA(WARM_UP)
  const momentum = new MACD(new EMA(12), new EMA(26), new EMA(9))
  const strength = new RSI(14)
  const range = new ATR(14)
  const bands = new BollingerBands(20, 2)
  const states = {
    /** The side of the 200-bar mean. */
    trend: [] as number[],
    /** The sign of the MACD histogram. */
    momentum: [] as number[],
    /** The average true range, in steps of half a percent. */
    volatility: [] as number[],
    /** The relative strength index, in steps of ten. */
    strength: [] as number[],
    /** Below, inside or above the Bollinger bands. */
    bands: [] as number[],
  }
  for (let bar = 0; bar < Math.min(limit, bars.length); bar++) {
    const at = bar * FIELD_COUNT
    const [, high, low, close] = bars.values.subarray(at, at + 4) as unknown as [
      number,
      number,
      number,
      number,
    ]
    const mean = trend.add(close)
    const macd = momentum.add(close)
    const rsi = strength.add(close)
    const atr = range.add({ high, low, close })
    const band = bands.add(close)
    if (mean === null || macd === null || rsi === null || atr === null || band === null) continue
    states.trend.push(Math.sign(close - mean))
    states.momentum.push(Math.sign(macd.histogram))
    states.volatility.push(Math.floor(atr / close / 0.005))
    states.strength.push(Math.floor(rsi / 10))
    states.bands.push(close < band.lower ? -1 : close > band.upper ? 1 : 0)
  }
  return states
}
