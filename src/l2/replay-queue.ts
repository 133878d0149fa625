/**
 * What was written while the second tier could not be reached, to be written once it can.
 *
 * Always true: writes come out in the order of the calls that made them, at most one for each name, tag and pattern: the last one, in
 * its place. A set may be lost, an invalidation never: a set without room, or whose time is over, becomes the deletion of
 * its name, and invalidations without room become one clear. While anything is queued for a name, or a tag, a pattern or a
 * clear is queued, what the second tier holds under that name must not be believed: `blocks`.
 * Cost: O(1) a call; a set keeps its bytes.
 *
 * One Map is the queue, its insertion order that of the writes: to queue a name again is to take it out and put it at the end. That
 * drops an earlier write of the name across a tag, a pattern or a clear between the two, which is right because the later write
 * decides in either case.
 */
import { functionOption, integerOption, refuseUnknownOptions } from '../options.js'

interface Queued {
  /** Identifies the write for `done`; a later write of the same name has another. */
  readonly sequence: number
}

export interface QueuedSet extends Queued {
  readonly kind: 'set'
  readonly name: string
  readonly bytes: Uint8Array
  /** Whole milliseconds that are left when it is taken, at least 1. */
  readonly ttlMs: number
  /** The server's time in µs when the set was made: a later write by another process wins. */
  readonly notAfter: number
}

export interface QueuedDelete extends Queued {
  readonly kind: 'delete'
  readonly name: string
}

export interface QueuedTag extends Queued {
  readonly kind: 'tag'
  readonly tag: string
}

export interface QueuedPattern extends Queued {
  readonly kind: 'pattern'
  readonly glob: string
}

export interface QueuedClear extends Queued {
  readonly kind: 'clear'
}

export type QueuedWrite = QueuedSet | QueuedDelete | QueuedTag | QueuedPattern | QueuedClear

/** Why a queued set will not be written; its name is invalidated instead. */
export type DropReason = 'sets' | 'bytes' | 'expired' | 'invalidations'

export interface ReplayQueueOptions {
  /** Sets that it holds. Beyond, the oldest become deletions. Default 10,000. */
  readonly maxSets?: number | undefined
  /** Deletions, tags and patterns that it holds. Beyond, everything becomes one clear. Default 20,000. */
  readonly maxInvalidations?: number | undefined
  /** Bytes of values and names. Beyond, the oldest sets become deletions. Default 64 MiB. */
  readonly maxBytes?: number | undefined
  /** Called when sets were dropped, how many and why; must not throw. 'invalidations': the queue became one clear. */
  readonly onDrop?: ((reason: DropReason, sets: number) => void) | undefined
  /** Monotonic milliseconds. Default `performance.now()`. */
  readonly now?: (() => number) | undefined
}

const CLEAR_KEY = 'c'

export class ReplayQueue {
  readonly #maxSets: number
  readonly #maxInvalidations: number
  readonly #maxBytes: number
  readonly #onDrop: ReplayQueueOptions['onDrop']
  readonly #now: () => number
  /** By kind and name: 'n' a set or delete, 't' a tag, 'p' a pattern, 'c' the clear. `ttlMs` of a set is a deadline in here. */
  readonly #writes = new Map<string, QueuedWrite>()
  /** Keys of the sets, oldest first. */
  readonly #sets = new Set<string>()
  /** Tags, patterns and clears: each may concern any name. */
  #barriers = 0
  #bytes = 0
  #sequence = 0

  /** @throws HitpathError INVALID_OPTION */
  constructor(options: ReplayQueueOptions = {}) {
    refuseUnknownOptions(options, 'ReplayQueue', ['maxSets', 'maxInvalidations', 'maxBytes', 'onDrop', 'now'])
    this.#maxSets = integerOption(options.maxSets ?? 10_000, 'ReplayQueue.maxSets', { min: 0 })
    this.#maxInvalidations = integerOption(options.maxInvalidations ?? 20_000, 'ReplayQueue.maxInvalidations')
    this.#maxBytes = integerOption(options.maxBytes ?? 64 * 2 ** 20, 'ReplayQueue.maxBytes')
    this.#onDrop = options.onDrop && functionOption(options.onDrop, 'ReplayQueue.onDrop')
    this.#now = functionOption(options.now ?? (() => performance.now()), 'ReplayQueue.now')
  }

  /** Writes that are queued. */
  get size(): number {
    return this.#writes.size
  }

  /** Bytes of values, and of names at two a character. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether the second tier's entry of this name must be treated as a miss. */
  blocks(name: string): boolean {
    return this.#barriers > 0 || this.#writes.has(`n${name}`)
  }

  /**
   * @param ttlMs from now; `Infinity` without expiry
   * @param notAfter the server's time in µs, now
   */
  set(name: string, bytes: Uint8Array, ttlMs: number, notAfter: number): void {
    const deadline = this.#now() + ttlMs
    this.#append(`n${name}`, {
      kind: 'set',
      name,
      bytes,
      ttlMs: deadline,
      notAfter,
      sequence: ++this.#sequence,
    })
  }

  delete(name: string): void {
    this.#append(`n${name}`, { kind: 'delete', name, sequence: ++this.#sequence })
  }

  invalidateTag(tag: string): void {
    this.#append(`t${tag}`, { kind: 'tag', tag, sequence: ++this.#sequence })
  }

  invalidatePattern(glob: string): void {
    this.#append(`p${glob}`, { kind: 'pattern', glob, sequence: ++this.#sequence })
  }

  /** Invalidates all that was ever written, so whatever is queued before it goes. */
  clear(): void {
    this.#removeAll()
    this.#put(CLEAR_KEY, { kind: 'clear', sequence: ++this.#sequence })
  }

  /**
   * The writes to do next: a run of one kind from the head, at most `limit`. They stay queued, and block their names, until
   * `done`; what is queued for one of their names meanwhile stays after it.
   */
  next(limit = 256): readonly QueuedWrite[] {
    const run: QueuedWrite[] = []
    let expired = 0
    for (const [key, write] of this.#writes) {
      if (run.length === limit) break
      let taken = write
      if (write.kind === 'set') {
        const ttlMs = Math.ceil(write.ttlMs - this.#now())
        if (ttlMs > 0) taken = { ...write, ttlMs }
        else {
          taken = this.#dropSet(key, write)
          expired++
        }
      }
      if (run[0] !== undefined && run[0].kind !== taken.kind) break
      run.push(taken)
    }
    if (expired > 0) this.#onDrop?.('expired', expired)
    return run
  }

  /** These writes arrived. */
  done(writes: readonly QueuedWrite[]): void {
    for (const write of writes) {
      const key = keyOf(write)
      if (this.#writes.get(key)?.sequence === write.sequence) this.#remove(key)
    }
  }

  #append(key: string, write: QueuedWrite): void {
    this.#remove(key)
    this.#put(key, write)
    this.#shrink('sets', () => this.#sets.size > this.#maxSets)
    this.#shrink('bytes', () => this.#bytes > this.#maxBytes)
    if (this.#writes.size - this.#sets.size > this.#maxInvalidations || this.#bytes > this.#maxBytes) {
      const sets = this.#sets.size
      this.clear()
      this.#onDrop?.('invalidations', sets)
    }
  }

  /** Turns the oldest sets into deletions while it is `tooLarge`. */
  #shrink(reason: DropReason, tooLarge: () => boolean): void {
    let dropped = 0
    for (const key of this.#sets) {
      if (!tooLarge()) break
      const write = this.#writes.get(key)
      if (write?.kind === 'set') this.#dropSet(key, write)
      dropped++
    }
    if (dropped > 0) this.#onDrop?.(reason, dropped)
  }

  /** A deletion in the place of the set. */
  #dropSet(key: string, { name }: QueuedSet): QueuedDelete {
    const deletion: QueuedDelete = { kind: 'delete', name, sequence: ++this.#sequence }
    this.#discount(key)
    this.#put(key, deletion)
    return deletion
  }

  /** At the end, or in the place of what is there. */
  #put(key: string, write: QueuedWrite): void {
    this.#writes.set(key, write)
    this.#bytes += byteLength(key, write)
    if (write.kind === 'set') this.#sets.add(key)
    if (isBarrier(write)) this.#barriers++
  }

  #remove(key: string): void {
    this.#discount(key)
    this.#writes.delete(key)
  }

  #discount(key: string): void {
    const write = this.#writes.get(key)
    if (write === undefined) return
    this.#bytes -= byteLength(key, write)
    this.#sets.delete(key)
    if (isBarrier(write)) this.#barriers--
  }

  #removeAll(): void {
    this.#writes.clear()
    this.#sets.clear()
    this.#barriers = 0
    this.#bytes = 0
  }
}

function keyOf(write: QueuedWrite): string {
  switch (write.kind) {
    case 'set':
    case 'delete':
      return `n${write.name}`
    case 'tag':
      return `t${write.tag}`
    case 'pattern':
      return `p${write.glob}`
    case 'clear':
      return CLEAR_KEY
  }
}

function byteLength(key: string, write: QueuedWrite): number {
  return 2 * key.length + (write.kind === 'set' ? write.bytes.length : 0)
}

function isBarrier(write: QueuedWrite): boolean {
  return write.kind === 'tag' || write.kind === 'pattern' || write.kind === 'clear'
}
