/**
 * The consumers: five strategies that ask for overlapping windows of one market, each in its own layout and
 * rhythm, and act on the features that they get. Their outcomes are part of what all runs must agree on.
 */
import type { MarketFeatures } from './features.js'
import { PaperAccount } from './paper-account.js'
import { between, type Random } from './random.js'
import { WINDOW_BARS } from './rolling-bars.js'
import type { Moment, Outcome, Strategy } from './strategy.js'

/** The oldest window that anyone asks for, in bars back from the newest: two trading years. */
export const MAX_AGE = 500

/** Fresh strategies, with no position and no memory, in the order that a stream's `strategy` indexes. */
export function createStrategies(): Strategy[] {
  return [new Momentum(), new MeanReversion(), new Breakout(), new RiskMonitor(), new Dashboard()]
}

const LAST = WINDOW_BARS - 1

/** Follows the MACD histogram while the trend is strong; compares with windows a week and a month back. */
class Momentum implements Strategy {
  readonly name = 'momentum'
  readonly layout = 'view'
  readonly weight = 3
  readonly #account = new PaperAccount()
  #confirmations = 0

  chooseAge(random: Random): number {
    const draw = random()
    return draw < 0.6 ? 0 : draw < 0.8 ? 5 : 21
  }

  consume(features: MarketFeatures, { bar, age, close }: Moment): void {
    const histogram = features.macdHistogram[LAST]!
    if (age > 0) {
      this.#confirmations += histogram > 0 ? 1 : -1
      return
    }
    const trending = features.adx[LAST]! > 15 && features.rsi[LAST]! < 75
    const confirmed = histogram > 0 && this.#confirmations >= 0
    this.#account.hold(bar, close, trending && confirmed ? 1 : 0)
    this.#confirmations = 0
  }

  outcome(): Outcome {
    return this.#account.outcome(this.name)
  }
}

/** Buys below the lower Bollinger band, sells at the middle; re-reads the month in which it may have entered. */
class MeanReversion implements Strategy {
  readonly name = 'mean reversion'
  readonly layout = 'columns'
  readonly weight = 3
  readonly #account = new PaperAccount()
  #oversold = false

  chooseAge(random: Random): number {
    return random() < 0.5 ? 0 : between(random, 1, 30)
  }

  consume(features: MarketFeatures, { bar, age, close }: Moment): void {
    if (age > 0) {
      this.#oversold ||= features.rsi[LAST]! < 30
      return
    }
    const entry =
      close < features.bollingerLower[LAST]! || (this.#oversold && features.stochasticK[LAST]! < 20)
    const exit = close >= features.bollingerMiddle[LAST]!
    if (entry) this.#account.hold(bar, close, 1)
    else if (exit) this.#account.hold(bar, close, 0)
    else this.#account.hold(bar, close, this.#account.position)
    this.#oversold = false
  }

  outcome(): Outcome {
    return this.#account.outcome(this.name)
  }
}

/** Goes with a new 20-bar high or low of the Donchian channel when volume agrees; looks back a few bars. */
class Breakout implements Strategy {
  readonly name = 'breakout'
  readonly layout = 'ndarray'
  readonly weight = 3
  readonly #account = new PaperAccount()

  chooseAge(random: Random): number {
    return random() < 0.7 ? 0 : between(random, 1, 5)
  }

  consume(features: MarketFeatures, { bar, age, close }: Moment): void {
    if (age > 0) return
    const bought = features.obv[LAST]! > features.obv[LAST - 5]!
    const above = close > features.donchianUpper[LAST - 1]! && bought
    const below = close < features.donchianLower[LAST - 1]! && !bought
    this.#account.hold(bar, close, above ? 1 : below ? -1 : this.#account.position)
  }

  outcome(): Outcome {
    return this.#account.outcome(this.name)
  }
}

/** Watches volatility now, and samples the last two years for stress; keeps copies of what it looks at. */
class RiskMonitor implements Strategy {
  readonly name = 'risk monitor'
  readonly layout = 'copy'
  readonly weight = 4
  #alerts = 0
  #worst = 0

  chooseAge(random: Random): number {
    return random() < 0.7 ? between(random, 0, 4) : between(random, 0, MAX_AGE)
  }

  consume(features: MarketFeatures): void {
    const range = features.atr[LAST]! / features.ema[LAST]!
    if (range > 0.03) this.#alerts++
    this.#worst = Math.max(this.#worst, range)
  }

  outcome(): Outcome {
    return {
      strategy: this.name,
      signals: this.#alerts,
      measure: 'widest range, % of price',
      value: 100 * this.#worst,
    }
  }
}

/** Redraws the last dozen windows for everyone who looks at it. */
class Dashboard implements Strategy {
  readonly name = 'dashboard'
  readonly layout = 'view'
  readonly weight = 7
  #panels = 0
  #rsiTotal = 0

  chooseAge(random: Random): number {
    return between(random, 0, 11)
  }

  consume(features: MarketFeatures): void {
    this.#panels++
    this.#rsiTotal += features.rsi[LAST]!
  }

  outcome(): Outcome {
    const mean = this.#panels === 0 ? 0 : this.#rsiTotal / this.#panels
    return { strategy: this.name, signals: this.#panels, measure: 'mean RSI shown', value: mean }
  }
}
