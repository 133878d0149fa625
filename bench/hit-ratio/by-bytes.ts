/**
 * Replay by bytes: the one recorded trace with sizes, into caches that are bounded by bytes. A get, and after a miss a set of a
 * value of the request's size. Sizes are an eighth of the recorded ones, so that a quarter of all bytes fits this machine's memory.
 *
 * hitpath's bound is that of its region, keys, headers and rounding included; the others count the bytes of values alone, in
 * their favour. lru-cache is exact LRU; FIFO is a Map.
 */
import { SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import { readSizes, readTrace } from './traces.js'

export const TRACE = 'cloudphysics-io'
const SCALE = 8

export interface ByBytes {
  /** 0 .. 1, of requests. */
  readonly requests: number
  /** 0 .. 1, of the bytes asked for. */
  readonly bytes: number
}

interface Cache {
  has(id: number): boolean
  add(id: number, bytes: number): void
}

const caches: Readonly<Record<string, (maxBytes: number, largest: number) => Cache>> = {
  hitpath(maxBytes, largest) {
    const scratch = new Uint8Array(largest)
    const out = new Uint8Array(largest)
    const cache = SharedCache.create<Uint8Array>({ maxBytes, maxEntries: 65_536 })
    return {
      // Views would pin their bytes until they are collected, which a loop that never ends its turn does not see.
      has: (id) => cache.getInto(id, out),
      add: (id, bytes) => {
        cache.set(id, scratch.subarray(0, bytes))
      },
    }
  },
  'lru-cache'(maxSize) {
    const cache = new LRUCache<number, number>({ maxSize, sizeCalculation: (bytes) => bytes })
    return { has: (id) => cache.get(id) !== undefined, add: (id, bytes) => cache.set(id, bytes) }
  },
  FIFO(maxBytes) {
    const sizes = new Map<number, number>()
    let held = 0
    return {
      has: (id) => sizes.has(id),
      add(id, bytes) {
        sizes.set(id, bytes)
        held += bytes
        for (const [oldest, size] of sizes) {
          if (held <= maxBytes) break
          sizes.delete(oldest)
          held -= size
        }
      },
    }
  },
}

export const BYTE_CACHES = Object.keys(caches)

/** Runs in a child: one cache at each of `shares` of the bytes of all keys. */
export function replayByBytes(folder: string, name: string, shares: readonly number[]): readonly ByBytes[] {
  const ids = readTrace(folder, TRACE)
  const recorded = readSizes(folder, TRACE)
  const sizeOf = new Map<number, number>()
  let all = 0
  let largest = 0
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at]!
    if (sizeOf.has(id)) continue
    const bytes = Math.ceil(recorded[at]! / SCALE)
    sizeOf.set(id, bytes)
    all += bytes
    largest = Math.max(largest, bytes)
  }
  return shares.map((share) => replay(ids, sizeOf, caches[name]!(Math.round(all * share), largest)))
}

function replay(ids: Uint32Array, sizeOf: ReadonlyMap<number, number>, cache: Cache): ByBytes {
  let hits = 0
  let hitBytes = 0
  let bytes = 0
  for (const id of ids) {
    const size = sizeOf.get(id)!
    bytes += size
    if (cache.has(id)) {
      hits++
      hitBytes += size
    } else {
      cache.add(id, size)
    }
  }
  return { requests: hits / ids.length, bytes: hitBytes / bytes }
}
