import { describe, expect, test } from 'vitest'
import { digest, HitpathError, LocalCache, NdArray, PreparedKey, SharedCache } from '../../../src/index.js'

const revoked = Proxy.revocable({}, {})
revoked.revoke()
const detached = new Float64Array(100)
structuredClone(detached.buffer, { transfer: [detached.buffer] })
const cyclic: unknown[] = []
cyclic.push(cyclic)

const ODD: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -0,
  -1,
  1.5,
  Number.NaN,
  Infinity,
  2 ** 32,
  2 ** 53,
  '',
  'features',
  '\ud800',
  '*[',
  '[^',
  '\\',
  'x'.repeat(100_000),
  5n,
  Symbol('s'),
  () => 1,
  class A {},
  {},
  [],
  ['a', 5, null],
  [undefined],
  new Array(5),
  Object.create(null),
  cyclic,
  new Date(0),
  new Map([['a', 1]]),
  new Set(['a']),
  new WeakMap(),
  Promise.resolve(1),
  /x/,
  new Error('e'),
  new ArrayBuffer(8),
  new SharedArrayBuffer(8),
  new DataView(new ArrayBuffer(8)),
  new Uint8Array(0),
  new Uint8Array(2),
  new Float64Array(2),
  new Float64Array(600),
  new BigInt64Array(3),
  Buffer.from('abc'),
  detached,
  revoked.proxy,
  new Proxy(new Float64Array(2), {}),
  { data: new Float64Array(4), shape: [2, 2] },
  { data: new Float64Array(4), shape: [5] },
  { data: new Float64Array(4), shape: [-1] },
  { data: detached, shape: [100] },
  { data: new Float64Array(4), shape: [2], strides: [-1], offset: 1 },
  { data: new Float64Array(4), shape: 4 },
  { data: 'text', shape: [1] },
  new NdArray(new Float32Array(6), [2, 3]),
  new NdArray(new Float32Array(1), []),
  { length: 3 },
  { length: -1 },
  { ttl: 'x', tags: 5 },
  { ttl: 5, tags: ['t'] },
  { tags: [Symbol('t')] },
  { kind: 'hitpath.SharedCache', region: new SharedArrayBuffer(64) },
  Object.defineProperty({}, 'data', {
    get: () => {
      throw new TypeError('mine')
    },
  }),
  new PreparedKey({}, 'foreign'),
  Float64Array.prototype,
  Object.create(Float64Array.prototype),
  globalThis,
]

const LOCAL = [
  'get',
  'peek',
  'has',
  'remainingTtl',
  'set',
  'delete',
  'getOrCompute',
  'getMany',
  'setMany',
  'deleteMany',
  'invalidateTag',
  'invalidatePattern',
  'key',
  'scope',
] as const
const SHARED = [...LOCAL, 'pin', 'getInto', 'getRows', 'setRows'] as const

/** HitpathError, or TypeError and RangeError where they are JavaScript's own. */
function admissible(error: unknown): boolean {
  return error instanceof HitpathError || error instanceof TypeError || error instanceof RangeError
}

function attempt(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (!admissible(error)) throw error
  }
}

/** mulberry32 */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

type Callable = Readonly<Record<string, (...args: unknown[]) => unknown>>

describe.each<[string, readonly string[], () => LocalCache<unknown> | SharedCache<unknown>]>([
  ['LocalCache', LOCAL, () => new LocalCache<unknown>({ maxEntries: 100 })],
  ['portable LocalCache', LOCAL, () => new LocalCache<unknown>({ maxEntries: 100, engine: 'portable' })],
  [
    'LocalCache with a clock',
    LOCAL,
    () =>
      new LocalCache<unknown>({
        maxEntries: 100,
        clock: { now: () => 1 },
        policy: 'lru',
        onRemoval: () => undefined,
      }),
  ],
  ['SharedCache', SHARED, () => SharedCache.create<unknown>({ maxBytes: 2 ** 18, shards: 2 })],
])('whatever the methods of a %s are called with', (_, methods, make) => {
  const SEED = 20_240_506
  test.each(methods)('%s: it throws HitpathError at most, and goes on', (name) => {
    const cache = make()
    const method = (...args: unknown[]): unknown => (cache as unknown as Callable)[name]!.call(cache, ...args)
    const random = seeded(SEED)
    const any = (): unknown => ODD[random(ODD.length)]
    for (const first of ODD) {
      attempt(() => method(first))
      attempt(() => method(first, any()))
      attempt(() => method(first, any(), any()))
      attempt(() => method(first, any(), any(), any()))
    }
    for (let i = 0; i < 1500; i++) attempt(() => method(any(), any(), any(), any()))
    attempt(() => method())
    expect(cache.set('kept', 1).get('kept')).toBe(1)
    cache.validate()
  })

  test('in a scope, too', () => {
    const cache = make()
    const scope = cache.scope('s')
    for (const odd of ODD) {
      for (const name of ['get', 'peek', 'has', 'remainingTtl', 'delete', 'set', 'getOrCompute']) {
        attempt(() => (scope as unknown as Callable)[name]!.call(scope, odd, 1))
        attempt(() => (scope as unknown as Callable)[name]!.call(scope, 'a', odd))
      }
    }
    cache.validate()
  })
})

test('the static functions and digest()', () => {
  for (const first of ODD) {
    attempt(() => new LocalCache(first as object))
    attempt(() => SharedCache.create(first as object))
    attempt(() => SharedCache.attach(first as never))
    attempt(() => SharedCache.attach(first as never, first as never))
    attempt(() => digest(first as never))
  }
})
