/**
 * A hit in a cache of this thread, by a string of 28 characters.
 *
 * Built: the key is made by a template literal for each call, as services do; V8 must flatten and hash it. Interned:
 * the key is the very string that was stored, whose hash V8 remembers. Prepared: a hitpath key handle. Values are small integers, so
 * checking one costs nothing; ttl is an hour, so that nothing expires while every deadline is looked at.
 */
import { LocalCache } from 'hitpath'
import { LRUCache as Face } from 'hitpath/lru-cache'
import { LRUCache } from 'lru-cache'
import { field, type Reads, type Store } from '../contenders/l1.js'
import type { Contender } from '../harness/contender.js'
import { internedKeys, type KeySpace, keyAt, keySpace, walkOf } from '../harness/keys.js'
import { type Form, type Suite, sized } from '../harness/subject.js'
import { type TimedSubject, timed } from '../harness/timed.js'

const TTL_MS = 3_600_000
const BATCH = 1_000

type Make = (entries: number) => Store

const hitpath = (entries: number): LocalCache<number> =>
  new LocalCache<number>({ maxEntries: entries, ttl: TTL_MS })
const lruCache: Make = (entries) => new LRUCache<string, number>({ max: entries, ttl: TTL_MS })
const map: Make = () => new Map<string, number>()
const face: Make = (entries) => new Face<string, number>({ max: entries, ttl: TTL_MS })

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
    one() {
      const i = at
      at = i >= last ? 0 : i + 1
      const key = `features:${symbols[symbolAt[i]!]}:${windows[windowAt[i]!]}`
      return cache.get(key) === ids[i] ? 1 : 0
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
    one() {
      const i = at
      at = i >= last ? 0 : i + 1
      return cache.get(keys[i]!) === ids[i] ? 1 : 0
    },
  }
}

type Prepare = (form: Form) => Contender
type Size = (form: Form) => KeySpace

const small: Size = () => keySpace(1_024)
/** As many as a LocalCache holds by default. */
const usual: Size = () => keySpace(10_000)
const middle: Size = (form) => keySpace(sized(form, 100_000, 20_000))
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

/** Their hits at a million entries are told by those at 1,024, and filling them takes seconds. */
const SMALL_ONLY = 'it is timed at 1,024 entries'
const FEWER = { 'quick-lru': SMALL_ONLY, 'tiny-lru': SMALL_ONLY, 'node-cache': SMALL_ONLY }

const FEWEST = { ...FEWER, '@isaacs/ttlcache': 'it is timed at 100,000 entries' }

const hit = (
  id: string,
  title: string,
  size: Size,
  prepare: (make: Make, size: Size) => Prepare,
  without: Readonly<Record<string, string>> = {},
): TimedSubject =>
  timed({ id, title, module, ...field({ ttlMs: TTL_MS, without }, (make) => prepare(make, size)) })

export const suite: Suite = {
  id: 'l1-read',
  title: 'A hit by a string key',
  subjects: [
    hit('get-built-1k', 'LocalCache.get, key built per call, 1,024 entries', small, builtFor),
    hit('get-built-100k', 'LocalCache.get, key built per call, 100,000 entries', middle, builtFor, FEWER),
    hit('get-built-1m', 'LocalCache.get, key built per call, 1,000,000 entries', large, builtFor, FEWEST),
    hit('get-interned-1k', 'LocalCache.get, interned key, 1,024 entries', small, internedFor),
    hit('get-interned-10k', 'LocalCache.get, interned key, 10,000 entries', usual, internedFor, FEWER),
    hit('get-interned-100k', 'LocalCache.get, interned key, 100,000 entries', middle, internedFor, FEWER),
    hit('get-interned-1m', 'LocalCache.get, interned key, 1,000,000 entries', large, internedFor, FEWEST),
    timed({
      id: 'get-built-no-ttl',
      title: 'LocalCache.get without a ttl, key built per call, 1,024 entries',
      module,
      ...field({ ttlMs: undefined }, (make) => builtFor(make, small)),
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
