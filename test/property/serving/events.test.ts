/**
 * Data change, events of it come late, twice, out of order and in floods, while readers compute features of the data and predictions
 * of the features through a cache. Once every event was handled, nothing that one invalidated is served, and what no event concerns was
 * computed once.
 */
import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type InvalidatedCache, MarketEventInvalidator, TieredCache } from '../../../src/index.js'

const SYMBOLS = ['A', 'B', 'A*', 'A:B', '[ab]'] as const
/** Of which no event tells. */
const QUIET = ['Q', 'a', 'AA'] as const

interface Update {
  readonly symbol: string
  readonly seq: number
}

type Step =
  | { readonly op: 'update' | 'read' | 'flood'; readonly symbol: string }
  | { readonly op: 'deliver' | 'repeat'; readonly at: number }
  | { readonly op: 'turns'; readonly count: number }

const symbol = fc.constantFrom(...SYMBOLS)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    op: fc.constantFrom('update' as const, 'read' as const, 'read' as const, 'flood' as const),
    symbol,
  }),
  fc.record({
    op: fc.constantFrom('deliver' as const, 'deliver' as const, 'repeat' as const),
    at: fc.nat(1000),
  }),
  fc.record({ op: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 6 }) }),
)

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Data behind a cache, and what is computed of them, each computation taking some turns. */
class World {
  readonly cache = new TieredCache<number>()
  readonly versions = new Map<string, number>()
  readonly computed = new Map<string, number>()
  #pauses = 0

  features(of: string): Promise<number | undefined> {
    return this.cache.getOrSet(
      `features:<${of}>`,
      async () => this.#compute(`features:<${of}>`, this.version(of)),
      {
        tags: [`features:${of}`],
      },
    )
  }

  predictions(of: string): Promise<number | undefined> {
    const key = `predictions:<${of}>`
    return this.cache.getOrSet(
      key,
      async () => {
        const features = await this.features(of)
        return await this.#compute(key, features as number)
      },
      { tags: [`predictions:${of}`] },
    )
  }

  /** The cache as one whose second tier is some turns away, each way. */
  slowly(): InvalidatedCache {
    const far = async (act: () => Promise<unknown>): Promise<void> => {
      await turns(this.#pauses++ % 3)
      await act()
      await turns(this.#pauses++ % 3)
    }
    return {
      invalidateTag: (tag) => far(() => this.cache.invalidateTag(tag)),
      clear: () => far(() => this.cache.clear()),
    }
  }

  version(of: string): number {
    return this.versions.get(of) ?? 1
  }

  async #compute(key: string, value: number): Promise<number> {
    this.computed.set(key, (this.computed.get(key) ?? 0) + 1)
    await turns(this.#pauses++ % 4)
    return value
  }
}

async function play(steps: readonly Step[], max: number): Promise<void> {
  const world = new World()
  const invalidator = new MarketEventInvalidator<Update>({
    caches: world.slowly(),
    tags: ['bar:{symbol}'],
    dependencies: { 'features:{symbol}': ['predictions:{symbol}'], 'bar:{symbol}': ['features:{symbol}'] },
    sequence: ({ seq }) => seq,
    queue: { max, concurrency: 2 },
  })
  const emitter = new EventEmitter()
  invalidator.listen(emitter, 'bar')
  for (const quiet of QUIET) await world.predictions(quiet)
  const due: Update[] = []
  const told: Update[] = []
  const reading: Promise<unknown>[] = []
  const tell = (event: Update): void => {
    told.push(event)
    emitter.emit('bar', event)
  }
  const update = (of: string): void => {
    world.versions.set(of, world.version(of) + 1)
    due.push({ symbol: of, seq: world.version(of) })
  }
  for (const one of steps) {
    if (one.op === 'update') update(one.symbol)
    else if (one.op === 'read') reading.push(world.predictions(one.symbol))
    else if (one.op === 'turns') await turns(one.count)
    else if (one.op === 'flood') for (let i = 0; i < 200; i++) update(SYMBOLS[i % SYMBOLS.length]!)
    else if (one.op === 'deliver' && due.length > 0)
      for (const event of due.splice(one.at % due.length, 50)) tell(event)
    else if (one.op === 'repeat' && told.length > 0) tell(told[one.at % told.length]!)
  }
  for (const event of due.splice(0).reverse()) tell(event)
  // Changes and readers amid the invalidations, until a last change of each symbol.
  for (let round = 0; round < 8; round++) {
    for (const of of SYMBOLS) {
      update(of)
      tell(due.pop() as Update)
      reading.push(world.predictions(of))
      await turns(1)
    }
  }
  for (let turn = 0; turn < 12; turn++) {
    for (const of of SYMBOLS) reading.push(world.predictions(of))
    await turns(1)
  }
  await invalidator.close()
  await Promise.all(reading)

  for (const of of SYMBOLS) {
    expect(await world.features(of), `features of ${of}`).toBe(world.version(of))
    expect(await world.predictions(of), `predictions of ${of}`).toBe(world.version(of))
  }
  const { received, invalidated, coalesced, duplicates, overflows, failed } = invalidator.stats()
  expect(failed).toBe(0)
  expect(received).toBe(told.length)
  if (overflows === 0) {
    expect(invalidated + coalesced + duplicates).toBe(received)
    for (const quiet of QUIET) {
      await world.predictions(quiet)
      expect(world.computed.get(`predictions:<${quiet}>`)).toBe(1)
    }
  }
  await world.cache.close()
}

describe('invalidation by events', () => {
  it('leaves nothing stale and touches no other symbol, whatever comes in which order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => play(steps, 100)),
      { numRuns: 60, endOnFailure: true },
    )
  })

  it('leaves nothing stale when the queue overflows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => play(steps, 1)),
      { numRuns: 40, endOnFailure: true },
    )
  })
})
