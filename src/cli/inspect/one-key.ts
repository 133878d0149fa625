/** One entry in full: its envelope, its value, and whether a read would take it now. */
import { inspect } from 'node:util'
import { decodeName, Keyspace } from '../../l2/names.js'
import type { Connection } from '../connection.js'
import { bytesText, columns, durationText, type Paint, plain } from '../terminal.js'
import { judgeEntry, readEntry, type State, typeOfValue } from './entry.js'
import { serverClock } from './survey.js'
import type { Versions } from './versions.js'

export interface OneKey {
  readonly redisKey: string
  /** As in Redis: `s` + string, `n` + number, `d` + digest. */
  readonly name: string
  readonly bytes: number
  /** Infinity without. */
  readonly ttlMs: number
  readonly state: State | 'damaged' | 'foreign'
  readonly because: string
  /** Undefined when the bytes are no envelope. */
  readonly envelope: EnvelopeFacts | undefined
  readonly type: string | undefined
  readonly shape: readonly number[] | undefined
  /** As Node.js prints it. */
  readonly value: string | undefined
  /** The bucket that it was found in, when it is not the one that its name belongs to with the buckets given. */
  readonly strayBucket: number | undefined
}

export interface EnvelopeFacts {
  readonly version: number
  readonly epoch: number
  readonly currentEpoch: number
  /** Milliseconds from now, by the server's clock; negative when over. */
  readonly freshForMs: number
  readonly deadInMs: number
  readonly factoryMs: number
  readonly compressed: boolean
  readonly negative: boolean
  readonly payloadBytes: number
  /** `current`: null when there is none. */
  readonly tags: readonly {
    readonly name: string
    readonly version: number
    readonly current: number | null
  }[]
}

const MOST_BUCKETS = 1024

/** Undefined when there is no such key. A key that is no string there is looked for as a number or a digest. */
export async function oneKey(
  connection: Connection,
  versions: Versions,
  prefix: string,
  namespace: string,
  key: string,
): Promise<OneKey | undefined> {
  const names = [`s${key}`]
  if (key.trim() !== '' && Number.isFinite(Number(key))) names.push(`n${Number(key)}`)
  if (/^d?[0-9a-f]{32}$/.test(key)) names.push(`d${key.slice(-32)}`)
  const place = new Place(versions, new Keyspace(prefix, namespace, MOST_BUCKETS))
  const clock = await serverClock(connection.nodes[0])
  for (const name of names) {
    const home = versions.keyspace(namespace).bucketOf(name)
    const bucket = (await place.has(name, home)) ? home : await place.anyBucket(name)
    if (bucket === undefined) continue
    const found = await place.read(name, bucket)
    if (found === undefined) continue
    const strayBucket = bucket === home ? undefined : bucket
    return { ...found, name, strayBucket, ...(await explained(found, versions, namespace, clock)) }
  }
  return undefined
}

type Stored = Pick<OneKey, 'redisKey' | 'bytes' | 'ttlMs'> & { readonly content: Buffer | undefined }

/** Where a name lies. Its writers may have been told of another number of buckets than we were. */
class Place {
  readonly #versions: Versions
  readonly #keys: Keyspace

  constructor(versions: Versions, keys: Keyspace) {
    this.#versions = versions
    this.#keys = keys
  }

  async has(name: string, bucket: number): Promise<boolean> {
    const { slot } = this.#keys.of(bucket)
    return (await this.#versions.ask(slot, 'exists', this.#keys.entry(bucket, name))) === 1
  }

  async anyBucket(name: string): Promise<number | undefined> {
    const all = Array.from({ length: MOST_BUCKETS }, (_, bucket) => this.has(name, bucket))
    const bucket = (await Promise.all(all)).indexOf(true)
    return bucket < 0 ? undefined : bucket
  }

  /** Undefined when it is gone again; without content when it is no string. */
  async read(name: string, bucket: number): Promise<Stored | undefined> {
    const { slot } = this.#keys.of(bucket)
    const key = this.#keys.entry(bucket, name)
    const [content, ttl] = await Promise.all([
      this.#versions.askBytes(slot, 'get', key).catch((error: Error) => {
        if (error.message.includes('WRONGTYPE')) return undefined
        throw error
      }),
      this.#versions.ask(slot, 'pttl', key),
    ])
    if (content === null) return undefined
    const bytes = (content as Buffer | undefined)?.length ?? 0
    const ttlMs = Number(ttl) < 0 ? Number.POSITIVE_INFINITY : Number(ttl)
    return {
      redisKey: decodeName(Buffer.from(key as Buffer)),
      content: content as Buffer | undefined,
      bytes,
      ttlMs,
    }
  }
}

type Explained = Pick<OneKey, 'state' | 'because' | 'envelope' | 'type' | 'shape' | 'value'>

const NOTHING = { envelope: undefined, type: undefined, shape: undefined, value: undefined }

async function explained(
  { content }: Stored,
  versions: Versions,
  namespace: string,
  clock: () => number,
): Promise<Explained> {
  if (content === undefined)
    return { ...NOTHING, state: 'foreign', because: 'what stands there is no string' }
  const entry = readEntry(content)
  if (entry.kind === 'foreign')
    return {
      ...NOTHING,
      state: 'foreign',
      because: "no envelope of hitpath; with foreign: 'msgpack' a read tries to decode it",
    }
  if (entry.kind === 'format')
    return {
      ...NOTHING,
      state: 'damaged',
      because: `an envelope of format ${entry.format}, which this version does not read`,
    }
  if (entry.kind === 'damaged') return { ...NOTHING, state: 'damaged', because: entry.why }
  const { head, value } = entry
  const tagNames = head.tags.map(({ name }) => name)
  const [epoch, versionOf] = await Promise.all([
    versions.epoch(namespace),
    versions.tags(namespace, tagNames),
  ])
  const nowMs = clock()
  const { name, shape } = typeOfValue(value)
  const envelope: EnvelopeFacts = {
    version: head.version,
    epoch: head.epoch,
    currentEpoch: epoch,
    freshForMs: head.freshUntil - nowMs,
    deadInMs: head.deadAt - nowMs,
    factoryMs: head.factoryMs,
    compressed: head.compressed,
    negative: head.negative,
    payloadBytes: head.payloadBytes,
    tags: head.tags.map((tag) => ({ ...tag, current: versionOf(tag.name) ?? null })),
  }
  const judged = judgeEntry(head, nowMs, epoch, versionOf)
  if (head.negative) return { ...NOTHING, ...judged, envelope }
  return { ...judged, envelope, type: name, shape, value: printed(value) }
}

/** `inspect` escapes control characters in strings. */
function printed(value: unknown): string {
  return inspect(value, { depth: 6, maxArrayLength: 24, maxStringLength: 1000, breakLength: 96 })
}

export function oneKeyText(one: OneKey, paint: Paint): string {
  const good = one.state === 'fresh' || one.state === 'stale'
  const rows: [string, string][] = [
    ['key in Redis', plain(one.redisKey)],
    ['state', `${paint(good ? 'green' : 'yellow', one.state)}: ${plain(one.because)}`],
    ['bytes', `${bytesText(one.bytes)}, kept by the server ${lasting(one.ttlMs)}`],
  ]
  if (one.strayBucket !== undefined)
    rows.push([
      'bucket',
      `${one.strayBucket}: its writers use another number of buckets; tags are not judged right without --buckets`,
    ])
  if (one.envelope !== undefined) rows.push(...envelopeRows(one.envelope))
  if (one.type !== undefined)
    rows.push(['type', one.shape === undefined ? one.type : `${one.type} [${one.shape.join(', ')}]`])
  const lines = columns(rows).map((line) => `  ${line}`)
  return [...lines, ...(one.value === undefined ? [] : ['', one.value])].join('\n')
}

function envelopeRows(envelope: EnvelopeFacts): [string, string][] {
  const { version, epoch, currentEpoch, freshForMs, deadInMs, factoryMs, compressed, payloadBytes, tags } =
    envelope
  const cleared = epoch < currentEpoch ? `; cleared since, at ${currentEpoch}` : ''
  return [
    ['version', `${version} (${new Date(version / 1000).toISOString()})`],
    ['epoch', `${epoch}${cleared}`],
    ['fresh', lasting(freshForMs)],
    ['served stale', deadInMs > freshForMs ? lasting(deadInMs) : 'not after that'],
    ['factory', factoryMs === 0 ? 'not known' : durationText(factoryMs)],
    ['payload', `${bytesText(payloadBytes)}${compressed ? ', stored deflated' : ''}`],
    ...tags.map(({ name, version: under, current }): [string, string] => {
      const now =
        current === null ? 'not known now' : current > under ? `invalidated since, at ${current}` : 'holds'
      return ['tag', `${plain(name, 80)} at ${under}: ${now}`]
    }),
  ]
}

function lasting(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'for ever'
  return ms < 0 ? `no more, since ${durationText(-ms)}` : `for ${durationText(ms)} more`
}
