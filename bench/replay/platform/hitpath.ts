/** The platform on hitpath: types with a partition each, predictions by the row, leased models, and bars that invalidate by tags. */
import type { InferenceSession } from 'onnxruntime-node'
import {
  CachedFeatureExtractor,
  LocalCache,
  MarketEventInvalidator,
  ModelCache,
  type ModelLease,
  PredictionCache,
  SharedCache,
  TypedCaches,
} from '../../../src/index.js'
import { TTL_MS } from '../contenders.js'
import { FEATURE_PARAMS, FEATURES_NAME, FEATURES_VERSION, type MarketFeatures } from '../features.js'
import type { BarWindow } from '../rolling-bars.js'
import { makeSignal, type Parts, type Platform } from './platform.js'
import { CONSUMERS } from './script.js'
import type { NetworkWindow } from './universe.js'
import { PREDICTION_WIDTH } from './work.js'

/** What the network makes of a window. */
interface State {
  readonly state: Float32Array
}

const MODEL = 'cnn-lstm'
const MAX_ENTRIES = 40_000
const ROWS_BYTES = 64 * 2 ** 20

/** `events: false` leaves the invalidation out, to show what it is for. */
export function hitpath({ events }: { readonly events: boolean }): (parts: Parts) => Promise<Platform> {
  return (parts) => create(parts, events)
}

async function create(parts: Parts, events: boolean): Promise<Platform> {
  const { market, work, load } = parts
  const caches = new TypedCaches({ maxEntries: MAX_ENTRIES, namespace: 'platform' })
  const rows = SharedCache.create({ maxBytes: ROWS_BYTES, maxEntries: MAX_ENTRIES })
  const models = new ModelCache<InferenceSession>()
  const signals = caches.of<Float64Array>('predictions')
  const invalidator = new MarketEventInvalidator({
    caches: [signals],
    dependencies: { 'symbol:{symbol}': ['signal:{symbol}'] },
  })
  // Asked for most, and at once: the first tier alone. What the network makes comes with promises, and could be shared by a second tier.
  const local = new LocalCache<MarketFeatures>({ maxEntries: MAX_ENTRIES })
  const technical = new CachedFeatureExtractor<MarketFeatures, BarWindow>({
    cache: local,
    name: FEATURES_NAME,
    version: FEATURES_VERSION,
    params: FEATURE_PARAMS,
    ttl: TTL_MS,
    extract: (window) => work.technical(window),
  })
  let serving = await serve(1)
  let warm: Promise<ModelLease<InferenceSession>> | undefined

  /** What is made with one version of the model, which its keys name: so it must be that version, whatever was swapped in. */
  async function serve(version: 1 | 2) {
    const loader = () => load(version)
    ;(await models.lease(MODEL, version, loader)).release()
    const network = new CachedFeatureExtractor<State, NetworkWindow>({
      cache: caches.of<State>('cnnLstmFeatures'),
      name: MODEL,
      version,
      extract: async (window) => ({
        state: await models.use(MODEL, version, loader, (session) => work.network(session, window), {
          exact: true,
        }),
      }),
    })
    const predictions = new PredictionCache({
      name: MODEL,
      version,
      outputs: PREDICTION_WIDTH,
      cache: rows,
      model: async ({ data, shape: [n = 0, width = 0] }) => ({
        data: await models.use(
          MODEL,
          version,
          loader,
          (session) => work.predict(session, { data: data as Float32Array, shape: [n, width] }),
          { exact: true },
        ),
        shape: [n, PREDICTION_WIDTH],
      }),
    })
    return { network, predictions }
  }

  const platform: Platform = {
    name: events ? 'hitpath' : 'hitpath without events',
    technical: (window) => technical.extract(window),
    network: async (window) => (await serving.network.extract(window)).state,
    predict: async (batch) => (await serving.predictions.predict(batch)).data as Float32Array,
    signal: async (symbol, consumer) => {
      const name = market.series[symbol]?.symbol
      const key = `signals:${CONSUMERS[consumer]?.name}:${name}`
      const known = signals.getSync(key)
      if (known !== undefined) return known
      const tags = [`signal:${name}`, `model:${MODEL}`]
      const make = () => makeSignal(platform, parts, symbol, consumer)
      return (await signals.getOrSet(key, make, { tags })) as Float64Array
    },
    bar: (symbol) =>
      events ? invalidator.handle({ symbol: market.series[symbol]?.symbol ?? '' }) : undefined,
    prepareSwap() {
      warm = models.lease(MODEL, 2, () => load(2))
    },
    async swap() {
      const lease = await warm
      await models.swap(MODEL, 2, () => load(2))
      lease?.release()
      serving = await serve(2)
      await signals.invalidateTag(`model:${MODEL}`)
    },
    held() {
      return { entries: rows.size + local.size + entriesOf(caches), offHeapBytes: rows.stats().usedBytes }
    },
    notes() {
      const { loads, swaps, disposed, leases } = models.stats()
      return [`models: ${loads} loads, ${swaps} swap, ${disposed} disposed, ${leases} leases open`]
    },
    async close() {
      await invalidator.close()
      await caches.close()
      local.close()
      rows.close()
      await models.close()
    },
  }
  return platform
}

function entriesOf(caches: TypedCaches): number {
  return Object.values(caches.stats()).reduce((sum, { l1 }) => sum + l1.entries, 0)
}
