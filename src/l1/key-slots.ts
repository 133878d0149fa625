/**
 * Keys to small numbers: the part of a LocalCache that knows keys and chooses what leaves, by XG, for caches that keep order and values in
 * arrays of their own.
 *
 * Strings and numbers are themselves. Every other value is a key by its identity, as in a Map: it gets a number of its own while it
 * is in, under which the native side knows it. Always true: `find` gives a slot exactly while the key was taken and not let go, and
 * a slot does not move. Holds at most the capacity that it was made for; its owner makes room first.
 */
import { randomBytes } from 'node:crypto'
import { HitpathError } from '../errors.js'
import { bindingOf, doubles, native, scratch, words } from '../native/binding.js'
import {
  FORM_DIGEST,
  FORM_NUMBER,
  KEY_LONG,
  STAGING_COUNT,
  STAGING_DEADLINE,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_REMOVED,
  STAGING_SEQ,
  STAGING_SLOT,
} from '../native/layout.js'
import { Engine, NO_SLOT } from './engine.js'
import { Front } from './front.js'
import { createRegion } from './region.js'

/** Where nothing is. */
export const NOWHERE = -1

/** The region holds no bytes besides keys; this is the least that an arena takes. */
const ARENA_BYTES = 16_384

export class KeySlots {
  /** Slots are below this. */
  readonly slots: number
  readonly #engine: Engine
  readonly #front: Front
  /** Strings of which the native side keeps a digest only, by slot. */
  readonly #long = new Map<number, string>()
  /** Keys that are neither string nor number, and the number that each goes by. */
  readonly #others = new Map<unknown, bigint>()
  #nextOther = 1n
  /** Whether the last `take` put its key in. */
  added = false

  /** @throws HitpathError OUT_OF_MEMORY */
  constructor(capacity: number) {
    const config = [1, capacity, ARENA_BYTES, Infinity, 0, 0] as const
    const region = createRegion(bindingOf('auto').regionBytes(...config))
    native.create(new Uint8Array(region), randomBytes(16), ...config)
    const token = native.open(new Uint8Array(region))
    if (typeof token === 'number')
      throw new HitpathError('REGION_CORRUPT', `a new region is refused (${token})`)
    this.slots = token.slots
    this.#engine = new Engine(region, token, undefined)
    this.#front = new Front(this.#engine, Number.POSITIVE_INFINITY, true)
  }

  /** The slot of a key, NOWHERE without one. */
  find(key: unknown): number {
    if (typeof key === 'string') {
      const slot = this.#front.lookup(key)
      return slot >= 0 ? slot : this.#findString(key)
    }
    if (!this.#stage(key)) return NOWHERE
    native.findStaged()
    const slot = words[STAGING_SLOT / 4] as number
    return slot === NO_SLOT ? NOWHERE : slot
  }

  /**
   * The slot of a key, and whether it had none: `added`.
   * @throws HitpathError TOO_LARGE, OUT_OF_MEMORY
   */
  take(key: unknown): number {
    this.added = false
    if (typeof key === 'string') {
      const slot = this.#front.lookup(key)
      if (slot >= 0) return slot
      this.#engine.begin(0)
      words[STAGING_COUNT / 4] = NO_SLOT
      native.takeString(key)
    } else {
      if (typeof key !== 'number' && !this.#others.has(key)) this.#others.set(key, this.#nextOther++)
      this.#stage(key)
      words[STAGING_COUNT / 4] = NO_SLOT
      native.takeStaged()
    }
    this.#engine.check()
    const slot = words[STAGING_SLOT / 4] as number
    this.added = words[STAGING_COUNT / 4] === 0
    if (words[STAGING_FORM / 4] === KEY_LONG) this.#long.set(slot, key as string)
    return slot
  }

  /** Lets go of a key and its slot. */
  free(key: unknown, slot: number): void {
    this.#engine.begin(0)
    words[STAGING_COUNT / 4] = slot
    native.eraseAt()
    if (typeof key === 'string') {
      if (this.#long.size !== 0) this.#long.delete(slot)
    } else if (typeof key !== 'number') {
      this.#others.delete(key)
    }
  }

  /** The slot that should be let go next, by XG; it is then remembered as evicted. NOWHERE when nothing is in. */
  victim(): number {
    this.#engine.begin(0)
    native.victim()
    const slot = words[STAGING_SLOT / 4] as number
    return slot === NO_SLOT ? NOWHERE : slot
  }

  /** Lets go of every key. */
  clear(): void {
    this.#engine.clear()
    this.#front.clear()
    if ((words[STAGING_REMOVED / 4] as number) > 1) {
      do native.drainRemovals()
      while (words[STAGING_COUNT / 4] === Math.floor(scratch.length / 8))
    }
    words[STAGING_REMOVED / 4] = 0
    this.#long.clear()
    this.#others.clear()
  }

  #findString(key: string): number {
    this.#engine.begin(0)
    native.findString(key)
    const slot = words[STAGING_SLOT / 4] as number
    if (slot === NO_SLOT) return NOWHERE
    if (words[STAGING_FORM / 4] === KEY_LONG && this.#long.get(slot) !== key) return NOWHERE
    this.#front.remember(key, slot, words[STAGING_SEQ / 4] as number, doubles[STAGING_DEADLINE / 8] as number)
    return slot
  }

  /** Begins a call on a key that is no string. False when it has no number, so is not in. */
  #stage(key: unknown): boolean {
    this.#engine.begin(0)
    if (typeof key === 'number') {
      words[STAGING_FORM / 4] = FORM_NUMBER
      doubles[STAGING_EXTRA / 8] = key
      return true
    }
    const number = this.#others.get(key)
    if (number === undefined) return false
    words[STAGING_FORM / 4] = FORM_DIGEST
    identity[0] = number
    identity[1] = 0n
    return true
  }
}

/** Where a digest is staged. */
const identity = new BigUint64Array(scratch.buffer, scratch.byteOffset, 2)
