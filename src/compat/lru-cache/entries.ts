/**
 * The entries of a cache: which slot a key has, its value, size, age and place in the order; and who is told when one leaves.
 *
 * Always true: a key has a slot exactly while its slot is in the order; the sum of the sizes is `totalSize`. Listeners are called as
 * lru-cache calls them: `dispose` before the entry is gone, `disposeAfter` once the call is done, both with the cache for `this`.
 */
import { Ages, type Timing } from './ages.js'
import { isFetch } from './fetches.js'
import { MOST_SLOTS } from './front.js'
import { Recency } from './recency.js'
import { KeySlots, MapSlots, NOWHERE, type Slots } from './slots.js'
import type { BackgroundFetch, DisposeReason, DisposeTask, Held } from './types.js'

/** What a cache says of its bounds and listeners. */
export interface Owner<K, V> {
  /** Entries, 0 for as many as come. */
  readonly max: number
  readonly dispose: ((value: V, key: K, reason: DisposeReason) => void) | undefined
  readonly disposeAfter: ((value: V, key: K, reason: DisposeReason) => void) | undefined
}

export interface Kind {
  readonly policy: 'lru' | 'xg'
  /** Whether sizes count. */
  readonly sized: boolean
  /** Whether a value may be a fetch. */
  readonly fetches: boolean
}

export class Entries<K, V> {
  readonly order: Recency
  readonly keys: (K | undefined)[] = []
  readonly values: (Held<V> | undefined)[] = []
  readonly slots: Slots
  ages: Ages | undefined
  /** Sizes by slot, where they count. */
  readonly sizes: number[] | undefined
  totalSize = 0
  readonly #owner: Owner<K, V>
  readonly #policy: KeySlots | undefined
  readonly #max: number
  readonly #fetches: boolean
  /** An eviction is nothing but that the oldest goes. */
  readonly #silent: boolean
  readonly #disposes: boolean
  readonly #disposed: DisposeTask<K, V>[] | undefined
  #room: number
  /** Slots from here on were not used since the cache was empty: to empty it again does not cost its whole size. */
  #reach = 0

  constructor(owner: Owner<K, V>, { policy, sized, fetches }: Kind) {
    const { max, dispose, disposeAfter } = owner
    this.#owner = owner
    this.#max = max
    this.#fetches = fetches
    this.#disposes = dispose !== undefined
    this.#disposed = disposeAfter === undefined ? undefined : []
    this.#silent = policy === 'lru' && !sized && !fetches && !dispose && !disposeAfter
    this.#policy = policy === 'xg' ? new KeySlots(max) : undefined
    this.slots = this.#policy ?? new MapSlots(this.keys, max)
    this.#room = this.slots.slots
    this.order = new Recency(this.#room, max)
    this.sizes = sized ? [] : undefined
    if (max === 0 || max > MOST_SLOTS) return
    for (let slot = 0; slot < this.#room; slot++) {
      this.keys.push(undefined)
      this.values.push(undefined)
      this.sizes?.push(0)
    }
  }

  find(key: K): number {
    return this.slots.find(key)
  }

  trackAges(timing: Timing, onDue: ((slot: number) => void) | undefined): Ages {
    this.ages = new Ages(timing, this.order, this.#room, this.#max, onDue)
    return this.ages
  }

  isStale(slot: number): boolean {
    return this.ages?.isStale(slot) === true
  }

  /** The fetch that stands in an entry's place, if one does. */
  fetchOf(held: Held<V> | undefined): BackgroundFetch<V> | undefined {
    return this.#fetches && isFetch<V>(held) ? held : undefined
  }

  /** What may be served of what stands in a slot. */
  served(held: Held<V> | undefined): V | undefined {
    return this.#fetches && isFetch<V>(held) ? held.__staleWhileFetching : (held as V | undefined)
  }

  /** The slot of a key, put in with its value at the end of the order where it had none: then `added` holds, and room was made for it. */
  place(key: K, value: Held<V>): number {
    const full = this.#max !== 0 && this.order.length >= this.#max
    if (!full || this.#silent) return this.#take(key, value, full ? this.order.oldest : NOWHERE)
    // Who is told of an eviction hears of it before the new key is in.
    const present = this.slots.find(key)
    if (present === NOWHERE) while (this.order.length >= this.#max) this.evict()
    return this.#take(key, value, NOWHERE)
  }

  get added(): boolean {
    return this.slots.added
  }

  #take(key: K, value: Held<V>, victim: number): number {
    const slot = this.slots.take(key, victim)
    if (!this.slots.added) return slot
    if (victim !== NOWHERE) this.#vacate(victim)
    if (slot >= this.#room) this.#grow()
    if (slot >= this.#reach) this.#reach = slot + 1
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
    if (maxSize) while (this.totalSize > maxSize - size && this.order.length > 0) this.evict()
    this.totalSize += sizes[slot] as number
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
    this.fetchOf(held)?.__abortController.abort(new Error('evicted'))
    const value = this.served(held)
    if (value !== undefined) this.tell(value, key, 'evict')
    if (this.#disposes && this.slots.find(key) !== slot) return
    this.removeSize(slot)
    this.#leave(slot, key)
  }

  /** Whether there was one. */
  remove(key: K, reason: DisposeReason): boolean {
    const slot = this.slots.find(key)
    if (slot === NOWHERE) return false
    if (this.order.length === 1) {
      this.clear(reason)
      return true
    }
    this.removeSize(slot)
    this.#end(slot, key, reason)
    if (!this.#disposes || this.slots.find(key) === slot) this.#leave(slot, key)
    return true
  }

  clear(reason: DisposeReason): void {
    for (const slot of this.fromOldest(true)) this.#end(slot, this.keys[slot] as K, reason)
    this.slots.clear()
    this.order.clear()
    this.keys.fill(undefined, 0, this.#reach)
    this.values.fill(undefined, 0, this.#reach)
    this.sizes?.fill(0, 0, this.#reach)
    this.ages?.clear(this.#reach)
    this.totalSize = 0
    this.#reach = 0
  }

  /** An entry is about to be told of as gone for this reason. */
  tell(value: V, key: K, reason: DisposeReason): void {
    if (this.#disposes) this.#owner.dispose?.(value, key, reason)
    this.#disposed?.push([value, key, reason])
  }

  /** Calls `disposeAfter` for what left during a call, at its end. */
  settle(): void {
    const disposed = this.#disposed
    if (disposed === undefined) return
    for (let task = disposed.shift(); task !== undefined; task = disposed.shift())
      this.#owner.disposeAfter?.(...task)
  }

  *fromNewest(stale: boolean): Generator<number> {
    const { order } = this
    if (order.length === 0) return
    for (let slot = order.newest; this.#stands(slot); slot = order.older(slot)) {
      if (stale || !this.isStale(slot)) yield slot
      if (slot === order.oldest) return
    }
  }

  *fromOldest(stale: boolean): Generator<number> {
    const { order } = this
    if (order.length === 0) return
    for (let slot = order.oldest; this.#stands(slot); slot = order.newer(slot)) {
      if (stale || !this.isStale(slot)) yield slot
      if (slot === order.newest) return
    }
  }

  #stands(slot: number): boolean {
    return this.keys[slot] !== undefined || this.slots.find(undefined) === slot
  }

  #end(slot: number, key: K, reason: DisposeReason): void {
    const held = this.values[slot]
    const fetch = this.fetchOf(held)
    if (fetch !== undefined) fetch.__abortController.abort(new Error('deleted'))
    else this.tell(held as V, key, reason)
  }

  /** Takes an entry out of everything but the sizes. */
  #leave(slot: number, key: K): void {
    this.slots.free(key, slot)
    this.#vacate(slot)
  }

  #vacate(slot: number): void {
    this.ages?.end(slot)
    this.order.remove(slot)
    this.keys[slot] = undefined
    this.values[slot] = undefined
  }

  #grow(): void {
    this.#room = this.slots.slots
    this.order.grow(this.#room)
    this.ages?.grow(this.#room)
  }
}
