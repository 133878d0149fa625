import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PredictionCache, SharedCache } from '../../src/index.js'
import { batchOf, expected, linearModel } from '../unit/serving/linear-model.js'

/** Against a map of what must be known: by tag, the version and the deadline of each row. */
test('random batches, duplicates, invalidations and time: right answers, and no row computed that was known', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ batch: fc.array(fc.nat(12), { maxLength: 9 }), tag: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ invalidate: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ wait: fc.nat(40) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = { time: 1000, now: () => clock.time }
      const cache = SharedCache.create({ maxBytes: 2 ** 20, maxEntries: 1000, clock })
      const linear = linearModel()
      const predictions = new PredictionCache({
        model: linear.model,
        name: 'l',
        version: 1,
        outputs: 2,
        cache,
        ttl: 50,
      })
      const known = [0, 1, 2].map(() => new Map<number, number>())
      for (const one of steps) {
        if ('wait' in one) clock.time += one.wait
        else if ('invalidate' in one) {
          await predictions.invalidateTag(`t${one.invalidate}`)
          known[one.invalidate]?.clear()
        } else {
          const rows = known[one.tag] as Map<number, number>
          const wanted = [...new Set(one.batch)].filter((row) => !((rows.get(row) ?? -1) >= clock.time))
          linear.seen.length = 0
          const batch = batchOf(...one.batch)
          const answer = await predictions.predict(batch, { tags: [`t${one.tag}`] })
          expect([...answer.data]).toEqual(expected(batch))
          expect(linear.seen).toEqual(wanted)
          for (const row of wanted) rows.set(row, clock.time + 50)
        }
      }
      cache.validate()
      cache.close()
    }),
    { numRuns: 60 },
  )
})
