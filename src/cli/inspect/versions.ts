/** The epoch of a namespace and the versions of tags, read from the nodes that hold them. Nothing is made where there is none. */
import { Keyspace } from '../../l2/names.js'
import { chunked } from '../../l2/redis-calls.js'
import type { Connection } from '../connection.js'
import { nodeOfSlot, readRanges, type SlotRange } from '../slots.js'
import type { TagVersion } from './entry.js'

const CHUNK = 1000

export class Versions {
  readonly buckets: number
  readonly #connection: Connection
  readonly #prefix: string
  readonly #ranges: readonly SlotRange[]

  private constructor(connection: Connection, ranges: readonly SlotRange[], prefix: string, buckets: number) {
    this.#connection = connection
    this.#ranges = ranges
    this.#prefix = prefix
    this.buckets = buckets
  }

  /** @param buckets default: as the store's */
  static async of(connection: Connection, prefix: string, buckets: number | undefined): Promise<Versions> {
    const ranges = await readRanges(connection)
    return new Versions(connection, ranges, prefix, buckets ?? (connection.clustered ? 8 : 1))
  }

  keyspace(namespace: string): Keyspace {
    return new Keyspace(this.#prefix, namespace, this.buckets)
  }

  /** 0 where there is none, as for writers in other languages. */
  async epoch(namespace: string): Promise<number> {
    const keys = this.keyspace(namespace)
    return Number((await this.ask(keys.of(0).slot, 'get', keys.epoch)) ?? 0)
  }

  async tags(namespace: string, tags: readonly string[]): Promise<TagVersion> {
    const keys = this.keyspace(namespace)
    const versions = new Map<string, number | null>()
    for (const chunk of chunked(tags, CHUNK)) {
      const found = await Promise.all(
        chunk.map((tag) => {
          const bucket = keys.bucketOf(tag)
          return this.ask(keys.of(bucket).slot, 'get', keys.tag(bucket, tag))
        }),
      )
      for (const [i, tag] of chunk.entries()) versions.set(tag, found[i] === null ? null : Number(found[i]))
    }
    return (tag) => versions.get(tag)
  }

  /** Undefined when the node of the slot cannot be reached. */
  async ask(
    slot: number,
    command: string,
    ...words: readonly (string | number | Buffer)[]
  ): Promise<unknown> {
    return nodeOfSlot(this.#connection, this.#ranges, slot)?.ask(command, ...words)
  }

  async askBytes(
    slot: number,
    command: string,
    ...words: readonly (string | number | Buffer)[]
  ): Promise<unknown> {
    return nodeOfSlot(this.#connection, this.#ranges, slot)?.askBytes(command, ...words)
  }
}
