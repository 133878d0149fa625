/** The options of a TieredCache and of its calls, checked once at the edge. */

import { types } from 'node:util'
import type { Bus } from '../coherence/bus.js'
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { Clock } from '../l1/engine.js'
import { clockOption } from '../l1/options.js'
import type { L2Store } from '../l2/store.js'
import { functionOption, integerOption, oneOfOption, refuseUnknownOptions } from '../options.js'
import type { Signal } from '../platform.js'
import type { FirstTier } from './first-tier.js'

/** How entries of a type live. Each may be given for the cache, for a type (`policies`) and for a call; the nearest counts. */
export interface PolicyOptions {
  /** Time to live in both tiers. Default `'5m'`. `Infinity`: until it is evicted or invalidated. */
  readonly ttl?: Duration | undefined
  /** Time after which a copy in the first tier is read again from the second. Default: `ttl`, which it never exceeds. */
  readonly l1Ttl?: Duration | undefined
  /** Time to live in the second tier. Default: `ttl`. */
  readonly l2Ttl?: Duration | undefined
  /** Share of a ttl, 0 to 0.5, by which it is shortened at random, so that entries made together do not end together. Default 0.1. */
  readonly jitter?: number | undefined
  /** How long after its ttl a value is kept for when the factory fails or is slow. Default: none. */
  readonly grace?: Duration | false | undefined
  /** How long after a failed refresh the stale value is served without asking the factory again. Default `'1s'`. */
  readonly graceRetry?: Duration | undefined
  /** With a stale value at hand, the longest wait for the factory; it goes on in the background. Default: no bound. */
  readonly softTimeout?: Duration | undefined
  /** The longest wait in any case; then the stale value, or FACTORY_TIMEOUT. The factory goes on in the background. Default: no bound. */
  readonly hardTimeout?: Duration | undefined
  /** Beta of XFetch (Vattani et al., VLDB 2015): 1 refreshes about a factory's time ahead, more is earlier. Default 0: off. */
  readonly earlyRefresh?: number | boolean | undefined
  /** How long "there is no such value" is remembered. Default: none. */
  readonly negativeTtl?: Duration | false | undefined
  /** How long after its ttl a value is served at once while a refresh runs; `true`: as long as `grace`. Default: none. */
  readonly staleWhileRevalidate?: Duration | boolean | undefined
  /**
   * Which tiers hold the entry. Default `'both'`. With `'l2'`, `getMany` and `getOrSetMany` do not look for it in the first, and small
   * arrays that are read may share memory: see `getMany`.
   */
  readonly tier?: 'both' | 'l1' | 'l2' | undefined
}

export interface CallOptions extends PolicyOptions {
  /** The name of a policy of the cache. Default: none, the policy of the cache itself. */
  readonly type?: string | undefined
}

export interface WriteOptions extends CallOptions {
  /** Names by which `invalidateTag` finds the entry; at most 64. Default: none. */
  readonly tags?: readonly string[] | undefined
}

export interface LoadOptions extends WriteOptions {
  /** Ends this caller's wait. The factory's own signal is aborted once nobody waits any more. Default: none. */
  readonly signal?: Signal | undefined
}

export type BusOption = 'stream' | 'tracking' | Bus | false

export interface TieredCacheOptions extends PolicyOptions {
  /** A LocalCache or SharedCache that holds nothing else. Default: `new LocalCache()`. It is closed with this cache only in that case. */
  readonly l1?: FirstTier
  /**
   * The second tier, such as a RedisStore. `close()` of the cache closes it, unless the cache has another namespace than the store, which then
   * serves others too. Default: none, the first tier alone.
   */
  readonly l2?: L2Store
  /** Names the entries in the second tier, apart from those of other caches. Default: that of the store, or `'default'`. */
  readonly namespace?: string
  /** Policies by the `type` that calls name. Default: none. */
  readonly policies?: Readonly<Record<string, PolicyOptions>>
  /** How processes tell each other. Default `'stream'` when the store can, else `false`: then only ttls end what others changed. */
  readonly bus?: BusOption
  /**
   * What the first tier does while the link of the bus is down: serve as always, be bypassed, or serve nothing that has not been
   * confirmed for longer than a duration. Default `'30s'`.
   */
  readonly whenUnlinked?: 'serve' | 'bypass' | Duration
  /** A lease in the second tier, so that one host at a time computes a value, and for how long it holds. Default `false`. */
  readonly lease?: Duration | false
  /** The longest wait for the second tier in one call. Default `'1s'`. */
  readonly l2Timeout?: Duration
  /** Bounds of what waits for the second tier to come back. */
  readonly replay?: {
    /** Sets that wait; twice as many deletions and invalidations, which become one clear beyond that. Default 10,000. */
    readonly maxEntries?: number
    /** Bytes of the sets that wait. Default 16 MiB. */
    readonly maxBytes?: number
  }
  /** When the second tier is not asked any more, and for how long. */
  readonly breaker?: {
    /** Failures in a row that open the circuit. Default 5. */
    readonly failures?: number
    /** The first wait before a probe; it doubles up to `'30s'`. Default `'1s'`. */
    readonly resetAfter?: Duration
  }
  /** Payloads of more bytes are compressed in the second tier. Default: none. */
  readonly compressAbove?: number
  /** What bytes in the second tier are that are no envelope: a miss, or a msgpack value that lives as long as its key. Default `'miss'`. */
  readonly foreign?: 'miss' | 'msgpack'
  /** Told of errors that reach no caller: of the second tier, of background refreshes. Default: nobody; the event `error` tells them too. */
  readonly onError?: (error: unknown) => void
  /** State that the threads which share a SharedCache have in common: `threads` of the first of them. Default: made anew. */
  readonly threads?: SharedArrayBuffer
  /** Milliseconds; give the first tier the same. Default: monotonic. */
  readonly clock?: Clock
  /** Numbers from 0 to 1 for jitter and early refresh. Default `Math.random`. */
  readonly random?: () => number
}

/** A policy, resolved: all times in milliseconds. */
export interface Policy {
  readonly ttl: number
  readonly l1Ttl: number
  readonly jitter: number
  readonly grace: number
  readonly graceRetry: number
  readonly soft: number
  readonly hard: number
  readonly beta: number
  readonly negativeTtl: number
  readonly revalidate: number
  readonly l1: boolean
  readonly l2: boolean
}

export const POLICY_KEYS = [
  'ttl',
  'l1Ttl',
  'l2Ttl',
  'jitter',
  'grace',
  'graceRetry',
  'softTimeout',
  'hardTimeout',
  'earlyRefresh',
  'negativeTtl',
  'staleWhileRevalidate',
  'tier',
] as const satisfies readonly (keyof PolicyOptions)[]

export const CACHE_KEYS = [
  ...POLICY_KEYS,
  'l1',
  'l2',
  'namespace',
  'policies',
  'bus',
  'whenUnlinked',
  'lease',
  'l2Timeout',
  'replay',
  'breaker',
  'compressAbove',
  'foreign',
  'onError',
  'threads',
  'clock',
  'random',
] as const satisfies readonly (keyof TieredCacheOptions)[]

const CALL_KEYS: readonly string[] = [...POLICY_KEYS, 'type', 'tags', 'signal']

function duration(value: Duration | false | undefined, path: string, otherwise: number): number {
  if (value === undefined) return otherwise
  return value === false ? 0 : parseDuration(value, path, { allowInfinity: true })
}

function share(value: unknown, path: string, max: number): number {
  if (typeof value === 'number' && value >= 0 && value <= max) return value
  throw new HitpathError(
    'INVALID_OPTION',
    `${path} must be a number from 0 to ${max}; got ${describe(value)}`,
  )
}

function resolve(options: PolicyOptions, path: string): Policy {
  const ttl = duration(options.l2Ttl ?? options.ttl, `${path}.ttl`, 300_000)
  const grace = duration(options.grace, `${path}.grace`, 0)
  const swr = options.staleWhileRevalidate
  const revalidate =
    typeof swr === 'boolean' ? (swr ? grace : 0) : duration(swr, `${path}.staleWhileRevalidate`, 0)
  const tier = oneOfOption(options.tier ?? 'both', `${path}.tier`, ['both', 'l1', 'l2'])
  const early = options.earlyRefresh ?? 0
  return {
    ttl,
    l1Ttl: Math.min(
      duration(
        options.l1Ttl ?? (options.l2Ttl === undefined ? undefined : options.ttl),
        `${path}.l1Ttl`,
        ttl,
      ),
      ttl,
    ),
    jitter: share(options.jitter ?? 0.1, `${path}.jitter`, 0.5),
    grace: Math.max(grace, revalidate),
    graceRetry: duration(options.graceRetry, `${path}.graceRetry`, 1000),
    soft: duration(options.softTimeout, `${path}.softTimeout`, Infinity),
    hard: duration(options.hardTimeout, `${path}.hardTimeout`, Infinity),
    beta: typeof early === 'boolean' ? Number(early) : share(early, `${path}.earlyRefresh`, 100),
    negativeTtl: duration(options.negativeTtl, `${path}.negativeTtl`, 0),
    revalidate,
    l1: tier !== 'l2',
    l2: tier !== 'l1',
  }
}

/** Policy options where the nearer ones count. */
export function overlaid(under: PolicyOptions, over: PolicyOptions): PolicyOptions {
  const merged: Record<string, unknown> = {}
  for (const key of POLICY_KEYS) {
    const value = over[key] ?? under[key]
    if (value !== undefined) merged[key] = value
  }
  // A ttl for the call counts for both tiers, unless it says otherwise.
  if (over.ttl !== undefined) {
    if (over.l1Ttl === undefined) delete merged['l1Ttl']
    if (over.l2Ttl === undefined) delete merged['l2Ttl']
  }
  return merged
}

/** Gives each call its policy; those of the cache and of its types are resolved once. */
export class Policies {
  readonly #base: PolicyOptions
  readonly #types = new Map<string, { readonly options: PolicyOptions; readonly policy: Policy }>()
  /** Of calls that name a tier and nothing else: reads of one tier come often. */
  readonly #tiers = new Map<Tier, Policy>()
  readonly standard: Policy

  constructor(options: TieredCacheOptions, path: string) {
    this.#base = options
    this.standard = resolve(options, path)
    for (const [type, policy] of Object.entries(options.policies ?? {})) {
      refuseUnknownOptions(policy, `${path}.policies.${type}`, POLICY_KEYS)
      const merged = overlaid(options, policy)
      this.#types.set(type, { options: merged, policy: resolve(merged, `${path}.policies.${type}`) })
    }
  }

  of(call: CallOptions | undefined): Policy {
    if (call === undefined) return this.standard
    if (namesTierAlone(call)) return this.#ofTier(call.tier)
    refuseUnknownOptions(call, 'options', CALL_KEYS)
    const { type } = call
    const typed = type === undefined ? undefined : this.#types.get(type)
    if (type !== undefined && typed === undefined) {
      throw new HitpathError('INVALID_OPTION', `there is no policy for the type ${describe(type)}`)
    }
    if (!POLICY_KEYS.some((key) => call[key] !== undefined)) return typed?.policy ?? this.standard
    return resolve(overlaid(typed?.options ?? this.#base, call), 'options')
  }

  #ofTier(tier: Tier): Policy {
    const known = this.#tiers.get(tier)
    if (known !== undefined) return known
    const policy = resolve(overlaid(this.#base, { tier }), 'options')
    this.#tiers.set(tier, policy)
    return policy
  }
}

type Tier = NonNullable<PolicyOptions['tier']>

function namesTierAlone(call: CallOptions): call is CallOptions & { readonly tier: Tier } {
  for (const key in call) if (key !== 'tier') return false
  return call?.tier !== undefined
}

/** What the cache was told, apart from policies. */
export interface Settings {
  readonly namespace: string
  readonly whenUnlinked: number
  readonly leaseMs: number
  readonly l2TimeoutMs: number
  readonly replay: { readonly maxEntries: number; readonly maxBytes: number }
  readonly breaker: { readonly failures: number; readonly resetAfterMs: number }
  readonly compressAbove: number
  readonly foreign: 'miss' | 'msgpack'
  readonly onError: ((error: unknown) => void) | undefined
  readonly clock: Clock | undefined
  readonly random: () => number
}

/** @throws HitpathError INVALID_OPTION, INVALID_TTL */
export function readSettings(options: TieredCacheOptions): Settings {
  const path = 'TieredCache'
  refuseUnknownOptions(options, path, CACHE_KEYS)
  const { l1, l2, whenUnlinked = '30s', replay = {}, breaker = {} } = options
  if (l1 !== undefined && (typeof l1 !== 'object' || l1 === null || typeof l1.peek !== 'function')) {
    throw new HitpathError(
      'INVALID_OPTION',
      `${path}.l1 must be a LocalCache or a SharedCache; got ${describe(l1)}`,
    )
  }
  if (l2 !== undefined && (typeof l2 !== 'object' || l2 === null || typeof l2.tagVersions !== 'function')) {
    throw new HitpathError(
      'INVALID_OPTION',
      `${path}.l2 must be a store such as RedisStore; got ${describe(l2)}`,
    )
  }
  const namespace = options.namespace ?? l2?.namespace ?? 'default'
  if (typeof namespace !== 'string' || namespace === '' || /[\u0001{}]/.test(namespace)) {
    throw new HitpathError(
      'INVALID_OPTION',
      `${path}.namespace must be a string that is not empty and holds no braces; got ${describe(namespace)}`,
    )
  }
  if (options.threads !== undefined && !types.isSharedArrayBuffer(options.threads)) {
    throw new HitpathError('INVALID_OPTION', `${path}.threads must be the \`threads\` of another TieredCache`)
  }
  refuseUnknownOptions(replay, `${path}.replay`, ['maxEntries', 'maxBytes'])
  refuseUnknownOptions(breaker, `${path}.breaker`, ['failures', 'resetAfter'])
  return {
    namespace,
    whenUnlinked:
      whenUnlinked === 'serve'
        ? Infinity
        : whenUnlinked === 'bypass'
          ? 0
          : parseDuration(whenUnlinked, `${path}.whenUnlinked`),
    leaseMs: duration(options.lease, `${path}.lease`, 0),
    l2TimeoutMs: parseDuration(options.l2Timeout ?? 1000, `${path}.l2Timeout`),
    replay: {
      maxEntries: integerOption(replay.maxEntries ?? 10_000, `${path}.replay.maxEntries`),
      maxBytes: integerOption(replay.maxBytes ?? 16 * 2 ** 20, `${path}.replay.maxBytes`),
    },
    breaker: {
      failures: integerOption(breaker.failures ?? 5, `${path}.breaker.failures`),
      resetAfterMs: parseDuration(breaker.resetAfter ?? 1000, `${path}.breaker.resetAfter`),
    },
    compressAbove:
      options.compressAbove === undefined
        ? Infinity
        : integerOption(options.compressAbove, `${path}.compressAbove`, { min: 0 }),
    foreign: oneOfOption(options.foreign ?? 'miss', `${path}.foreign`, ['miss', 'msgpack']),
    onError: options.onError === undefined ? undefined : functionOption(options.onError, `${path}.onError`),
    clock: clockOption(options.clock, `${path}.clock`),
    random: functionOption(options.random ?? Math.random, `${path}.random`),
  }
}

/** Tags as a copy without repetitions. @throws HitpathError INVALID_ARGUMENT, TOO_LARGE */
export function tagList(tags: unknown): readonly string[] {
  if (tags === undefined) return NO_TAGS
  const names: unknown[] = Array.isArray(tags) ? [...new Set(tags)] : [undefined]
  if (!names.every((name): name is string => typeof name === 'string')) {
    throw new HitpathError('INVALID_ARGUMENT', `tags must be an array of strings; got ${describe(tags)}`)
  }
  if (names.length > 64)
    throw new HitpathError('TOO_LARGE', `an entry has at most 64 tags; got ${names.length}`)
  return names
}

export const NO_TAGS: readonly string[] = []
