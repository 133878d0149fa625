/**
 * Caches of one thread behind one small interface, and what each of them can do: a peer without a ttl has no place in a
 * comparison of reads that look at deadlines, and one without a capacity none in a comparison of evictions.
 */
import { TTLCache } from '@isaacs/ttlcache'
import { LocalCache } from 'hitpath'
import { createLRU } from 'lru.min'
import { LRUCache } from 'lru-cache'
import { LRUMap } from 'mnemonist'
import NodeCache from 'node-cache'
import QuickLRU from 'quick-lru'
import { lru as tinyLru } from 'tiny-lru'
import type { LeftOut } from '../harness/subject.js'

export interface Reads<K> {
  get(key: K): number | undefined
}

export interface Store extends Reads<string> {
  set(key: string, value: number): unknown
}

/** @param ttlMs undefined: entries live until they are evicted */
export type Make = (entries: number, ttlMs: number | undefined) => Store

interface Peer {
  readonly make: Make
  readonly hasTtl: boolean
  readonly evicts: 'always' | 'with ttl' | 'never'
}

const peers: Readonly<Record<string, Peer>> = {
  hitpath: {
    make: (maxEntries, ttl) =>
      new LocalCache<number>(ttl === undefined ? { maxEntries } : { maxEntries, ttl }),
    hasTtl: true,
    evicts: 'always',
  },
  'lru-cache': {
    make: (max, ttl) => new LRUCache<string, number>(ttl === undefined ? { max } : { max, ttl }),
    hasTtl: true,
    evicts: 'always',
  },
  '@isaacs/ttlcache': {
    make: (max, ttl) => new TTLCache<string, number>({ max, ttl: ttl ?? Number.POSITIVE_INFINITY }),
    hasTtl: true,
    evicts: 'with ttl',
  },
  'quick-lru': {
    make: (maxSize, maxAge) =>
      new QuickLRU<string, number>(maxAge === undefined ? { maxSize } : { maxSize, maxAge }),
    hasTtl: true,
    evicts: 'always',
  },
  'tiny-lru': { make: (entries, ttl) => tinyLru<number>(entries, ttl ?? 0), hasTtl: true, evicts: 'always' },
  'node-cache': {
    make: (_, ttlMs) =>
      new NodeCache({ stdTTL: (ttlMs ?? 0) / 1_000, checkperiod: 0, useClones: false }) as Store,
    hasTtl: true,
    evicts: 'never',
  },
  'lru.min': { make: (max) => createLRU<string, number>({ max }), hasTtl: false, evicts: 'always' },
  'mnemonist LRUMap': {
    make: (entries) => new LRUMap<string, number>(entries),
    hasTtl: false,
    evicts: 'always',
  },
  Map: { make: () => new Map<string, number>(), hasTtl: false, evicts: 'never' },
}

export interface Needs {
  /** Milliseconds that entries live; undefined asks for no ttl. */
  readonly ttlMs: number | undefined
  /** The cache is full and must make room. */
  readonly evicting?: boolean
  /** Peers that take too long at this size, by name, with the reason. */
  readonly without?: Readonly<Record<string, string>>
}

export interface Field<T> {
  readonly contenders: Readonly<Record<string, T>>
  readonly leftOut: readonly LeftOut[]
}

/**
 * The peers that can do what is needed, each as what `contend` makes of its constructor. A Map takes part in reads although it has no
 * ttl: it is the ground that the others stand on.
 */
export function field<T>(needs: Needs, contend: (make: (entries: number) => Store) => T): Field<T> {
  const contenders: Record<string, T> = {}
  const leftOut: LeftOut[] = []
  for (const [name, peer] of Object.entries(peers)) {
    const reason = whyNot(name, peer, needs)
    if (reason !== undefined) leftOut.push({ name, reason })
    else contenders[name] = contend((entries) => peer.make(entries, needs.ttlMs))
  }
  return { contenders, leftOut }
}

function whyNot(
  name: string,
  { hasTtl, evicts }: Peer,
  { ttlMs, evicting, without }: Needs,
): string | undefined {
  if (evicting && evicts === 'never') return 'it does not evict'
  if (evicting && evicts === 'with ttl' && ttlMs === undefined) return 'without a ttl it does not evict'
  if (ttlMs !== undefined && !hasTtl && name !== 'Map') return 'it has no ttl'
  return without?.[name]
}
