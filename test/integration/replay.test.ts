import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FIELD_COUNT, loadBars, parseBars } from '../../bench/replay/bars.js'
import {
  type ContenderFactory,
  cachedExtractor,
  MAX_ENTRIES,
  noCache,
  originalDesign,
  TTL_MS,
} from '../../bench/replay/contenders.js'
import { extractFeatures, type MarketFeatures } from '../../bench/replay/features.js'
import { hitpathLocal, hitpathShared } from '../../bench/replay/hitpath-contenders.js'
import { parseOptions } from '../../bench/replay/options.js'
import { replay } from '../../bench/replay/replay.js'
import { differences, figuresOf, table } from '../../bench/replay/report.js'
import { type Layout, RollingBars, WINDOW_BARS } from '../../bench/replay/rolling-bars.js'
import { createStrategies } from '../../bench/replay/strategies.js'
import { createStream, type RequestStream } from '../../bench/replay/stream.js'
import { FakeFeatureCache } from '../unit/serving/fake-feature-cache.js'

const REQUESTS = 4000
/** Moves stream time far enough that windows read again after 60 bars have expired. */
const MS_PER_BAR = 1000

const bars = loadBars()
const stream = createStream(bars, createStrategies(), REQUESTS, 7)

function replayInStreamTime(create: ContenderFactory, extract = extractFeatures) {
  const clock = { ms: 0, now: () => clock.ms }
  const onRequest = (request: number) => {
    clock.ms = streamTimeMs(stream, request)
  }
  return replay(bars, stream, create, { clock, onRequest, extract })
}

function streamTimeMs(of: RequestStream, request: number): number {
  return of.bar[request]! * MS_PER_BAR
}

/** Which requests must be computed, by nothing but a Map from a window's last bar to its deadline. */
function expectedMisses(of: RequestStream): number[] {
  const deadlines = new Map<number, number>()
  return Array.from({ length: of.length }, (_, request) => {
    const nowMs = streamTimeMs(of, request)
    const end = of.end[request]!
    if (nowMs <= (deadlines.get(end) ?? Number.NEGATIVE_INFINITY)) return 0
    deadlines.set(end, nowMs + TTL_MS)
    return 1
  })
}

const fakeCache: ContenderFactory = (extract, clock) => {
  const cache = new FakeFeatureCache<MarketFeatures>({ maxEntries: MAX_ENTRIES, clock })
  return cachedExtractor('fake', cache, extract)
}

describe('market replay', () => {
  const reference = replayInStreamTime(noCache)
  const contenders: [string, ContenderFactory][] = [
    ['md5 and a TTL map', originalDesign],
    ['the extractor over an obvious cache', fakeCache],
    ['the extractor over a LocalCache', hitpathLocal],
    ['the extractor over a SharedCache', hitpathShared],
  ]

  it('computes every request when there is no cache', () => {
    expect(figuresOf(reference)).toMatchObject({ requests: REQUESTS, hitRatio: 0, hitUs: undefined })
  })

  it.each(contenders)('gets identical features and outcomes from %s', (_, create) => {
    expect(differences(reference, replayInStreamTime(create))).toEqual([])
  })

  it.each(contenders)('misses exactly where an obvious model misses: %s', (_, create) => {
    const run = replayInStreamTime(create)
    const expected = expectedMisses(stream)
    expect([...run.missed]).toEqual(expected)

    const misses = expected.reduce((sum, miss) => sum + miss, 0)
    expect(figuresOf(run).hitRatio).toBeCloseTo(1 - misses / REQUESTS, 12)
    expect(misses).toBeGreaterThan(new Set(stream.end).size)
  })

  it('is used: every trading strategy trades', () => {
    const traded = reference.outcomes.filter((outcome) => outcome.measure.startsWith('paper return'))
    expect(traded.map((outcome) => outcome.signals > 0)).toEqual([true, true, true])
  })

  it('notices one wrong bit in one answer', () => {
    let calls = 0
    const spoilt = replayInStreamTime(noCache, (window) => {
      const features = extractFeatures(window)
      if (++calls === 1001) features.obv[30] = -features.obv[30]!
      return features
    })
    const found = differences(reference, spoilt)
    expect(found).toContainEqual(expect.stringContaining('digest'))
    expect(found).toContainEqual(expect.stringMatching(/request 1000: obv\[30\] is/))
  })

  it('prints a row for each run', () => {
    const figures = [reference, replayInStreamTime(originalDesign)].map(figuresOf)
    const [header, , none, original] = table(figures).split('\n')
    expect(header).toMatch(/requests\/s +hit ratio +p50 +p99 +p99\.9 +a hit +a miss/)
    expect(none).toMatch(/^no cache +[\d,]+ +0\.00 % .* 1\.0 × +-$/)
    expect(original).toMatch(/^md5 \+ TTL map +[\d,]+ +9\d\.\d\d % .* × +1\.000$/)
  })
})

describe('npm start', () => {
  it('prints the table, writes the figures and ends with 0 when all features are identical', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hitpath-replay-'))
    const jsonFile = join(folder, 'replay.json')
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const pageFile = join(folder, 'page', 'platform.html')
    const options = ['--requests', '400', '--bars', '2', '--json', jsonFile, '--page', pageFile]
    const script = ['--import', 'tsx', 'bench/replay/main.ts', ...options]

    const { status, stdout, stderr } = spawnSync(process.execPath, script, { cwd: root, encoding: 'utf8' })
    const result: unknown = JSON.parse(readFileSync(jsonFile, 'utf8'))
    const page = readFileSync(pageFile, 'utf8')
    rmSync(folder, { recursive: true })

    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('done') })
    expect(stdout).toContain('400 requests for 20 distinct windows')
    expect(stdout).toContain('All 4 runs gave identical features')
    expect(stdout).toContain('All answers are equal, bit for bit.')
    expect(page).toContain('A trading platform, replayed with and without a cache')
    expect(result).toMatchObject({
      platform: { identical: true, runs: [{ name: 'no cache' }, {}, { name: 'hitpath', staleSignals: 0 }] },
      requests: 400,
      identical: true,
      runs: [{ hitRatio: 0 }, { hitRatio: 0.95 }, { hitRatio: 0.95 }, { hitRatio: 0.95 }],
    })
  })
})

describe('the request stream', () => {
  it('is the same for the same seed and another for another', () => {
    expect(createStream(bars, createStrategies(), REQUESTS, 7)).toEqual(stream)
    expect(createStream(bars, createStrategies(), REQUESTS, 8).end).not.toEqual(stream.end)
  })

  it('begins each bar with its newest window and never looks ahead', () => {
    const newest = new Set<number>()
    stream.bar.forEach((bar, request) => {
      if (!newest.has(bar)) expect(stream.end[request]).toBe(bar)
      newest.add(bar)
      expect(stream.end[request]).toBeLessThanOrEqual(bar)
      expect(stream.end[request]).toBeGreaterThanOrEqual(WINDOW_BARS - 1)
    })
    expect(newest.size).toBe(REQUESTS / 20)
  })
})

describe('bars and windows', () => {
  it('are the real market, with the same 60 bars in every layout, wherever the buffer has moved them', () => {
    const market = new RollingBars(bars, 100)
    const layouts: Layout[] = ['view', 'ndarray', 'columns', 'copy']
    for (let bar = 99; bar < bars.length; bar += 37) {
      market.advanceTo(bar)
      const end = bar - (bar % 41)
      const expected = [
        ...bars.values.subarray((end - WINDOW_BARS + 1) * FIELD_COUNT, (end + 1) * FIELD_COUNT),
      ]
      for (const layout of layouts) expect(elementsOf(market.window(end, layout))).toEqual(expected)
    }
  })

  it('are not given out before they arrive or after they left', () => {
    const market = new RollingBars(bars, 100)
    market.advanceTo(1000)
    expect(() => market.window(1001, 'view')).toThrow(RangeError)
    expect(() => market.window(700, 'view')).toThrow(RangeError)
  })

  it.each([
    ['a missing column', 'date,open,high,low,close\n2000-01-03,1,1,1,1'],
    ['a hole', 'date,open,high,low,close,volume\n2000-01-03,1,1,1,,1'],
    ['dates that go back', 'date,open,high,low,close,volume\n2000-01-04,1,1,1,1,1\n2000-01-03,1,1,1,1,1'],
  ])('are refused with %s', (_, csv) => {
    expect(() => parseBars(csv)).toThrow(/^bars: /)
  })
})

describe('the command line', () => {
  it('has defaults', () => {
    expect(parseOptions([], 100)).toEqual({
      requests: 100,
      seed: 1,
      jsonFile: undefined,
      steps: 60,
      pageFile: expect.stringMatching(/bench.results.platform\.html$/),
    })
  })

  it('is read', () => {
    const args = ['--requests', '500', '--seed=3', '--json', 'out.json', '--bars', '9', '--page=/tmp/x.html']
    expect(parseOptions(args, 100)).toEqual({
      requests: 500,
      seed: 3,
      jsonFile: 'out.json',
      steps: 9,
      pageFile: '/tmp/x.html',
    })
  })

  it.each([['--requests=0'], ['--requests=many'], ['--seed=-1'], ['--bars=251'], ['--cache=none']])(
    'refuses %s with a sentence',
    (argument) => {
      expect(() => parseOptions([argument], 100)).toThrow(/--?(requests|seed|bars|cache)/)
    },
  )
})

function elementsOf({ data, shape, stride, offset }: ReturnType<RollingBars['window']>): number[] {
  const [rows = 0, columns = 0] = shape
  const [rowStride = 0, columnStride = 0] = stride
  return Array.from({ length: rows * columns }, (_, index) => {
    const row = Math.floor(index / columns)
    return data[offset + row * rowStride + (index % columns) * columnStride]!
  })
}
