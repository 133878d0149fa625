/**
 * Invalidations that wait their turn, by key.
 *
 * Always true: of one key at most one is under way and one waits, and what comes while it waits joins it, since an invalidation that has not
 * begun covers every event before it; at most `max` keys wait, and beyond that either all that wait becomes one clear, or the oldest is
 * given up. Of an idle key it begins within the call that brings it.
 */
import { HitpathError } from '../../errors.js'
import type { Happening } from './targets.js'

/** Tags and patterns that one waiting key may gather before it counts as an overflow. */
const MAX_GATHERED = 1000

export interface Invalidation {
  readonly key: string
  readonly tags: Set<string>
  readonly patterns: Set<string>
}

export interface QueueOptions {
  /** Keys that may wait. */
  readonly max: number
  /** Keys under way at once. */
  readonly concurrency: number
  readonly overflow: 'clear' | 'oldest'
  readonly invalidate: (what: Invalidation) => Happening
  readonly clear: () => Happening
  /** An invalidation, or a clear when there is none, is over; milliseconds since the first of its events. */
  readonly over: (what: Invalidation | undefined, error: unknown, lagMs: number) => void
}

interface Work extends Invalidation {
  readonly since: number
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class InvalidationQueue {
  readonly #options: QueueOptions
  readonly #waiting = new Map<string, Work>()
  readonly #running = new Map<string, Work>()
  #clearing: Work | undefined
  /** A clear that has not begun: all that comes meanwhile is covered by it. */
  #nextClear: Work | undefined
  #idle: (() => void)[] = []
  coalesced = 0
  overflows = 0

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** Keys that wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Settles when all that was offered for the key has. */
  pending(key: string): Promise<void> {
    const works = [this.#running.get(key), this.#waiting.get(key), this.#clearing, this.#nextClear]
    const all = Promise.all(works.map((work) => work?.promise)).then(() => undefined)
    all.catch(() => {})
    return all
  }

  /** Settles as the invalidation that covers this one does. The promise may be left alone: its rejection is never unhandled. */
  offer(key: string, tags: readonly string[], patterns: readonly string[]): Promise<void> {
    const cover = this.#nextClear
    if (cover !== undefined) {
      this.coalesced++
      return cover.promise
    }
    const waits = this.#waiting.get(key)
    if (waits !== undefined) return this.#join(waits, tags, patterns)
    const work = workOf(key, tags, patterns)
    if (this.#mayBegin(key)) {
      this.#begin(work)
      return work.promise
    }
    if (this.#waiting.size >= this.#options.max) {
      const cleared = this.#overflow()
      if (cleared !== undefined) return cleared
    }
    this.#waiting.set(key, work)
    return work.promise
  }

  /** Clears the caches; what waits is covered by it. */
  clear(): Promise<void> {
    const work = this.#nextClear ?? workOf('', [], [])
    for (const waits of this.#waiting.values()) work.promise.then(waits.resolve, waits.reject)
    this.#waiting.clear()
    this.#nextClear = work
    this.#beginClear()
    return work.promise
  }

  /** Resolves when nothing waits or is under way. */
  async idle(): Promise<void> {
    if (!this.#isIdle()) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.size === 0 && this.#clearing === undefined
  }

  #mayBegin(key: string): boolean {
    return this.#running.size < this.#options.concurrency && !this.#running.has(key)
  }

  #join(work: Work, tags: readonly string[], patterns: readonly string[]): Promise<void> {
    this.coalesced++
    for (const tag of tags) work.tags.add(tag)
    for (const glob of patterns) work.patterns.add(glob)
    if (work.tags.size + work.patterns.size > MAX_GATHERED) this.#overflow()
    return work.promise
  }

  /** The clear that takes the place of all that waits, or undefined when the oldest made room. */
  #overflow(): Promise<void> | undefined {
    this.overflows++
    if (this.#options.overflow === 'clear') return this.clear()
    for (const [key, oldest] of this.#waiting) {
      this.#waiting.delete(key)
      const error = new HitpathError(
        'TOO_LARGE',
        `more than ${this.#options.max} keys wait to be invalidated`,
      )
      this.#settle(oldest, oldest, error)
      return undefined
    }
    return undefined
  }

  #begin(work: Work): void {
    this.#running.set(work.key, work)
    void this.#act(work, work)
  }

  #beginClear(): void {
    const work = this.#nextClear
    if (work === undefined || this.#clearing !== undefined) return
    this.#nextClear = undefined
    this.#clearing = work
    void this.#act(work, undefined)
  }

  /** Acts now; once it is over, those who wait for it know, and what waits its turn begins. Never rejects. */
  async #act(work: Work, what: Invalidation | undefined): Promise<void> {
    try {
      await (what === undefined ? this.#options.clear() : this.#options.invalidate(what))
      this.#settle(work, what, undefined)
    } catch (error) {
      this.#settle(work, what, error)
    }
    if (what === undefined) {
      this.#clearing = undefined
      this.#beginClear()
    } else this.#running.delete(work.key)
    this.#next()
  }

  #settle(work: Work, what: Invalidation | undefined, error: unknown): void {
    this.#options.over(what, error, performance.now() - work.since)
    if (error === undefined) work.resolve()
    else work.reject(error)
  }

  #next(): void {
    for (const [key, work] of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) break
      if (this.#running.has(key)) continue
      this.#waiting.delete(key)
      this.#begin(work)
    }
    if (!this.#isIdle()) return
    for (const resolve of this.#idle) resolve()
    this.#idle = []
  }
}

function workOf(key: string, tags: readonly string[], patterns: readonly string[]): Work {
  let resolve = (): void => {}
  let reject = (_: unknown): void => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {})
  return {
    key,
    tags: new Set(tags),
    patterns: new Set(patterns),
    since: performance.now(),
    promise,
    resolve,
    reject,
  }
}
