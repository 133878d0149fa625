/**
 * A write into a full cache of this thread, with a ttl: each key is new, so each set evicts.
 *
 * The mean is taken, not the median: evictions, collections and the advance of the wheel are part of the price.
 */
import { field, type Store } from '../contenders/l1.js'
import type { Contender } from '../harness/contender.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const TTL_MS = 60_000
const CAPACITY = 10_000
const BATCH = 1_000
const PERIOD = 100_000

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
function evicting(cache: Store): Contender {
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
    one() {
      cache.set(keyOf(serial), serial++)
      return 1
    },
  }
}

/** Of 10,000 entries with a ttl, an eviction takes it up to two milliseconds. */
const SLOW = { '@isaacs/ttlcache': 'an eviction with a ttl takes it milliseconds' }

export const suite: Suite = {
  id: 'l1-write',
  title: 'A write by a string key',
  subjects: [
    timed({
      id: 'set-evict',
      title: 'LocalCache.set with ttl, a new key each time, 10,000 entries, full',
      module: import.meta.url,
      statistic: 'mean',
      ...field({ ttlMs: TTL_MS, evicting: true, without: SLOW }, (make) => () => evicting(make(CAPACITY))),
    }),
    timed({
      id: 'set-evict-no-ttl',
      title: 'LocalCache.set without a ttl, a new key each time, 10,000 entries, full',
      module: import.meta.url,
      statistic: 'mean',
      ...field({ ttlMs: undefined, evicting: true }, (make) => () => evicting(make(CAPACITY))),
    }),
  ],
}
