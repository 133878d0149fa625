/**
 * One run: the stream's requests in order against one contender. Only the call of `extract` is timed, by two
 * readings of the same clock around it into a preallocated array; taking the window, deciding, collecting the
 * evidence and drawing progress happen between, equally in every run.
 *
 * A request is a miss when the extraction ran during it, whatever the contender thinks.
 */
import type { Bars } from './bars.js'
import { FIELD_COUNT } from './bars.js'
import type { Clock, ContenderFactory } from './contenders.js'
import { type Extract, extractFeatures } from './features.js'
import { RollingBars, WINDOW_BARS } from './rolling-bars.js'
import { createStrategies, MAX_AGE } from './strategies.js'
import type { Outcome } from './strategy.js'
import type { RequestStream } from './stream.js'
import { type Evidence, EvidenceCollector } from './verification.js'

export interface Run {
  readonly name: string
  readonly requests: number
  /** Of request `i`, in milliseconds, one reading of the timer included. */
  readonly latencyMs: Float64Array
  /** 1 where request `i` was computed. */
  readonly missed: Uint8Array
  readonly evidence: Evidence
  readonly outcomes: readonly Outcome[]
}

export interface ReplayOptions {
  /** What the contender takes for time; its own default unless a test moves it. */
  readonly clock?: Clock
  /** Called before every request. */
  readonly onRequest?: (request: number) => void
  /** Replaces the extraction, to count or to disturb it. */
  readonly extract?: Extract
}

export function replay(
  bars: Bars,
  stream: RequestStream,
  createContender: ContenderFactory,
  options: ReplayOptions = {},
): Run {
  const { onRequest, extract = extractFeatures } = options
  let computed = 0
  const contender = createContender((window) => {
    computed++
    return extract(window)
  }, options.clock)
  const market = new RollingBars(bars, MAX_AGE + WINDOW_BARS)
  const strategies = createStrategies()
  const collector = new EvidenceCollector(stream.length)
  const latencyMs = new Float64Array(stream.length)
  const missed = new Uint8Array(stream.length)

  for (let request = 0; request < stream.length; request++) {
    onRequest?.(request)
    const bar = stream.bar[request]!
    const end = stream.end[request]!
    const strategy = strategies[stream.strategy[request]!]!
    market.advanceTo(bar)
    const window = market.window(end, strategy.layout)
    const before = computed

    const start = performance.now()
    const features = contender.extract(window)
    latencyMs[request] = performance.now() - start

    missed[request] = computed - before
    strategy.consume(features, { bar, age: bar - end, close: bars.values[bar * FIELD_COUNT + 3]! })
    collector.add(request, features)
  }
  contender.close()
  return {
    name: contender.name,
    requests: stream.length,
    latencyMs,
    missed,
    evidence: collector.finish(),
    outcomes: strategies.map((strategy) => strategy.outcome()),
  }
}
