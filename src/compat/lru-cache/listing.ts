/** All entries of a cache, one after another, and what is known of each. */
import type { Entries } from './entries.js'
import { NOWHERE } from './slots.js'
import type { Entry, Held, Perf } from './types.js'

/** Slots whose value is no fetch under way. */
export function* settled<K, V>(entries: Entries<K, V>, slots: Iterable<number>): Generator<number> {
  for (const slot of slots) {
    const held = entries.values[slot]
    if (held !== undefined && entries.fetchOf(held) === undefined) yield slot
  }
}

/** Keys and values; a key that is undefined is left out. */
export function* pairs<K, V>(entries: Entries<K, V>, slots: Iterable<number>): Generator<[K, V], void> {
  for (const slot of settled(entries, slots)) {
    const key = entries.keys[slot]
    if (key !== undefined) yield [key, entries.values[slot] as V]
  }
}

export function* keysOf<K, V>(entries: Entries<K, V>, slots: Iterable<number>): Generator<K, void> {
  for (const slot of slots) {
    const key = entries.keys[slot]
    if (key !== undefined && entries.fetchOf(entries.values[slot]) === undefined) yield key
  }
}

export function* valuesOf<K, V>(entries: Entries<K, V>, slots: Iterable<number>): Generator<V, void> {
  for (const slot of settled(entries, slots)) yield entries.values[slot] as V
}

/** Slots with what may be served of them. */
export function* served<K, V>(entries: Entries<K, V>, slots: Iterable<number>): Generator<[number, V], void> {
  for (const slot of slots) {
    const value = entries.served(entries.values[slot])
    if (value !== undefined) yield [slot, value]
  }
}

/** What is known of an entry, stale or not. */
export function infoOf<K, V>(entries: Entries<K, V>, key: K, perf: Perf): Entry<V> | undefined {
  const slot = entries.find(key)
  const value = slot === NOWHERE ? undefined : entries.served(entries.values[slot] as Held<V>)
  if (value === undefined) return undefined
  const entry: Entry<V> = { value }
  const ttl = entries.ages?.ttlOf(slot)
  const start = entries.ages?.startOf(slot)
  if (ttl && start) {
    entry.ttl = ttl - (perf.now() - start)
    entry.start = Date.now()
  }
  if (entries.sizes !== undefined) entry.size = entries.sizes[slot] as number
  return entry
}

/** Every entry that has a value, stale ones too; the least recently used comes first. */
export function dumpOf<K, V>(entries: Entries<K, V>, perf: Perf): [K, Entry<V>][] {
  const dumped: [K, Entry<V>][] = []
  const { ages, sizes } = entries
  for (const [slot, value] of served(entries, entries.fromNewest(true))) {
    const key = entries.keys[slot]
    if (key === undefined) continue
    const entry: Entry<V> = { value }
    if (ages !== undefined) {
      const ttl = ages.ttlOf(slot)
      entry.ttl = Number.isNaN(ttl) ? (undefined as never) : ttl
      const age = perf.now() - ages.startOf(slot)
      entry.start = Math.floor(Date.now() - age)
    }
    if (sizes !== undefined) entry.size = sizes[slot] as number
    dumped.push([key, entry])
  }
  return dumped.reverse()
}
