/**
 * A hit by a whole ndarray: a market window of 60 bars by 5 or 10 features, float64, its buffer reused.
 *
 * The peers are what a user can assemble: md5 of the bytes into a Map (the original design), and xxhash-wasm's
 * `h64Raw` into lru-cache, its BigInt being the key. They are handed their byte views ready made. Sixty-four windows
 * are asked for in turn, 150 to 300 KB: in the second-level cache, as windows just computed are.
 */
import { hash } from 'node:crypto'
import { LocalCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import xxhash from 'xxhash-wasm'
import type { Contender } from '../harness/contender.js'
import { Random } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { type TimedSubject, timed } from '../harness/timed.js'

const TTL_MS = 3_600_000
const BARS = 60
const WINDOWS = 64
const PASSES = 4

interface Window {
  readonly data: Float64Array
  readonly shape: readonly [number, number]
  readonly bytes: Uint8Array
}

function marketWindows(features: number): readonly Window[] {
  const random = new Random(7)
  return Array.from({ length: WINDOWS }, () => {
    const data = Float64Array.from({ length: BARS * features }, () => 100 + random.below(100_000) / 1_000)
    return { data, shape: [BARS, features], bytes: new Uint8Array(data.buffer) }
  })
}

function hitpath(features: number): Contender {
  const windows = marketWindows(features)
  const arrays = windows.map(({ data, shape }) => ({ data, shape }))
  const cache = new LocalCache<number>({ maxEntries: WINDOWS, ttl: TTL_MS })
  for (const [id, array] of arrays.entries()) cache.set(array, id)
  return passes((id) => cache.get(arrays[id]!))
}

async function xxhashLru(features: number): Promise<Contender> {
  const { h64Raw } = await xxhash()
  const windows = marketWindows(features)
  const cache = new LRUCache<bigint, number>({ max: WINDOWS, ttl: TTL_MS })
  for (const [id, { bytes }] of windows.entries()) cache.set(h64Raw(bytes), id)
  return passes((id) => cache.get(h64Raw(windows[id]!.bytes)))
}

function md5Map(features: number): Contender {
  const windows = marketWindows(features)
  const digest = (bytes: Uint8Array): string => hash('md5', bytes, 'hex')
  const cache = new Map<string, number>()
  for (const [id, { bytes }] of windows.entries()) cache.set(digest(bytes), id)
  return passes((id) => cache.get(digest(windows[id]!.bytes)))
}

/** Asks for all windows, some times over. */
function passes(ask: (id: number) => number | undefined): Contender {
  let next = 0
  return {
    operations: WINDOWS * PASSES,
    batch() {
      let right = 0
      for (let pass = 0; pass < PASSES; pass++) {
        for (let id = 0; id < WINDOWS; id++) if (ask(id) === id) right++
      }
      return right
    },
    one() {
      const id = next
      next = (id + 1) % WINDOWS
      return ask(id) === id ? 1 : 0
    },
  }
}

const hit = (features: number): TimedSubject =>
  timed({
    id: `array-60x${features}`,
    title: `LocalCache.get by a [60, ${features}] float64 ndarray`,
    module: import.meta.url,
    contenders: {
      hitpath: () => hitpath(features),
      'xxhash-wasm + lru-cache': () => xxhashLru(features),
      'md5 + Map': () => md5Map(features),
    },
  })

export const suite: Suite = {
  id: 'array-keys',
  title: 'A hit by an ndarray',
  subjects: [hit(5), hit(10)],
}
