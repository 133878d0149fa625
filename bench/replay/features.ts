/**
 * What a strategy wants to know about a window: nine indicators of `trading-signals`, each fed the 60 bars in
 * order. Every feature is a Float64Array of 60 values, NaN while the indicator has not seen enough bars.
 * A pure function of the window's content, which is what makes caching by content right.
 */
import {
  ADX,
  ATR,
  BollingerBands,
  DonchianChannels,
  EMA,
  MACD,
  OBV,
  RSI,
  StochasticOscillator,
} from 'trading-signals'
import type { BarWindow } from './rolling-bars.js'

/** The extractor's identity: change either and no feature computed before is ever served. */
export const FEATURES_NAME = 'technical'
export const FEATURES_VERSION = 1

/** Periods in bars; Bollinger's `width` in standard deviations. */
export const FEATURE_PARAMS = {
  rsi: 14,
  macd: { short: 12, long: 26, signal: 9 },
  atr: 14,
  bollinger: { period: 20, width: 2 },
  ema: 21,
  adx: 14,
  obv: 20,
  donchian: 20,
  stochastic: { k: 14, slowing: 3, d: 3 },
} as const

/** Each [60] float64, aligned with the window's bars. */
export type MarketFeatures = {
  readonly rsi: Float64Array
  readonly macd: Float64Array
  readonly macdSignal: Float64Array
  readonly macdHistogram: Float64Array
  readonly atr: Float64Array
  readonly bollingerLower: Float64Array
  readonly bollingerMiddle: Float64Array
  readonly bollingerUpper: Float64Array
  readonly ema: Float64Array
  readonly adx: Float64Array
  readonly obv: Float64Array
  readonly donchianLower: Float64Array
  readonly donchianUpper: Float64Array
  readonly stochasticK: Float64Array
  readonly stochasticD: Float64Array
}

export type Extract = (window: BarWindow) => MarketFeatures

export function extractFeatures(window: BarWindow): MarketFeatures {
  const { data, offset } = window
  const [bars = 0] = window.shape
  const [barStride = 0, fieldStride = 0] = window.stride
  const p = FEATURE_PARAMS

  const rsi = new RSI(p.rsi)
  const macd = new MACD(new EMA(p.macd.short), new EMA(p.macd.long), new EMA(p.macd.signal))
  const atr = new ATR(p.atr)
  const bollinger = new BollingerBands(p.bollinger.period, p.bollinger.width)
  const ema = new EMA(p.ema)
  const adx = new ADX(p.adx)
  const obv = new OBV(p.obv)
  const donchian = new DonchianChannels(p.donchian)
  const stochastic = new StochasticOscillator({
    kPeriod: p.stochastic.k,
    kSlowingPeriod: p.stochastic.slowing,
    dPeriod: p.stochastic.d,
  })

  const column = () => new Float64Array(bars).fill(Number.NaN)
  const features: MarketFeatures = {
    rsi: column(),
    macd: column(),
    macdSignal: column(),
    macdHistogram: column(),
    atr: column(),
    bollingerLower: column(),
    bollingerMiddle: column(),
    bollingerUpper: column(),
    ema: column(),
    adx: column(),
    obv: column(),
    donchianLower: column(),
    donchianUpper: column(),
    stochasticK: column(),
    stochasticD: column(),
  }

  for (let bar = 0; bar < bars; bar++) {
    const at = offset + bar * barStride
    const candle = {
      open: data[at]!,
      high: data[at + fieldStride]!,
      low: data[at + 2 * fieldStride]!,
      close: data[at + 3 * fieldStride]!,
      volume: data[at + 4 * fieldStride]!,
    }
    features.rsi[bar] = rsi.add(candle.close) ?? Number.NaN
    const trend = macd.add(candle.close)
    if (trend !== null) {
      features.macd[bar] = trend.macd
      features.macdSignal[bar] = trend.signal
      features.macdHistogram[bar] = trend.histogram
    }
    features.atr[bar] = atr.add(candle) ?? Number.NaN
    const bands = bollinger.add(candle.close)
    if (bands !== null) {
      features.bollingerLower[bar] = bands.lower
      features.bollingerMiddle[bar] = bands.middle
      features.bollingerUpper[bar] = bands.upper
    }
    features.ema[bar] = ema.add(candle.close) ?? Number.NaN
    features.adx[bar] = adx.add(candle) ?? Number.NaN
    features.obv[bar] = obv.add(candle) ?? Number.NaN
    const channel = donchian.add(candle)
    if (channel !== null) {
      features.donchianLower[bar] = channel.lower
      features.donchianUpper[bar] = channel.upper
    }
    const oscillation = stochastic.add(candle)
    if (oscillation !== null) {
      features.stochasticK[bar] = oscillation.stochK
      features.stochasticD[bar] = oscillation.stochD
    }
  }
  return features
}
