/**
 * Removal of many entries: by glob, and of a whole namespace.
 *
 * A pattern is announced twice. Before the scan: every fence breaks, so that what was computed from older data is not written behind
 * the scan. After it: whoever read an entry before the scan came to it drops it now. When the call returns, no entry that was there at its
 * begin is in this tier, and none is served by a first tier that has heard the second message. A conditional refresh that began between the
 * two, from an entry that the scan had not come to, is kept out too, unless it was written before the second message and
 * after the scan had passed its place.
 *
 * A clear needs no scan to be right: every entry carries the epoch that it was made under. Its scan only gives the memory back.
 */
import { channel } from 'node:diagnostics_channel'
import { HitpathError } from '../errors.js'
import { globMatches, scanGlob } from './glob.js'
import type { Keyspace } from './names.js'
import { chunked, type RedisCalls } from './redis-calls.js'
import { scanEntries } from './redis-scan.js'
import * as scripts from './scripts.js'
import type { CallOptions, PatternProgress, Replacing } from './store.js'

const WARNINGS = channel('hitpath:l2:warning')
const UNLINK_CHUNK = 500
/** Rest of each node after each step of a sweep: at most 100,000 keys a second. */
const SWEEP_REST_MS = 5

export class Removal {
  readonly #calls: RedisCalls
  readonly #keys: Keyspace
  readonly #busLength: number
  readonly #closing = new AbortController()
  #sweep: { readonly stop: AbortController; readonly done: Promise<void> } | undefined

  constructor(calls: RedisCalls, keys: Keyspace, busLength: number) {
    this.#calls = calls
    this.#keys = keys
    this.#busLength = busLength
  }

  /** Ends scans and sweeps and waits for them. */
  async close(): Promise<void> {
    this.#closing.abort(new HitpathError('CLOSED', 'the store was closed'))
    await this.#sweep?.done
  }

  async pattern(
    glob: string,
    {
      origin,
      onProgress,
      signal,
    }: CallOptions & { onProgress?: (p: PatternProgress) => void; signal?: AbortSignal },
  ): Promise<number> {
    signal?.throwIfAborted()
    const announced = glob.isWellFormed() ? glob : '*'
    await this.#breakAll('p', announced, origin)
    let scanned = 0
    let deleted = 0
    try {
      await scanEntries(await this.#calls.client(), this.#keys, {
        deadlines: this.#calls.deadlines,
        glob: prefixed(scanGlob(glob)),
        accepts: (name) => name[0] === 's' && globMatches(glob, name.slice(1)),
        onKeys: async (keys) => {
          for (const chunk of chunked(keys, UNLINK_CHUNK)) {
            const removed = await this.#calls.unlink(chunk)
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
      await this.#breakAll('p', announced, origin).catch(() => {})
      throw error
    }
    await this.#breakAll('p', announced, origin)
    onProgress?.({ scanned, deleted })
    return deleted
  }

  async clear({ origin, onReplaced }: CallOptions & Replacing): Promise<number> {
    const { bus, sequence, generations } = this.#keys.of(0)
    const keys = [sequence, generations, bus, this.#keys.epoch]
    const words = [origin, this.#busLength, 'new']
    const replies = (await this.#calls.script(scripts.EPOCH, keys, words)) as unknown[]
    const [epoch, before] = replies.map(Number) as [number, number]
    onReplaced?.(before)
    await this.#breakAll('c', '', origin, { from: 1, epoch })
    this.#startSweep(epoch)
    return epoch
  }

  async #breakAll(
    kind: string,
    name: string,
    origin: string,
    { from = 0, epoch }: { readonly from?: number; readonly epoch?: number } = {},
  ): Promise<void> {
    const buckets = Array.from({ length: this.#keys.buckets - from }, (_, i) => from + i)
    const words = [origin, this.#busLength, kind, name, epoch ?? '']
    await Promise.all(
      buckets.map((bucket) => {
        const { bus, sequence, generations } = this.#keys.of(bucket)
        return this.#calls.script(scripts.BREAK_ALL, [sequence, generations, bus], words)
      }),
    )
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
