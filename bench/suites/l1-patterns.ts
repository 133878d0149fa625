/**
 * A cache that is smaller than what is asked for: a get, and after a miss a set, so that reads, evictions and what the policy
 * chose to keep are one price. Zipf, uniform, Zipf with sequential passes, and a recorded trace.
 *
 * Keys are built for the call. No ttl, so that every peer that evicts takes part. A miss costs nothing but the set here, which is in
 * favour of the cache that misses more; hit ratios stand beside the times.
 */
import { field, type Store } from '../contenders/l1.js'
import type { Contender } from '../harness/contender.js'
import { keySpace } from '../harness/keys.js'
import { uniform, zipf, zipfWithScans } from '../harness/streams.js'
import type { Run, Suite } from '../harness/subject.js'
import { type TimedSubject, timed } from '../harness/timed.js'
import { readTrace, tracesAbsent } from '../hit-ratio/traces.js'

const BATCH = 1_000
const REQUESTS = 400_000
const CAPACITY = 10_000
const KEYS = 100_000
const TRACE = 'web12'
const TRACE_CAPACITY = 1_376
const module = import.meta.url

interface Pattern {
  readonly ids: Uint32Array
  readonly keys: number
  readonly capacity: number
}

function replaying({ ids, keys, capacity }: Pattern, make: (entries: number) => Store): Contender {
  const cache = make(capacity)
  const { symbols, windows, symbolOf, windowOf } = keySpace(keys)
  const last = ids.length - BATCH
  let at = 0
  let hits = 0
  let reads = 0
  const ask = (id: number): number => {
    const key = `features:${symbols[symbolOf[id]!]}:${windows[windowOf[id]!]}`
    const value = cache.get(key)
    if (value === undefined) {
      cache.set(key, id)
      return 1
    }
    hits++
    return value === id ? 1 : 0
  }
  return {
    operations: BATCH,
    batch() {
      let right = 0
      const end = at + BATCH
      for (let i = at; i < end; i++) right += ask(ids[i]!)
      at = end > last ? 0 : end
      reads += BATCH
      return right
    },
    one() {
      const i = at
      at = i >= last ? 0 : i + 1
      reads++
      return ask(ids[i]!)
    },
    hitRatio: () => hits / reads,
  }
}

const pattern = (
  id: string,
  title: string,
  make: () => Pattern,
  unless?: (run: Run) => string | undefined,
): TimedSubject =>
  timed({
    id,
    title,
    module,
    statistic: 'mean',
    ...(unless && { unless }),
    ...field({ ttlMs: undefined, evicting: true }, (construct) => () => replaying(make(), construct)),
  })

const synthetic = (ids: () => Uint32Array) => (): Pattern => ({
  ids: ids(),
  keys: KEYS,
  capacity: CAPACITY,
})

export const suite: Suite = {
  id: 'l1-patterns',
  title: 'Get, and set after a miss, in a cache too small for all',
  subjects: [
    pattern(
      'pattern-zipf',
      'LocalCache, Zipf 0.99 over 100,000 keys, 10,000 entries',
      synthetic(() => zipf(REQUESTS, KEYS, 0.99, 11)),
    ),
    pattern(
      'pattern-uniform',
      'LocalCache, uniform over 100,000 keys, 10,000 entries',
      synthetic(() => uniform(REQUESTS, KEYS, 12)),
    ),
    pattern(
      'pattern-scan',
      'LocalCache, Zipf 0.99 with sequential passes, 10,000 entries',
      synthetic(() => zipfWithScans(REQUESTS, KEYS, { skew: 0.99, every: 50_000, length: 20_000, seed: 13 })),
    ),
    pattern(
      'pattern-trace',
      `LocalCache, the recorded trace ${TRACE}, 1,376 entries`,
      () => {
        const ids = readTrace(process.env['HITPATH_TRACES']!, TRACE)
        return { ids, keys: 13_756, capacity: TRACE_CAPACITY }
      },
      ({ tracesDir }) => tracesAbsent(tracesDir),
    ),
  ],
}
