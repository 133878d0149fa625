/**
 * A write into a full cache of this thread, with a ttl: each key is new, so each set evicts.
 *
 * The mean is taken, not the median: evictions, collections and the advance of the wheel are part of the price.
 */
import { TTLCache } from '@isaacs/ttlcache'
import { LocalCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import QuickLRU from 'quick-lru'
import type { Contender } from '../harness/contender.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const TTL_MS = 60_000
const CAPACITY = 10_000
const BATCH = 1_000
const PERIOD = 100_000

interface Writes {
  set(key: string, value: number): unknown
  get(key: string): number | undefined
}

/** A window's name and a running number: 28 characters, never the same twice. */
function newKeys(): (serial: number) => string {
  const low = Array.from({ length: PERIOD }, (_, serial) => String(serial).padStart(5, '0'))
  let high = -1
  let prefix = ''
  return (serial) => {
    const period = Math.floor(serial / PERIOD)
    if (period !== high) {
      high = period
      prefix = `features:BTC${String(period).padStart(5, '0')}:w060x`
    }
    return `${prefix}${low[serial % PERIOD]}`
  }
}

/** Sets new keys forever; a set counts as right when the key set last in the batch is there with its value. */
function evicting(cache: Writes): Contender {
  const keyOf = newKeys()
  let serial = 0
  while (serial < 2 * CAPACITY) cache.set(keyOf(serial), serial++)
  return {
    operations: BATCH,
    batch() {
      const end = serial + BATCH
      let key = ''
      while (serial < end) {
        key = keyOf(serial)
        cache.set(key, serial++)
      }
      return cache.get(key) === serial - 1 ? BATCH : 0
    },
  }
}

export const suite: Suite = {
  id: 'l1-write',
  title: 'A write by a string key',
  subjects: [
    timed({
      id: 'set-evict',
      title: 'LocalCache.set with ttl, a new key each time, 10,000 entries, full',
      module: import.meta.url,
      statistic: 'mean',
      contenders: {
        hitpath: () => evicting(new LocalCache<number>({ maxEntries: CAPACITY, ttl: TTL_MS })),
        'lru-cache': () => evicting(new LRUCache<string, number>({ max: CAPACITY, ttl: TTL_MS })),
        '@isaacs/ttlcache': () => evicting(new TTLCache<string, number>({ max: CAPACITY, ttl: TTL_MS })),
        'quick-lru': () => evicting(new QuickLRU<string, number>({ maxSize: CAPACITY, maxAge: TTL_MS })),
      },
    }),
  ],
}
