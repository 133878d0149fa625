/** Commands and scripts over the shared connection: deadlines, errors, and the grouping of names by bucket. */
import { HitpathError } from '../errors.js'
import type { Deadlines } from './deadlines.js'
import { isNoScript, isSplit } from './failure.js'
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

  /** The connected client; it waits for the connection in the first call only. */
  async client(): Promise<AnyClient> {
    this.assertOpen()
    return this.#link.ready ?? this.#link.deadlines.guard(this.#link.open())
  }

  get deadlines(): Deadlines {
    return this.#link.deadlines
  }

  command(name: string, ...words: readonly (Word | number)[]): Promise<unknown> {
    return this.#guarded((client) => client.callBuffer(name, ...words))
  }

  /** Runs a script whose keys share a slot. A server that does not know it, new or promoted, is sent it. */
  script({ sha, lua }: Script, keys: readonly Word[], words: readonly (Word | number)[]): Promise<unknown> {
    return this.#guarded((client) =>
      client.callBuffer('evalsha', sha, keys.length, ...keys, ...words).catch((error: unknown) => {
        if (!isNoScript(error)) throw error
        return client.callBuffer('eval', lua, keys.length, ...keys, ...words)
      }),
    )
  }

  get(key: Word): Promise<Buffer | null> {
    return this.#guarded((client) => client.getBuffer(key))
  }

  /** Values of keys of one bucket. While the slot is being moved, key by key. */
  getAll(keys: readonly Word[]): Promise<(Buffer | null)[]> {
    return this.#guarded((client) => {
      const read = (chunk: readonly Word[]) =>
        client.mgetBuffer(chunk).catch((error: unknown) => {
          if (!isSplit(error)) throw error
          return Promise.all(chunk.map((key) => client.getBuffer(key)))
        })
      if (keys.length <= READ_CHUNK) return read(keys)
      return Promise.all(chunked(keys, READ_CHUNK).map(read)).then((chunks) => chunks.flat())
    })
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

  #guarded<T>(act: (client: AnyClient) => Promise<T>): Promise<T> {
    try {
      this.assertOpen()
    } catch (error) {
      return Promise.reject(error)
    }
    const { ready, deadlines } = this.#link
    return deadlines.guard(ready === undefined ? this.#link.open().then(act) : act(ready))
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
