/**
 * What months of use do to a cache: after new keys have replaced its whole content a hundred times, a hit should
 * probe as few groups and take as long as in a cache just filled.
 *
 * Both caches are full, and each is read by the keys that it holds, in a shuffled order. They stand in one process:
 * the same class at the same addresses of code, told apart by nothing but their history.
 */
import { LocalCache } from 'hitpath'
import { inChild } from '../harness/child.js'
import type { Contender } from '../harness/contender.js'
import { flat } from '../harness/keys.js'
import { shuffledOrder } from '../harness/random.js'
import { type Answer, type Form, type Run, type Suite, sized } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const CHURN_CAPACITIES = 100
const TTL_MS = 3_600_000
const BATCH = 1_000

const capacityOf = (form: Form): number => sized(form, 100_000, 10_000)

/** A full cache through which `capacities` times its capacity in distinct keys has gone. */
function churned(capacity: number, capacities: number): LocalCache<number> {
  const cache = new LocalCache<number>({ maxEntries: capacity, ttl: TTL_MS })
  for (let id = 0; id < capacity * capacities; id++) cache.set(keyOf(id), id)
  return cache
}

/** 28 characters. */
function keyOf(id: number): string {
  return `features:w060x05:BTC${String(id).padStart(8, '0')}`
}

function idOf(key: string): number {
  return Number(key.slice(-8))
}

function hits(form: Form, capacities: number): Contender {
  const capacity = capacityOf(form)
  const cache = churned(capacity, capacities)
  const held = [...cache.keys()].map(String)
  if (held.length < capacity * 0.95) throw new Error(`only ${held.length} entries of ${capacity} are there`)
  const order = shuffledOrder(held.length, 3)
  const keys = Array.from(order, (at) => flat(held[at]!))
  const ids = keys.map(idOf)
  const last = keys.length - BATCH
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

/** Runs in a child: the mean number of groups that a search looks at, after `capacities` of churn. */
export function probeLength(form: Form, capacities: number): number {
  const cache = churned(capacityOf(form), capacities)
  const { mean } = cache.probeLengths()
  cache.close()
  return mean
}

async function measureProbes({ form }: Run): Promise<Answer> {
  const after = (capacities: number): Promise<number> =>
    inChild(import.meta.url, 'probeLength', form, capacities)
  const hitpath = [await after(CHURN_CAPACITIES)]
  const fresh = [await after(1)]
  return { figures: { 'churn-probe': { contenders: { hitpath, 'hitpath, fresh': fresh } } } }
}

export const suite: Suite = {
  id: 'churn',
  title: 'After 100 capacities of churn',
  subjects: [
    timed({
      id: 'churn-hit',
      title: 'LocalCache.get after 100 capacities of churn, 100,000 entries',
      module: import.meta.url,
      together: true,
      contenders: {
        hitpath: (form) => hits(form, CHURN_CAPACITIES),
        'hitpath, fresh': (form) => hits(form, 1),
      },
    }),
    {
      id: 'churn-probe',
      figures: [{ id: 'churn-probe', title: 'Groups visited by a hit after the same churn', unit: 'groups' }],
      measure: measureProbes,
    },
  ],
}
