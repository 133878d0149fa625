/**
 * A hit in a cache of this thread, by a string of 28 characters.
 *
 * Built: the key is made by a template literal for each call, as services do; V8 must flatten and hash it. Interned:
 * the key is the very string that was stored, whose hash V8 remembers. Prepared: a hitpath key handle. Values are small integers, so
 * checking one costs nothing; ttl is an hour, so that nothing expires while every deadline is looked at.
 */
import { TTLCache } from '@isaacs/ttlcache'
import { LocalCache } from 'hitpath'
import { LRUCache as Face } from 'hitpath/lru-cache'
import { LRUCache } from 'lru-cache'
import QuickLRU from 'quick-lru'
import { lru as tinyLru } from 'tiny-lru'
import type { Contender } from '../harness/contender.js'
import { internedKeys, type KeySpace, keyAt, keySpace, walkOf } from '../harness/keys.js'
import { type Form, type Suite, sized } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const TTL_MS = 3_600_000
const BATCH = 1_000

interface Reads<K> {
  get(key: K): number | undefined
}

interface Store extends Reads<string> {
  set(key: string, id: number): unknown
}

type Make = (entries: number) => Store

const hitpath = (entries: number): LocalCache<number> =>
  new LocalCache<number>({ maxEntries: entries, ttl: TTL_MS })
const lruCache: Make = (entries) => new LRUCache<string, number>({ max: entries, ttl: TTL_MS })
const face: Make = (entries) => new Face<string, number>({ max: entries, ttl: TTL_MS })
const ttlCache: Make = (entries) => new TTLCache<string, number>({ max: entries, ttl: TTL_MS })
const quickLru: Make = (entries) => new QuickLRU<string, number>({ maxSize: entries, maxAge: TTL_MS })
const tiny: Make = (entries) => tinyLru<number>(entries, TTL_MS)
const map: Make = () => new Map<string, number>()

/** Stores each key with its number, in the order of the numbers. */
function fill(cache: Store, keyOf: (id: number) => string, entries: number): void {
  for (let id = 0; id < entries; id++) cache.set(keyOf(id), id)
}

/** Reads by keys that a template literal makes for each call, in passes over a shuffled order. */
function built(space: KeySpace, cache: Reads<string>): Contender {
  const { symbols, windows } = space
  const { ids, symbolAt, windowAt } = walkOf(space)
  const last = space.count - BATCH
  let at = 0
  return {
    operations: BATCH,
    batch() {
      let right = 0
      const end = at + BATCH
      for (let i = at; i < end; i++) {
        const key = `features:${symbols[symbolAt[i]!]}:${windows[windowAt[i]!]}`
        if (cache.get(key) === ids[i]) right++
      }
      at = end > last ? 0 : end
      return right
    },
  }
}

/** Reads by keys that exist already, in the same order. */
function kept<K>(ids: Uint32Array, cache: Reads<K>, keys: readonly K[]): Contender {
  const last = ids.length - BATCH
  let at = 0
  return {
    operations: BATCH,
    batch() {
      let right = 0
      const end = at + BATCH
      for (let i = at; i < end; i++) if (cache.get(keys[i]!) === ids[i]) right++
      at = end > last ? 0 : end
      return right
    },
  }
}

type Prepare = (form: Form) => Contender
type Size = (form: Form) => KeySpace

const small: Size = () => keySpace(1_024)
const large: Size = (form) => keySpace(sized(form, 1_000_000, 200_000))

const builtFor =
  (make: Make, size: Size): Prepare =>
  (form) => {
    const space = size(form)
    const cache = make(space.count)
    fill(cache, (id) => keyAt(space, id), space.count)
    return built(space, cache)
  }

const internedFor =
  (make: Make, size: Size): Prepare =>
  (form) => {
    const space = size(form)
    const keys = internedKeys(space)
    const cache = make(space.count)
    fill(cache, (id) => keys[id]!, space.count)
    const { ids } = walkOf(space)
    return kept(
      ids,
      cache,
      Array.from(ids, (id) => keys[id]!),
    )
  }

const preparedFor =
  (size: Size): Prepare =>
  (form) => {
    const space = size(form)
    const keys = internedKeys(space)
    const cache = hitpath(space.count)
    fill(cache, (id) => keys[id]!, space.count)
    const { ids } = walkOf(space)
    return kept(
      ids,
      cache,
      Array.from(ids, (id) => cache.key(keys[id]!)),
    )
  }

const module = import.meta.url

export const suite: Suite = {
  id: 'l1-read',
  title: 'A hit by a string key',
  subjects: [
    timed({
      id: 'get-built-1k',
      title: 'LocalCache.get, key built per call, 1,024 entries',
      module,
      contenders: {
        hitpath: builtFor(hitpath, small),
        'lru-cache': builtFor(lruCache, small),
        '@isaacs/ttlcache': builtFor(ttlCache, small),
        'quick-lru': builtFor(quickLru, small),
        'tiny-lru': builtFor(tiny, small),
        Map: builtFor(map, small),
      },
    }),
    timed({
      id: 'get-built-1m',
      title: 'LocalCache.get, key built per call, 1,000,000 entries',
      module,
      contenders: {
        hitpath: builtFor(hitpath, large),
        'lru-cache': builtFor(lruCache, large),
        '@isaacs/ttlcache': builtFor(ttlCache, large),
        Map: builtFor(map, large),
      },
    }),
    timed({
      id: 'get-interned-1k',
      title: 'LocalCache.get, interned key, 1,024 entries',
      module,
      contenders: {
        hitpath: internedFor(hitpath, small),
        'lru-cache': internedFor(lruCache, small),
        '@isaacs/ttlcache': internedFor(ttlCache, small),
        'quick-lru': internedFor(quickLru, small),
        'tiny-lru': internedFor(tiny, small),
        Map: internedFor(map, small),
      },
    }),
    timed({
      id: 'get-interned-1m',
      title: 'LocalCache.get, interned key, 1,000,000 entries',
      module,
      contenders: {
        hitpath: internedFor(hitpath, large),
        'lru-cache': internedFor(lruCache, large),
        '@isaacs/ttlcache': internedFor(ttlCache, large),
        Map: internedFor(map, large),
      },
    }),
    timed({
      id: 'lru-face-built-1k',
      title: 'hitpath/lru-cache, get, key built per call, 1,024 entries',
      module,
      contenders: { hitpath: builtFor(face, small), 'lru-cache': builtFor(lruCache, small) },
    }),
    timed({
      id: 'lru-face-interned-1m',
      title: 'hitpath/lru-cache, get, interned key, 1,000,000 entries',
      module,
      contenders: { hitpath: internedFor(face, large), 'lru-cache': internedFor(lruCache, large) },
    }),
    timed({
      id: 'get-prepared-1k',
      title: 'LocalCache.get, prepared key, 1,024 entries',
      module,
      contenders: {
        hitpath: preparedFor(small),
        'lru-cache': internedFor(lruCache, small),
        Map: internedFor(map, small),
      },
    }),
  ],
}
