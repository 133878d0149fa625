/**
 * The survey of a namespace: walks its keys, reads values up to a bound, and fills a census.
 *
 * Always true: how hot an entry is, is asked for before anything else of it, since reading counts as use on servers before 7.2 (later ones
 * are told that it should not); at most 2 MiB of values are under way, of a node, and values of more than 4 MiB are not read.
 */
import { timeReplyMs } from '../../coherence/server-clock.js'
import { globMatches } from '../../glob.js'
import { scanGlob } from '../../l2/glob.js'
import { type KeyParts, keyParts, keysPattern } from '../../l2/names.js'
import { chunked } from '../../l2/redis-calls.js'
import { Heat } from '../../l2/redis-hottest.js'
import type { Connection, Node } from '../connection.js'
import { Census } from './census.js'
import type { State, TagVersion } from './entry.js'
import type { Versions } from './versions.js'
import { type Walk, walk } from './walk.js'

const MAX_VALUE_BYTES = 4 * 2 ** 20
const BATCH_BYTES = 2 * 2 ** 20

export interface SurveyOptions {
  readonly prefix: string
  /** Undefined: all, and their entries are counted and not read. */
  readonly namespace: string | undefined
  /** A glob over string keys. */
  readonly match: string | undefined
  /** Entries, or keys where none are read. */
  readonly limit: number
  readonly signal: AbortSignal
  readonly versions: Versions
  readonly onProgress: (keys: number, read: number) => void
}

export interface Survey {
  readonly census: Census
  readonly walk: Walk
  readonly keys: number
  readonly interrupted: boolean
  readonly states: Readonly<Record<State, number>>
  /** Undefined when OBJECT is refused. */
  readonly heatBy: Heat['by'] | undefined
}

interface Found {
  readonly key: Buffer
  readonly parts: KeyParts
}

/** Judged when all is read: the epoch, and the tags of what was met. */
async function statesOf(census: Census, clock: () => number, versions: Versions): Promise<Survey['states']> {
  const known = new Map<string, TagVersion>()
  for (const [namespace, tags] of census.tagsByNamespace()) {
    const count = census.namespace(namespace)
    count.epoch = await versions.epoch(namespace)
    // with other buckets than ours, tags would be looked for in the wrong places
    const isOurs = Math.max(...count.buckets) < versions.buckets
    known.set(namespace, isOurs ? await versions.tags(namespace, [...tags]) : () => undefined)
  }
  return census.states(clock(), (namespace) => known.get(namespace) ?? (() => undefined))
}

export async function survey(connection: Connection, options: SurveyOptions): Promise<Survey> {
  const { nodes } = connection
  const { prefix, namespace, match, limit, signal } = options
  const census = new Census()
  const readers = new Map(nodes.map((node) => [node, new NodeReader(node, census)]))
  const clock = await serverClock(nodes[0])
  await Promise.all(nodes.map((node) => node.ask('client', 'no-touch', 'on').catch(() => {})))
  const perNode = Math.ceil(limit / nodes.length)
  const taken = new Map<Node, number>()
  let keys = 0
  let isCut = false
  const walked = await walk(nodes, {
    pattern: keysPattern(prefix, namespace, true, match === undefined ? undefined : scanGlob(match)),
    signal,
    onKeys: async (node, found) => {
      const before = taken.get(node) ?? 0
      keys += found.length
      const mine = sorted(found, options, census)
      const met = mine.filter(({ parts }) => parts.kind === 'entry')
      const entries = met.slice(0, perNode - before)
      // the limit may fall into the last step of the walk
      if (namespace !== undefined && entries.length < met.length) isCut = true
      const count = before + (namespace === undefined ? mine.length : entries.length)
      taken.set(node, count)
      if (namespace !== undefined) await readers.get(node)?.readEntries(entries)
      options.onProgress(keys, census.read)
      return count < perNode
    },
  })
  const [first] = readers.values()
  return {
    census,
    walk: { ...walked, complete: walked.complete && !isCut },
    keys,
    interrupted: signal.aborted,
    states: await statesOf(census, clock, options.versions),
    heatBy: first?.heatBy,
  }
}

/** The keys that are meant; all of them are counted. */
function sorted(
  keys: readonly Buffer[],
  { prefix, namespace, match }: SurveyOptions,
  census: Census,
): Found[] {
  const found: Found[] = []
  for (const key of keys) {
    const parts = keyParts(prefix, key)
    if (parts === undefined) {
      census.strangeKeys++
      continue
    }
    if (match !== undefined && !(parts.name[0] === 's' && globMatches(match, parts.name.slice(1)))) continue
    if (
      namespace !== undefined &&
      parts.namespace !== namespace &&
      !parts.namespace.startsWith(`${namespace}:`)
    )
      continue
    census.addKey(parts)
    found.push({ key, parts })
  }
  return found
}

/** The server's wall clock, by the middle of one round trip. */
export async function serverClock(node: Node | undefined): Promise<() => number> {
  const sent = performance.now()
  const serverMs = timeReplyMs(await node?.ask('time').catch(() => undefined))
  const offset = serverMs - (sent + performance.now()) / 2
  return Number.isNaN(offset) ? Date.now : () => performance.now() + offset
}

class NodeReader {
  readonly #node: Node
  readonly #census: Census
  readonly #heat: Heat
  #knowsHeat = true

  constructor(node: Node, census: Census) {
    this.#node = node
    this.#census = census
    this.#heat = new Heat((command, rank, key) => node.ask(command, rank, key))
  }

  get heatBy(): Heat['by'] | undefined {
    return this.#knowsHeat ? this.#heat.by : undefined
  }

  async readEntries(found: readonly Found[]): Promise<void> {
    if (found.length === 0) return
    await this.#readHeat(found)
    const sizes = await Promise.all(found.map(({ key }) => this.#sizeOf(key)))
    const sized: (Found & { readonly bytes: number })[] = []
    for (const [i, one] of found.entries()) {
      const bytes = sizes[i]
      if (bytes === undefined) this.#census.addForeign(one.parts, 'no string')
      else if (bytes > MAX_VALUE_BYTES) {
        this.#census.large++
        this.#census.addSize(bytes)
      } else sized.push({ ...one, bytes })
    }
    for (const batch of chunked(sized, sized.length, BATCH_BYTES, ({ bytes }) => bytes))
      await this.#readValues(batch)
  }

  /** Undefined for what is no string. */
  async #sizeOf(key: Buffer): Promise<number | undefined> {
    try {
      return Number(await this.#node.ask('strlen', key))
    } catch (error) {
      if ((error as Error).message.includes('WRONGTYPE')) return undefined
      throw error
    }
  }

  async #readValues(batch: readonly Found[]): Promise<void> {
    const replies = await Promise.all(
      batch.map(({ key }) => Promise.all([this.#node.ask('pttl', key), this.#node.askBytes('get', key)])),
    )
    for (const [i, { parts }] of batch.entries()) {
      const [ttl, bytes] = replies[i] as [unknown, Buffer | null]
      if (bytes === null) this.#census.gone++
      else this.#census.addEntry(parts, bytes, Number(ttl) < 0 ? Number.POSITIVE_INFINITY : Number(ttl))
    }
  }

  async #readHeat(found: readonly Found[]): Promise<void> {
    if (!this.#knowsHeat) return
    try {
      const heats = await this.#heat.of(found.map(({ key }) => key))
      for (const [i, { parts }] of found.entries()) {
        const heat = heats[i] as number
        if (!Number.isNaN(heat)) this.#census.addHeat({ namespace: parts.namespace, name: parts.name, heat })
      }
    } catch {
      this.#knowsHeat = false // an ACL may forbid OBJECT
    }
  }
}
