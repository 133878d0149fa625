/**
 * Slots in the order of their use: a doubly linked list over an array of numbers.
 *
 * A slot's numbers stand side by side, so that a hit touches one line of memory for all of them, and moving it one for each neighbour. Where the list
 * is larger than the processor's caches, uses are noted and made up for when somebody asks for the order, or after 256: lines of memory
 * that one loop asks for come side by side, those that hits ask for come one after another.
 *
 * Always true, once uses are made up for: links are those that lru-cache has, of slots that were removed too, and beyond both ends.
 */
const NOTED = 256
const NONE = 0xffff_ffff
/** Lists of fewer slots are in the processor's caches. */
const LARGE = 32_768

export class Recency {
  /** Of slot i: the older neighbour at 4i, the newer at 4i + 1; until when its entry is surely fresh, at 4i + 2, is for Ages. */
  records: Uint32Array<ArrayBuffer>
  #oldest = 0
  #newest = 0
  readonly #noted = new Uint32Array(NOTED)
  #notes = 0
  #large: boolean
  length = 0

  /** `max`: slots that lru-cache has arrays for; beyond, links say NONE until they are made. */
  constructor(slots: number, max: number) {
    this.records = unlinked(new Uint32Array(4 * slots), max)
    this.#large = slots >= LARGE
  }

  /** Room for so many slots. */
  grow(slots: number): void {
    const records = new Uint32Array(4 * slots)
    records.set(this.records)
    this.records = unlinked(records, this.records.length / 4)
    this.#large = slots >= LARGE
  }

  /** Of no meaning while the list is empty. */
  get oldest(): number {
    if (this.#notes !== 0) this.#makeUp()
    return this.#oldest
  }

  get newest(): number {
    if (this.#notes !== 0) this.#makeUp()
    return this.#newest
  }

  older(slot: number): number {
    if (this.#notes !== 0) this.#makeUp()
    return this.records[4 * slot] as number
  }

  newer(slot: number): number {
    if (this.#notes !== 0) this.#makeUp()
    return this.records[4 * slot + 1] as number
  }

  /** A slot that is not in the list becomes the newest. */
  append(slot: number): void {
    if (this.#notes !== 0) this.#makeUp()
    if (this.length++ === 0) {
      this.#oldest = slot
      this.#newest = slot
    }
    this.#join(this.#newest, slot)
    this.#newest = slot
  }

  remove(slot: number): void {
    if (this.#notes !== 0) this.#makeUp()
    if (--this.length === 0) this.clear()
    else if (slot === this.#newest) this.#newest = this.records[4 * slot] as number
    else if (slot === this.#oldest) this.#oldest = this.records[4 * slot + 1] as number
    else this.#leave(slot)
  }

  /** A slot in the list becomes the newest. */
  use(slot: number): void {
    if (!this.#large) {
      if (slot !== this.#newest) this.#move(slot)
      return
    }
    this.#noted[this.#notes] = slot
    if (++this.#notes === NOTED) this.#makeUp()
  }

  clear(): void {
    this.#notes = 0
    this.length = 0
    this.#oldest = 0
    this.#newest = 0
  }

  #makeUp(): void {
    const noted = this.#noted
    const { records } = this
    const notes = this.#notes
    // Only asks for the lines. The sum is looked at, so that the loop stays.
    let sum = 0
    for (let i = 0; i < notes; i++) sum += records[4 * (noted[i] as number)] as number
    if (sum < 0) return
    for (let i = 0; i < notes; i++) {
      const slot = noted[i] as number
      if (slot !== this.#newest) this.#move(slot)
    }
    this.#notes = 0
  }

  #move(slot: number): void {
    if (slot === this.#oldest) this.#oldest = this.records[4 * slot + 1] as number
    else this.#leave(slot)
    this.#join(this.#newest, slot)
    this.#newest = slot
  }

  #leave(slot: number): void {
    this.#join(this.records[4 * slot] as number, this.records[4 * slot + 1] as number)
  }

  #join(older: number, newer: number): void {
    this.records[4 * older + 1] = newer
    this.records[4 * newer] = older
  }
}

/** Links of the slots from `first` on to no slot. */
function unlinked(records: Uint32Array<ArrayBuffer>, first: number): Uint32Array<ArrayBuffer> {
  for (let at = 4 * first; at < records.length; at += 4) records.fill(NONE, at, at + 2)
  return records
}
