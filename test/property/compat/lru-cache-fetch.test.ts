/**
 * Random fetches of this LRUCache and of lru-cache itself: answers, failures, aborts, statuses and what stands in the cache after.
 *
 * Each call of a fetchMethod waits until the test lets it go, in the same order on both sides.
 */
import fc from 'fast-check'
import { LRUCache as Theirs } from 'lru-cache'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LRUCache as Ours } from '../../../src/compat/lru-cache/index.js'

interface Call {
  resolve(value: unknown): void
  reject(error: unknown): void
}

let now = 1_000

/** One of the two caches, what its fetchMethod was asked, and everything that it said. */
class Lane {
  readonly log: unknown[] = []
  readonly calls: Call[] = []
  readonly aborts: AbortController[] = []
  readonly cache: Ours<string, number | string>

  constructor(Cache: typeof Ours | typeof Theirs, options: object) {
    this.cache = new (Cache as typeof Ours<string, number | string>)({
      max: 4,
      ...options,
      perf: { now: () => now },
      dispose: (value, key, reason) => this.log.push(['dispose', value, key, reason]),
      onInsert: (value, key, reason) => this.log.push(['insert', value, key, reason]),
      ...('maxSize' in options ? { sizeCalculation: (v: unknown) => String(v).length } : {}),
      fetchMethod: (key, stale, { signal, context, options: given }) => {
        const n = this.calls.length
        this.log.push(['fetching', n, key, stale, context, Object.keys(given), given.ttl, given.size])
        signal.addEventListener('abort', () => this.log.push(['aborted', n, String(signal.reason)]))
        return new Promise((resolve, reject) => this.calls.push({ resolve: resolve as never, reject }))
      },
    })
  }

  fetch(key: string, asked: Record<string, unknown> | undefined): void {
    const options = asked && defined(asked)
    const n = this.log.length
    const status: Record<string, unknown> = {}
    const abort = new AbortController()
    this.aborts.push(abort)
    this.cache.fetch(key, options && ({ ...options, status, signal: abort.signal } as never)).then(
      (value) => this.log.push(['fetched', n, value, said(status)]),
      (error: unknown) => this.log.push(['failed', n, String(error), said(status)]),
    )
  }
}

function defined(given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function said({ cache, fetchError, ...rest }: Record<string, unknown>): unknown {
  return {
    ...rest,
    fetchError: fetchError === undefined ? undefined : String(fetchError),
    hasCache: cache !== undefined,
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const flag = fc.option(fc.boolean(), { nil: undefined })
const fetchOptions = fc.option(
  fc.record(
    {
      allowStale: flag,
      forceRefresh: flag,
      noDeleteOnFetchRejection: flag,
      allowStaleOnFetchRejection: flag,
      allowStaleOnFetchAbort: flag,
      ignoreFetchAbort: flag,
      ttl: fc.constantFrom(0, 5, 50),
      context: fc.constantFrom('x', 'y'),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
)

type Step = (lane: Lane) => unknown
const step = <T>(name: string, weight: number, from: fc.Arbitrary<T>, make: (given: T) => Step) => ({
  weight,
  arbitrary: from.map((given) => [`${name} ${fc.stringify(given)}`, make(given)] as const),
})

const steps = fc.oneof(
  step(
    'fetch',
    8,
    fc.tuple(key, fetchOptions),
    ([k, options]) =>
      (lane) =>
        lane.fetch(k, options),
  ),
  step(
    'resolve',
    6,
    fc.tuple(fc.nat(40), fc.constantFrom(1, 2, 'three', undefined)),
    ([n, value]) =>
      (lane) =>
        lane.calls[n % Math.max(1, lane.calls.length)]?.resolve(value),
  ),
  step(
    'reject',
    3,
    fc.nat(40),
    (n) => (lane) => lane.calls[n % Math.max(1, lane.calls.length)]?.reject(new Error('no')),
  ),
  step(
    'abort',
    3,
    fc.nat(40),
    (n) => (lane) => lane.aborts[n % Math.max(1, lane.aborts.length)]?.abort(new Error('enough')),
  ),
  step(
    'set',
    3,
    fc.tuple(key, fc.constantFrom(7, 'eight')),
    ([k, value]) =>
      (lane) =>
        void lane.cache.set(k, value),
  ),
  step(
    'get',
    2,
    fc.tuple(key, flag),
    ([k, allowStale]) =>
      (lane) =>
        lane.cache.get(k, { ...(allowStale && { allowStale }) }),
  ),
  step('delete', 1, key, (k) => (lane) => lane.cache.delete(k)),
  step('pop', 1, fc.constant(0), () => (lane) => lane.cache.pop()),
  step('clear', 1, fc.constant(0), () => (lane) => lane.cache.clear()),
  step('wait', 3, fc.constantFrom(1, 6, 60), (ms) => () => ms),
)

const options = fc.record(
  {
    ttl: fc.constantFrom(5, 50),
    allowStale: fc.boolean(),
    noDeleteOnStaleGet: fc.boolean(),
    noDeleteOnFetchRejection: fc.boolean(),
    allowStaleOnFetchRejection: fc.boolean(),
    allowStaleOnFetchAbort: fc.boolean(),
    ignoreFetchAbort: fc.boolean(),
    maxSize: fc.constantFrom(6, 20),
    backgroundFetchSize: fc.constantFrom(1, 3),
  },
  { requiredKeys: [] },
)

function contents(lane: Lane): unknown {
  const { cache } = lane
  return {
    size: cache.size,
    total: cache.calculatedSize,
    entries: [...cache.entries()],
    peeked: ['a', 'b', 'c', 'd', 'e', 'f'].map((k) => [cache.peek(k), cache.has(k)]),
  }
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done))

describe('LRUCache fetches as lru-cache does', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('gives the same answers, failures, statuses and contents', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(steps, { minLength: 1, maxLength: 40 }), async (given, taken) => {
        now = 1_000
        const lanes = [new Lane(Ours, given), new Lane(Theirs, given)] as const
        const [ours, theirs] = lanes
        const done: string[] = []
        for (const [text, take] of taken) {
          done.push(text)
          const gave = lanes.map((lane) => take(lane))
          expect(gave[0], text).toEqual(gave[1])
          if (text.startsWith('wait')) {
            now += gave[0] as number
            vi.advanceTimersByTime(gave[0] as number)
          }
          await settled()
          expect(ours.log, done.join('\n')).toEqual(theirs.log)
          expect(contents(ours), done.join('\n')).toEqual(contents(theirs))
        }
      }),
      {
        numRuns: Number(process.env['HITPATH_RUNS'] ?? 400),
        seed: Number(process.env['HITPATH_SEED'] ?? 11),
      },
    )
  })
})
