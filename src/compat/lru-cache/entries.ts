/**
 * The entries of a cache: which slot a key has, its value, size, age and place in the order; and who is told when one leaves.
 *
 * Always true: a key has a slot exactly while its slot is in the order; the sum of the sizes is `totalSize`. Listeners are called as
 * lru-cache calls them: `dispose` before the entry is gone, `disposeAfter` once the call is done.
 */
import { Ages, type Timing } from './ages.js'
import { Fetch } from './fetches.js'
import { Recency } from './recency.js'
import { KeySlots, MapSlots, NOWHERE, type Slots } from './slots.js'
import type { DisposeReason, Disposer, DisposeTask } from './types.js'

export type Held<V> = V | Fetch<V>

/** What may be served of what stands in a slot. */
export function servedOf<V>(held: Held<V> | undefined): V | undefined {
  return held instanceof Fetch ? held.stale : held
}

export interface Bounds<K, V> {
  /** Entries, 0 for as many as come. */
  readonly max: number
  readonly policy: 'lru' | 'xg'
  /** Whether sizes count. */
  readonly sized: boolean
  /** Whether a value may be a fetch. */
  readonly fetches: boolean
  readonly dispose: Disposer<K, V> | undefined
  readonly disposeAfter: Disposer<K, V> | undefined
}

export class Entries<K, V> {
  readonly order: Recency
  readonly keys: (K | undefined)[] = []
  readonly values: (Held<V> | undefined)[] = []
  ages: Ages | undefined
  /** Sizes by slot, where they count. */
  readonly sizes: number[] | undefined
  totalSize = 0
  readonly #slots: Slots
  readonly #policy: KeySlots | undefined
  readonly #max: number
  /** An eviction is nothing but that the oldest goes. */
  readonly #silent: boolean
  readonly #dispose: Disposer<K, V> | undefined
  readonly #disposeAfter: Disposer<K, V> | undefined
  readonly #disposed: DisposeTask<K, V>[] = []
  #room: number

  constructor({ max, policy, sized, fetches, dispose, disposeAfter }: Bounds<K, V>) {
    this.#max = max
    this.#silent = policy === 'lru' && !sized && !fetches && !dispose && !disposeAfter
    const bounded = max === 0 ? undefined : new KeySlots(max, policy)
    this.#slots = bounded ?? new MapSlots()
    this.#policy = policy === 'xg' ? bounded : undefined
    this.#room = this.#slots.slots
    this.order = new Recency(this.#room)
    this.sizes = sized ? [] : undefined
    this.#dispose = dispose
    this.#disposeAfter = disposeAfter
    for (let slot = 0; slot < this.#room; slot++) {
      this.keys.push(undefined)
      this.values.push(undefined)
    }
  }

  find(key: K): number {
    return this.#slots.find(key)
  }

  trackAges(timing: Timing, onDue: ((slot: number) => void) | undefined): Ages {
    this.ages = new Ages(timing, this.#room, onDue)
    return this.ages
  }

  isStale(slot: number): boolean {
    return this.ages?.isStale(slot) === true
  }

  /** The slot of a key, put in with its value at the end of the order where it had none: then `added` holds, and room was made for it. */
  place(key: K, value: Held<V>): number {
    const full = this.#max !== 0 && this.order.length >= this.#max
    if (!full || this.#silent) return this.#take(key, value, full ? this.order.oldest : NOWHERE)
    // Who is told of an eviction hears of it before the new key is in.
    const present = this.#slots.find(key)
    if (present === NOWHERE) while (this.order.length >= this.#max) this.evict()
    return this.#take(key, value, NOWHERE)
  }

  get added(): boolean {
    return this.#slots.added
  }

  #take(key: K, value: Held<V>, victim: number): number {
    const slot = this.#slots.take(key, victim, victim === NOWHERE ? undefined : this.keys[victim])
    if (!this.#slots.added) return slot
    if (victim !== NOWHERE) this.#vacate(victim)
    if (slot >= this.#room) this.#grow()
    this.keys[slot] = key
    this.values[slot] = value
    this.order.append(slot)
    return slot
  }

  /** Counts the size of a slot whose own was not counted, and makes room for it. */
  addSize(slot: number, size: number, maxSize: number): void {
    const { sizes } = this
    if (sizes === undefined) return
    sizes[slot] = size
    if (maxSize !== 0) while (this.totalSize > maxSize - size && this.order.length > 0) this.evict()
    this.totalSize += size
  }

  removeSize(slot: number): void {
    const { sizes } = this
    if (sizes === undefined) return
    this.totalSize -= sizes[slot] ?? 0
    sizes[slot] = 0
  }

  /** Takes out an entry: the one that the policy chooses. */
  evict(slot: number = this.#policy === undefined ? this.order.oldest : this.#policy.victim()): void {
    const key = this.keys[slot] as K
    const held = this.values[slot]
    const value = servedOf(held)
    if (held instanceof Fetch) held.controller.abort(new Error('evicted'))
    if (value !== undefined) this.tell(value, key, 'evict')
    if (this.#dispose === undefined || this.#slots.find(key) === slot) this.#leave(slot, key)
  }

  /** Whether there was one. */
  remove(key: K, reason: DisposeReason): boolean {
    const slot = this.#slots.find(key)
    if (slot === NOWHERE) return false
    this.#end(slot, key, reason)
    if (this.#dispose === undefined || this.#slots.find(key) === slot) this.#leave(slot, key)
    return true
  }

  clear(reason: DisposeReason): void {
    for (const slot of this.fromOldest(true)) this.#end(slot, this.keys[slot] as K, reason)
    this.#slots.clear()
    this.order.clear()
    this.keys.fill(undefined)
    this.values.fill(undefined)
    this.sizes?.fill(0)
    this.ages?.clear()
    this.totalSize = 0
  }

  /** An entry is about to be told of as gone for this reason. */
  tell(value: V, key: K, reason: DisposeReason): void {
    this.#dispose?.(value, key, reason)
    if (this.#disposeAfter !== undefined) this.#disposed.push([value, key, reason])
  }

  /** Calls `disposeAfter` for what left during a call, at its end. */
  settle(): void {
    if (this.#disposeAfter === undefined) return
    for (let task = this.#disposed.shift(); task !== undefined; task = this.#disposed.shift())
      this.#disposeAfter(...task)
  }

  *fromNewest(stale: boolean): Generator<number> {
    const { order } = this
    if (order.length === 0) return
    for (let slot = order.newest, before = NOWHERE; slot !== before && this.#stands(slot); ) {
      if (stale || !this.isStale(slot)) yield slot
      before = slot
      slot = order.older(slot)
    }
  }

  *fromOldest(stale: boolean): Generator<number> {
    const { order } = this
    if (order.length === 0) return
    for (let slot = order.oldest, before = NOWHERE; slot !== before && this.#stands(slot); ) {
      if (stale || !this.isStale(slot)) yield slot
      before = slot
      slot = order.newer(slot)
    }
  }

  #stands(slot: number): boolean {
    const key = this.keys[slot]
    return key !== undefined && this.#slots.find(key) === slot
  }

  #end(slot: number, key: K, reason: DisposeReason): void {
    const held = this.values[slot]
    if (held instanceof Fetch) held.controller.abort(new Error('deleted'))
    else this.tell(held as V, key, reason)
  }

  /** Takes an entry out of everything. */
  #leave(slot: number, key: K): void {
    this.#slots.free(key, slot)
    this.removeSize(slot)
    this.#vacate(slot)
  }

  #vacate(slot: number): void {
    this.ages?.end(slot)
    this.order.remove(slot)
    this.keys[slot] = undefined
    this.values[slot] = undefined
  }

  #grow(): void {
    this.#room = this.#slots.slots
    this.order.grow(this.#room)
    this.ages?.grow(this.#room)
  }
}
