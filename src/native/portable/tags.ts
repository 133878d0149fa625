/**
 * The tag index: which slots carry a tag, and which tags a slot carries.
 *
 * Always true: an entry that leaves by any door leaves its tags too, and a tag without entries is forgotten. Nothing is spent on entries
 * without tags.
 */
export class Tags {
  readonly #slots = new Map<string, Set<number>>()
  readonly #names = new Map<number, readonly string[]>()

  /** Tags that some entry carries. */
  get size(): number {
    return this.#slots.size
  }

  /** In place of those that the slot carried. */
  put(slot: number, names: readonly string[] | undefined): void {
    this.drop(slot)
    if (names === undefined || names.length === 0) return
    this.#names.set(slot, names)
    for (const name of names) {
      const slots = this.#slots.get(name)
      if (slots === undefined) this.#slots.set(name, new Set([slot]))
      else slots.add(slot)
    }
  }

  drop(slot: number): void {
    if (this.#names.size === 0) return
    const names = this.#names.get(slot)
    if (names === undefined) return
    this.#names.delete(slot)
    for (const name of names) {
      const slots = this.#slots.get(name)
      if (slots?.delete(slot) && slots.size === 0) this.#slots.delete(name)
    }
  }

  /** A copy: what a tag's entries are may change while they are walked. */
  slotsOf(name: string): readonly number[] {
    return [...(this.#slots.get(name) ?? [])]
  }

  /** Undefined, or what is wrong. `taken`: whether a slot is in use. */
  validate(taken: (slot: number) => boolean): string | undefined {
    let links = 0
    for (const [name, slots] of this.#slots) {
      if (slots.size === 0) return 'I8: a tag without entries'
      for (const slot of slots)
        if (!this.#names.get(slot)?.includes(name)) return 'I8: a tag names an entry that does not carry it'
      links += slots.size
    }
    for (const [slot, names] of this.#names) {
      if (!taken(slot)) return 'I8: a free slot carries tags'
      links -= new Set(names).size
    }
    return links === 0 ? undefined : 'I8: tag links and entries disagree'
  }
}
