/** Commands and scripts over the shared connection: deadlines, errors, and the grouping of names by bucket. */
import { HitpathError } from '../errors.js'
import { failure, isNoScript, isSplit, within } from './failure.js'
import type { Word } from './names.js'
import type { AnyClient } from './redis-client.js'
import type { RedisLink } from './redis-link.js'
import type { Script } from './scripts.js'

/** Names of one MGET. */
const READ_CHUNK = 1000

/** Those of a call's arguments that lie in one bucket, and their places among the arguments. */
export interface Group<T> {
  readonly bucket: number
  readonly items: readonly T[]
  readonly places: readonly number[]
}

export class RedisCalls {
  readonly #link: RedisLink
  #retained = false
  #closed = false

  constructor(link: RedisLink) {
    this.#link = link
  }

  /** @throws HitpathError CLOSED */
  assertOpen(): void {
    if (this.#closed) throw new HitpathError('CLOSED', 'the store was closed')
    if (this.#retained) return
    this.#retained = true
    this.#link.retain()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#retained) this.#link.release()
  }

  /** The connected client. A promise only for the first call and in an outage. */
  client(): AnyClient | Promise<AnyClient> {
    this.assertOpen()
    return this.#link.ready ?? this.#link.open()
  }

  async command(name: string, ...words: readonly (Word | number)[]): Promise<unknown> {
    const client = await this.client()
    try {
      return await client.callBuffer(name, ...words)
    } catch (error) {
      throw failure(error)
    }
  }

  /** Runs a script whose keys share a slot. A server that does not know it, new or promoted, is sent it. */
  async script(
    { sha, lua }: Script,
    keys: readonly Word[],
    words: readonly (Word | number)[],
  ): Promise<unknown> {
    const client = await this.client()
    const begin = performance.now()
    try {
      return await client.callBuffer('evalsha', sha, keys.length, ...keys, ...words)
    } catch (error) {
      if (!isNoScript(error)) throw failure(error)
    }
    const restMs = Math.max(1, this.#link.timeoutMs - (performance.now() - begin))
    try {
      return await within(
        restMs,
        'sending a script',
        client.callBuffer('eval', lua, keys.length, ...keys, ...words),
      )
    } catch (error) {
      throw failure(error)
    }
  }

  async get(key: Word): Promise<Buffer | null> {
    const ready = this.client()
    const client = ready instanceof Promise ? await ready : ready
    try {
      return await client.getBuffer(key)
    } catch (error) {
      throw failure(error)
    }
  }

  /** Values of keys of one bucket. While the slot is being moved, key by key. */
  async getAll(keys: readonly Word[]): Promise<(Buffer | null)[]> {
    const client = await this.client()
    if (keys.length > READ_CHUNK) {
      const chunks = chunked(keys, READ_CHUNK)
      return (await Promise.all(chunks.map((chunk) => this.getAll(chunk)))).flat()
    }
    const begin = performance.now()
    try {
      return await client.mgetBuffer(keys)
    } catch (error) {
      if (!isSplit(error)) throw failure(error)
      const restMs = Math.max(1, this.#link.timeoutMs - (performance.now() - begin))
      return within(restMs, 'MGET', Promise.all(keys.map((key) => this.get(key))))
    }
  }

  /** Removes keys of one bucket; how many there were. */
  async unlink(keys: readonly Word[]): Promise<number> {
    try {
      return Number(await this.command('unlink', ...keys))
    } catch (error) {
      if (!(error instanceof HitpathError) || !isSplit(error.cause)) throw error
      const each = await Promise.all(keys.map((key) => this.command('unlink', key)))
      return each.reduce<number>((sum, one) => sum + Number(one), 0)
    }
  }
}

/** Arguments by bucket, in their order. */
export function grouped<T>(items: readonly T[], bucketOf: (item: T) => number): Group<T>[] {
  const groups = new Map<number, { bucket: number; items: T[]; places: number[] }>()
  for (const [place, item] of items.entries()) {
    const bucket = bucketOf(item)
    let group = groups.get(bucket)
    if (group === undefined) {
      group = { bucket, items: [], places: [] }
      groups.set(bucket, group)
    }
    group.items.push(item)
    group.places.push(place)
  }
  return [...groups.values()]
}

/** Runs of at most `count` items and, if they have sizes, of at most `bytes`, but of one at least. */
export function chunked<T>(
  items: readonly T[],
  count: number,
  bytes = Number.POSITIVE_INFINITY,
  sizeOf: (item: T) => number = () => 0,
): T[][] {
  const chunks: T[][] = []
  let chunk: T[] = []
  let size = 0
  for (const item of items) {
    const itemSize = sizeOf(item)
    if (chunk.length === count || (chunk.length > 0 && size + itemSize > bytes)) {
      chunks.push(chunk)
      chunk = []
      size = 0
    }
    chunk.push(item)
    size += itemSize
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}
