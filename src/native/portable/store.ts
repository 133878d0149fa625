/**
 * One portable cache: what native/core/cache.h does for a LocalCache, over Maps and the words of its slots.
 *
 * Keys stand in two Maps, strings and numbers in one, digests of arrays in the other; each says a slot, which does not move while its
 * entry lives. Always true: a slot is in a Map, in a queue of the policy and, with a finite deadline, in the wheel; or it is free and in
 * none. What leaves is noted with its reason until the owner of the values has taken note (`removals`).
 */
import { globMatches } from '../../glob.js'
import { FLAG_FOREIGN_CLOCK, FLAG_LRU, KEY_DIGEST, SLOT_HASH } from '../layout.js'
import { HEAT_FREQ } from '../record.js'
import { Eviction } from './eviction.js'
import { hashOf } from './key-hash.js'
import { NONE, type PortableConfig, Slots } from './slots.js'
import { Tags } from './tags.js'
import { TimerWheel } from './wheel.js'

/** Reason of native/core/cache.h. */
export const EVICTED = 1
export const EXPIRED = 2
export const DELETED = 3
export const CLEARED = 4
export const INVALIDATED = 5

/** Wheel steps that each write pays. */
const DRAINED = 8

export type Key = string | number
type Names = readonly string[] | undefined

export class Store {
  readonly config: PortableConfig
  readonly foreignClock: boolean
  readonly slots: Slots
  /** Slot and reason, one after the other. */
  readonly removals: number[] = []
  readonly counts = {
    hits: 0,
    misses: 0,
    inserts: 0,
    updates: 0,
    deletes: 0,
    evictions: 0,
    expirations: 0,
    invalidations: 0,
  }
  readonly tags = new Tags()
  readonly #eviction: Eviction
  readonly #wheel: TimerWheel
  readonly #plain = new Map<Key, number>()
  readonly #digests = new Map<Key, number>()
  readonly #keys: (Key | undefined)[] = []
  /** Slots that were taken and are free again. */
  readonly #free: number[] = []
  readonly #seed: number
  readonly #expire = (slot: number): void => this.#remove(slot, EXPIRED)

  constructor(region: Uint8Array, config: PortableConfig, seed: number, now: number) {
    this.config = config
    this.foreignClock = (config.flags & FLAG_FOREIGN_CLOCK) !== 0
    this.slots = new Slots(region, config.maxEntries)
    this.#eviction = new Eviction(this.slots, config.maxEntries, (config.flags & FLAG_LRU) !== 0)
    this.#wheel = new TimerWheel(this.slots, now)
    this.#seed = seed
  }

  get size(): number {
    return this.#plain.size + this.#digests.size
  }

  /** Whether any entry has a deadline. */
  get timed(): boolean {
    return this.#wheel.size !== 0
  }

  get smallShare(): number {
    return this.#eviction.smallShare
  }

  get longestHand(): number {
    return this.#eviction.longestHand
  }

  /** The slot of a key, alive or not; undefined without one. */
  find(kind: number, key: Key): number | undefined {
    return (kind === KEY_DIGEST ? this.#digests : this.#plain).get(key)
  }

  findPlain(key: Key): number | undefined {
    return this.#plain.get(key)
  }

  keyOf(slot: number): Key {
    return this.#keys[slot] as Key
  }

  touch(slot: number): void {
    this.#eviction.touch(slot)
  }

  /** What the policy knows of an entry, as a byte of record.ts. */
  heatOf(slot: number): number {
    return this.#eviction.heatOf(slot)
  }

  /** Whether a slot holds an entry whose deadline has not passed. */
  isLive(slot: number, now: number): boolean {
    return this.slots.queue(slot) !== 0 && now <= this.slots.deadline(slot)
  }

  /** Stores an entry. Returns its slot; `replaced` says whether a live one stood there. `heat`: of one that comes out of a file. */
  set(kind: number, key: Key, tags: Names, deadline: number, now: number, heat?: number): number {
    this.#drain(now, DRAINED)
    const map = kind === KEY_DIGEST ? this.#digests : this.#plain
    const found = map.get(key)
    if (found !== undefined) {
      if (now <= this.slots.deadline(found)) {
        this.#update(found, tags, deadline)
        this.replaced = true
        return found
      }
      this.#evict(found, now)
    }
    this.replaced = false
    const hash = hashOf(key, this.#seed)
    const queue = heat === undefined ? this.#eviction.consult(hash) : this.#eviction.home(heat)
    if (this.size >= this.config.maxEntries) this.#evict(this.#eviction.victim(now), now)
    const slot = this.#free.pop() ?? this.#keys.length
    const { slots } = this
    map.set(key, slot)
    this.#keys[slot] = key
    slots.setKind(slot, kind)
    slots.setDeadline(slot, deadline)
    slots.words[slots.at(slot) + SLOT_HASH / 4] = hash
    this.#eviction.enter(slot, queue, heat === undefined ? 0 : heat & HEAT_FREQ)
    if (deadline < Number.POSITIVE_INFINITY) this.#wheel.schedule(slot)
    if (tags !== undefined) this.tags.put(slot, tags)
    slots.bump(slot)
    this.counts.inserts++
    return slot
  }

  /** Of the last set(). */
  replaced = false
  /** Words of `removals` that takeRemovals() gave already. */
  #taken = 0

  /** Writes the next of `removals` to `out`, at most `most`, and forgets all once the last was given. How many. */
  takeRemovals(out: Uint32Array, most: number): number {
    const from = this.#taken
    const end = Math.min(from + 2 * most, this.removals.length)
    // Not cut off the front, which moves all that follows: four million would take seconds.
    for (let i = from; i < end; i++) out[i - from] = this.removals[i] as number
    this.#taken = end === this.removals.length ? 0 : end
    if (this.#taken === 0) this.removals.length = 0
    return (end - from) / 2
  }

  #update(slot: number, tags: Names, deadline: number): void {
    const was = this.slots.deadline(slot)
    this.slots.setDeadline(slot, deadline)
    if (was !== deadline) this.#wheel.reschedule(slot, was)
    this.#eviction.touch(slot)
    this.tags.put(slot, tags)
    this.slots.bump(slot)
    this.counts.updates++
  }

  /** Removes an entry; whether it was alive. */
  erase(slot: number, now: number): boolean {
    const live = now <= this.slots.deadline(slot)
    if (live) this.counts.deletes++
    this.#remove(slot, live ? DELETED : EXPIRED)
    return live
  }

  /** As erase(), of whatever a slot holds. */
  eraseAt(slot: number): void {
    if (slot < this.slots.count && this.slots.queue(slot) !== 0) this.erase(slot, Number.NEGATIVE_INFINITY)
  }

  /** Removes an entry whose deadline has passed. */
  expire(slot: number): void {
    this.#remove(slot, EXPIRED)
  }

  /** The entry that the policy would evict next, remembered as evicted; NONE when nothing is in. */
  victim(now: number): number {
    const slot = this.#eviction.victim(now)
    if (slot !== NONE) this.#eviction.remember(slot)
    return slot
  }

  /** Removes what carries the tag; how many were alive. */
  eraseTag(tag: string, now: number): number {
    return this.#invalidate(this.tags.slotsOf(tag), now)
  }

  /** Removes the live entries whose key is a string that matches; how many. */
  erasePattern(glob: string, now: number): number {
    const matching: number[] = []
    for (let slot = 0; slot < this.#keys.length; slot++) {
      const key = this.#keys[slot]
      if (typeof key !== 'string' || this.slots.kind(slot) === KEY_DIGEST || !this.isLive(slot, now)) continue
      if (globMatches(glob, key)) matching.push(slot)
    }
    return this.#invalidate(matching, now)
  }

  #invalidate(slots: readonly number[], now: number): number {
    let removed = 0
    for (const slot of slots) {
      const live = now <= this.slots.deadline(slot)
      if (live) removed++
      this.#remove(slot, live ? INVALIDATED : EXPIRED)
    }
    this.counts.invalidations += removed
    return removed
  }

  clear(): void {
    this.#plain.clear() // at once, so that none is deleted by itself
    this.#digests.clear()
    for (let slot = 0; slot < this.#keys.length; slot++)
      if (this.slots.queue(slot) !== 0) this.#remove(slot, CLEARED)
  }

  /** Reclaims expired entries: at most `budget` steps. Steps left; 0 when there may be more to do. */
  advance(now: number, budget: number): number {
    return now < this.#wheel.nextDue() ? budget : this.#drain(now, budget)
  }

  nextDue(): number {
    return this.#wheel.nextDue()
  }

  /** Calls `each` for the live slots from `cursor` on, of `count` slots, until it says false. The next cursor, NONE at the end. */
  visit(cursor: number, count: number, now: number, each: (slot: number) => boolean): number {
    const end = Math.min(cursor + count, this.#keys.length)
    for (let slot = cursor; slot < end; slot++) if (this.isLive(slot, now) && !each(slot)) return slot
    return end < this.#keys.length ? end : NONE
  }

  /** Recomputes what is always true. Undefined, or what is wrong. */
  validate(): string | undefined {
    let taken = 0
    for (let slot = 0; slot < this.slots.count; slot++) {
      if ((this.slots.seq(slot) & 1) !== 0) return 'I7: a slot is left half written'
      const key = this.#keys[slot]
      if ((key !== undefined) !== (this.slots.queue(slot) !== 0)) return 'I1: a key and its slot disagree'
      const timed = key !== undefined && Number.isFinite(this.slots.deadline(slot))
      if (timed !== this.#wheel.scheduled(slot)) return 'I3: a deadline and the wheel disagree'
      if (key === undefined) continue
      taken++
      if (this.find(this.slots.kind(slot), key) !== slot) return 'I1: a Map names another slot for a key'
    }
    if (taken !== this.size || taken > this.slots.count) return 'I9: the count of entries is wrong'
    if (this.#keys.length - this.#free.length !== taken) return 'I1: a slot is neither taken nor free'
    return (
      this.#eviction.validate(taken) ??
      this.#wheel.validate() ??
      this.tags.validate((slot) => this.slots.queue(slot) !== 0)
    )
  }

  #drain(now: number, budget: number): number {
    return this.#wheel.size === 0 || this.#wheel.hasReached(now)
      ? budget
      : this.#wheel.advance(now, budget, this.#expire)
  }

  #evict(slot: number, now: number): void {
    if (now > this.slots.deadline(slot)) {
      this.#remove(slot, EXPIRED)
      return
    }
    this.#eviction.remember(slot)
    this.counts.evictions++
    this.#remove(slot, EVICTED)
  }

  #remove(slot: number, reason: number): void {
    const { slots } = this
    if (reason === EXPIRED) this.counts.expirations++
    this.removals.push(slot, reason)
    const key = this.#keys[slot] as Key
    ;(slots.kind(slot) === KEY_DIGEST ? this.#digests : this.#plain).delete(key)
    this.#keys[slot] = undefined
    this.#wheel.unlink(slot)
    this.#eviction.unlink(slot)
    this.tags.drop(slot)
    slots.bump(slot)
    this.#free.push(slot)
  }
}
