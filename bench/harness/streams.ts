/** Streams of key ids: how a service asks its cache. Seeded, so that every contender meets the same. */
import { Random, shuffledOrder } from './random.js'

const RESOLUTION = 2 ** 32

/** `count` ids below `keys`; the id of rank r is asked for in proportion to 1 / (r + 1)^skew, ranks dealt at random. */
export function zipf(count: number, keys: number, skew: number, seed: number): Uint32Array {
  const cumulative = new Float64Array(keys)
  let sum = 0
  for (let rank = 0; rank < keys; rank++) cumulative[rank] = sum += 1 / (rank + 1) ** skew
  const random = new Random(seed)
  const idOfRank = shuffledOrder(keys, seed + 1)
  return Uint32Array.from({ length: count }, () => {
    const wanted = (random.below(RESOLUTION) / RESOLUTION) * sum
    return idOfRank[firstAbove(cumulative, wanted)]!
  })
}

export function uniform(count: number, keys: number, seed: number): Uint32Array {
  const random = new Random(seed)
  return Uint32Array.from({ length: count }, () => random.below(keys))
}

/**
 * A service with a nightly job: Zipf over the first half of the keys, and after every `every` requests a sequential pass over `length`
 * keys of the second half, each asked for once a pass.
 */
export function zipfWithScans(
  count: number,
  keys: number,
  { skew, every, length, seed }: { skew: number; every: number; length: number; seed: number },
): Uint32Array {
  const half = keys >> 1
  const hot = zipf(count, half, skew, seed)
  const ids = new Uint32Array(count)
  let next = 0
  for (let at = 0; at < count; at++) {
    const phase = at % (every + length)
    ids[at] = phase < every ? hot[at]! : half + (next++ % (keys - half))
  }
  return ids
}

function firstAbove(ascending: Float64Array, wanted: number): number {
  let low = 0
  let high = ascending.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle]! > wanted) high = middle
    else low = middle + 1
  }
  return low
}
