/**
 * The entries that are asked for most, as far as Redis knows: SCAN on every master, then OBJECT FREQ of each, or OBJECT IDLETIME where the
 * policy of memory is none that counts. Neither counts as an access.
 *
 * Always true: memory is bounded by the names wanted, not by those there are. Where nodes of a Cluster differ in their policies, counted
 * entries come before the others.
 */
import { globMatches } from '../glob.js'
import { scanGlob } from './glob.js'
import type { Keyspace, Word } from './names.js'
import { chunked, type RedisCalls } from './redis-calls.js'
import { scanEntries } from './redis-scan.js'
import type { HottestNames, HottestOptions } from './store.js'

const RANK_CHUNK = 250

type Rank = 'freq' | 'idletime'

interface Ranked {
  readonly name: string
  /** The larger the hotter; those of OBJECT IDLETIME are negative. */
  readonly heat: number
}

export async function hottestNames(
  calls: RedisCalls,
  keyspace: Keyspace,
  { max, pattern, signal, onScanned }: HottestOptions,
): Promise<HottestNames> {
  const seen = new Set<string>()
  const best: Ranked[] = []
  let scanned = 0
  let rank: Rank = 'freq'
  const ranked = async (chunk: readonly Buffer[]): Promise<number[]> => {
    try {
      return await heats(calls, chunk, rank)
    } catch (error) {
      const other = otherRank(error)
      if (other === undefined) throw error
      rank = other
      return heats(calls, chunk, other)
    }
  }
  await scanEntries(await calls.client(), keyspace, {
    deadlines: calls.deadlines,
    glob: pattern === undefined ? '*' : prefixed(scanGlob(pattern)),
    accepts: (name) => pattern === undefined || (name[0] === 's' && globMatches(pattern, name.slice(1))),
    onKeys: async (keys) => {
      for (const chunk of chunked(keys, RANK_CHUNK)) {
        const heat = await ranked(chunk)
        for (const [i, key] of chunk.entries()) {
          const name = keyspace.parse(key)?.name
          if (name !== undefined && !Number.isNaN(heat[i])) best.push({ name, heat: heat[i] as number })
        }
      }
      scanned += keys.length
      if (best.length > 2 * max + RANK_CHUNK) keepHottest(best, max)
      onScanned?.(scanned)
    },
    signal,
  })
  best.sort(hotter)
  // A scan may show an entry twice.
  const names = best.filter(({ name }) => !seen.has(name) && seen.add(name)).slice(0, max)
  return { names: names.map(({ name }) => name), scanned, by: rank === 'freq' ? 'frequency' : 'idle time' }
}

/** NaN for a key that is gone. */
async function heats(calls: RedisCalls, keys: readonly Buffer[], rank: Rank): Promise<number[]> {
  const replies = await Promise.all(keys.map((key) => calls.command('object', rank, key)))
  return replies.map((reply) => {
    if (reply === null) return Number.NaN
    return rank === 'freq' ? Number(reply) : -1 - Number(reply)
  })
}

/** What to ask instead, when the server does not count what it was asked for. */
function otherRank(error: unknown): Rank | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (/An LFU maxmemory policy is not selected/.test(cause.message)) return 'idletime'
    if (/An LFU maxmemory policy is selected/.test(cause.message)) return 'freq'
  }
  return undefined
}

function hotter(a: Ranked, b: Ranked): number {
  return b.heat - a.heat
}

function keepHottest(all: Ranked[], max: number): void {
  const kept = new Map<string, Ranked>()
  for (const one of all.sort(hotter)) {
    if (kept.size === max) break
    if (!kept.has(one.name)) kept.set(one.name, one)
  }
  all.splice(0, all.length, ...kept.values())
}

function prefixed(pattern: Word): Word {
  return typeof pattern === 'string' ? `s${pattern}` : Buffer.concat([Buffer.from('s'), pattern])
}
