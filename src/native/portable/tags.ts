/**
 * The tag index: which slots carry a tag, and which tags a slot carries.
 *
 * A tag is known by its name; entries that came out of a file bring its digest alone, which is its name's as soon as somebody says it.
 * Always true: an entry that leaves by any door leaves its tags too, and a tag without entries is forgotten. Nothing is spent on entries
 * without tags, nor on digests before a file is read or written.
 */
import { tagDigest } from './digest-key.js'

interface Tag {
  name: string | undefined
  /** As digestKey() gives it; undefined until it is asked for. One of both is there. */
  digest: string | undefined
  readonly slots: Set<number>
}

const NO_TAGS: readonly string[] = []

export class Tags {
  readonly #byName = new Map<string, Tag>()
  /** All tags, from when the first came out of a file until none is left. */
  #byDigest: Map<string, Tag> | undefined
  readonly #carried = new Map<number, readonly Tag[]>()

  /** Tags that some entry carries. */
  get size(): number {
    return this.#byDigest?.size ?? this.#byName.size
  }

  /** In place of those that the slot carried. */
  put(slot: number, names: readonly string[] | undefined): void {
    this.drop(slot)
    if (names === undefined || names.length === 0) return
    this.#link(
      slot,
      names.map((name) => this.#find(name) ?? this.#add(name)),
    )
  }

  /** As put(), by digests. */
  putDigests(slot: number, digests: readonly string[]): void {
    this.drop(slot)
    if (digests.length === 0) return
    this.#link(
      slot,
      digests.map((digest) => this.#ofDigest(digest)),
    )
  }

  #link(slot: number, tags: readonly Tag[]): void {
    let links = 0
    for (const { slots } of tags) {
      links -= slots.size
      links += slots.add(slot).size
    }
    this.#carried.set(slot, links === tags.length ? tags : [...new Set(tags)])
  }

  drop(slot: number): void {
    if (this.#carried.size === 0) return
    const tags = this.#carried.get(slot)
    if (tags === undefined) return
    this.#carried.delete(slot)
    for (const tag of tags) {
      tag.slots.delete(slot)
      if (tag.slots.size === 0) this.#forget(tag)
    }
  }

  /** A copy: what a tag's entries are may change while they are walked. */
  slotsOf(name: string): readonly number[] {
    return [...(this.#find(name)?.slots ?? [])]
  }

  /** The digests of the tags that a slot carries. */
  digestsOf(slot: number): readonly string[] {
    const tags = this.#carried.get(slot)
    return tags === undefined ? NO_TAGS : tags.map(digestOf)
  }

  #find(name: string): Tag | undefined {
    const known = this.#byName.get(name)
    if (known !== undefined || this.#byDigest === undefined) return known
    const tag = this.#byDigest.get(tagDigest(name))
    if (tag !== undefined) {
      tag.name = name
      this.#byName.set(name, tag)
    }
    return tag
  }

  #add(name: string): Tag {
    const tag: Tag = { name, digest: undefined, slots: new Set() }
    this.#byName.set(name, tag)
    this.#byDigest?.set(digestOf(tag), tag)
    return tag
  }

  #ofDigest(digest: string): Tag {
    this.#byDigest ??= new Map(Array.from(this.#byName.values(), (tag) => [digestOf(tag), tag]))
    const known = this.#byDigest.get(digest)
    if (known !== undefined) return known
    const tag: Tag = { name: undefined, digest, slots: new Set() }
    this.#byDigest.set(digest, tag)
    return tag
  }

  #forget(tag: Tag): void {
    if (tag.name !== undefined) this.#byName.delete(tag.name)
    if (this.#byDigest === undefined) return
    this.#byDigest.delete(digestOf(tag))
    if (this.#byDigest.size === 0) this.#byDigest = undefined
  }

  /** Undefined, or what is wrong. `taken`: whether a slot is in use. */
  validate(taken: (slot: number) => boolean): string | undefined {
    let links = 0
    const tags = new Set([...this.#byName.values(), ...(this.#byDigest?.values() ?? [])])
    if (tags.size !== this.size) return 'I8: a tag is known by its name and not by its digest'
    for (const tag of tags) {
      if (tag.slots.size === 0) return 'I8: a tag without entries'
      for (const slot of tag.slots)
        if (!this.#carried.get(slot)?.includes(tag)) return 'I8: a tag names an entry that does not carry it'
      links += tag.slots.size
    }
    for (const [slot, carried] of this.#carried) {
      if (!taken(slot)) return 'I8: a free slot carries tags'
      links -= carried.length
    }
    return links === 0 ? undefined : 'I8: tag links and entries disagree'
  }
}

function digestOf(tag: Tag): string {
  tag.digest ??= tagDigest(tag.name as string)
  return tag.digest
}
