/** Commands and scripts over the shared connection: deadlines, errors, and the grouping of names by bucket. */
import { HitpathError } from '../errors.js'
import type { Deadlines } from './deadlines.js'
import { isNoScript, isSplit } from './failure.js'
import { encodeName, type Word } from './names.js'
import { type AnyClient, mget } from './redis-client.js'
import { Gets } from './redis-get.js'
import type { RedisLink } from './redis-link.js'
import type { Script } from './scripts.js'
import type { OnFound, Receiver } from './store.js'

/**
 * Names of one MGET. Several of this size go out together, so that the server looks up the first while the last are still being written,
 * and the first are parsed and decoded while it looks up the last: 500 values in four pieces take 0.7 of the time of one MGET.
 */
const READ_CHUNK = 128

/** Those of a call's arguments that lie in one bucket, and their places among the arguments. */
export interface Group<T> {
  readonly bucket: number
  readonly items: readonly T[]
  readonly places: readonly number[]
}

export class RedisCalls {
  readonly #link: RedisLink
  readonly #gets: Gets
  #retained = false
  #closed = false

  constructor(link: RedisLink) {
    this.#link = link
    this.#gets = new Gets(link.deadlines)
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

  /** As `get`, told to a receiver; false when it cannot, and has done nothing. */
  tell(key: string, receiver: Receiver): boolean {
    const { ready } = this.#link
    return ready !== undefined && this.#retained && !this.#closed && this.#gets.tell(ready, key, receiver)
  }

  /**
   * Values of the keys that `prefix` and each of the names make, all of one bucket. While the slot is being moved, key by key.
   *
   * @param onFound is given each piece when it comes, if there is more than one, and the places of its values
   */
  getAll(prefix: string, names: readonly string[], onFound?: OnFound): Promise<(Buffer | null)[]> {
    const count = names.length
    return this.#guarded(async (client) => {
      if (count <= READ_CHUNK) return await readKeys(client, keysFrom(0, count, prefix, names))
      const all = new Array<Buffer | null>(count)
      const pieces: Promise<void>[] = []
      for (let from = 0; from < count; from += READ_CHUNK) {
        const reading = readKeys(client, keysFrom(from, Math.min(from + READ_CHUNK, count), prefix, names))
        const taken = (values: readonly (Buffer | null)[]): void => {
          for (let i = 0; i < values.length; i++) all[from + i] = values[i] as Buffer | null
          onFound?.(values, from)
        }
        pieces.push(reading.then(taken))
      }
      await Promise.all(pieces)
      return all
    })
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

function keysFrom(from: number, to: number, prefix: string, names: readonly string[]): string[] {
  const keys = new Array<string>(to - from)
  for (let i = from; i < to; i++) keys[i - from] = prefix + (names[i] as string)
  return keys
}

function readKeys(client: AnyClient, keys: readonly string[]): Promise<(Buffer | null)[]> {
  return mget(client, keys).catch((error: unknown) => {
    if (!isSplit(error)) throw error
    return Promise.all(keys.map((key) => client.getBuffer(encodeName(key))))
  })
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
