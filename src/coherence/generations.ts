/**
 * Generations: 1,024 counters that tell whether a name was touched while a value for it was on its way (R1, R2, R17).
 *
 * Before a read of the second tier `token(name)` is taken; whoever invalidates the name bumps its counter, whether or not the first
 * tier holds it; the fill happens only if the token is unchanged. Always true: a bump of the name that returned after the
 * token was taken makes the token changed, in every thread that shares the buffer.
 *
 * A bump of all names is one more counter, which is added to that of each name: both only rise, so their sum is what it was while both are.
 *
 * A `Snapshot` is the tokens of all names. One more word counts all bumps: as long as it is what it was, each token holds, and a name
 * is not even hashed. A bump adds to its counter first and to that word afterwards, both before it returns, so whoever
 * finds the word unchanged was there before the bump returned, as is true of a single token.
 *
 * Names are hashed onto the counters, so a bump of another name may break a token: a false abort, never a false fill. Each bump
 * during a fill breaks it with probability 1/1,024; at 1,000 foreign writes a second and 0.5 ms a read that is one fill in
 * 2,000. The cost of one is that the value, which is right and is returned, is not kept: the next read crosses to the second tier once more.
 */
import { types } from 'node:util'
import { describe, HitpathError } from '../errors.js'

/** Counters of one `Generations`: what `counterOf` says is below. */
export const COUNTERS = 1024
/** Behind the counters: how many bumps there were. */
const BUMPS = COUNTERS
/** How many bumps of all names there were. */
const ALL = COUNTERS + 1
const WORDS = COUNTERS + 2
const PER_COUNT = 2 ** 32

declare const generation: unique symbol

/** A counter's index and what it and that of all names read together, in one exact number: nothing is allocated for it beyond that number. */
export type Token = number & { readonly [generation]: true }

/** What all counters read, and the count of bumps, read before them. */
export interface Snapshot {
  readonly bumps: number
  readonly all: number
  readonly counters: Int32Array
}

export class Generations {
  /** Bytes of the buffer; a multiple of 8, for what lies behind it. */
  static readonly BYTES: number = WORDS * Int32Array.BYTES_PER_ELEMENT

  readonly #counters: Int32Array
  readonly #shared: boolean

  /**
   * @param buffer a SharedArrayBuffer of at least `Generations.BYTES` zeroed bytes, the same one in all threads whose first tier is
   * shared; left out, the counters belong to this thread
   * @throws HitpathError INVALID_ARGUMENT if the buffer is of another kind or too small
   */
  constructor(buffer?: SharedArrayBuffer) {
    if (
      buffer !== undefined &&
      !(types.isSharedArrayBuffer(buffer) && buffer.byteLength >= Generations.BYTES)
    ) {
      throw new HitpathError(
        'INVALID_ARGUMENT',
        `generations need a SharedArrayBuffer of ${Generations.BYTES} bytes; got ${describe(buffer)}`,
      )
    }
    this.#shared = buffer !== undefined
    this.#counters = new Int32Array(buffer ?? new ArrayBuffer(Generations.BYTES), 0, WORDS)
  }

  /** To be taken before the value is read or computed. @param index what `counterOf` says of the name, for who asks several generations */
  token(name: string, index = counterOf(name)): Token {
    return (index * PER_COUNT + (this.#sum(index) >>> 0)) as Token
  }

  /** Whether nothing that shares the counter was bumped since the token was taken. */
  unchanged(token: Token): boolean {
    return this.#sum(Math.floor(token / PER_COUNT)) === (token | 0)
  }

  /** Tokens of all names, to be taken before their values are read. Copies 4 KB: for a batch. */
  snapshot(): Snapshot {
    const bumps = this.#read(BUMPS)
    const all = this.#read(ALL)
    if (!this.#shared) return { bumps, all, counters: this.#counters.slice(0, COUNTERS) }
    const counters = new Int32Array(COUNTERS)
    for (let index = 0; index < COUNTERS; index++) counters[index] = this.#read(index)
    return { bumps, all, counters }
  }

  /** As `unchanged`, for one of the names of a snapshot: one comparison while nothing at all was bumped. */
  unchangedSince({ bumps, all, counters }: Snapshot, name: string): boolean {
    if (this.#read(BUMPS) === bumps) return true
    if (this.#read(ALL) !== all) return false
    const index = counterOf(name)
    return this.#read(index) === counters[index]
  }

  /** Whether what was taken for the name, by itself or with all others, is unchanged. */
  holds(taken: Token | Snapshot, name: string): boolean {
    return typeof taken === 'number' ? this.unchanged(taken) : this.unchangedSince(taken, name)
  }

  /** Breaks the tokens of the name. Bump first, delete from the first tier afterwards: a fill between the two is then deleted. */
  bump(name: string): void {
    this.#add(counterOf(name))
    this.#add(BUMPS)
  }

  /** Breaks all tokens taken before the call: patterns, tags, clears and gaps of the bus. */
  bumpAll(): void {
    this.#add(ALL)
    this.#add(BUMPS)
  }

  #sum(index: number): number {
    return (this.#read(index) + this.#read(ALL)) | 0
  }

  /** Sequentially consistent where shared: pairs with `#add`, so the bump and the deletion that follows it are seen in order. */
  #read(index: number): number {
    return this.#shared ? Atomics.load(this.#counters, index) : (this.#counters[index] as number)
  }

  #add(index: number): void {
    if (this.#shared) Atomics.add(this.#counters, index, 1)
    else this.#counters[index] = (this.#counters[index] as number) + 1
  }
}

/**
 * FNV-1a over the UTF-16 units, then mixed down; depends on the name alone, so all threads agree.
 *
 * @param before what stands before the rest of the name: two parts are hashed without being joined
 */
export function counterOf(name: string, before = ''): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < before.length; i++) hash = Math.imul(hash ^ before.charCodeAt(i), 0x01000193)
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 22
}
