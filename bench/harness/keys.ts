/**
 * The 28-character keys that services build, `features:BTC00017:w060x00042`: a symbol and a window, each out of a
 * small table, so that building one per call costs what a template literal costs and no cache miss of its own.
 */
import { shuffledOrder } from './random.js'

export interface KeySpace {
  readonly count: number
  readonly symbols: readonly string[]
  readonly windows: readonly string[]
  /** Key `id` is made of symbol `symbolOf[id]` and window `windowOf[id]`. */
  readonly symbolOf: Uint16Array
  readonly windowOf: Uint16Array
}

/** `count` keys out of about `sqrt(count)` symbols and as many windows. */
export function keySpace(count: number): KeySpace {
  const side = Math.ceil(Math.sqrt(count))
  const numbered = (prefix: string): readonly string[] =>
    Array.from({ length: side }, (_, index) => flat(`${prefix}${String(index).padStart(5, '0')}`))
  return {
    count,
    symbols: numbered('BTC'),
    windows: numbered('w060x'),
    symbolOf: Uint16Array.from({ length: count }, (_, id) => Math.floor(id / side)),
    windowOf: Uint16Array.from({ length: count }, (_, id) => id % side),
  }
}

export function keyAt(space: KeySpace, id: number): string {
  return `features:${space.symbols[space.symbolOf[id]!]}:${space.windows[space.windowOf[id]!]}`
}

/** The order in which a key space is read: shuffled, the same for every contender. */
export interface Walk {
  readonly ids: Uint32Array
  /** The symbol and window of `ids[at]`, so that finding them is a sequential read. */
  readonly symbolAt: Uint16Array
  readonly windowAt: Uint16Array
}

export function walkOf(space: KeySpace): Walk {
  const ids = shuffledOrder(space.count, 20_260_801)
  return {
    ids,
    symbolAt: Uint16Array.from(ids, (id) => space.symbolOf[id]!),
    windowAt: Uint16Array.from(ids, (id) => space.windowOf[id]!),
  }
}

/** Keys made once and kept: key `id` at index `id`. */
export function internedKeys(space: KeySpace): readonly string[] {
  return Array.from({ length: space.count }, (_, id) => flat(keyAt(space, id)))
}

/** The same characters as one flat string: what a parser gives, where a template literal gives a rope. */
export function flat(key: string): string {
  return Buffer.from(key, 'latin1').toString('latin1')
}
