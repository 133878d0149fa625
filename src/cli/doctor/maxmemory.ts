/**
 * The bound on the server's memory, and what its policy does to a namespace.
 *
 * Entries, tags and leases have a time to live; sequences, generations, epochs and buses have none. So a `volatile-` policy evicts only
 * what the caches can compute again, and an `allkeys-` one also what orders them. A lost counter restarts above every value that was
 * used (scripts.ts), so nothing stale is served; the price is entries: a lost epoch is a clear, a lost bus a flush of every first tier.
 */
import { bytesText } from '../terminal.js'
import { type Finding, ok } from './finding.js'

const NEARLY_FULL = 0.9
const REMEDY =
  'CONFIG SET maxmemory-policy volatile-lru (and in redis.conf, or the parameter group of the provider)'

export function judgeMaxmemory(
  info: ReadonlyMap<string, string>,
  config: ReadonlyMap<string, string>,
): Finding[] {
  const bound = Number(info.get('maxmemory') ?? config.get('maxmemory') ?? 0)
  const policy = info.get('maxmemory_policy') ?? config.get('maxmemory-policy')
  const used = Number(info.get('used_memory') ?? 0)
  if (policy === undefined) return []
  if (bound === 0) return [unbounded(used, policy)]
  const share = used / bound
  const found = `maxmemory ${bytesText(bound)} (${Math.round(share * 100)} % used), maxmemory-policy ${policy}`
  if (policy === 'noeviction') {
    const full = share >= NEARLY_FULL
    return [
      {
        code: 'MAXMEMORY',
        level: full ? 'error' : 'warning',
        found,
        why:
          'when the server is full it refuses writes, and with them the scripts of invalidations: these wait in the ' +
          'replay queue, and the second tier is not read for what waits',
        remedy: REMEDY,
      },
    ]
  }
  if (policy.startsWith('allkeys-')) {
    return [
      {
        code: 'MAXMEMORY',
        level: 'warning',
        found,
        why:
          'it may evict the keys that order a namespace: its epoch (every entry becomes invalid at once), its bus (every process flushes ' +
          'its first tier), its generations (computations under way are thrown away). Nothing stale is served, but hits are lost in bursts',
        remedy: REMEDY,
      },
    ]
  }
  const findings = [ok('MAXMEMORY', `${found}: it evicts entries and tags, never what orders a namespace`)]
  return Number(info.get('evicted_keys') ?? 0) > 0 ? [...findings, evicting(info)] : findings
}

function unbounded(used: number, policy: string): Finding {
  return {
    code: 'MAXMEMORY',
    level: 'note',
    found: `maxmemory is not set (${bytesText(used)} used), maxmemory-policy ${policy}`,
    why: 'the server grows until its machine has no memory left; entries of a cache go only when their time is over',
    remedy: 'CONFIG SET maxmemory <bytes> and CONFIG SET maxmemory-policy volatile-lru',
  }
}

function evicting(info: ReadonlyMap<string, string>): Finding {
  return {
    code: 'EVICTED',
    level: 'note',
    found: `${info.get('evicted_keys')} keys were evicted since the server started`,
    why: 'what is evicted is computed again; entries with ttl Infinity are never evicted by a volatile- policy',
    remedy: 'a larger maxmemory, shorter l2Ttl, or compressAbove',
  }
}
