/**
 * What was changed while the second tier could not be reached, to be changed there once it can.
 *
 * Always true: changes come out in the order of the calls that made them, at most one for each name, tag and pattern, the last one, in
 * its place. What was taken in stays until it is done, is over (a later change of its name, its tag, a pattern or a clear), or its own time
 * is over. A set without room is refused, and a deletion stands in its place; a deletion or an invalidation never is: too many of them
 * become one clear in front of the sets, none of which they concern. While anything is queued for a name, or a tag, a pattern
 * or a clear is queued, what the second tier holds under that name must not be believed: `blocks`.
 * Values that factories made are guests: they block nothing, and leave when there is no room for a set, or their name changes.
 * Cost: O(1) a call, O(sets) for a pattern, O(sets of the tag) for a tag; a set keeps its bytes.
 *
 * One Map is the queue, its insertion order that of the changes: to queue a name again is to take it out and put it at the end. That
 * drops an earlier change of the name across a tag, a pattern or a clear between the two, which is right because the later one
 * decides in either case.
 */

import { globMatches } from '../glob.js'
import { functionOption, integerOption, refuseUnknownOptions } from '../options.js'
import {
  CLEAR_KEY,
  isBarrier,
  keyOf,
  type QueuedDelete,
  type QueuedSet,
  type QueuedWrite,
  type SetToQueue,
  setBytes,
} from './queued.js'
import type { Moment } from './store.js'

/**
 * What was given up: a set that was refused for lack of room, values of factories for the same, sets whose time was over, or so many
 * invalidations that became one clear.
 */
export type DropReason = 'room' | 'guests' | 'expired' | 'invalidations'

export interface ReplayQueueOptions {
  /** Sets that it holds. Beyond, they are refused. Default 10,000. */
  readonly maxSets?: number | undefined
  /** Deletions, tags and patterns that it holds. Beyond, they become one clear. Default 20,000. */
  readonly maxInvalidations?: number | undefined
  /** Bytes of sets and their names, and as much again of the names of invalidations. Default 64 MiB. */
  readonly maxBytes?: number | undefined
  /** Called when something was given up, how many and why; must not throw. */
  readonly onDrop?: ((reason: DropReason, count: number) => void) | undefined
  /** Monotonic milliseconds. Default `performance.now()`. */
  readonly now?: (() => number) | undefined
}

export class ReplayQueue {
  readonly #maxSets: number
  readonly #maxInvalidations: number
  readonly #maxBytes: number
  readonly #onDrop: ReplayQueueOptions['onDrop']
  readonly #now: () => number
  /** By kind and name: 'n' a set or delete, 'g' a guest, 't' a tag, 'p' a pattern, 'c' the clear. `ttlMs` of a set is a deadline in here. */
  #writes = new Map<string, QueuedWrite>()
  /** Keys of the sets and of the guests, oldest first, and of both by tag. */
  readonly #sets = new Set<string>()
  readonly #guests = new Set<string>()
  readonly #tagged = new Map<string, Set<string>>()
  /** Tags, patterns and clears: each may concern any name. */
  #barriers = 0
  #setBytes = 0
  #nameBytes = 0
  #sequence = 0

  /** @throws HitpathError INVALID_OPTION */
  constructor(options: ReplayQueueOptions = {}) {
    refuseUnknownOptions(options, 'ReplayQueue', ['maxSets', 'maxInvalidations', 'maxBytes', 'onDrop', 'now'])
    this.#maxSets = integerOption(options.maxSets ?? 10_000, 'ReplayQueue.maxSets', { min: 0 })
    this.#maxInvalidations = integerOption(options.maxInvalidations ?? 20_000, 'ReplayQueue.maxInvalidations')
    this.#maxBytes = integerOption(options.maxBytes ?? 64 * 2 ** 20, 'ReplayQueue.maxBytes')
    this.#onDrop = options.onDrop && functionOption(options.onDrop, 'ReplayQueue.onDrop')
    this.#now = functionOption(options.now ?? (() => performance.now()), 'ReplayQueue.now')
  }

  /** Changes that are queued. */
  get size(): number {
    return this.#writes.size
  }

  /** Bytes of values, and of names at two a character. */
  get bytes(): number {
    return this.#setBytes + this.#nameBytes
  }

  /** Whether the second tier's entry of this name must be treated as a miss. */
  blocks(name: string): boolean {
    return this.#barriers > 0 || this.#writes.has(`n${name}`)
  }

  /** Whether a set of this name waits. */
  holdsSet(name: string): boolean {
    return this.#sets.has(`n${name}`)
  }

  /** Whether an invalidation of the tag waits. */
  holdsTag(tag: string): boolean {
    return this.#writes.has(`t${tag}`)
  }

  /** @returns false when there is no room: then it is the deletion of its name that is queued */
  set(write: SetToQueue): boolean {
    const { name, at } = write
    this.withdraw(name)
    const key = `n${name}`
    this.#remove(key)
    if (!this.#makeRoom(setBytes(key, write))) {
      this.delete(name, at)
      this.#onDrop?.('room', 1)
      return false
    }
    this.#putSet(key, write, false)
    return true
  }

  /** A value that a factory made. @returns false when there is no room, or a set of the name waits */
  invite(write: SetToQueue): boolean {
    if (this.holdsSet(write.name)) return false
    this.withdraw(write.name)
    const key = `g${write.name}`
    if (!this.#fits(setBytes(key, write))) return false
    this.#putSet(key, write, true)
    return true
  }

  /** The name is changed by other means: what a factory made of it leaves. */
  withdraw(name: string): void {
    this.#remove(`g${name}`)
  }

  delete(name: string, at: Moment | undefined): void {
    this.withdraw(name)
    this.#append(`n${name}`, { kind: 'delete', name, at, sequence: ++this.#sequence })
  }

  /** Sets that carry the tag are over: deletions as of then remain, since they took the place of whatever was there before. */
  invalidateTag(tag: string, at: Moment | undefined): void {
    for (const key of [...(this.#tagged.get(tag) ?? [])]) {
      const write = this.#writes.get(key) as QueuedSet
      if (write.guest) this.#remove(key)
      else this.#becomeDeletion(key, write)
    }
    this.#append(`t${tag}`, { kind: 'tag', tag, at, sequence: ++this.#sequence })
  }

  invalidatePattern(glob: string, at: Moment | undefined): void {
    for (const keys of [this.#sets, this.#guests]) {
      for (const key of keys) {
        if (key[1] === 's' && globMatches(glob, key.slice(2))) this.#remove(key)
      }
    }
    this.#append(`p${glob}`, { kind: 'pattern', glob, at, sequence: ++this.#sequence })
  }

  /** Invalidates all that was ever written, so whatever is queued before it goes. */
  clear(at: Moment | undefined): void {
    this.#writes.clear()
    this.#sets.clear()
    this.#guests.clear()
    this.#tagged.clear()
    this.#barriers = this.#setBytes = this.#nameBytes = 0
    this.#put(CLEAR_KEY, { kind: 'clear', at, sequence: ++this.#sequence })
  }

  /**
   * The changes to make next: a run of one kind from the head, at most `limit`. They stay queued, and block their names, until
   * `done`; what is queued for one of their names meanwhile stays after it.
   */
  next(limit = 256): readonly QueuedWrite[] {
    const run: QueuedWrite[] = []
    let expired = 0
    for (const [key, write] of this.#writes) {
      if (run.length === limit) break
      let taken = write
      if (write.kind === 'set') {
        const ttlMs = Math.ceil(write.ttlMs - this.#now())
        if (ttlMs <= 0) expired++
        if (ttlMs > 0) taken = { ...write, ttlMs }
        else if (write.guest) {
          this.#remove(key)
          continue
        } else taken = this.#becomeDeletion(key, write)
      }
      if (run[0] !== undefined && run[0].kind !== taken.kind) break
      run.push(taken)
    }
    if (expired > 0) this.#onDrop?.('expired', expired)
    return run
  }

  /** Whether no later change has taken the place of this one. */
  holds(write: QueuedWrite): boolean {
    return this.#writes.get(keyOf(write))?.sequence === write.sequence
  }

  /** These changes were made. */
  done(writes: readonly QueuedWrite[]): void {
    for (const write of writes) {
      if (this.holds(write)) this.#remove(keyOf(write))
    }
  }

  // ---- room ----

  #fits(bytes: number): boolean {
    const count = this.#sets.size + this.#guests.size
    return count < this.#maxSets && this.#setBytes + bytes <= this.#maxBytes
  }

  /** Guests leave, the oldest first, until so many bytes fit; none does when that would not help. */
  #makeRoom(bytes: number): boolean {
    if (this.#fits(bytes)) return true
    let guestBytes = 0
    for (const key of this.#guests) guestBytes += setBytes(key, this.#writes.get(key) as QueuedSet)
    if (this.#sets.size >= this.#maxSets || this.#setBytes - guestBytes + bytes > this.#maxBytes) return false
    let left = 0
    for (const key of this.#guests) {
      if (this.#fits(bytes)) break
      this.#remove(key)
      left++
    }
    this.#onDrop?.('guests', left)
    return true
  }

  #append(key: string, write: QueuedWrite): void {
    this.#remove(key)
    this.#put(key, write)
    const invalidations = this.#writes.size - this.#sets.size - this.#guests.size
    if (invalidations > this.#maxInvalidations || this.#nameBytes > this.#maxBytes) this.#collapse()
  }

  /** No set in the queue is concerned by an invalidation in it, so a clear before all of them takes the place of all invalidations. */
  #collapse(): void {
    let at: Moment | undefined
    let count = 0
    const sets: [string, QueuedWrite][] = []
    for (const one of this.#writes) {
      if (one[1].kind === 'set') sets.push(one)
      else {
        at = one[1].at
        count++
      }
    }
    this.#writes = new Map()
    this.#barriers = this.#nameBytes = 0
    this.#put(CLEAR_KEY, { kind: 'clear', at, sequence: ++this.#sequence })
    for (const [key, write] of sets) this.#writes.set(key, write)
    this.#onDrop?.('invalidations', count)
  }

  // ---- the Map and what is counted of it ----

  #putSet(key: string, write: SetToQueue, guest: boolean): void {
    const ttlMs = this.#now() + write.ttlMs
    this.#put(key, { ...write, ttlMs, kind: 'set', guest, sequence: ++this.#sequence })
  }

  /** A deletion in the place of the set. */
  #becomeDeletion(key: string, { name, at }: QueuedSet): QueuedDelete {
    const deletion: QueuedDelete = { kind: 'delete', name, at, sequence: ++this.#sequence }
    this.#discount(key)
    this.#put(key, deletion)
    return deletion
  }

  /** At the end, or in the place of what is there. */
  #put(key: string, write: QueuedWrite): void {
    this.#writes.set(key, write)
    if (write.kind !== 'set') {
      this.#nameBytes += 2 * key.length
      if (isBarrier(write)) this.#barriers++
      return
    }
    this.#setBytes += setBytes(key, write)
    ;(write.guest ? this.#guests : this.#sets).add(key)
    for (const tag of write.tags) {
      const keys = this.#tagged.get(tag)
      if (keys === undefined) this.#tagged.set(tag, new Set([key]))
      else keys.add(key)
    }
  }

  #remove(key: string): void {
    this.#discount(key)
    this.#writes.delete(key)
  }

  #discount(key: string): void {
    const write = this.#writes.get(key)
    if (write === undefined) return
    if (write.kind !== 'set') {
      this.#nameBytes -= 2 * key.length
      if (isBarrier(write)) this.#barriers--
      return
    }
    this.#setBytes -= setBytes(key, write)
    ;(write.guest ? this.#guests : this.#sets).delete(key)
    for (const tag of write.tags) {
      const keys = this.#tagged.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) this.#tagged.delete(tag)
    }
  }
}
