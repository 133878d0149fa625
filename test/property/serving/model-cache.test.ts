/**
 * Random leases, releases, swaps, deletions, aborts and expiries, loads that end in any order, and a close in the middle of it. Checked
 * after each step: no model in use is disposed, and none twice. At the end nothing is left.
 */
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../bench/replay/random.js'
import { ModelCache, type ModelLease } from '../../../src/index.js'
import { FakeLoader, type FakeModel } from '../../unit/serving/fake-models.js'

const RUNS = 40
const STEPS = 300
const NAMES = ['a', 'b', 'c']

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const time = { ms: 0 }
  const loader = new FakeLoader()
  const given: FakeModel[] = []
  const models = new ModelCache<FakeModel>({
    ttl: 50,
    maxModels: 2 + below(3),
    refresh: random() < 0.5 ? 'background' : 'block',
    clock: { now: () => time.ms },
    onError: () => {},
  })
  const leases: ModelLease<FakeModel>[] = []
  const asked: Promise<unknown>[] = []
  let closed = false
  const check = (): void => {
    for (const lease of leases) if (!lease.released) expect(lease.model.disposals, `seed ${seed}`).toBe(0)
    for (const model of given) expect(model.disposals, `seed ${seed}`).toBeLessThan(2)
    const held = leases.filter((lease) => !lease.released).length
    expect(models.stats().leases, `seed ${seed}`).toBeGreaterThanOrEqual(held)
  }
  const ask = (): void => {
    const controller = new AbortController()
    const options = { signal: controller.signal, exact: random() < 0.2 }
    const lease = models.lease(NAMES[below(3)] as string, 1 + below(3), loader.load, options)
    asked.push(lease.then((it) => leases.push(it)).catch(() => {}))
    if (random() < 0.2) controller.abort()
  }
  const settleOne = async (): Promise<void> => {
    const [call] = loader.calls.splice(below(loader.calls.length), 1)
    if (random() < 0.2) await call?.fail(new Error('no file'))
    else if (call !== undefined) given.push(await call.give())
  }

  for (let step = 0; step < STEPS; step++) {
    const draw = random()
    if (draw < 0.35) ask()
    else if (draw < 0.6) leases[below(leases.length)]?.release()
    else if (draw < 0.8) await settleOne()
    else if (draw < 0.86)
      asked.push(models.swap(NAMES[below(3)] as string, 1 + below(3), loader.load).catch(() => {}))
    else if (draw < 0.9 && !closed) models.delete(NAMES[below(3)] as string)
    else if (draw < 0.99) time.ms += below(30)
    else if (step > STEPS / 2 && !closed) {
      closed = true
      asked.push(models.close())
    }
    if (random() < 0.5) await setImmediate()
    check()
  }
  asked.push(models.close())
  while (loader.calls.length > 0) await settleOne()
  await Promise.all(asked)
  for (const lease of leases) lease.release()
  await models.close()
  check()
  expect(models.stats(), `seed ${seed}`).toMatchObject({ models: 0, leases: 0, retired: 0, bytes: 0 })
  expect(
    given.map((model) => model.disposals),
    `seed ${seed}`,
  ).toEqual(given.map(() => 1))
}

describe('a model cache under random use', () => {
  it('disposes each model once, and none in use', async () => {
    for (let seed = 1; seed <= RUNS; seed++) await run(seed)
  })
})
