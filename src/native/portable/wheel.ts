/**
 * The timer wheel: finds the slots whose deadline has passed. As native/core/timer_wheel.h, which draws and explains it.
 *
 * Seven levels of 64 buckets over ticks of one millisecond; a slot is touched once a level at most. Always true: nothing is handed out
 * before its deadline has passed, and between two calls any slot may be scheduled or unlinked. Ticks are whole doubles: 71,000 years on
 * either side of the clock's zero; deadlines beyond are never reclaimed by the wheel, and reads judge them as all others.
 */
import { SLOT_WHEEL_NEXT, SLOT_WHEEL_PREV } from '../layout.js'
import { NONE, type Slots } from './slots.js'

const LEVELS = 7
const TOP = LEVELS - 1
const DIGITS = 64
/** The tick of time 0. */
const EPOCH = 2 ** 51
/** Ticks that a bucket of each level spans. */
const SPANS: readonly number[] = Array.from({ length: LEVELS + 1 }, (_, level) => DIGITS ** level)
const PREV = SLOT_WHEEL_PREV / 4
const NEXT = SLOT_WHEEL_NEXT / 4

export class TimerWheel {
  readonly #slots: Slots
  readonly #words: Int32Array
  readonly #heads = new Int32Array(LEVELS * DIGITS).fill(NONE)
  /** Two words a level: which of its buckets hold something. */
  readonly #occupied = new Int32Array(LEVELS * 2)
  /** Every bucket before this tick is empty. */
  #tick: number
  /** Slots that are linked. */
  size = 0
  /** When the bucket that #nextWork() gave must be emptied. */
  #workTick = 0

  constructor(slots: Slots, now: number) {
    this.#slots = slots
    this.#words = slots.words
    this.#tick = tickOf(now)
  }

  /** A linked slot never has two equal links; an unlinked one always has, in fresh memory too. */
  scheduled(slot: number): boolean {
    const at = this.#slots.at(slot)
    return this.#words[at + PREV] !== this.#words[at + NEXT]
  }

  /** Puts an unlinked slot into the bucket of its deadline, which is finite. */
  schedule(slot: number): void {
    this.#link(slot, this.#bucketOf(dueTick(this.#slots.deadline(slot))))
  }

  unlink(slot: number): void {
    const at = this.#slots.at(slot)
    const words = this.#words
    const prev = words[at + PREV] as number
    const next = words[at + NEXT] as number
    if (prev === next) return
    if (prev >= 0) words[this.#slots.at(prev) + NEXT] = next
    else this.#setHead(bucketIn(prev), next)
    if (next !== NONE) words[this.#slots.at(next) + PREV] = prev
    this.#forget(at)
  }

  /** After the deadline in the slot changed from `was`. A slot that lies earlier than it would today is reached first, and moves then. */
  reschedule(slot: number, was: number): void {
    const deadline = this.#slots.deadline(slot)
    if (!Number.isFinite(deadline)) {
      this.unlink(slot)
      return
    }
    const bucket = this.#bucketOf(dueTick(deadline))
    if (this.scheduled(slot)) {
      if (bucket === this.#bucketOf(dueTick(was))) return
      this.unlink(slot)
    }
    this.#link(slot, bucket)
  }

  /** Whether an advance() to the same millisecond has found nothing more to do. */
  hasReached(now: number): boolean {
    const tick = this.#tick
    if (tickOf(now) !== tick) return false
    const digit = tick % DIGITS
    return digit !== 0 && !this.#isOccupied(digit)
  }

  /**
   * Moves to `now` and hands each slot whose deadline has passed to `expired`, unlinked already. A slot handed out or moved to a lower
   * level costs one of the budget; what is left of it. With 0 left there may be more to do.
   */
  advance(now: number, budget: number, expired: (slot: number) => void): number {
    const target = tickOf(now)
    if (target < this.#tick) return budget
    let left = budget
    while (left !== 0) {
      const bucket = this.#nextWork()
      if (bucket === NONE || this.#workTick > target) {
        this.#tick = target
        break
      }
      this.#tick = this.#workTick
      left = this.#drain(bucket, target, left, expired)
    }
    return left
  }

  /** A time before which advance() has nothing to do; Infinity when the wheel is empty. */
  nextDue(): number {
    return this.#nextWork() === NONE ? Number.POSITIVE_INFINITY : this.#workTick - EPOCH
  }

  /** Undefined, or what is wrong. */
  validate(): string | undefined {
    let linked = 0
    for (let bucket = 0; bucket < this.#heads.length; bucket++) {
      let before = marker(bucket)
      for (let slot = this.#heads[bucket] as number; slot !== NONE; ) {
        const at = this.#slots.at(slot)
        if (slot < 0 || slot >= this.#slots.count || ++linked > this.#slots.count)
          return 'I3: a wheel bucket does not end'
        if (this.#words[at + PREV] !== before) return 'I3: wheel links disagree'
        const deadline = this.#slots.deadline(slot)
        if (!Number.isFinite(deadline)) return 'I3: a slot without a deadline is in the wheel'
        if (dueTick(deadline) < this.#beginOf(bucket)) return 'I3: a slot is due before its bucket'
        before = slot
        slot = this.#words[at + NEXT] as number
      }
      if (this.#isOccupied(bucket) !== (this.#heads[bucket] !== NONE))
        return 'I3: a wheel bitmap disagrees with its buckets'
    }
    if (linked !== this.size) return "I3: the wheel's count is wrong"
    for (let slot = 0; slot < this.#slots.count; slot++) if (this.scheduled(slot)) linked--
    return linked === 0 ? undefined : 'I3: a slot is linked but in no bucket'
  }

  /** The first tick of a bucket; that of work which is due now lies behind the wheel. */
  #beginOf(bucket: number): number {
    const level = bucket >> 6
    const span = SPANS[level] as number
    const own = Math.floor(this.#tick / span)
    const ahead = ((bucket & 63) - (own % DIGITS) + DIGITS) % DIGITS
    return ahead === 0 ? Number.NEGATIVE_INFINITY : (own + ahead) * span
  }

  #bucketOf(due: number): number {
    const tick = this.#tick
    if (due <= tick) return tick % DIGITS
    let level = 0
    while (level < TOP) {
      const above = SPANS[level + 1] as number
      if (Math.floor(due / above) === Math.floor(tick / above)) break
      level++
    }
    const span = SPANS[level] as number
    const digit = Math.floor(due / span)
    if (level < TOP) return level * DIGITS + (digit % DIGITS)
    const own = Math.floor(tick / span)
    return TOP * DIGITS + ((digit - own < DIGITS ? digit : own + DIGITS - 1) % DIGITS)
  }

  /** Work due now if there is any, else the bucket that begins first; NONE when the wheel is empty. */
  #nextWork(): number {
    const tick = this.#tick
    let first = NONE
    for (let level = TOP; level >= 0; level--) {
      const low = this.#occupied[2 * level] as number
      const high = this.#occupied[2 * level + 1] as number
      if ((low | high) === 0) continue
      const span = SPANS[level] as number
      const own = Math.floor(tick / span)
      const digit = own % DIGITS
      let ahead = nextBit(low, high, digit) - digit
      if (digit + ahead === DIGITS) {
        if (level !== TOP) continue
        ahead = nextBit(low, high, 0) + DIGITS - digit
      }
      first = level * DIGITS + ((digit + ahead) % DIGITS)
      this.#workTick = ahead === 0 ? tick : (own + ahead) * span
      if (ahead === 0) return first
    }
    return first
  }

  /** Empties a bucket as far as the budget goes. */
  #drain(bucket: number, target: number, budget: number, expired: (slot: number) => void): number {
    let left = budget
    for (let slot = this.#heads[bucket] as number; left !== 0 && slot !== NONE; left--) {
      this.unlink(slot)
      const due = dueTick(this.#slots.deadline(slot))
      if (due <= target) expired(slot)
      else this.#link(slot, this.#bucketOf(due))
      slot = this.#heads[bucket] as number
    }
    return left
  }

  #link(slot: number, bucket: number): void {
    const at = this.#slots.at(slot)
    const head = this.#heads[bucket] as number
    this.#words[at + PREV] = marker(bucket)
    this.#words[at + NEXT] = head
    if (head !== NONE) this.#words[this.#slots.at(head) + PREV] = slot
    this.#setHead(bucket, slot)
    this.size++
  }

  #forget(at: number): void {
    this.#words[at + PREV] = NONE
    this.#words[at + NEXT] = NONE
    this.size--
  }

  #setHead(bucket: number, slot: number): void {
    this.#heads[bucket] = slot
    const word = bucket >> 5
    const bit = 1 << (bucket & 31)
    const occupied = this.#occupied[word] as number
    this.#occupied[word] = slot === NONE ? occupied & ~bit : occupied | bit
  }

  #isOccupied(bucket: number): boolean {
    return ((this.#occupied[bucket >> 5] as number) & (1 << (bucket & 31))) !== 0
  }
}

/** What stands before the first slot of a bucket: below NONE. */
function marker(bucket: number): number {
  return -2 - bucket
}

function bucketIn(marked: number): number {
  return -2 - marked
}

function tickOf(time: number): number {
  return Math.max(-EPOCH, Math.min(EPOCH, Math.floor(time))) + EPOCH
}

/** A deadline is passed when now is larger. */
function dueTick(deadline: number): number {
  return tickOf(deadline) + 1
}

/** The first set bit of 64 from `from` on; 64 when there is none. */
function nextBit(low: number, high: number, from: number): number {
  if (from < 32) {
    const bits = low & (-1 << from)
    if (bits !== 0) return lowestBit(bits)
  }
  const bits = from <= 32 ? high : high & (-1 << (from - 32))
  return bits === 0 ? DIGITS : 32 + lowestBit(bits)
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}
