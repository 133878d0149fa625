/** Which slot a key has: natively where the number of entries is bounded, by a Map where it is not. */
import { KeySlots, NOWHERE } from '../../l1/key-slots.js'

export interface Slots {
  /** Slots are below this; it may grow with `take`. */
  readonly slots: number
  find(key: unknown): number
  /** The slot of a key; `added` says whether it had none. Then what is in `victim`, unless NOWHERE, is let go first. */
  take(key: unknown, victim: number, victimKey: unknown): number
  readonly added: boolean
  free(key: unknown, slot: number): void
  clear(): void
}

export { KeySlots, NOWHERE }

/** As many as there is memory for. */
export class MapSlots implements Slots {
  readonly #slots = new Map<unknown, number>()
  readonly #free: number[] = []
  slots = 0
  added = false

  find(key: unknown): number {
    return this.#slots.get(key) ?? NOWHERE
  }

  take(key: unknown, victim: number, victimKey: unknown): number {
    const found = this.#slots.get(key)
    this.added = found === undefined
    if (found !== undefined) return found
    if (victim !== NOWHERE) this.free(victimKey, victim)
    const slot = this.#free.pop() ?? this.#slots.size
    if (slot >= this.slots) this.slots = Math.max(64, 2 * this.slots)
    this.#slots.set(key, slot)
    return slot
  }

  free(key: unknown, slot: number): void {
    this.#slots.delete(key)
    this.#free.push(slot)
  }

  clear(): void {
    this.#slots.clear()
    this.#free.length = 0
  }
}
