/**
 * Counts what a walk shows: keys by namespace and kind, and of the entries that were read their types, sizes, times and damage.
 *
 * Memory is bounded by the entries that are read, of which only numbers and the names of their tags are kept.
 */
import type { EnvelopeHeader } from '../../codec/envelope.js'
import type { KeyParts } from '../../l2/names.js'
import { judgeEntry, type ReadEntry, readEntry, type State, type TagVersion, typeOfValue } from './entry.js'

export interface NamespaceCount {
  entries: number
  tags: number
  leases: number
  /** Sequences, generations, buses and epochs. */
  own: number
  /** Buckets of which a key was seen. */
  readonly buckets: Set<number>
  /** Of its last clear, once it was read. */
  epoch: number | undefined
}

export interface Sized {
  count: number
  bytes: number
}

interface Kept {
  readonly namespace: string
  readonly head: Pick<EnvelopeHeader, 'epoch' | 'freshUntil' | 'deadAt' | 'tags' | 'negative'>
}

export interface Hot {
  readonly namespace: string
  readonly name: string
  /** The larger the hotter; negative: seconds idle, -1 for none. */
  readonly heat: number
}

/** Upper bounds of the histograms; the last is open. */
export const SIZE_BOUNDS: readonly number[] = [64, 256, 1024, 4096, 16_384, 65_536, 2 ** 20]
export const TTL_BOUNDS: readonly number[] = [1000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000]
const HOTTEST = 10

export class Census {
  readonly namespaces = new Map<string, NamespaceCount>()
  /** Keys under the prefix that are no names of hitpath. */
  strangeKeys = 0
  readonly kinds = { string: 0, number: 0, array: 0 }
  /** String keys by what stands before their first colon. */
  readonly groups = new Map<string, number>()
  readonly types = new Map<string, Sized>()
  readonly shapes = new Map<string, Sized>()
  readonly formats = new Map<number, number>()
  readonly tags = new Map<string, number>()
  readonly sizes: number[] = new Array(SIZE_BOUNDS.length + 1).fill(0)
  readonly ttls: number[] = new Array(TTL_BOUNDS.length + 1).fill(0)
  neverExpires = 0
  read = 0
  /** Larger than what is read. */
  large = 0
  gone = 0
  compressed = 0
  negative = 0
  damaged = 0
  foreign = 0
  envelopeBytes = 0
  payloadBytes = 0
  /** Keys of damaged and foreign values, some of each. */
  readonly suspects: { readonly key: string; readonly why: string }[] = []
  #hottest: Hot[] = []
  readonly #kept: Kept[] = []

  /** The count of a namespace, made when it is first met. */
  namespace(name: string): NamespaceCount {
    let count = this.namespaces.get(name)
    if (count === undefined) {
      count = { entries: 0, tags: 0, leases: 0, own: 0, buckets: new Set(), epoch: undefined }
      this.namespaces.set(name, count)
    }
    return count
  }

  addKey(parts: KeyParts): void {
    const count = this.namespace(parts.namespace)
    count.buckets.add(parts.bucket)
    if (parts.kind === 'tag') count.tags++
    else if (parts.kind === 'lease') count.leases++
    else if (parts.kind !== 'entry') count.own++
    else {
      count.entries++
      this.#addName(parts.name)
    }
  }

  #addName(name: string): void {
    if (name[0] === 'n') this.kinds.number++
    else if (name[0] === 'd') this.kinds.array++
    else {
      this.kinds.string++
      const colon = name.indexOf(':')
      add(this.groups, colon < 0 ? '(no colon)' : `${name.slice(1, colon)}:`)
    }
  }

  /** @param ttlMs Infinity without one */
  addEntry(parts: KeyParts, bytes: Buffer, ttlMs: number): void {
    this.read++
    this.addSize(bytes.length)
    this.#addTtl(ttlMs)
    const entry = readEntry(bytes)
    if (entry.kind !== 'value') {
      this.#addSuspect(parts, entry)
      return
    }
    const { head, value } = entry
    add(this.formats, 1)
    this.payloadBytes += head.payloadBytes
    this.compressed += Number(head.compressed)
    this.negative += Number(head.negative)
    const { name, shape } = head.negative
      ? { name: 'no value (negative)', shape: undefined }
      : typeOfValue(value)
    addSized(this.types, shape === undefined ? name : `${name} array`, bytes.length)
    if (shape !== undefined) addSized(this.shapes, `${name} [${shape.join(', ')}]`, bytes.length)
    for (const tag of head.tags) add(this.tags, tag.name)
    const { epoch, freshUntil, deadAt, tags, negative } = head
    this.#kept.push({ namespace: parts.namespace, head: { epoch, freshUntil, deadAt, tags, negative } })
  }

  addSize(bytes: number): void {
    this.envelopeBytes += bytes
    bump(this.sizes, SIZE_BOUNDS, bytes)
  }

  addForeign(parts: KeyParts, why: string): void {
    this.foreign++
    this.#suspect(parts, why)
  }

  addHeat(hot: Hot): void {
    this.#hottest.push(hot)
    if (this.#hottest.length > 50 * HOTTEST) this.#hottest = this.hottest()
  }

  hottest(): Hot[] {
    const seen = new Set<string>()
    return this.#hottest
      .sort((a, b) => b.heat - a.heat || (a.name < b.name ? -1 : 1))
      .filter(({ namespace, name }) => !seen.has(`${namespace} ${name}`) && seen.add(`${namespace} ${name}`))
      .slice(0, HOTTEST)
  }

  /** Of the entries that were read. */
  tagsByNamespace(): Map<string, Set<string>> {
    const all = new Map<string, Set<string>>()
    for (const { namespace, head } of this.#kept) {
      const tags = all.get(namespace) ?? new Set()
      for (const { name } of head.tags) tags.add(name)
      all.set(namespace, tags)
    }
    return all
  }

  /** What a read would make of the entries that were read. */
  states(nowMs: number, versionOf: (namespace: string) => TagVersion): Record<State, number> {
    const counts = { fresh: 0, stale: 0, expired: 0, cleared: 0, tag: 0 }
    for (const { namespace, head } of this.#kept) {
      const epoch = this.namespaces.get(namespace)?.epoch ?? 0
      counts[judgeEntry(head as EnvelopeHeader, nowMs, epoch, versionOf(namespace)).state]++
    }
    return counts
  }

  #addTtl(ttlMs: number): void {
    if (ttlMs === Number.POSITIVE_INFINITY) this.neverExpires++
    else bump(this.ttls, TTL_BOUNDS, ttlMs)
  }

  #addSuspect(parts: KeyParts, entry: Exclude<ReadEntry, { readonly kind: 'value' }>): void {
    if (entry.kind === 'foreign') {
      this.addForeign(parts, 'no envelope of hitpath')
      return
    }
    this.damaged++
    if (entry.kind === 'format') add(this.formats, entry.format)
    const why = entry.kind === 'format' ? `envelope of format ${entry.format}` : entry.why
    this.#suspect(parts, why)
  }

  #suspect({ namespace, name }: KeyParts, why: string): void {
    if (this.suspects.length < 10) this.suspects.push({ key: `${namespace} ${name}`, why })
  }
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function addSized(counts: Map<string, Sized>, key: string, bytes: number): void {
  const sized = counts.get(key) ?? { count: 0, bytes: 0 }
  sized.count++
  sized.bytes += bytes
  counts.set(key, sized)
}

function bump(histogram: number[], bounds: readonly number[], value: number): void {
  const at = bounds.findIndex((bound) => value <= bound)
  const place = at < 0 ? bounds.length : at
  histogram[place] = (histogram[place] ?? 0) + 1
}
