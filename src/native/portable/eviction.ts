/**
 * Which entry leaves: XG, or exact LRU, decided as by native/core/eviction.h, which explains them.
 *
 * Counters, stamps and links are words of the slots. Always true: every slot that is taken is in one of the two queues; head is young,
 * tail is old. With the same keys and the same calls both engines choose the same victims, as long as no bucket of the ghosts is
 * full; which share one depends on a seed.
 */
import {
  QUEUE_MAIN,
  QUEUE_SMALL,
  SHARD_HEADER_SMALL_SEQ,
  SHARD_HEADER_SMALL_YOUNG,
  SLOT_FREQ,
  SLOT_HASH,
  SLOT_QUEUE_NEXT,
  SLOT_QUEUE_PREV,
  SLOT_STAMP,
} from '../layout.js'
import { HEAT_MAIN } from '../record.js'
import { Ghosts } from './ghost.js'
import { NONE, type Slots } from './slots.js'

const FIRST_SHARE = 0.25
const LEAST_SHARE = 0.01
const MOST_SHARE = 0.9
const SMALL_STEPS = 256
const MAIN_STEPS = 384
const MAX_FREQ = 3
/** As Ghosts names the queues. */
const SMALL = 0
const MAIN = 1

interface Queue {
  head: number
  tail: number
  count: number
}

export class Eviction {
  readonly #slots: Slots
  readonly #lru: boolean
  readonly #capacity: number
  readonly #small: Queue = { head: NONE, tail: NONE, count: 0 }
  readonly #main: Queue = { head: NONE, tail: NONE, count: 0 }
  readonly #ghosts: Ghosts
  #share = 0
  /** Longest walk of a hand so far. */
  longestHand = 0

  constructor(slots: Slots, capacity: number, lru: boolean) {
    this.#slots = slots
    this.#lru = lru
    this.#capacity = capacity
    this.#ghosts = new Ghosts(lru ? 0 : capacity)
    this.#setShare(FIRST_SHARE * capacity)
  }

  /** Of the capacity, 0 to 1. */
  get smallShare(): number {
    return this.#share / this.#capacity
  }

  /** What a hit does. */
  touch(slot: number): void {
    if (this.#lru) {
      this.#toHead(slot)
      return
    }
    const slots = this.#slots
    const at = slots.at(slot)
    const freq = slots.bytes[at * 4 + SLOT_FREQ] as number
    if (freq >= MAX_FREQ) return
    if (slots.queue(slot) === QUEUE_SMALL) {
      const age =
        (slots.shardWord(SHARD_HEADER_SMALL_SEQ) - (slots.words[at + SLOT_STAMP / 4] as number)) >>> 0
      if (age < slots.shardWord(SHARD_HEADER_SMALL_YOUNG)) return
    }
    slots.bytes[at * 4 + SLOT_FREQ] = freq + 1
  }

  /** Where a newcomer goes. Adapts the split, so it is asked once an insertion, before room is made. */
  consult(hash: number): number {
    if (this.#lru) return QUEUE_MAIN
    const small = this.#ghosts.count(SMALL)
    const main = this.#ghosts.count(MAIN)
    const left = this.#ghosts.take(hash)
    if (left === undefined) return QUEUE_SMALL
    this.#setShare(this.#share + (left === SMALL ? Math.max(1, main / small) : -Math.max(1, small / main)))
    return QUEUE_MAIN
  }

  /** What the policy knows of a slot, as a byte of record.ts. */
  heatOf(slot: number): number {
    const slots = this.#slots
    const freq = slots.bytes[slots.at(slot) * 4 + SLOT_FREQ] as number
    return slots.queue(slot) === QUEUE_MAIN ? freq | HEAT_MAIN : freq
  }

  /** Where an entry goes that comes back with such a byte. */
  home(heat: number): number {
    return this.#lru || (heat & HEAT_MAIN) !== 0 ? QUEUE_MAIN : QUEUE_SMALL
  }

  enter(slot: number, queue: number, freq = 0): void {
    const slots = this.#slots
    const at = slots.at(slot)
    slots.bytes[at * 4 + SLOT_FREQ] = freq
    slots.setQueue(slot, queue)
    if (queue === QUEUE_SMALL) {
      const seq = slots.shardWord(SHARD_HEADER_SMALL_SEQ)
      slots.words[at + SLOT_STAMP / 4] = seq
      slots.setShardWord(SHARD_HEADER_SMALL_SEQ, seq + 1)
    }
    this.#push(slot, queue === QUEUE_SMALL ? this.#small : this.#main)
  }

  unlink(slot: number): void {
    this.#pull(slot, this.#slots.queue(slot) === QUEUE_SMALL ? this.#small : this.#main)
    this.#slots.setQueue(slot, 0)
  }

  /** The entry to evict next, still linked; NONE when there is none. An expired one goes first, whatever its counter. */
  victim(now: number): number {
    const slots = this.#slots
    let steps = 0
    let smallSteps = 0
    let mainSteps = 0
    let slot = NONE
    while (this.#small.count + this.#main.count !== 0) {
      const small = this.#small.count
      const fromSmall =
        this.#main.count === 0 || (small !== 0 && small >= this.#share && smallSteps < SMALL_STEPS)
      slot = fromSmall ? this.#small.tail : this.#main.tail
      steps++
      if (this.#lru || now > slots.deadline(slot)) break
      const at = slots.at(slot) * 4 + SLOT_FREQ
      const freq = slots.bytes[at] as number
      if (freq === 0) break
      if (fromSmall) {
        if (smallSteps++ >= SMALL_STEPS) break
        this.unlink(slot)
        this.enter(slot, QUEUE_MAIN)
      } else {
        if (mainSteps++ >= MAIN_STEPS) break
        slots.bytes[at] = freq - 1
        this.#toHead(slot)
      }
    }
    if (steps > this.longestHand) this.longestHand = steps
    return slot
  }

  /** An evicted entry leaves its hash to a ghost. Before unlink(). */
  remember(slot: number): void {
    if (this.#lru) return
    const ghost = this.#slots.queue(slot) === QUEUE_SMALL ? SMALL : MAIN
    this.#ghosts.put(ghost, this.#slots.words[this.#slots.at(slot) + SLOT_HASH / 4] as number)
  }

  /** Undefined, or what is wrong. `taken`: slots that are in use. */
  validate(taken: number): string | undefined {
    const queues = [
      [QUEUE_SMALL, this.#small],
      [QUEUE_MAIN, this.#main],
    ] as const
    for (const [id, queue] of queues) {
      const fault = this.#fault(id, queue)
      if (fault !== undefined) return fault
    }
    if (this.#small.count + this.#main.count !== taken) return 'I4: queues and slots disagree'
    return this.#ghosts.validate()
  }

  #fault(id: number, queue: Queue): string | undefined {
    const { words, bytes } = this.#slots
    let seen = 0
    let before = NONE
    for (let slot = queue.head; slot !== NONE; ) {
      const at = this.#slots.at(slot)
      if (slot < 0 || slot >= this.#slots.count || ++seen > queue.count) return 'I4: a queue does not end'
      if (this.#slots.queue(slot) !== id) return 'I4: a slot is in a queue that it does not name'
      if (words[at + SLOT_QUEUE_PREV / 4] !== before) return 'I4: queue links disagree'
      if ((bytes[at * 4 + SLOT_FREQ] as number) > MAX_FREQ) return 'I4: a counter is above 3'
      before = slot
      slot = words[at + SLOT_QUEUE_NEXT / 4] as number
    }
    if (queue.tail !== before) return "I4: a queue's tail is not its last slot"
    return seen === queue.count ? undefined : "I4: a queue's count is wrong"
  }

  #setShare(share: number): void {
    const least = Math.max(1, LEAST_SHARE * this.#capacity)
    const most = Math.max(1, MOST_SHARE * this.#capacity)
    this.#share = Math.min(most, Math.max(least, share))
    this.#slots.setShardWord(SHARD_HEADER_SMALL_YOUNG, Math.ceil(this.#share / 2))
  }

  #push(slot: number, queue: Queue): void {
    const { words } = this.#slots
    const at = this.#slots.at(slot)
    words[at + SLOT_QUEUE_PREV / 4] = NONE
    words[at + SLOT_QUEUE_NEXT / 4] = queue.head
    if (queue.head === NONE) queue.tail = slot
    else words[this.#slots.at(queue.head) + SLOT_QUEUE_PREV / 4] = slot
    queue.head = slot
    queue.count++
  }

  #pull(slot: number, queue: Queue): void {
    const { words } = this.#slots
    const at = this.#slots.at(slot)
    const prev = words[at + SLOT_QUEUE_PREV / 4] as number
    const next = words[at + SLOT_QUEUE_NEXT / 4] as number
    if (prev === NONE) queue.head = next
    else words[this.#slots.at(prev) + SLOT_QUEUE_NEXT / 4] = next
    if (next === NONE) queue.tail = prev
    else words[this.#slots.at(next) + SLOT_QUEUE_PREV / 4] = prev
    queue.count--
  }

  /** Of the main queue. */
  #toHead(slot: number): void {
    if (this.#main.head === slot) return
    this.#pull(slot, this.#main)
    this.#push(slot, this.#main)
  }
}
