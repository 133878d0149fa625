/** The second stage of `npm start`, on few bars: the platform without a cache, with the original design, with hitpath. */
import { readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeModel, modelPath } from '../../bench/models/make-model.js'
import { CELLS, features, seededNetwork } from '../../bench/models/network.js'
import { FIELD_COUNT, loadBars } from '../../bench/replay/bars.js'
import { originalDesign, uncached } from '../../bench/replay/platform/baselines.js'
import { departures, figuresOf, type RunFigures } from '../../bench/replay/platform/figures.js'
import { hitpath } from '../../bench/replay/platform/hitpath.js'
import { writePage } from '../../bench/replay/platform/page.js'
import type { PlatformFactory } from '../../bench/replay/platform/platform.js'
import { type PlatformRun, playScript } from '../../bench/replay/platform/run.js'
import { createScript, STAGES } from '../../bench/replay/platform/script.js'
import { createUniverse, HISTORY } from '../../bench/replay/platform/universe.js'
import { loadSession } from '../../bench/replay/platform/work.js'
import { WINDOW_BARS } from '../../bench/replay/rolling-bars.js'
import { expectWellFormed } from '../support/html.js'

const SYMBOLS = 4
const STEPS = 6

const bars = loadBars()
const series = createUniverse(bars, SYMBOLS, STEPS)
const script = createScript(SYMBOLS, STEPS, 5)
const play = (create: PlatformFactory): Promise<PlatformRun> =>
  playScript(series, script, create, (version) => loadSession(modelPath(version)))

describe('the platform', () => {
  let runs: readonly [PlatformRun, PlatformRun, PlatformRun]
  let deaf: PlatformRun

  beforeAll(async () => {
    runs = [await play(uncached), await play(originalDesign), await play(hitpath({ events: true }))]
    deaf = await play(hitpath({ events: false }))
  }, 300_000)

  it('gets the same answers from all contenders, bit for bit', () => {
    const [reference, ...others] = runs
    expect(others.flatMap((run) => departures(reference, run))).toEqual([])
    expect(new Set(reference.digests).size).toBe(STAGES.length)
  })

  it('computes everything without a cache, and with one no window or row twice for one version of the model', () => {
    const [none, original, ours] = runs.map((run) => figuresOf(run, runs[0]))
    expect(none?.stages.map((stage) => stage.hitRatio)).toEqual([0, 0, 0, 0])
    expect(ours?.stages.map((stage) => stage.computed)).toEqual(
      original?.stages.map((stage) => stage.computed),
    )
    expect(ours?.modelRows).toBeLessThan(0.1 * (none?.modelRows ?? 0))
    // Both versions saw the newest windows and the longest lookback behind them.
    expect(ours?.modelRows).toBeLessThanOrEqual(2 * SYMBOLS * (STEPS + 32))
  })

  it('serves no signal of an older bar, and would without the invalidation', () => {
    expect(figuresOf(runs[2], runs[0]).staleSignals).toBe(0)
    expect(figuresOf(deaf, runs[0]).staleSignals).toBeGreaterThan(0)
    expect(departures(runs[0], deaf)).toEqual([expect.stringContaining('signals')])
  })

  it('swaps to the second version of the model, which answers otherwise', async () => {
    const stay: PlatformFactory = async (parts) => {
      const platform = await uncached({ ...parts, load: () => parts.load(1) })
      return platform
    }
    const first = await play(stay)
    expect(departures(runs[0], first).map((text) => text.match(/all (\S+)/)?.[1])).toEqual([
      'CNN+LSTM',
      'predictions',
      'signals',
    ])
  })

  it('draws a page that is well formed, whole in itself and names its machine', async () => {
    const page = await writePage({
      runs,
      deaf,
      figures: runs.map((run) => figuresOf(run, runs[0])) as [RunFigures, RunFigures, RunFigures],
      deafFigures: figuresOf(deaf, runs[0]),
      swapAt: script.swapAt,
      symbols: series.map(({ symbol }) => symbol),
      made: ['a machine with <2 cores> & more'],
    })
    expectWellFormed(page)
    expect(page.match(/<svg /g)?.length).toBe(10)
    expect(page).not.toMatch(/<script|<link|<img|url\(|NaN|undefined|Infinity/)
    expect([...page.matchAll(/https?:\/\/[^"\s]+/g)].map(([url]) => new URL(url).host)).toEqual(
      expect.not.arrayContaining([expect.not.stringMatching(/^www\.w3\.org$/)]),
    )
    expect(page).toContain('a machine with &lt;2 cores&gt; &amp; more')
  })
})

describe('the universe', () => {
  it('is made of real bars, in which no two symbols share a window', () => {
    const starts = new Set<number>()
    for (const { bars: own, symbol } of series) {
      const first = bars.values.findIndex((_, at) => at % FIELD_COUNT === 0 && matches(own, at))
      expect(first).toBeGreaterThanOrEqual(0)
      expect(symbol).toBe(`SPX-${bars.dates[first / FIELD_COUNT + HISTORY]?.slice(0, 4)}`)
      for (let bar = 0; bar + WINDOW_BARS <= own.length / FIELD_COUNT; bar++) {
        const at = first / FIELD_COUNT + bar
        expect(starts.has(at)).toBe(false)
        starts.add(at)
      }
    }
    expect(() => createUniverse(bars, 40, 200)).toThrow(/do not fit/)
  })

  function matches(own: Float64Array, at: number): boolean {
    return own.every((value, i) => value === bars.values[at + i])
  }
})

describe('the network', () => {
  it('is what the script writes, byte for byte, and better than a guess at volatility on bars that it never saw', () => {
    const { file, judgement } = makeModel(1, bars)
    expect(file.equals(readFileSync(modelPath(1)))).toBe(true)
    expect(judgement.volatilityR2).toBeGreaterThan(0.3)
  }, 600_000)

  it('gives rows that do not depend on their company, and the features that the script computed', async () => {
    const session = await InferenceSession.create(modelPath(2))
    const first = Array.from({ length: 40 }, (_, i) => 200 + 3 * i)
    const row = WINDOW_BARS * FIELD_COUNT
    const rows = Float32Array.from(
      first.flatMap((bar) => [...bars.values.subarray(bar * FIELD_COUNT, bar * FIELD_COUNT + row)]),
    )
    const run = async (from: number, to: number) => {
      const data = rows.slice(from * row, to * row)
      const answer = await session.run({
        bars: new Tensor('float32', data, [to - from, WINDOW_BARS, FIELD_COUNT]),
      })
      return answer as unknown as Record<'features' | 'prediction', { data: Float32Array; dims: number[] }>
    }
    const whole = await run(0, 40)
    expect([whole.features.dims, whole.prediction.dims]).toEqual([
      [40, CELLS],
      [40, 3],
    ])
    for (const size of [2, 3, 7, 20]) {
      const part = await run(11, 11 + size)
      expect(part.features.data).toEqual(whole.features.data.slice(11 * CELLS, (11 + size) * CELLS))
      expect(part.prediction.data).toEqual(whole.prediction.data.slice(11 * 3, (11 + size) * 3))
    }
    const expected = features(seededNetwork(2), bars.values, first)
    const off = expected.map((value, i) => Math.abs(value - (whole.features.data[i] ?? Number.NaN)))
    expect(Math.max(...off)).toBeLessThan(1e-4)
    await session.release()
  })
})
