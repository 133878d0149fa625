/**
 * From an event to the end of the invalidation of all that depends on its symbol: by versions of tags in a TieredCache, whatever the
 * number of entries, and by removal in a LocalCache, which costs what it removes.
 */
import { LocalCache, MarketEventInvalidator, TieredCache } from 'hitpath'
import { Child } from '../harness/child.js'
import { median } from '../harness/statistics.js'
import { type Answer, type Run, type Subject, type Suite, sized } from '../harness/subject.js'

const MANY = 10_000
const FEW = 10
type Kind = 'tiered' | 'local'

/** Microseconds from the call of handle() until what it promised, with so many entries that carry the tag; the median of some samples. */
export async function latency(kind: Kind, entries: number, samples: number): Promise<number> {
  const cache =
    kind === 'tiered'
      ? new TieredCache<number>({ l1: new LocalCache({ maxEntries: 2 * MANY }) })
      : new LocalCache<number>({ maxEntries: 2 * MANY })
  const invalidator = new MarketEventInvalidator({ caches: cache })
  const tags = ['symbol:BTCUSDT']
  const last = `features:${entries - 1}`
  const times: number[] = []
  for (let sample = 0; sample < samples; sample++) {
    await cache.setMany(Array.from({ length: entries }, (_, i) => [`features:${i}`, i, { tags }] as const))
    if ((await cache.get(last)) !== entries - 1)
      throw new Error('the entries are not there')
      // Leave the filling behind, and let the path be warm: what is measured is the invalidation.
    ;(globalThis as { gc?: () => void }).gc?.()
    for (let i = 0; i < 20; i++) {
      await invalidator.handle({ symbol: 'OTHER' })
      await new Promise(setImmediate)
    }
    const begin = process.hrtime.bigint()
    await invalidator.handle({ symbol: 'BTCUSDT' })
    times.push(Number(process.hrtime.bigint() - begin) / 1000)
    if ((await cache.get(last)) !== undefined) throw new Error('an entry outlived its event')
  }
  await cache.close()
  return median(times)
}

const module = import.meta.url

const invalidation: Subject = {
  id: 'event-invalidation',
  figures: [
    {
      id: 'event-invalidation',
      title: 'from an event to the invalidation of what carries the tag of its symbol',
      unit: 'us',
    },
  ],
  async measure(run: Run): Promise<Answer> {
    const child = new Child()
    const samples = sized(run.form, 21, 5)
    const names = [`TieredCache, ${MANY}`, `TieredCache, ${FEW}`, `LocalCache, ${MANY}`]
    const wanted = names.filter((name) => run.contenders?.has(name) ?? true)
    const contenders: Record<string, number[]> = Object.fromEntries(wanted.map((name) => [name, []]))
    try {
      for (let round = 0; round < sized(run.form, 7, 5); round++) {
        for (const [name, rounds] of Object.entries(contenders)) {
          const kind: Kind = name.startsWith('Tiered') ? 'tiered' : 'local'
          const entries = name.endsWith(`${MANY}`) ? MANY : FEW
          rounds.push(await child.call<number>(module, 'latency', kind, entries, samples))
        }
      }
    } finally {
      await child.stop()
    }
    return { figures: { 'event-invalidation': { contenders } } }
  },
}

export const suite: Suite = { id: 'events', title: 'Invalidation by events', subjects: [invalidation] }
