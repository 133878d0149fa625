/**
 * EventInvalidator: what an event concerns is invalidated, through tags, in the order of what depends on what.
 *
 * Always true: a call or a source is told that an event is handled only once its invalidation has happened in every cache; events of
 * one key are handled in their order, and one that waits covers those that come meanwhile; every event is counted, whatever becomes of it.
 */

import { describe, HitpathError } from '../../errors.js'
import { Histogram } from '../../observe/histogram.js'
import { integerOption, refuseUnknownOptions } from '../../options.js'
import { EmitterFeed, type EmitterLike, type TargetLike } from './emitter-feed.js'
import { Executor } from './executor.js'
import type { EventFeed, Intake } from './feed.js'
import { GroupFeed } from './group-feed.js'
import { type Invalidation, InvalidationQueue } from './invalidation-queue.js'
import { type ConsumeOptions, IterableFeed } from './iterable-feed.js'
import { type EventInvalidatorOptions, type InvalidatorSettings, readInvalidatorOptions } from './options.js'
import { planOf } from './plan.js'
import { PositionFeed } from './position-feed.js'
import { PubSubFeed, type SubscribeOptions } from './pubsub-feed.js'
import type { EventClient } from './redis-events.js'
import { Sequences } from './sequences.js'
import type { EventInvalidatorStats } from './stats.js'
import type { FollowOptions } from './stream-feed.js'
import { Targets } from './targets.js'

export class EventInvalidator<E> {
  readonly #settings: InvalidatorSettings<E>
  readonly #executor: Executor
  readonly #queue: InvalidationQueue
  readonly #sequences: Sequences
  readonly #lag = new Histogram()
  readonly #feeds = new Set<EventFeed>()
  readonly #intake: Intake<E>
  #closing: Promise<void> | undefined
  readonly #counts = {
    received: 0,
    invalidated: 0,
    late: 0,
    duplicates: 0,
    unknown: 0,
    malformed: 0,
    failed: 0,
    gaps: 0,
  }

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: EventInvalidatorOptions<E>) {
    const settings = readInvalidatorOptions(options, 'EventInvalidator')
    const clears = settings.gap === 'clear' || settings.overflow === 'clear'
    this.#settings = settings
    const targets = new Targets(options.caches, 'EventInvalidator.caches', [
      'invalidateTag',
      ...(settings.patterns === undefined ? [] : (['invalidatePattern'] as const)),
      ...(clears ? (['clear'] as const) : []),
    ])
    this.#executor = new Executor(targets, settings)
    this.#sequences = new Sequences(settings.maxKeys)
    this.#queue = new InvalidationQueue({
      max: settings.maxWaiting,
      concurrency: settings.concurrency,
      overflow: settings.overflow,
      invalidate: (what) => this.#executor.invalidate(what),
      clear: () => this.#executor.clear(),
      over: (what, error, lagMs) => this.#over(what, error, lagMs),
    })
    this.#intake = {
      accept: (event) => this.#accept(event),
      parsed: (parse) => this.#parsed(parse),
      gap: () => this.#gap(),
      report: (error) => this.#report(error, undefined),
      idle: () => this.#queue.idle(),
    }
  }

  /**
   * Invalidates what an event concerns; resolves when that has happened in every cache. Of an idle key it begins within the call.
   *
   * @throws HitpathError INVALID_ARGUMENT for an event of which `tags`, `key` or `sequence` make no sense, CLOSED, TOO_LARGE when it was
   * given up for newer ones; what the cache rejected with, once the retries are used up
   */
  handle(event: E): Promise<void> {
    // Nobody has to wait: rejections of the queue are reported, and never unhandled.
    try {
      this.#refuseClosed()
      return this.#accept(event)
    } catch (error) {
      const refused = Promise.reject(error)
      refused.catch(() => {})
      return refused
    }
  }

  /**
   * Handles what an EventEmitter or EventTarget emits.
   * @param map makes the event of the listener's arguments; undefined for none. Default: the first argument
   * @throws HitpathError INVALID_ARGUMENT, CLOSED
   */
  listen(
    emitter: EmitterLike | TargetLike,
    name: string | symbol,
    map: (...args: never[]) => E | undefined = (first: E) => first,
  ): EventFeed {
    return this.#feed(() => new EmitterFeed(this.#intake, emitter, name, map))
  }

  /**
   * Handles the events of an iterable, no faster than they are invalidated. `done` rejects when the iterable fails.
   * @throws HitpathError INVALID_ARGUMENT, INVALID_OPTION, CLOSED
   */
  consume(events: AsyncIterable<E> | Iterable<E>, options: ConsumeOptions = {}): EventFeed {
    refuseUnknownOptions(options, 'consume', ['signal', 'window'])
    const window = integerOption(options.window ?? 64, 'consume.window')
    const shape: unknown = events
    if (
      typeof shape !== 'object' ||
      shape === null ||
      !(Symbol.asyncIterator in shape || Symbol.iterator in shape)
    )
      throw new HitpathError(
        'INVALID_ARGUMENT',
        `events are consumed of an iterable; got ${describe(events)}`,
      )
    return this.#feed(() => new IterableFeed(this.#intake, events, window, options.signal))
  }

  /**
   * Handles what is published on channels of Redis, over a connection of its own. Nothing is kept for a link that is down: each time it comes
   * back, what may have been missed is invalidated, as `gap` says.
   *
   * @param client ioredis 5.3 or later; it is duplicated and stays as it is
   * @throws HitpathError INVALID_OPTION, INVALID_ARGUMENT, INVALID_TTL, CLOSED
   */
  subscribe(
    client: EventClient,
    channels: string | readonly string[],
    options: SubscribeOptions<E> = {},
  ): EventFeed {
    return this.#feed(() => new PubSubFeed(this.#intake, client, channels, options))
  }

  /**
   * Handles the entries of a Redis Stream, over a connection of its own, and goes on where it was.
   *
   * With a `group` each entry reaches one of its consumers, and is acknowledged once it is handled: right for caches that are coherent
   * through Redis. Caches that are a process's own each need every event: `group: false`.
   *
   * @param client ioredis 5.3 or later; it is duplicated and stays as it is
   * @throws HitpathError INVALID_OPTION, INVALID_TTL, CLOSED
   */
  follow(client: EventClient, options: FollowOptions<E>): EventFeed {
    return this.#feed(() =>
      options?.group === false
        ? new PositionFeed(this.#intake, client, options)
        : new GroupFeed(this.#intake, client, options),
    )
  }

  stats(): EventInvalidatorStats {
    const lag = this.#lag
    return {
      ...this.#counts,
      retried: this.#executor.retried,
      coalesced: this.#queue.coalesced,
      overflows: this.#queue.overflows,
      waiting: this.#queue.waiting,
      sources: this.#feeds.size,
      linked: [...this.#feeds].filter(({ linked }) => linked).length,
      lagMs:
        lag.count === 0 ? undefined : { p50: lag.quantileMs(0.5), p99: lag.quantileMs(0.99), max: lag.maxMs },
    }
  }

  /** Ends the sources and waits for what they brought. The caches and clients stay as they are. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#feeds].map((feed) => feed.close()))
    await this.#queue.idle()
  }

  #feed(open: () => EventFeed): EventFeed {
    this.#refuseClosed()
    const feed = open()
    this.#feeds.add(feed)
    const forget = (): void => void this.#feeds.delete(feed)
    feed.done.then(forget, forget)
    return feed
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw new HitpathError('CLOSED', 'the invalidator is closed')
  }

  // ---- events ----

  #accept(event: E): Promise<void> {
    this.#counts.received++
    const plan = this.#sensibly(() => planOf(this.#settings, event), event)
    if (plan === undefined) {
      this.#counts.unknown++
      return Promise.resolve()
    }
    const { key, tags, patterns, sequence } = plan
    if (sequence !== undefined) {
      const order = this.#sequences.take(key, sequence)
      if (order === 'same') {
        this.#counts.duplicates++
        return this.#queue.pending(key)
      }
      if (order === 'late') {
        this.#counts.late++
        if (this.#settings.ignoreLate) return this.#queue.pending(key)
      }
    }
    return this.#queue.offer(key, tags, patterns)
  }

  #parsed(parse: () => E | undefined): E | undefined {
    return this.#sensibly(parse, undefined)
  }

  /** What the user's functions make of what came; what they throw makes the event malformed. */
  #sensibly<T>(make: () => T, event: E | undefined): T {
    try {
      return make()
    } catch (cause) {
      this.#counts.malformed++
      const error =
        cause instanceof HitpathError
          ? cause
          : new HitpathError('INVALID_ARGUMENT', `an event makes no sense: ${describe(event)}`, { cause })
      this.#report(error, event)
      throw error
    }
  }

  /** Nothing is known of what was missed; it is invalidated as though it had come. */
  async #gap(): Promise<void> {
    const { gap, known } = this.#settings
    this.#counts.gaps++
    if (gap === 'clear') await this.#queue.clear()
    if (gap !== 'known' || known === undefined) return
    const handled: Promise<void>[] = []
    for (const event of known()) {
      const plan = this.#sensibly(() => planOf(this.#settings, event), event)
      if (plan !== undefined) handled.push(this.#queue.offer(plan.key, plan.tags, plan.patterns))
    }
    await Promise.all(handled)
  }

  // ---- invalidations ----

  #over(what: Invalidation | undefined, error: unknown, lagMs: number): void {
    this.#lag.recordMs(lagMs)
    if (error === undefined) {
      this.#counts.invalidated++
      return
    }
    this.#counts.failed++
    // The same event, delivered again, must not be taken for one that was handled.
    if (what === undefined) this.#sequences.forgetAll()
    else this.#sequences.forget(what.key)
    this.#report(error, undefined)
  }

  #report(error: unknown, event: E | undefined): void {
    const { onError = warn } = this.#settings
    try {
      const told: unknown = onError(error, event)
      if (told instanceof Promise) told.catch(warn)
    } catch (thrown) {
      warn(thrown)
    }
  }
}

function warn(error: unknown): void {
  const said = error instanceof Error ? error.message : describe(error)
  process.emitWarning(`an invalidation by events failed: ${said}`, 'HitpathWarning', 'HITPATH_EVENTS')
}
