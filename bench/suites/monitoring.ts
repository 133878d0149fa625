/**
 * What full monitoring costs a hit of the first tier: the same cache with a Monitor that samples as it does by default, and without.
 *
 * Both states of one class run in one process, in turn, since two processes differ by more than is measured here.
 */
import { LocalCache, Monitor, TieredCache } from 'hitpath'
import type { Contender } from '../harness/contender.js'
import { internedKeys, keySpace } from '../harness/keys.js'
import { shuffledOrder } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const ENTRIES = 1_024
const TTL_MS = 3_600_000
/** A batch is long against the gaps between two samples. */
const ROUNDS = 16

const ids = shuffledOrder(ENTRIES, 5)
const keysById = internedKeys(keySpace(ENTRIES))
const keys = Array.from(ids, (id) => keysById[id]!)

async function tiered(monitored: boolean): Promise<TieredCache<number>> {
  const cache = new TieredCache<number>({ l1: new LocalCache({ maxEntries: ENTRIES }), ttl: TTL_MS })
  for (const [i, key] of keys.entries()) await cache.set(key, ids[i]!)
  if (monitored) new Monitor({ caches: { cache } })
  return cache
}

async function sync(monitored: boolean): Promise<Contender> {
  const cache = await tiered(monitored)
  return {
    operations: ROUNDS * ENTRIES,
    batch() {
      let right = 0
      for (let round = 0; round < ROUNDS; round++)
        for (let i = 0; i < ENTRIES; i++) if (cache.getSync(keys[i]!) === ids[i]) right++
      return right
    },
  }
}

async function awaited(monitored: boolean): Promise<Contender> {
  const cache = await tiered(monitored)
  return {
    operations: ROUNDS * ENTRIES,
    async batch() {
      let right = 0
      for (let round = 0; round < ROUNDS; round++)
        for (let i = 0; i < ENTRIES; i++) if ((await cache.get(keys[i]!)) === ids[i]) right++
      return right
    },
  }
}

function local(monitored: boolean): Contender {
  const cache = new LocalCache<number>({ maxEntries: ENTRIES, ttl: TTL_MS })
  for (const [i, key] of keys.entries()) cache.set(key, ids[i]!)
  if (monitored) new Monitor({ caches: { cache } })
  return {
    operations: ROUNDS * ENTRIES,
    batch() {
      let right = 0
      for (let round = 0; round < ROUNDS; round++)
        for (let i = 0; i < ENTRIES; i++) if (cache.get(keys[i]!) === ids[i]) right++
      return right
    },
  }
}

const module = import.meta.url

export const suite: Suite = {
  id: 'monitoring',
  title: 'What monitoring costs a hit',
  subjects: [
    timed({
      id: 'monitored-sync',
      title: 'TieredCache.getSync, a hit of the first tier, 1,024 entries',
      module,
      together: true,
      contenders: { 'hitpath, monitored': () => sync(true), hitpath: () => sync(false) },
    }),
    timed({
      id: 'monitored-await',
      title: 'await of a hit of the first tier, 1,024 entries',
      module,
      together: true,
      contenders: { 'hitpath, monitored': () => awaited(true), hitpath: () => awaited(false) },
    }),
    timed({
      id: 'monitored-local',
      title: 'LocalCache.get, 1,024 entries',
      module,
      together: true,
      contenders: { 'hitpath, monitored': () => local(true), hitpath: () => local(false) },
    }),
  ],
}
