/**
 * The second tier in Redis or Valkey, 6.2 and later: one server, behind Sentinel, or a Cluster. names.ts says which keys there are,
 * scripts.ts what a write does, redis-client.ts how connections behave.
 *
 * The commands of one call are sent together and awaited together: one round trip a node. MOVED and ASK are followed. While the slot of
 * a bucket is being moved the server refuses scripts on names that it does not have yet: those writes fail as L2_UNAVAILABLE or
 * L2_TIMEOUT with nothing done; reads go on.
 */
import type { Bytes, Signal } from '../platform.js'
import { checkNamespace, Keyspace } from './names.js'
import { chunked, grouped, RedisCalls } from './redis-calls.js'
import type { RedisClient } from './redis-client.js'
import { hottestNames } from './redis-hottest.js'
import { RedisLink } from './redis-link.js'
import { type CheckedOptions, checkOptions, type RedisStoreOptions } from './redis-options.js'
import { Removal } from './redis-removal.js'
import { scanNames } from './redis-scan.js'
import { argument, BucketWrites, momentWords, ttlWord } from './redis-writes.js'
import * as scripts from './scripts.js'
import {
  type CallOptions,
  type Deleted,
  type DeleteOptions,
  type Fence,
  type HottestNames,
  type HottestOptions,
  type L2Store,
  type L2Write,
  type OnFound,
  type OnNames,
  type PatternProgress,
  type Receiver,
  setTell,
  type Written,
} from './store.js'

export type { RedisConnectionOptions, RedisStoreOptions } from './redis-options.js'

/** Names, and bytes, of one script: some milliseconds of the server's time. */
const WRITE_CHUNK = 1000
const WRITE_CHUNK_BYTES = 8 * 2 ** 20
/** How long a tag that was invalidated before anyone used it is remembered. */
const UNKNOWN_TAG_MS = 86_400_000

/** What stores of one connection share. */
class Shared {
  readonly options: CheckedOptions
  readonly link: RedisLink

  constructor(options: RedisStoreOptions) {
    this.options = checkOptions(options)
    this.link = new RedisLink(this.options.template, this.options.timeoutMs)
  }
}

export class RedisStore implements L2Store {
  readonly namespace: string
  readonly buckets: number
  readonly timeoutMs: number
  readonly #shared: Shared
  readonly #calls: RedisCalls
  readonly #keys: Keyspace
  readonly #writes: BucketWrites
  readonly #removal: Removal

  /**
   * Connects with the first call. Stores made by `forNamespace` share the connection; it is closed with the last of those that used it.
   *
   * @throws HitpathError INVALID_OPTION for an unknown or wrong option, INVALID_TTL for a wrong duration
   */
  constructor(options: RedisStoreOptions)
  /** @internal */
  constructor(shared: Shared, namespace: string)
  constructor(source: RedisStoreOptions | Shared, namespace?: string) {
    this.#shared = source instanceof Shared ? source : new Shared(source)
    const { options, link } = this.#shared
    this.namespace = namespace ?? options.namespace
    this.buckets = options.buckets
    this.timeoutMs = options.timeoutMs
    this.#keys = new Keyspace(options.prefix, this.namespace, this.buckets)
    this.#calls = new RedisCalls(link)
    this.#writes = new BucketWrites(this.#calls, this.#keys, options.busLength)
    this.#removal = new Removal(this.#calls, this.#keys, this.#writes)
  }

  /** A store of another namespace over the same connection. Each is closed on its own. @throws HitpathError INVALID_OPTION */
  forNamespace(namespace: string): RedisStore {
    return new RedisStore(this.#shared, checkNamespace(namespace, 'namespace'))
  }

  bucketOf(name: string): number {
    return this.#keys.bucketOf(name)
  }

  static {
    setTell(RedisStore.prototype.get, function (name, receiver) {
      ;(this as RedisStore).#tell(name, receiver)
    })
  }

  get(name: string): Promise<Bytes | null> {
    return new Promise((found, failed) => this.#tell(name, { found, failed }))
  }

  /** In pieces of 128 names that are under way together: `onFound` sees each when it comes, if a bucket has more than one. */
  async getMany(names: readonly string[], onFound?: OnFound): Promise<(Bytes | null)[]> {
    if (names.length === 0) return []
    if (this.buckets === 1) return this.#calls.getAll(this.#keys.of(0).entry, names, onFound)
    return this.#spread(
      names,
      (name) => this.bucketOf(name),
      (bucket, mine, places) => {
        const found: OnFound | undefined = onFound && ((values, from) => onFound(values, from, places))
        return this.#calls.getAll(this.#keys.of(bucket).entry, mine, found)
      },
    )
  }

  async remaining(name: string): Promise<number | undefined> {
    const ms = Number(await this.#calls.command('pttl', this.#keys.entry(this.bucketOf(name), name)))
    return ms >= 0 ? ms : ms === -1 ? Number.POSITIVE_INFINITY : undefined
  }

  async set(write: L2Write, options: CallOptions): Promise<Written> {
    const [version] = await this.#writes.set(this.bucketOf(write.name), [write], options)
    return version
  }

  /** Fences are judged together, for up to 1,000 writes or 8 MiB of a bucket; further ones may break those that share a field. */
  async setMany(writes: readonly L2Write[], options: CallOptions): Promise<Written[]> {
    return this.#spread(
      writes,
      ({ name }) => this.bucketOf(name),
      async (bucket, mine) => {
        const chunks = chunked(mine, WRITE_CHUNK, WRITE_CHUNK_BYTES, ({ bytes }) => bytes.length)
        return (await Promise.all(chunks.map((chunk) => this.#writes.set(bucket, chunk, options)))).flat()
      },
    )
  }

  async delete(name: string, options: DeleteOptions): Promise<Deleted> {
    const [deleted] = await this.#writes.delete(this.bucketOf(name), [name], options)
    return deleted as Deleted
  }

  async deleteMany(names: readonly string[], options: DeleteOptions): Promise<Deleted[]> {
    return this.#spread(
      names,
      (name) => this.bucketOf(name),
      async (bucket, mine) => {
        const chunks = chunked(mine, WRITE_CHUNK)
        return (await Promise.all(chunks.map((chunk) => this.#writes.delete(bucket, chunk, options)))).flat()
      },
    )
  }

  /** Takes as long as it takes to scan every master once; each step has the deadline of a call. See redis-removal.ts. */
  async deletePattern(
    glob: string,
    options: CallOptions & { onProgress?: (p: PatternProgress) => void; signal?: Signal },
  ): Promise<number> {
    return this.#removal.pattern(glob, options)
  }

  async clear(options: CallOptions): Promise<number> {
    return this.#removal.clear(options)
  }

  /** Takes as long as it takes to scan every master once. */
  async names(onNames: OnNames, signal?: Signal): Promise<void> {
    return scanNames(this.#calls, this.#keys, onNames, signal)
  }

  /** Takes as long as it takes to scan every master once, and a question for each entry. See redis-hottest.ts. */
  async hottest(options: HottestOptions): Promise<HottestNames> {
    return hottestNames(this.#calls, this.#keys, options)
  }

  async tagVersions(tags: readonly string[], ttlMs: number): Promise<number[]> {
    for (const tag of tags) checkTag(tag)
    const ttl = ttlWord(ttlMs)
    return this.#spread(
      tags,
      (tag) => this.bucketOf(tag),
      async (bucket, mine) => {
        const keys = [this.#keys.of(bucket).sequence, ...mine.map((tag) => this.#keys.tag(bucket, tag))]
        return ((await this.#calls.script(scripts.TAGS, keys, [ttl])) as unknown[]).map(Number)
      },
    )
  }

  async invalidateTag(tag: string, options: CallOptions): Promise<number> {
    checkTag(tag)
    const bucket = this.bucketOf(tag)
    const keys = [...this.#writes.head(bucket), this.#keys.tag(bucket, tag)]
    const words = [...this.#writes.first(options), ...momentWords(options), tag, UNKNOWN_TAG_MS]
    return Number(await this.#calls.script(scripts.INVALIDATE_TAG, keys, words))
  }

  /** The version of the last clear. A namespace without one, new or robbed of it by eviction, gets one: no value is used twice. */
  async epoch(): Promise<number> {
    const known = await this.#calls.get(this.#keys.epoch)
    if (known !== null && Number.isFinite(Number(known))) return Number(known)
    const keys = [...this.#writes.head(0), this.#keys.epoch]
    const words = [...this.#writes.first({ origin: '' }), ...momentWords({ origin: '' }), 'known']
    return Number(await this.#calls.script(scripts.EPOCH, keys, words))
  }

  async fences(names: readonly string[], leaseMs?: number): Promise<Fence[]> {
    const lease = leaseMs === undefined ? '' : ttlWord(leaseMs)
    return this.#spread(
      names,
      (name) => this.bucketOf(name),
      async (bucket, mine) => {
        const chunks = chunked(mine, WRITE_CHUNK)
        return (await Promise.all(chunks.map((chunk) => this.#writes.fence(bucket, chunk, lease)))).flat()
      },
    )
  }

  async release({ name, lease }: Fence): Promise<void> {
    if (lease === undefined) return
    await this.#calls.script(scripts.RELEASE, [this.#keys.lease(this.bucketOf(name), name)], [lease])
  }

  /** In a Cluster the clock of the node of bucket 0: nodes are expected to agree as closely as NTP makes them. */
  async serverTime(): Promise<number> {
    const reply = await this.#calls.script(scripts.TIME, [this.#keys.of(0).sequence], [])
    const [seconds, microseconds] = reply as unknown[]
    return Number(seconds) * 1000 + Number(microseconds) / 1000
  }

  /** In a Cluster, of each node that owns a bucket. */
  async ping(): Promise<void> {
    const keys = Array.from({ length: this.buckets }, (_, bucket) => this.#keys.of(bucket).sequence)
    await Promise.all(keys.map((key) => this.#calls.command('exists', key)))
  }

  /** Ends scans and sweeps under way; calls after it are rejected with CLOSED. May be called again. */
  async close(): Promise<void> {
    await this.#removal.close()
    this.#calls.close()
  }

  /** Stream of a bucket's messages. */
  busKey(bucket: number): string {
    return this.#keys.of(bucket).bus
  }

  /** Begins the keys of a bucket's entries; the entry's name follows. */
  entryPrefix(bucket: number): string {
    return this.#keys.of(bucket).entry
  }

  /** Begins the keys of a bucket's tags. */
  tagPrefix(bucket: number): string {
    return this.#keys.of(bucket).tag
  }

  /** Key of the epoch, in bucket 0. */
  get epochKey(): string {
    return this.#keys.epoch
  }

  /**
   * A client of its own, not connected yet, for blocking reads on the master that owns a bucket now. It never reconnects: ask for another.
   * The caller disconnects it. @throws HitpathError L2_UNAVAILABLE, in a Cluster that cannot be reached
   */
  async busConnection(bucket: number): Promise<RedisClient> {
    this.#calls.assertOpen()
    const { slot, sequence } = this.#keys.of(bucket)
    return this.#shared.link.dedicated(slot, sequence)
  }

  /** Masters that own buckets, by address; `['']` for one server. */
  async nodes(): Promise<readonly string[]> {
    this.#calls.assertOpen()
    const { link } = this.#shared
    const found = Array.from({ length: this.buckets }, (_, bucket) => {
      const { slot, sequence } = this.#keys.of(bucket)
      return link.ownerOf(slot, sequence)
    })
    return [...new Set(await Promise.all(found))]
  }

  /** As `busConnection`, to one of `nodes()`, for client-side tracking: RESP2, and nothing is subscribed to again by itself. */
  async trackingConnection(node: string): Promise<RedisClient> {
    this.#calls.assertOpen()
    return this.#shared.link.dedicatedTo(node)
  }

  /** Calls back when `nodes()` may have changed; returns how to stop. */
  watchNodes(changed: () => void): () => void {
    return this.#shared.link.watch(changed)
  }

  #tell(name: string, receiver: Receiver): void {
    const bucket = this.bucketOf(name)
    if (this.#calls.tell(this.#keys.of(bucket).entry + name, receiver)) return
    this.#calls.get(this.#keys.entry(bucket, name)).then(
      (bytes) => receiver.found(bytes),
      (error: unknown) => receiver.failed(error),
    )
  }

  /** Runs `act` for the items of each bucket at once and puts the results in the order of the items. */
  async #spread<T, R>(
    items: readonly T[],
    bucketOf: (item: T) => number,
    act: (bucket: number, items: readonly T[], places: readonly number[]) => Promise<readonly R[]>,
  ): Promise<R[]> {
    if (items.length === 0) return []
    const results = new Array<R>(items.length)
    const work = grouped(items, bucketOf).map(async (group) => {
      const found = await act(group.bucket, group.items, group.places)
      for (const [i, place] of group.places.entries()) results[place] = found[i] as R
    })
    await Promise.all(work)
    return results
  }
}

function checkTag(tag: string): void {
  if (!tag.isWellFormed()) throw argument('tag', 'a string without lone surrogates', tag)
}
