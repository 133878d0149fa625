/**
 * What this thread has decoded or holds a view of, by slot and version.
 *
 * Always true: a value stands here with the sequence word under which it was read, so it is given only while the entry has not
 * changed. Bounded: at most MOST_REMEMBERED values, the oldest forgotten first; those whose entry changed are dropped by
 * sweep(), a few at a time. What is forgotten here may live on with the callers; its pin goes when the last of them does.
 */
import { native } from '../native/binding.js'
import type { Engine } from './engine.js'

/** Values that a thread remembers at most. */
export const MOST_REMEMBERED = 8192
const SWEPT = 512
/** Of so many slots a thread's table takes 3 MB. Where there are more, numbers are not worth it. */
const SMALL_SLOTS = 2 ** 18

export class Memory {
  /** Whether its table is small enough for values that could be had without it. */
  readonly isSmall: boolean
  readonly #engine: Engine
  readonly #slots: number
  #values: unknown[] = []
  /** Sequence word a slot, which the native side reads too; 0: nothing here. */
  #seqs: Uint32Array = new Uint32Array(0)
  /** Slots in the order in which they came here, each once; -1 for one whose value was dropped. */
  #ring: Int32Array = new Int32Array(0)
  #next = 0
  #hand = 0

  constructor(engine: Engine) {
    this.#engine = engine
    this.#slots = engine.token.slots * engine.token.shards
    this.isSmall = engine.quick && this.#slots <= SMALL_SLOTS
  }

  /** The value of the entry's current version, if the caller knows that it had one here; undefined once forgotten. */
  at(slot: number): unknown {
    return this.#values[slot]
  }

  keep(slot: number, seq: number, value: unknown): void {
    if (this.#seqs.length === 0) this.#allocate()
    if (this.#seqs[slot] === 0) {
      const at = this.#next++ % this.#ring.length
      const oldest = this.#ring[at] as number
      if (oldest >= 0) this.#drop(oldest)
      this.#ring[at] = slot
    }
    this.#values[slot] = value
    this.#seqs[slot] = seq
  }

  /** Drops values whose entries have changed: a slice of them. */
  sweep(): void {
    const size = Math.min(this.#next, this.#ring.length)
    for (let i = Math.min(SWEPT, size); i > 0; i--) {
      const at = this.#hand++ % size
      const slot = this.#ring[at] as number
      if (slot < 0 || this.#engine.seqOf(slot) === this.#seqs[slot]) continue
      this.#drop(slot)
      this.#ring[at] = -1
    }
  }

  forget(): void {
    this.#values = []
    this.#seqs.fill(0)
  }

  #drop(slot: number): void {
    this.#values[slot] = undefined
    this.#seqs[slot] = 0
  }

  #allocate(): void {
    this.#values = new Array<unknown>(this.#slots).fill(undefined)
    this.#seqs = new Uint32Array(this.#slots)
    this.#ring = new Int32Array(MOST_REMEMBERED).fill(-1)
    this.#engine.begin(0)
    native.remember(this.#seqs)
  }
}
