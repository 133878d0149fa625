/** What an EventInvalidator is told, checked once. */
import { type Duration, parseDuration } from '../../duration.js'
import { HitpathError } from '../../errors.js'
import { functionOption, integerOption, oneOfOption, refuseUnknownOptions } from '../../options.js'
import { DependencyGraph, type DependencyRules } from './dependency-graph.js'
import type { InvalidatedCache } from './targets.js'

export interface QueueBounds {
  /** Keys whose invalidations may wait. Default 10,000. */
  readonly max?: number
  /** Keys that are invalidated at once; events of one key follow one another. Default 16. */
  readonly concurrency?: number
  /**
   * When more keys wait than `max`: `clear` clears the caches in place of all that waits, so that nothing stale remains;
   * `oldest` gives up the longest waiting, whose entries stay until their ttl. Default `clear`.
   */
  readonly overflow?: 'clear' | 'oldest'
}

/** What `EventInvalidator` and `MarketEventInvalidator` have in common. */
export interface InvalidatorOptions<E> {
  /** One cache or several. */
  readonly caches: InvalidatedCache | readonly InvalidatedCache[]
  /** What depends on the tags of an event: rules, or a graph made before. Default: none. */
  readonly dependencies?: DependencyRules | DependencyGraph
  /**
   * A number that rises with each event of a key. One equal to the last is a duplicate and invalidates nothing; one below it is late, see
   * `late`. Default: every event counts.
   */
  readonly sequence?: (event: E) => number | bigint
  /**
   * `invalidate` (default): a late event invalidates as every other, since what it brings may be missing in what was computed after the
   * event that overtook it. `ignore`: for events of which a later one contains the earlier.
   */
  readonly late?: 'invalidate' | 'ignore'
  /** Keys whose last sequence is remembered, the least recently changed go first. Default 100,000. */
  readonly maxKeys?: number
  readonly queue?: QueueBounds
  /** Times that an invalidation which fails is tried again before it is given up. Default 3. */
  readonly retries?: number
  /** Wait before the first of them, doubled each time. Default 50 ms. */
  readonly retryDelay?: Duration
  /**
   * When a source may have missed events: `known` handles what is known as if an event of each had come, `clear` clears the caches, `ignore`
   * leaves what is stale until its ttl. Default: `known` where the events are known, else `clear`.
   */
  readonly gap?: 'known' | 'clear' | 'ignore'
  /** Errors that reach no caller, with the event where there is one. Default: a process warning. */
  readonly onError?: (error: unknown, event: E | undefined) => void
}

export interface EventInvalidatorOptions<E> extends InvalidatorOptions<E> {
  /** Tags that an event invalidates. */
  readonly tags: (event: E) => readonly string[]
  /** Globs of keys that an event invalidates. Each looks at every entry: prefer tags. Default: none. */
  readonly patterns?: (event: E) => readonly string[]
  /** What is ordered and coalesced: events of one key. Default: the tags of the event, together. */
  readonly key?: (event: E) => string
  /** False for an event that concerns nothing here: it is counted as unknown and ignored. Default: every event counts. */
  readonly accepts?: (event: E) => boolean
  /** One event of each key there is, for `gap: 'known'`. Default: none. */
  readonly known?: () => Iterable<E>
}

export interface InvalidatorSettings<E> {
  readonly tags: (event: E) => readonly string[]
  readonly patterns: ((event: E) => readonly string[]) | undefined
  readonly key: ((event: E) => string) | undefined
  readonly accepts: ((event: E) => boolean) | undefined
  readonly known: (() => Iterable<E>) | undefined
  readonly graph: DependencyGraph
  readonly sequence: ((event: E) => number | bigint) | undefined
  readonly ignoreLate: boolean
  readonly maxKeys: number
  readonly maxWaiting: number
  readonly concurrency: number
  readonly overflow: 'clear' | 'oldest'
  readonly retries: number
  readonly retryDelayMs: number
  readonly gap: 'known' | 'clear' | 'ignore'
  readonly onError: ((error: unknown, event: E | undefined) => void) | undefined
}

export const COMMON_OPTIONS = [
  'caches',
  'dependencies',
  'sequence',
  'late',
  'maxKeys',
  'queue',
  'retries',
  'retryDelay',
  'gap',
  'onError',
] as const
const OPTIONS = [...COMMON_OPTIONS, 'tags', 'patterns', 'key', 'accepts', 'known']

/** @throws HitpathError INVALID_OPTION, INVALID_TTL */
export function readInvalidatorOptions<E>(
  options: EventInvalidatorOptions<E>,
  path: string,
): InvalidatorSettings<E> {
  refuseUnknownOptions(options, path, OPTIONS)
  const { dependencies = {}, queue = {}, known } = options
  refuseUnknownOptions(queue, `${path}.queue`, ['max', 'concurrency', 'overflow'])
  const gap = oneOfOption(options.gap ?? (known === undefined ? 'clear' : 'known'), `${path}.gap`, [
    'known',
    'clear',
    'ignore',
  ])
  if (gap === 'known' && known === undefined)
    throw new HitpathError(
      'INVALID_OPTION',
      `${path}.gap is 'known', and nothing says which events there are`,
    )
  return {
    tags: functionOption(options.tags, `${path}.tags`),
    patterns: optional(options.patterns, `${path}.patterns`),
    key: optional(options.key, `${path}.key`),
    accepts: optional(options.accepts, `${path}.accepts`),
    known: optional(known, `${path}.known`),
    graph:
      dependencies instanceof DependencyGraph
        ? dependencies
        : new DependencyGraph(dependencies, `${path}.dependencies`),
    sequence: optional(options.sequence, `${path}.sequence`),
    ignoreLate:
      oneOfOption(options.late ?? 'invalidate', `${path}.late`, ['invalidate', 'ignore']) === 'ignore',
    maxKeys: integerOption(options.maxKeys ?? 100_000, `${path}.maxKeys`),
    maxWaiting: integerOption(queue.max ?? 10_000, `${path}.queue.max`),
    concurrency: integerOption(queue.concurrency ?? 16, `${path}.queue.concurrency`),
    overflow: oneOfOption(queue.overflow ?? 'clear', `${path}.queue.overflow`, ['clear', 'oldest']),
    retries: integerOption(options.retries ?? 3, `${path}.retries`, { min: 0 }),
    retryDelayMs: parseDuration(options.retryDelay ?? 50, `${path}.retryDelay`),
    gap,
    onError: optional(options.onError, `${path}.onError`),
  }
}

function optional<F extends (...args: never[]) => unknown>(
  value: F | undefined,
  path: string,
): F | undefined {
  return value === undefined ? undefined : functionOption(value, path)
}
