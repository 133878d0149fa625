/**
 * What a cache tells: to listeners, and on `diagnostics_channel` to whoever subscribed.
 *
 * Always true: nothing that a listener throws reaches the cache; it becomes a process warning. Without listeners and subscribers an
 * event costs two loads.
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import { describe, HitpathError } from '../errors.js'

type Key = string

/** What comes with each event. `key` is the caller's key as its name in the second tier: `s` + string, `n` + number, `d` + digest. */
export interface TieredEvents {
  /** A read was answered; `tier` says from where. */
  readonly hit: { readonly key: Key; readonly tier: 'l1' | 'l2' }
  readonly miss: { readonly key: Key }
  readonly set: { readonly key: Key; readonly queued: boolean }
  readonly delete: { readonly key: Key; readonly queued: boolean }
  /** By this process or another. `kind` says by what `target` is. */
  readonly invalidate: {
    readonly kind: 'set' | 'delete' | 'tag' | 'pattern' | 'clear' | 'gap'
    readonly target: string
    readonly foreign: boolean
  }
  /** From the second tier to the first. */
  readonly promote: { readonly key: Key }
  /** A value was made anew while the old one was served. */
  readonly refresh: { readonly key: Key; readonly early: boolean }
  /** A stale value was served, and why. */
  readonly stale: { readonly key: Key; readonly reason: 'revalidate' | 'error' | 'slow' | 'lease' | 'retry' }
  /** Errors that reach no caller. */
  readonly error: unknown
  readonly link: { readonly up: boolean; readonly cause: unknown }
  readonly breaker: { readonly state: string; readonly before: string }
  /** Queued changes reached the second tier. */
  readonly replay: { readonly count: number; readonly left: number }
  /** Something was given up: a queued set, bytes that are no envelope, an entry that does not fit the first tier. */
  readonly drop: { readonly reason: string; readonly count: number }
}

export type TieredEvent = keyof TieredEvents
export type Listener<E extends TieredEvent> = (event: TieredEvents[E]) => void

const EVENTS: readonly TieredEvent[] = [
  'hit',
  'miss',
  'set',
  'delete',
  'invalidate',
  'promote',
  'refresh',
  'stale',
  'error',
  'link',
  'breaker',
  'replay',
  'drop',
]

/** One for all caches: `hitpath:hit` and so on. Messages carry the `namespace` besides. */
const channels = Object.fromEntries(EVENTS.map((event) => [event, channel(`hitpath:${event}`)])) as Record<
  TieredEvent,
  Channel
>
/** Asked for on each hit. */
export const hitChannel: { readonly hasSubscribers: boolean } = channels.hit

export class Events {
  readonly #namespace: string
  readonly #listeners = new Map<TieredEvent, Set<(event: never) => void>>()
  readonly #changed: () => void

  /** `changed` is called when listeners come or go. */
  constructor(namespace: string, changed: () => void) {
    this.#namespace = namespace
    this.#changed = changed
  }

  on<E extends TieredEvent>(event: E, listener: Listener<E>): void {
    if (!EVENTS.includes(event))
      throw new HitpathError('INVALID_ARGUMENT', `there is no event ${describe(event)}`)
    if (typeof listener !== 'function')
      throw new HitpathError('INVALID_ARGUMENT', `a listener is a function; got ${describe(listener)}`)
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    this.#changed()
  }

  off<E extends TieredEvent>(event: E, listener: Listener<E>): void {
    this.#listeners.get(event)?.delete(listener)
    this.#changed()
  }

  clear(): void {
    this.#listeners.clear()
    this.#changed()
  }

  /** Whether telling would reach anybody: ask before making the event. */
  wants(event: TieredEvent): boolean {
    const listeners = this.#listeners.get(event)
    return (listeners !== undefined && listeners.size > 0) || channels[event].hasSubscribers
  }

  listened(event: TieredEvent): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0
  }

  emit<E extends TieredEvent>(event: E, told: TieredEvents[E]): void {
    const listeners = this.#listeners.get(event)
    if (listeners !== undefined) {
      for (const listener of [...listeners]) {
        try {
          ;(listener as Listener<E>)(told)
        } catch (error) {
          process.emitWarning(
            `a listener of ${event} threw: ${describe(error)}`,
            'HitpathWarning',
            'HITPATH_LISTENER',
          )
        }
      }
    }
    const subscribed = channels[event]
    if (subscribed.hasSubscribers) {
      subscribed.publish(
        event === 'error'
          ? { namespace: this.#namespace, error: told }
          : { namespace: this.#namespace, ...(told as object) },
      )
    }
  }
}
