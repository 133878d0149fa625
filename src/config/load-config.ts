/**
 * Configuration from a file, YAML or JSON, checked entry by entry; nothing is opened or connected.
 *
 * Two forms of the tiers, told apart by their names. Ours: `l1` and `l2` with the names of the options in code, numbers without a unit
 * are milliseconds. The older one: `memory_cache` (`max_size`, `ttl`) and `distributed_cache` (`host`, `port`, `db`, `ttl`), numbers without
 * a unit are seconds. Everything else in the file is an option of `TieredCache`, or the
 * `types` of `TypedCaches`.
 */

import { fileURLToPath } from 'node:url'
import { describe, HitpathError } from '../errors.js'
import type { Location } from '../platform.js'
import { type ConfigDocument, type EntryPath, readDocument } from './document.js'
import {
  bytes,
  dictionary,
  duration,
  either,
  flag,
  integer,
  number,
  oneOf,
  type Reader,
  record,
  text,
  ttl,
  ttlSeconds,
} from './fields.js'
import { accountFields, redisEntries, redisTier } from './redis-tier.js'
import type { HitpathConfig, LocalTierConfig, SharedTierConfig, TieredConfig } from './types.js'

const MAX_ENTRIES = 2 ** 28

/** A duration, or `false`. */
function orOff(reader: Reader<number>): Reader<number | false> {
  return either(oneOf(false), reader, 'false, or a duration such as 60s')
}

const policyFields = {
  ttl,
  jitter: number(0, 0.5),
  grace: orOff(ttl),
  graceRetry: duration,
  softTimeout: duration,
  hardTimeout: duration,
  earlyRefresh: either(flag, number(0, 100), 'true, false, or a number from 0 to 100'),
  negativeTtl: orOff(ttl),
  staleWhileRevalidate: either(flag, ttl, 'true, false, or a duration such as 60s'),
  tier: oneOf('both', 'l1', 'l2'),
}

const tierPolicyFields = { ...policyFields, l1Ttl: ttl, l2Ttl: ttl }

const sharedFields = {
  maxEntries: integer(1, MAX_ENTRIES),
  maxBytes: bytes(4096, 2 ** 39),
  shards: integer(1, 64),
  maxPinned: number(0, 1),
}

const l1 = record({
  type: oneOf('local', 'shared'),
  ttl,
  policy: oneOf('xg', 'lru'),
  engine: oneOf('native', 'portable', 'auto'),
  ...sharedFields,
})

const file = record({
  memory_cache: record({ max_size: integer(1, MAX_ENTRIES), ttl: ttlSeconds }),
  distributed_cache: record({ ...accountFields, ttl: ttlSeconds, namespace: text }),
  l1,
  l2: redisEntries,
  ...policyFields,
  policies: dictionary(record(tierPolicyFields)),
  types: dictionary(record({ ...tierPolicyFields, share: number(1e-6, 1e6), shared: record(sharedFields) })),
  namespace: text,
  bus: oneOf('stream', 'tracking', false),
  whenUnlinked: either(oneOf('serve', 'bypass'), duration, 'serve, bypass, or a duration such as 30s'),
  lease: orOff(duration),
  l2Timeout: duration,
  replay: record({ maxEntries: integer(1), maxBytes: bytes(1) }),
  breaker: record({ failures: integer(1), resetAfter: duration }),
  compressAbove: bytes(0),
  foreign: oneOf('miss', 'msgpack'),
})

type File = ReturnType<typeof file>
type L1Entries = ReturnType<typeof l1>

/**
 * The options in a file of at most 1 MiB: YAML 1.2, or JSON when its name ends in `.json`.
 *
 * `l1.ttl` and `l2.ttl` become `l1Ttl` and `l2Ttl`, and without `l2`, `l1.ttl` becomes `ttl`. A copy in the first tier never outlives that in the
 * second, whose default is 5 minutes. What the file leaves out is left to the defaults of the caches.
 *
 * @throws HitpathError INVALID_CONFIG, naming the file, line and column, the entry, and what is allowed
 */
export function loadConfig(path: string | Location): HitpathConfig {
  const name: unknown = path instanceof URL ? fileName(path) : path
  if (typeof name !== 'string' || name === '') {
    throw new HitpathError('INVALID_ARGUMENT', `path must be a string or a file: URL; got ${describe(path)}`)
  }
  const document = readDocument(name)
  const entries = document.value === null ? {} : file(document.value, [], document)
  return configOf(entries, document)
}

function fileName(url: URL): string {
  if (url.protocol === 'file:') return fileURLToPath(url)
  throw new HitpathError('INVALID_ARGUMENT', `path must be a file: URL; got one of ${url.protocol}`)
}

function configOf(entries: File, document: ConfigDocument): HitpathConfig {
  const { memory_cache, distributed_cache, l1: ours, l2: redis, ...rest } = entries
  refuseBoth(entries, 'memory_cache', 'l1', document)
  refuseBoth(entries, 'distributed_cache', 'l2', document)
  const first = ours ?? (memory_cache && fromMemoryCache(memory_cache)) ?? {}
  const second = redis ?? distributed_cache
  const namespace = namespaceOf(entries, document)
  const tiered: TieredConfig = namespace === undefined ? rest : { ...rest, namespace }
  const tier = firstTier(first, ours === undefined ? ['memory_cache'] : ['l1'], document)
  if (second === undefined) {
    const ttlMs = rest.ttl ?? first.ttl
    return ttlMs === undefined ? { ...tiered, l1: tier } : { ...tiered, ttl: ttlMs, l1: tier }
  }
  const { ttl: l2Ttl } = second
  const store = redis === undefined ? withoutTtl(distributed_cache ?? {}) : redisTier(redis, document)
  return {
    ...tiered,
    ...(first.ttl === undefined ? {} : { l1Ttl: first.ttl }),
    ...(l2Ttl === undefined ? {} : { l2Ttl }),
    l1: tier,
    l2: namespace === undefined ? store : { ...store, namespace },
  }
}

function fromMemoryCache({ max_size, ttl: ttlMs }: NonNullable<File['memory_cache']>): L1Entries {
  return {
    ...(max_size === undefined ? {} : { maxEntries: max_size }),
    ...(ttlMs === undefined ? {} : { ttl: ttlMs }),
  }
}

const LOCAL_ONLY = ['policy', 'engine'] as const
const SHARED_ONLY = ['maxBytes', 'shards', 'maxPinned'] as const

function firstTier(
  entries: L1Entries,
  path: EntryPath,
  document: ConfigDocument,
): LocalTierConfig | SharedTierConfig {
  const { type = 'local', ttl: _, ...options } = entries
  for (const name of type === 'local' ? SHARED_ONLY : LOCAL_ONLY) {
    if (options[name] !== undefined) {
      const other = type === 'local' ? 'shared' : 'local'
      throw document.error([...path, name], `is an option of type ${other}; the type here is ${type}`)
    }
  }
  return { ...options, type }
}

function namespaceOf(entries: File, document: ConfigDocument): string | undefined {
  const tier = entries.l2 === undefined ? 'distributed_cache' : 'l2'
  const named = entries[tier]?.namespace
  const { namespace = named } = entries
  if (named !== undefined && named !== namespace) {
    throw document.error(
      [tier, 'namespace'],
      `is ${describe(named)}, but namespace is ${describe(namespace)}`,
    )
  }
  if (namespace !== undefined && (namespace.length > 128 || /[{}\s\p{Cc}]/u.test(namespace))) {
    const path = named === undefined ? ['namespace'] : [tier, 'namespace']
    const expected = '1 to 128 characters without braces, blanks or control characters'
    throw document.error(path, `must be ${expected}; got ${describe(namespace)}`)
  }
  return namespace
}

function refuseBoth(entries: File, older: keyof File, ours: keyof File, document: ConfigDocument): void {
  if (entries[older] !== undefined && entries[ours] !== undefined)
    throw document.error([older], `and ${ours} say the same; give one of them`)
}

function withoutTtl<T extends { readonly ttl?: number }>({ ttl: _, ...rest }: T): Omit<T, 'ttl'> {
  return rest
}
