/**
 * Fits the readout on the first 80 % of the bars and judges it on the rest. Targets of window i, from its last close on: the sign of
 * the next day's return, that return in percent, the logarithm of the mean absolute return of the next five days in percent.
 */
import { type Bars, FIELD_COUNT } from '../replay/bars.js'
import { WINDOW_BARS } from '../replay/rolling-bars.js'
import { CELLS, features, type Network, OUTPUTS, type Readout } from './network.js'
import { mean, ridge } from './ridge.js'

const AHEAD = 5
const TRAIN_SHARE = 0.8
/** Every third window is learnt from: neighbours share 59 of their 60 bars. */
const STRIDE = 3
const LAMBDAS = [1e-4, 1e-3, 1e-2, 1e-1] as const

export interface Judgement {
  readonly trained: number
  readonly tested: number
  /** Share of test days whose direction was foreseen, and of those that went up. */
  readonly direction: number
  readonly up: number
  /** Explained variance on the test days, against the mean of the training days. */
  readonly returnR2: number
  readonly volatilityR2: number
  /** The same of the logarithm of the last twenty days' mean absolute return. */
  readonly trailingR2: number
}

export function fitReadout(network: Network, bars: Bars): { readout: Readout; judgement: Judgement } {
  const windows = bars.length - WINDOW_BARS - AHEAD + 1
  const split = Math.floor(TRAIN_SHARE * windows)
  const learnt = Array.from({ length: Math.ceil(split / STRIDE) }, (_, i) => STRIDE * i)
  // Targets look ahead: days between the two sets are in neither.
  const tests = Array.from({ length: windows - split - AHEAD }, (_, i) => split + AHEAD + i)
  const first = [...learnt, ...tests]
  const x = features(network, bars.values, first)
  const trained = learnt.length
  const targets = [direction, nextReturn, logVolatility].map((target) =>
    Float64Array.from(first, (i) => target(bars, i + WINDOW_BARS - 1)),
  )

  const means = Float64Array.from({ length: CELLS }, (_, c) => columnMean(x, c, trained))
  const centred = x.map((value, at) => value - (means[at % CELLS] as number))
  const weights = new Float32Array(CELLS * OUTPUTS.length)
  const bias = new Float32Array(OUTPUTS.length)
  targets.forEach((target, output) => {
    const level = mean(target.subarray(0, trained))
    const y = target.map((value) => value - level)
    const w = ridge({ rows: centred, d: CELLS, n: trained }, y, bestLambda(centred, y, trained))
    w.forEach((value, c) => {
      weights[c * OUTPUTS.length + output] = value
    })
    bias[output] = level - w.reduce((sum, value, c) => sum + value * (means[c] as number), 0)
  })

  const predicted = OUTPUTS.map((_, output) =>
    Float64Array.from(tests, (_, test) => {
      let sum = bias[output] as number
      for (let c = 0; c < CELLS; c++)
        sum += (x[(trained + test) * CELLS + c] as number) * (weights[c * OUTPUTS.length + output] as number)
      return sum
    }),
  )
  const [signs, returns, volatilities] = targets as [Float64Array, Float64Array, Float64Array]
  const [score, expected, volatility] = predicted as [Float64Array, Float64Array, Float64Array]
  const right = tests.filter(
    (_, test) => (score[test] as number) > 0 === (signs[trained + test] as number) > 0,
  )
  const trailing = Float64Array.from(tests, (i) => logAbsolute(bars, i + WINDOW_BARS - 20, 20))
  const against = (y: Float64Array, guess: Float64Array) =>
    explained(y.subarray(trained), guess, mean(y.subarray(0, trained)))
  return {
    readout: { weights, bias },
    judgement: {
      trained,
      tested: tests.length,
      direction: right.length / tests.length,
      up: tests.filter((_, test) => (signs[trained + test] as number) > 0).length / tests.length,
      returnR2: against(returns, expected),
      volatilityR2: against(volatilities, volatility),
      trailingR2: against(volatilities, trailing),
    },
  }
}

/** The penalty that does best on the last quarter of the training days, having seen the first three. */
function bestLambda(rows: Float64Array, y: Float64Array, trained: number): number {
  const n = Math.floor(0.75 * trained)
  const errors = LAMBDAS.map((lambda) => {
    const w = ridge({ rows, d: CELLS, n }, y, lambda)
    let error = 0
    for (let row = n + AHEAD; row < trained; row++) {
      let guess = 0
      for (let c = 0; c < CELLS; c++) guess += (rows[row * CELLS + c] as number) * (w[c] as number)
      error += ((y[row] as number) - guess) ** 2
    }
    return error
  })
  return LAMBDAS[errors.indexOf(Math.min(...errors))] as number
}

function explained(actual: Float64Array, guess: Float64Array, level: number): number {
  let error = 0
  let variance = 0
  actual.forEach((value, i) => {
    error += (value - (guess[i] as number)) ** 2
    variance += (value - level) ** 2
  })
  return 1 - error / variance
}

function columnMean(x: Float64Array, column: number, rows: number): number {
  let sum = 0
  for (let row = 0; row < rows; row++) sum += x[row * CELLS + column] as number
  return sum / rows
}

/** Percent, from the close of `bar` to the next. */
function nextReturn({ values }: Bars, bar: number): number {
  const close = (at: number): number => values[at * FIELD_COUNT + 3] as number
  return 100 * (close(bar + 1) / close(bar) - 1)
}

function direction(bars: Bars, bar: number): number {
  return nextReturn(bars, bar) > 0 ? 1 : -1
}

function logVolatility(bars: Bars, bar: number): number {
  return logAbsolute(bars, bar, AHEAD)
}

/** Logarithm of the mean absolute return over `days`, the first being the one after `bar`; 0.01 % at least. */
function logAbsolute(bars: Bars, bar: number, days: number): number {
  let sum = 0
  for (let day = 0; day < days; day++) sum += Math.abs(nextReturn(bars, bar + day))
  return Math.log(Math.max(0.01, sum / days))
}
