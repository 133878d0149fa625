/** Which slot a key has. */
import { KeySlots, NOWHERE } from '../../l1/key-slots.js'
import { Front, MOST_SLOTS } from './front.js'

export interface Slots {
  /** Slots are below this; it may grow with `take`. */
  readonly slots: number
  find(key: unknown): number
  /** The slot of a key; `added` says whether it had none. Then what is in `victim`, unless NOWHERE, is let go first. */
  take(key: unknown, victim: number): number
  readonly added: boolean
  free(key: unknown, slot: number): void
  clear(): void
}

export { KeySlots, NOWHERE }

/**
 * A Map, and a front that spares most looks into it.
 *
 * Always true: a new key gets the slot that lru-cache would give it, so that whatever depends on the numbers of slots is the same: what an
 * iteration does after the entry on which it stands was deleted, and which entry a late fetch finds in its place.
 */
export class MapSlots implements Slots {
  /** The key in each slot, which the owner keeps. */
  readonly #keys: readonly unknown[]
  readonly map = new Map<unknown, number>()
  readonly vacant: number[] = []
  readonly #front: Front
  slots: number
  added = false

  /** `max`: keys that there may be, 0 for as many as come. */
  constructor(keys: readonly unknown[], max: number) {
    this.#keys = keys
    this.slots = Math.min(max === 0 ? 64 : max, MOST_SLOTS)
    this.#front = new Front(keys, this.slots)
  }

  find(key: unknown): number {
    if (typeof key !== 'string') return this.map.get(key) ?? NOWHERE
    const slot = this.#front.find(key)
    return slot >= 0 ? slot : this.#findString(key)
  }

  #findString(key: string): number {
    const slot = this.map.get(key)
    if (slot === undefined) return NOWHERE
    this.#front.remember(slot, true)
    return slot
  }

  take(key: unknown, victim: number): number {
    const found = this.find(key)
    this.added = found === NOWHERE
    if (!this.added) return found
    if (victim !== NOWHERE) this.map.delete(this.#keys[victim])
    const slot = victim === NOWHERE ? this.#next() : victim
    this.map.set(key, slot)
    if (slot >= this.slots) this.#grow()
    else if (typeof key === 'string') this.#front.remember(slot, false)
    return slot
  }

  free(key: unknown, slot: number): void {
    this.map.delete(key)
    if (this.map.size === 0) this.vacant.length = 0
    else this.vacant.push(slot)
  }

  clear(): void {
    this.map.clear()
    this.vacant.length = 0
  }

  #next(): number {
    return this.vacant.pop() ?? this.map.size
  }

  #grow(): void {
    this.slots *= 2
    this.#front.resize(this.slots)
  }
}
