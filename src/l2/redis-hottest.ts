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
  const heat = new Heat((...words) => calls.command(...words))
  let scanned = 0
  await scanEntries(await calls.client(), keyspace, {
    deadlines: calls.deadlines,
    glob: pattern === undefined ? '*' : prefixed(scanGlob(pattern)),
    accepts: (name) => pattern === undefined || (name[0] === 's' && globMatches(pattern, name.slice(1))),
    onKeys: async (keys) => {
      for (const chunk of chunked(keys, RANK_CHUNK)) {
        const heats = await heat.of(chunk)
        for (const [i, key] of chunk.entries()) {
          const name = keyspace.parse(key)?.name
          if (name !== undefined && !Number.isNaN(heats[i])) best.push({ name, heat: heats[i] as number })
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
  return { names: names.map(({ name }) => name), scanned, by: heat.by }
}

/** How hot keys are, by what the server counts. */
export class Heat {
  readonly #ask: (command: string, rank: Rank, key: Buffer) => Promise<unknown>
  #rank: Rank = 'freq'

  constructor(ask: (command: string, rank: Rank, key: Buffer) => Promise<unknown>) {
    this.#ask = ask
  }

  /** What was counted by the last answer. */
  get by(): HottestNames['by'] {
    return this.#rank === 'freq' ? 'frequency' : 'idle time'
  }

  /** The larger the hotter, those of OBJECT IDLETIME negative; NaN for a key that is gone. */
  async of(keys: readonly Buffer[]): Promise<number[]> {
    try {
      return await this.#heats(keys, this.#rank)
    } catch (error) {
      const other = otherRank(error)
      if (other === undefined) throw error
      this.#rank = other
      return this.#heats(keys, other)
    }
  }

  async #heats(keys: readonly Buffer[], rank: Rank): Promise<number[]> {
    const replies = await Promise.all(keys.map((key) => this.#ask('object', rank, key)))
    return replies.map((reply) => {
      if (reply === null) return Number.NaN
      return rank === 'freq' ? Number(reply) : -1 - Number(reply)
    })
  }
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
