/**
 * The caches under Keyv and cache-manager: what a hit and a set cost there, against what those libraries have of their own.
 *
 * Most of the time is theirs: hooks, envelopes, JSON. Map is unbounded, quick-lru and hitpath hold 1,024 entries.
 */
import { createCache } from 'cache-manager'
import { hitpathStore } from 'hitpath/cache-manager'
import { HitpathStorageAdapter, HitpathStore } from 'hitpath/keyv'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import QuickLRU from 'quick-lru'
import type { Contender } from '../harness/contender.js'
import { internedKeys, keySpace } from '../harness/keys.js'
import { shuffledOrder } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const ENTRIES = 1_024
const BATCH = 1_000
const TTL_MS = 3_600_000
const BOUNDS = { maxEntries: ENTRIES }

const ids = shuffledOrder(ENTRIES, 5)
const keys = internedKeys(keySpace(ENTRIES))

interface Asynchronous {
  get(key: string): Promise<unknown>
  set(key: string, value: number, ttl: number): Promise<unknown>
}

/** Does one thing after the other, for ids in shuffled order, and counts what came as it should. */
async function inTurn(
  cache: Asynchronous,
  right: (id: number, key: string) => Promise<boolean>,
): Promise<Contender> {
  for (let id = 0; id < ENTRIES; id++) await cache.set(keys[id]!, id, TTL_MS)
  let at = 0
  return {
    operations: BATCH,
    async batch() {
      let count = 0
      for (let i = 0; i < BATCH; i++) {
        const id = ids[at]!
        at = (at + 1) % ENTRIES
        if (await right(id, keys[id]!)) count++
      }
      return count
    },
  }
}

function reading(cache: Asynchronous): Promise<Contender> {
  return inTurn(cache, async (id, key) => (await cache.get(key)) === id)
}

function writing(cache: Asynchronous): Promise<Contender> {
  return inTurn(cache, async (id, key) => (await cache.set(key, id, TTL_MS)) === true)
}

function raw(store: unknown): Keyv {
  const keyv = new Keyv({ store })
  keyv.serialize = undefined
  keyv.deserialize = undefined
  return keyv
}

const never = (): never => {
  throw new Error('a function ran for a hit')
}

function wrapping(stores: Keyv[]): Promise<Contender> {
  const cache = createCache({ stores, ttl: TTL_MS })
  return inTurn(cache, async (id, key) => (await cache.wrap<number>(key, never)) === id)
}

const module = import.meta.url

export const suite: Suite = {
  id: 'adapters',
  title: 'under Keyv and cache-manager',
  subjects: [
    timed({
      id: 'keyv-get',
      title: 'Keyv 5, get, 1,024 entries',
      module,
      contenders: {
        hitpath: () => reading(new Keyv({ store: new HitpathStore(BOUNDS) })),
        Map: () => reading(new Keyv()),
        'quick-lru': () => reading(new Keyv({ store: new QuickLRU({ maxSize: ENTRIES }) })),
      },
    }),
    timed({
      id: 'keyv-get-raw',
      title: 'Keyv 5 without serialisation, get, 1,024 entries',
      module,
      contenders: {
        hitpath: () => reading(raw(new HitpathStore(BOUNDS))),
        Map: () => reading(raw(new Map())),
        'quick-lru': () => reading(raw(new QuickLRU({ maxSize: ENTRIES }))),
      },
    }),
    timed({
      id: 'keyv-set',
      title: 'Keyv 5, set with ttl, 1,024 entries',
      module,
      contenders: {
        hitpath: () => writing(new Keyv({ store: new HitpathStore(BOUNDS) })),
        Map: () => writing(new Keyv()),
        'quick-lru': () => writing(new Keyv({ store: new QuickLRU({ maxSize: ENTRIES }) })),
      },
    }),
    timed({
      id: 'keyv6-get',
      title: 'Keyv 6, get, 1,024 entries',
      module,
      contenders: {
        hitpath: () => reading(new Keyv6({ store: new HitpathStorageAdapter(BOUNDS) })),
        'hitpath, by the bridge': () => reading(new Keyv6({ store: new HitpathStore(BOUNDS) })),
        Map: () => reading(new Keyv6()),
      },
    }),
    timed({
      id: 'cache-manager-get',
      title: 'cache-manager 7, get, 1,024 entries',
      module,
      contenders: {
        hitpath: () => reading(createCache({ stores: [hitpathStore(BOUNDS)] })),
        'its own Map': () => reading(createCache()),
      },
    }),
    timed({
      id: 'cache-manager-wrap',
      title: 'cache-manager 7, wrap, a hit, 1,024 entries',
      module,
      contenders: {
        hitpath: () => wrapping([hitpathStore(BOUNDS)]),
        'its own Map': () => wrapping([raw(new Map())]),
      },
    }),
  ],
}
