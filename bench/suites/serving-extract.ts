/**
 * A hit of CachedFeatureExtractor against the extraction that it saves: the nine indicators of the replay over windows of 60 real bars,
 * strided views of one growing buffer, as strategies hold them. The tiers stand beside for information: their first tier answers, with
 * a promise.
 */
import { CachedFeatureExtractor, LocalCache, TieredCache } from 'hitpath'
import type { Contender } from '../harness/contender.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'
import { loadBars } from '../replay/bars.js'
import { extractFeatures, FEATURE_PARAMS, type MarketFeatures } from '../replay/features.js'
import { type BarWindow, RollingBars, WINDOW_BARS } from '../replay/rolling-bars.js'

const WINDOWS = 64
const PASSES = 16
const LAST = WINDOW_BARS - 1

const identity = { name: 'technical', version: 1, params: FEATURE_PARAMS, ttl: '1h' } as const

interface Asked {
  readonly window: BarWindow
  /** What its features must say. */
  readonly rsi: number
}

/** Two in three lie row by row, one column by column. */
function windows(): readonly Asked[] {
  const market = new RollingBars(loadBars(), WINDOW_BARS + WINDOWS)
  market.advanceTo(WINDOW_BARS + WINDOWS - 2)
  return Array.from({ length: WINDOWS }, (_, i) => {
    const window = market.window(WINDOW_BARS - 1 + i, i % 3 === 2 ? 'columns' : 'view')
    return { window, rsi: extractFeatures(window).rsi[LAST]! }
  })
}

function itself(): Contender {
  const asked = windows()
  return {
    operations: WINDOWS,
    batch: () => asked.filter(({ window, rsi }) => extractFeatures(window).rsi[LAST] === rsi).length,
  }
}

function overL1(): Contender {
  const asked = windows()
  const cache = new LocalCache<MarketFeatures>({ maxEntries: 2 * WINDOWS })
  const extractor = new CachedFeatureExtractor({ ...identity, cache, extract: extractFeatures })
  for (const { window } of asked) extractor.extract(window)
  return {
    operations: WINDOWS * PASSES,
    batch() {
      let right = 0
      for (let pass = 0; pass < PASSES; pass++)
        for (const { window, rsi } of asked) if (extractor.extract(window).rsi[LAST] === rsi) right++
      return right
    },
    after: () => onlyHits(extractor.stats().misses),
  }
}

async function overTiers(): Promise<Contender> {
  const asked = windows()
  const cache = new TieredCache<MarketFeatures>({
    l1: new LocalCache({ maxEntries: 2 * WINDOWS }),
  })
  const extractor = new CachedFeatureExtractor<MarketFeatures, BarWindow>({
    ...identity,
    cache,
    extract: extractFeatures,
  })
  for (const { window } of asked) await extractor.extract(window)
  return {
    operations: WINDOWS * PASSES,
    async batch() {
      let right = 0
      for (let pass = 0; pass < PASSES; pass++)
        for (const { window, rsi } of asked) if ((await extractor.extract(window)).rsi[LAST] === rsi) right++
      return right
    },
    after: () => onlyHits(extractor.stats().misses),
  }
}

function onlyHits(misses: number): void {
  if (misses !== WINDOWS) throw new Error(`${misses} extractions for ${WINDOWS} windows`)
}

export const suite: Suite = {
  id: 'serving-extract',
  title: 'Features from a cache',
  subjects: [
    timed({
      id: 'extract-hit',
      title: 'CachedFeatureExtractor.extract, a hit by a window of 60 bars',
      module: import.meta.url,
      contenders: {
        hitpath: overL1,
        'hitpath, tiers': overTiers,
        'the extraction': itself,
      },
    }),
  ],
}
