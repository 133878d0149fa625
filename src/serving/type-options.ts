/** The table of types: what may be said of each, checked once, and the partition of the first tier that follows. */
import { describe, HitpathError } from '../errors.js'
import type { Clock } from '../l1/engine.js'
import { LocalCache } from '../l1/local-cache.js'
import { SharedCache } from '../l1/shared-cache.js'
import type { SharedCacheOptions } from '../l1/shared-options.js'
import { integerOption, refuseUnknownOptions } from '../options.js'
import type { FirstTier } from '../tiered/first-tier.js'
import { POLICY_KEYS, Policies, type PolicyOptions } from '../tiered/options.js'

/** How one type of data lives, and where. */
export interface TypeOptions extends PolicyOptions {
  /** Weight among the types that share `maxEntries`. Default 1. */
  readonly share?: number
  /** A SharedCache of its own in place of a share, so that other threads may attach to it. Default: none. */
  readonly shared?: Omit<SharedCacheOptions, 'ttl' | 'clock'>
  /** A first tier of the caller's, such as `SharedCache.attach(handle)`; it holds nothing else, and stays open. Default: made here. */
  readonly l1?: FirstTier
  /** With an attached `l1`: `threads` of this type in the thread that created it. Default: none. */
  readonly threads?: SharedArrayBuffer
}

export type TypeTable = Readonly<Record<string, TypeOptions>>

const OWNER = 'TypedCaches'
const TYPE_KEYS: readonly string[] = [...POLICY_KEYS, 'share', 'shared', 'l1', 'threads']

export interface Partition {
  readonly l1: FirstTier
  /** Whether it was made here, and is closed here. */
  readonly own: boolean
}

/** @throws HitpathError INVALID_OPTION, INVALID_TTL, each with the path of the entry */
export function checkTypes(types: TypeTable): void {
  if (typeof types !== 'object' || types === null || Array.isArray(types) || Object.keys(types).length === 0)
    throw refused('types', 'a table of one type or more', types)
  for (const [type, options] of Object.entries(types)) {
    // A colon would let two pairs of namespace and type make one namespace.
    if (!/^[^{}:\s\p{Cc}]{1,64}$/u.test(type))
      throw refused('types', 'named by 1 to 64 characters without colons, braces or blanks', type)
    const path = pathOf(type)
    refuseUnknownOptions(options, path, TYPE_KEYS)
    new Policies(options, path)
    const { share, shared, l1 } = options
    if (share !== undefined && !(typeof share === 'number' && share > 0 && share < Infinity))
      throw refused(`types.${type}.share`, 'a number above 0', share)
    if ([share, shared, l1].filter((given) => given !== undefined).length > 1)
      throw refused(`types.${type}`, 'given one of share, shared and l1', options)
    if (shared !== undefined)
      refuseUnknownOptions(shared, `${path}.shared`, ['maxBytes', 'maxEntries', 'shards', 'maxPinned'])
  }
}

/**
 * A first tier for each type: nothing that one holds is evicted for another.
 * @throws HitpathError INVALID_OPTION when an entry of `maxEntries` for each is not to be had; what the caches throw
 */
export function partitioned(
  types: TypeTable,
  maxEntries: number,
  clock: Clock | undefined,
): ReadonlyMap<string, Partition> {
  const weights = new Map(
    Object.entries(types)
      .filter(([, { shared, l1 }]) => shared === undefined && l1 === undefined)
      .map(([type, { share = 1 }]) => [type, share]),
  )
  const sum = [...weights.values()].reduce((all, weight) => all + weight, 0)
  integerOption(maxEntries, `${OWNER}.maxEntries`, { min: Math.max(1, weights.size), max: 2 ** 28 })
  const timed = clock === undefined ? {} : { clock }
  const partitions = new Map<string, Partition>()
  try {
    for (const [type, { shared, l1 }] of Object.entries(types)) {
      if (l1 !== undefined) partitions.set(type, { l1, own: false })
      else if (shared !== undefined)
        partitions.set(type, { l1: SharedCache.create({ ...shared, ...timed }), own: true })
      else {
        const share = Math.max(1, Math.floor((maxEntries * (weights.get(type) as number)) / sum))
        partitions.set(type, { l1: new LocalCache({ maxEntries: share, ...timed }), own: true })
      }
    }
    return partitions
  } catch (error) {
    closeOwn(partitions.values())
    throw error
  }
}

export function closeOwn(partitions: Iterable<Partition>): void {
  for (const { l1, own } of partitions) if (own) l1.close()
}

export function pathOf(type: string): string {
  return `${OWNER}.types.${type}`
}

function refused(path: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${OWNER}.${path} must be ${expected}; got ${describe(value)}`)
}
