/**
 * What is asked of a cache for minutes or hours. A load does one turn of work and says how many operations it did; each value
 * names its key at both ends, and a wrong one ends the run.
 */
import { flat, type KeySpace, keyAt, keySpace } from '../harness/keys.js'
import { Random } from '../harness/random.js'
import { zipf } from '../harness/streams.js'
import type { Store } from './stores.js'

const TURN = 200
const FILL_TURN = 2_000
const LENGTH = 8
const HOUR_MS = 3_600_000
const DRAWN = 1 << 20

export interface Setting {
  readonly entries: number
  /** How long the load goes on. */
  readonly ms: number
  readonly seed: number
}

export interface Load {
  /** Before anything is observed. */
  readonly fill?: () => void
  /** Does one turn, `elapsedMs` after the load began. */
  turn(elapsedMs: number): number
}

export type MakeLoad = (store: Store, setting: Setting) => Load

/** Zipf over half as many keys again as entries fit; a miss is computed and stored for half a minute to two. */
export const steady: MakeLoad = (store, { entries, seed }) => {
  const keys = keySpace(entries + (entries >> 1))
  const ids = zipf(DRAWN, keys.count, 0.9, seed)
  const random = new Random(seed)
  let at = 0
  return {
    fill: () => fillAll(store, keys, entries, HOUR_MS),
    turn() {
      for (let n = 0; n < TURN; n++) {
        const id = ids[at]!
        at = (at + 1) % DRAWN
        const key = builtKey(keys, id)
        if (!isThere(store.get(key), id)) store.set(key, valueFor(id, LENGTH), 30_000 + random.below(90_000))
      }
      return TURN
    },
  }
}

/** Fills in turns with one deadline for all entries, reads on through it, and begins again: two storms a run at least. */
export const storm: MakeLoad = (store, { entries, ms, seed }) => {
  const keys = keySpace(entries)
  const cycleMs = Math.min(60_000, ms / 2)
  const random = new Random(seed)
  const hot = Array.from({ length: 20_000 }, () => random.below(entries))
  const hotKeys = hot.map((id) => flat(keyAt(keys, id)))
  let cycle = -1
  let filled = 0
  return {
    turn(elapsedMs) {
      const now = Math.floor(elapsedMs / cycleMs)
      if (now !== cycle) {
        cycle = now
        filled = 0
      }
      const toDeadlineMs = (cycle + 0.8) * cycleMs - elapsedMs
      const end = toDeadlineMs > 1 ? Math.min(entries, filled + FILL_TURN) : filled
      const sets = end - filled
      for (; filled < end; filled++)
        store.set(builtKey(keys, filled), valueFor(filled, LENGTH), Math.ceil(toDeadlineMs))
      for (let n = 0; n < TURN; n++) {
        const which = random.below(hot.length)
        isThere(store.get(hotKeys[which]!), hot[which]!)
      }
      return TURN + sets
    },
  }
}

/** Values whose mean size goes from 256 bytes to 16 KB and back, into a cache bounded by bytes: what fitted yesterday's holes fits no more. */
export const bytes: MakeLoad = (store, { entries, ms, seed }) => {
  const keys = keySpace(entries)
  const ids = zipf(DRAWN, entries, 0.7, seed)
  const random = new Random(seed)
  let at = 0
  return {
    turn(elapsedMs) {
      const swing = (1 - Math.cos((elapsedMs / ms) * 4 * Math.PI)) / 2
      const meanLength = 32 * 64 ** swing
      for (let n = 0; n < TURN; n++) {
        const id = ids[at]!
        at = (at + 1) % DRAWN
        const key = builtKey(keys, id)
        const length = 2 + random.below(Math.ceil(2 * meanLength))
        if (!isThere(store.get(key), id)) store.set(key, valueFor(id, length), HOUR_MS)
      }
      return TURN
    },
  }
}

function fillAll(store: Store, keys: KeySpace, entries: number, ttlMs: number): void {
  for (let id = 0; id < entries; id++) store.set(builtKey(keys, id), valueFor(id, LENGTH), ttlMs)
}

function builtKey({ symbols, windows, symbolOf, windowOf }: KeySpace, id: number): string {
  return `features:${symbols[symbolOf[id]!]}:${windows[windowOf[id]!]}`
}

function valueFor(id: number, length: number): Float64Array {
  const value = new Float64Array(length)
  value[0] = id
  value[length - 1] = id
  return value
}

function isThere(value: Float64Array | undefined, id: number): boolean {
  if (value === undefined) return false
  if (value[0] !== id || value[value.length - 1] !== id)
    throw new Error(`the value of another key under ${id}`)
  return true
}
