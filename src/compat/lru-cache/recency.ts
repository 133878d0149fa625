/**
 * Slots in the order of their use: a doubly linked list over an array of numbers.
 *
 * A slot's two links stand side by side, so that moving it touches one line of memory for itself and one for each neighbour.
 * The oldest has itself for an older neighbour, the newest itself for a newer one. Removing a slot leaves its links as they are, so that
 * an iteration which stands on it goes on from there.
 */
export class Recency {
  /** Of slot i: the older neighbour at 2i, the newer at 2i + 1. */
  #links: Uint32Array<ArrayBuffer>
  /** Of no meaning while the list is empty. */
  oldest = 0
  newest = 0
  length = 0

  constructor(slots: number) {
    this.#links = new Uint32Array(2 * slots)
  }

  /** Room for so many slots. */
  grow(slots: number): void {
    const links = new Uint32Array(2 * slots)
    links.set(this.#links)
    this.#links = links
  }

  older(slot: number): number {
    return this.#links[2 * slot] as number
  }

  newer(slot: number): number {
    return this.#links[2 * slot + 1] as number
  }

  append(slot: number): void {
    if (this.length++ === 0) this.#setOldest(slot)
    else this.#join(this.newest, slot)
    this.#setNewest(slot)
  }

  remove(slot: number): void {
    this.length--
    if (slot === this.newest) this.#setNewest(this.older(slot))
    else if (slot === this.oldest) this.#setOldest(this.newer(slot))
    else this.#join(this.older(slot), this.newer(slot))
  }

  use(slot: number): void {
    if (slot === this.newest) return
    if (slot === this.oldest) this.#setOldest(this.newer(slot))
    else this.#join(this.older(slot), this.newer(slot))
    this.#join(this.newest, slot)
    this.#setNewest(slot)
  }

  clear(): void {
    this.length = 0
  }

  #setOldest(slot: number): void {
    this.oldest = slot
    this.#links[2 * slot] = slot
  }

  #setNewest(slot: number): void {
    this.newest = slot
    this.#links[2 * slot + 1] = slot
  }

  #join(older: number, newer: number): void {
    this.#links[2 * older + 1] = newer
    this.#links[2 * newer] = older
  }
}
