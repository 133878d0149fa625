/**
 * Removal of many entries: by glob, and of a whole namespace.
 *
 * A pattern is announced twice. Before the scan: every fence breaks, so that what was computed from older data is not written behind
 * the scan. After it: whoever read an entry before the scan came to it drops it now. When the call returns, no entry that was there at its
 * begin is in this tier, and none is served by a first tier that has heard the second message. A conditional refresh that began between the
 * two, from an entry that the scan had not come to, is kept out too, unless it was written before the second message and
 * after the scan had passed its place.
 *
 * Each step of the scan removes what was there when it was sent, and no more if the server comes to it late; what comes late as a
 * whole removes what is not newer than it.
 *
 * A clear needs no scan to be right: every entry carries the epoch that it was made under. Its scan only gives the memory back.
 */
import { channel } from 'node:diagnostics_channel'
import { HitpathError } from '../errors.js'
import { globMatches } from '../glob.js'
import { isSplit } from './failure.js'
import { scanGlob } from './glob.js'
import type { Keyspace } from './names.js'
import { chunked, type RedisCalls } from './redis-calls.js'
import { scanEntries } from './redis-scan.js'
import { type BucketWrites, momentWords } from './redis-writes.js'
import * as scripts from './scripts.js'
import type { CallOptions, PatternProgress } from './store.js'

const WARNINGS = channel('hitpath:l2:warning')
const UNLINK_CHUNK = 500
/** Rest of each node after each step of a sweep: at most 100,000 keys a second. */
const SWEEP_REST_MS = 5

export class Removal {
  readonly #calls: RedisCalls
  readonly #keys: Keyspace
  readonly #writes: BucketWrites
  readonly #closing = new AbortController()
  #sweep: { readonly stop: AbortController; readonly done: Promise<void> } | undefined

  constructor(calls: RedisCalls, keys: Keyspace, writes: BucketWrites) {
    this.#calls = calls
    this.#keys = keys
    this.#writes = writes
  }

  /** Ends scans and sweeps and waits for them. */
  async close(): Promise<void> {
    this.#closing.abort(new HitpathError('CLOSED', 'the store was closed'))
    await this.#sweep?.done
  }

  async pattern(
    glob: string,
    options: CallOptions & { onProgress?: (p: PatternProgress) => void; signal?: AbortSignal },
  ): Promise<number> {
    const { origin, made, onProgress, signal } = options
    signal?.throwIfAborted()
    const announced = glob.isWellFormed() ? glob : '*'
    const late = made === undefined ? undefined : Math.ceil(made.to)
    const versions = await this.#breakAll('p', announced, options, () => late)
    const began = performance.now()
    const finish = () => this.#breakAll('p', announced, { origin }, (bucket) => late ?? versions[bucket])
    let scanned = 0
    let deleted = 0
    try {
      await scanEntries(await this.#calls.client(), this.#keys, {
        deadlines: this.#calls.deadlines,
        glob: prefixed(scanGlob(glob)),
        accepts: (name) => name[0] === 's' && globMatches(glob, name.slice(1)),
        onKeys: async (keys) => {
          const bucket = this.#keys.parse(keys[0] as Buffer)?.bucket ?? 0
          const passed = Math.floor((performance.now() - began) * 1000)
          const bound = late ?? (versions[bucket] as number) + passed
          for (const chunk of chunked(keys, UNLINK_CHUNK)) {
            const removed = await this.#remove(chunk, bound)
            deleted += removed
          }
          onProgress?.({ scanned, deleted })
        },
        onScanned: (keys) => {
          scanned += keys
        },
        signal: signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]),
      })
    } catch (error) {
      await finish().catch(() => {})
      throw error
    }
    await finish()
    onProgress?.({ scanned, deleted })
    return deleted
  }

  async clear(options: CallOptions): Promise<number> {
    const keys = [...this.#writes.head(0), this.#keys.epoch]
    const words = [...this.#writes.first(options), ...momentWords(options), 'new']
    const epoch = Number(await this.#calls.script(scripts.EPOCH, keys, words))
    await this.#breakAll('c', '', { origin: options.origin }, () => epoch, 1)
    this.#startSweep(epoch)
    return epoch
  }

  /** `said`: the version that a bucket's message speaks of, undefined for the one that the bucket gives it. The versions, by bucket. */
  async #breakAll(
    kind: string,
    name: string,
    options: CallOptions,
    said: (bucket: number) => number | undefined,
    from = 0,
  ): Promise<number[]> {
    const buckets = Array.from({ length: this.#keys.buckets - from }, (_, i) => from + i)
    const given = buckets.map((bucket) => {
      const words = [...this.#writes.first(options), kind, name, said(bucket) ?? '']
      return this.#calls.script(scripts.BREAK_ALL, this.#writes.head(bucket), words)
    })
    return (await Promise.all(given)).map(Number)
  }

  /** Removes keys of one bucket that are not newer; how many there were. */
  async #remove(keys: readonly Buffer[], bound: number): Promise<number> {
    try {
      return Number(await this.#calls.script(scripts.REMOVE, keys, [bound]))
    } catch (error) {
      if (!(error instanceof HitpathError) || !isSplit(error.cause)) throw error
      const each = await Promise.all(keys.map((key) => this.#calls.script(scripts.REMOVE, [key], [bound])))
      return each.reduce<number>((sum, one) => sum + Number(one), 0)
    }
  }

  /** Removes entries of older epochs. A later sweep does the work of one under way. */
  #startSweep(epoch: number): void {
    const before = this.#sweep
    before?.stop.abort()
    const stop = new AbortController()
    const done = (async () => {
      await before?.done
      await this.#sweepOnce(epoch, AbortSignal.any([stop.signal, this.#closing.signal]))
    })()
    this.#sweep = { stop, done }
  }

  async #sweepOnce(epoch: number, signal: AbortSignal): Promise<void> {
    try {
      await scanEntries(await this.#calls.client(), this.#keys, {
        deadlines: this.#calls.deadlines,
        glob: '*',
        accepts: () => true,
        onKeys: async (keys) => {
          for (const chunk of chunked(keys, UNLINK_CHUNK))
            await this.#calls.script(scripts.SWEEP, chunk, [epoch])
        },
        restMs: SWEEP_REST_MS,
        signal,
      })
    } catch (error) {
      // What is left is invalid by its epoch, and goes with its ttl.
      if (!signal.aborted)
        WARNINGS.publish({ message: 'entries of a cleared namespace were not removed', error })
    }
  }
}

function prefixed(pattern: string | Buffer): string | Buffer {
  return typeof pattern === 'string' ? `s${pattern}` : Buffer.concat([Buffer.from('s'), pattern])
}
