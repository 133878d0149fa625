/**
 * Replay with a synthetic ttl. No recorded trace here has ttls, so each key is dealt one: a cluster of the published statistics of
 * Twitter's caches (Yang et al., OSDI'20), all alike, and a ttl of its mix. The trace is stretched over a day; the
 * clocks of the caches are set by it. It shows how caches treat entries that die on the way, and is not a recording.
 */
import { LocalCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import { Random } from '../harness/random.js'
import { parseTtl, readTrace, readTtlMixes } from './traces.js'

const DAY_MS = 86_400_000
/** Caches round deadlines to their ticks. */
const TICK_MS = 16

export const SYNTHETIC_NOTE =
  'Synthetic ttl: each key is dealt one from the published mixes of 53 Twitter clusters, and the trace is stretched over a day.'

interface Cache {
  get(id: number): number | undefined
  set(id: number, deadline: number, ttlMs: number): void
}

let nowMs = 1
const clock = { now: () => nowMs }

const caches: Readonly<Record<string, (entries: number) => Cache>> = {
  hitpath(maxEntries) {
    const cache = new LocalCache<number>({ maxEntries, clock })
    return { get: (id) => cache.get(id), set: (id, deadline, ttl) => cache.set(id, deadline, { ttl }) }
  },
  'lru-cache'(max) {
    const cache = new LRUCache<number, number>({ max, ttlResolution: 0, perf: clock })
    return {
      get: (id) => cache.get(id),
      set: (id, deadline, ttl) => {
        cache.set(id, deadline, { ttl })
      },
    }
  },
}

export const TTL_CACHES = Object.keys(caches)

/** Runs in a child: the share of requests that hit, 0 to 1, of a cache for each of `shares` of the trace's keys. */
export function replayWithTtl(
  folder: string,
  trace: string,
  name: string,
  shares: readonly number[],
): readonly number[] {
  const ids = readTrace(folder, trace)
  const keys = ids.reduce((most, id) => Math.max(most, id), 0) + 1
  const ttls = dealTtls(folder, keys)
  return shares.map((share) => {
    nowMs = 1
    return replay(name, ids, ttls, caches[name]!(Math.max(1, Math.round(keys * share))))
  })
}

function replay(name: string, ids: Uint32Array, ttls: Float64Array, cache: Cache): number {
  let hits = 0
  for (let at = 0; at < ids.length; at++) {
    nowMs = 1 + (at / ids.length) * DAY_MS
    const id = ids[at]!
    const deadline = cache.get(id)
    if (deadline === undefined) cache.set(id, nowMs + ttls[id]!, ttls[id]!)
    else if (deadline + TICK_MS < nowMs) throw new Error(`${name} served an entry after its deadline`)
    else hits++
  }
  return hits / ids.length
}

function dealTtls(folder: string, keys: number): Float64Array {
  const mixes = readTtlMixes(folder).map((mix) =>
    Object.entries(mix).map(([ttl, share]) => ({ ms: parseTtl(ttl), share })),
  )
  const random = new Random(31)
  return Float64Array.from({ length: keys }, () => {
    const mix = mixes[random.below(mixes.length)]!
    let left = random.below(1_000_000) / 1_000_000
    for (const { ms, share } of mix) {
      left -= share
      if (left <= 0) return ms
    }
    return mix[mix.length - 1]!.ms
  })
}
