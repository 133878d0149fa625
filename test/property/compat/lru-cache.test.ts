/**
 * Random calls to this LRUCache and to lru-cache itself: every answer, listener call, size and order must be the same.
 *
 * Both have a clock of the test's, and ask it as often. Their slots have the same numbers, so that what lru-cache does by the numbers of its
 * slots is the same too. A disagreement is shrunk to the fewest calls that show it.
 */
import fc from 'fast-check'
import { LRUCache as Theirs } from 'lru-cache'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LRUCache as Ours } from '../../../src/compat/lru-cache/index.js'

type Key = string | number | boolean | symbol | object | bigint | null | undefined
type Caches = Ours<Key & {}, Value> | Theirs<Key & {}, Value>
type Value = number | string | object
type Call = (cache: Caches, log: unknown[]) => unknown

const objects = [{}, [], new Float64Array(3), Symbol('a'), true, false]
const long = 'x'.repeat(100)
const keys: Key[] = [
  '',
  'a',
  'b',
  'ab',
  'abcd',
  'é',
  '漢字',
  `${long}1`,
  `${long}2`,
  0,
  1,
  -1,
  0.5,
  NaN,
  -0,
  1n,
  null,
  undefined,
  () => 0,
  ...objects,
]
const values: Value[] = [0, 1, 2, '', 'one', objects[0] as object]

const key = fc.constantFrom(...keys) as fc.Arbitrary<Key & {}>
const value = fc.constantFrom(...values)
const flag = fc.option(fc.boolean(), { nil: undefined })
const some = <T extends object>(record: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.option(fc.record(record, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>, { nil: undefined }) as never

const size = fc.integer({ min: 1, max: 12 })
const ttl = fc.constantFrom(0, 1, 5, 10, 100)

function optionsOf(sized: boolean) {
  return fc.record(
    {
      ttl: fc.constantFrom(1, 5, 10, 50),
      ttlResolution: fc.constantFrom(0, 1, 5),
      ttlAutopurge: fc.boolean(),
      updateAgeOnGet: fc.boolean(),
      updateAgeOnHas: fc.boolean(),
      allowStale: fc.boolean(),
      noDisposeOnSet: fc.boolean(),
      noUpdateTTL: fc.boolean(),
      noDeleteOnStaleGet: fc.boolean(),
      ...(sized
        ? { maxSize: fc.integer({ min: 5, max: 30 }), maxEntrySize: fc.integer({ min: 1, max: 5 }) }
        : {}),
    },
    { requiredKeys: sized ? ['maxSize'] : [] },
  )
}

const told = some({ status: fc.constant(true) })

/** A status to fill in, where one is asked for; what it says goes into the log. */
function withStatus(
  options: object | undefined,
  log: unknown[],
  call: (options?: never) => unknown,
): unknown {
  if (options === undefined) return call()
  const given: Record<string, unknown> = { ...options }
  if (!('status' in given)) return call(given as never)
  const status: Record<string, unknown> = {}
  given['status'] = status
  try {
    return call(given as never)
  } finally {
    const { cache, ...said } = status
    log.push(['status', said, cache !== undefined])
  }
}

const merged = <A extends object, B extends object>(
  a: fc.Arbitrary<A | undefined>,
  b: fc.Arbitrary<B | undefined>,
) => fc.tuple(a, b).map(([x, y]) => (x === undefined && y === undefined ? undefined : { ...x, ...y }))

const getOptions = merged(some({ allowStale: flag, updateAgeOnGet: flag, noDeleteOnStaleGet: flag }), told)

function callsOf(sized: boolean): fc.Arbitrary<readonly [text: string, call: Call]> {
  const setOptions = merged(
    some({
      ttl,
      noDisposeOnSet: flag,
      noUpdateTTL: flag,
      start: fc.constantFrom(1, 100, 1000),
      ...(sized ? { size } : {}),
    }),
    told,
  )
  const named = <T>(name: string, from: fc.Arbitrary<T>, make: (given: T) => Call) =>
    from.map((given) => [`${name} ${fc.stringify(given)}`, make(given)] as const)
  return fc.oneof(
    {
      weight: 8,
      arbitrary: named('set', fc.tuple(key, value, setOptions), ([k, v, o]) => (c, log) => {
        withStatus(o, log, (options) => c.set(k as never, v as never, options))
      }),
    },
    {
      weight: 6,
      arbitrary: named(
        'get',
        fc.tuple(key, getOptions),
        ([k, o]) =>
          (c, log) =>
            withStatus(o, log, (options) => c.get(k, options)),
      ),
    },
    {
      weight: 2,
      arbitrary: named(
        'peek',
        fc.tuple(key, merged(some({ allowStale: flag }), told)),
        ([k, o]) =>
          (c, log) =>
            withStatus(o, log, (options) => c.peek(k, options)),
      ),
    },
    {
      weight: 2,
      arbitrary: named(
        'has',
        fc.tuple(key, merged(some({ updateAgeOnHas: flag }), told)),
        ([k, o]) =>
          (c, log) =>
            withStatus(o, log, (options) => c.has(k, options)),
      ),
    },
    { weight: 2, arbitrary: named('delete', key, (k) => (c) => c.delete(k)) },
    { weight: 1, arbitrary: named('set undefined', key, (k) => (c) => void c.set(k, undefined)) },
    { weight: 1, arbitrary: named('getRemainingTTL', key, (k) => (c) => c.getRemainingTTL(k)) },
    { weight: 1, arbitrary: named('info', key, (k) => (c) => c.info(k)) },
    {
      weight: 1,
      arbitrary: named(
        'memo',
        fc.tuple(key, merged(some({ forceRefresh: flag, ttl }), told)),
        ([k, o]) =>
          (c, log) =>
            withStatus(o, log, (options) => (c as Ours<Key & {}, Value>).memo(k, options)),
      ),
    },
    { weight: 1, arbitrary: named('pop', fc.constant(0), () => (c) => c.pop()) },
    { weight: 1, arbitrary: named('purgeStale', fc.constant(0), () => (c) => c.purgeStale()) },
    { weight: 1, arbitrary: named('clear', fc.constant(0), () => (c) => c.clear()) },
    { weight: 1, arbitrary: named('dump', fc.constant(0), () => (c) => c.dump()) },
    { weight: 1, arbitrary: named('reload', fc.constant(0), () => (c) => c.load(c.dump() as never)) },
    { weight: 1, arbitrary: named('find', value, (v) => (c) => c.find((found) => found === v)) },
    { weight: 1, arbitrary: named('orders', fc.constant(0), () => orders) },
    {
      weight: 2,
      arbitrary: named(
        'change while iterating',
        fc.tuple(fc.boolean(), fc.array(fc.tuple(fc.constantFrom('delete', 'get', 'set', 'pass'), key))),
        ([forward, changes]) =>
          (c) => {
            // lru-cache may go round for ever once what it stands on is moved or deleted.
            const seen: unknown[] = []
            for (const k of forward ? c.keys() : c.rkeys()) {
              if (seen.push(k) > 30) break
              const [change, other] = changes[seen.length % Math.max(1, changes.length)] ?? ['delete', k]
              if (change === 'delete') c.delete(seen.length % 2 === 0 ? k : other)
              if (change === 'get') c.get(other)
              if (change === 'set') c.set(other, 2)
            }
            return seen
          },
      ),
    },
    { weight: 4, arbitrary: named('wait', fc.integer({ min: 1, max: 12 }), (ms) => () => ms) },
  )
}

const orders: Call = (cache) => {
  const visited: unknown[] = []
  cache.forEach((v, k) => void visited.push([v, k]))
  cache.rforEach((v, k) => void visited.push([v, k]))
  return [
    [...cache],
    [...cache.entries()],
    [...cache.rentries()],
    [...cache.keys()],
    [...cache.rkeys()],
    [...cache.values()],
    [...cache.rvalues()],
    visited,
  ]
}

let now = 1_000

interface Lane {
  readonly cache: Caches
  readonly log: unknown[]
  /** How often the clock was asked. */
  asked: number
}

function lane(Cache: typeof Ours | typeof Theirs, options: object): Lane {
  const log: unknown[] = []
  const made = { cache: undefined as unknown as Ours<Key & {}, Value>, log, asked: 0 }
  const tell = (what: string) =>
    function (this: unknown, v: unknown, k: unknown, why: unknown): void {
      const { cache } = made
      log.push([what, v, k, why, this === cache, cache.size, cache.calculatedSize, cache.peek(k as string)])
    }
  made.cache = new (Cache as typeof Ours<Key & {}, Value>)({
    ...(options as { max: number }),
    perf: {
      now: () => {
        made.asked++
        return now
      },
    },
    dispose: tell('dispose'),
    disposeAfter: tell('disposeAfter'),
    onInsert: tell('onInsert'),
    memoMethod: (k, stale, { options: given }) => {
      log.push(['memo', k, stale, given.ttl])
      return 'memo'
    },
    ...('maxSize' in options ? { sizeCalculation: (v: Value) => String(v).length + 1 } : {}),
  })
  return made
}

function outcome(call: Call, made: Lane): unknown {
  const { cache, log } = made
  log.length = 0
  const after = () => ({ log: [...log], size: cache.size, total: cache.calculatedSize, asked: made.asked })
  try {
    return { gave: call(cache, log), ...after() }
  } catch (error) {
    return { threw: String(error), ...after() }
  }
}

/** By slot; what stands in slots that were never used is of no matter. */
function inside(Cache: typeof Ours | typeof Theirs, cache: Caches): unknown {
  const { keyList, valList, head, tail } = (Cache as typeof Ours).unsafeExposeInternals(cache as never)
  const used = (list: readonly unknown[]): unknown[] =>
    list.slice(0, list.findLastIndex((it) => it !== undefined) + 1)
  return cache.size === 0 ? [] : [used(keyList), used(valList), head, tail]
}

describe('LRUCache answers as lru-cache does', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each([
    ['bounded by count', fc.integer({ min: 1, max: 8 }), false],
    ['bounded by count and size', fc.integer({ min: 1, max: 8 }), true],
    ['bounded by size alone', fc.constant(0), true],
  ] as const)('%s', (_, max, sized) => {
    fc.assert(
      fc.property(
        max,
        optionsOf(sized),
        fc.array(callsOf(sized), { minLength: 1, maxLength: 60 }),
        (limit, options, calls) => {
          now = 1_000
          vi.setSystemTime(50_000)
          const given = { max: limit, ...options }
          const ours = lane(Ours, given)
          const theirs = lane(Theirs, given)
          for (const [text, call] of calls) {
            if (text.startsWith('wait')) {
              const ms = call(ours.cache, []) as number
              ours.log.length = 0
              theirs.log.length = 0
              for (let i = 0; i < ms; i++) {
                now++
                vi.advanceTimersByTime(1)
              }
              expect(ours.log, text).toEqual(theirs.log)
              continue
            }
            expect(outcome(call, ours), text).toEqual(outcome(call, theirs))
          }
          expect(orders(ours.cache, [])).toEqual(orders(theirs.cache, []))
          expect(inside(Ours, ours.cache)).toEqual(inside(Theirs, theirs.cache))
          ours.cache.clear()
          theirs.cache.clear()
        },
      ),
      {
        numRuns: Number(process.env['HITPATH_RUNS'] ?? 400),
        seed: Number(process.env['HITPATH_SEED'] ?? 11),
      },
    )
  })
})
