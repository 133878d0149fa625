/** Changes that wait for the second tier, and their keys in the queue. Every one carries when it was made, as far as that is known. */
import type { Moment } from './store.js'

interface Queued {
  /** Identifies the change for `done`; a later one of the same name has another. */
  readonly sequence: number
}

/** A set as it is handed in; `ttlMs` from now, `Infinity` without expiry. */
export interface SetToQueue {
  readonly name: string
  readonly bytes: Uint8Array
  readonly ttlMs: number
  readonly tags: readonly string[]
  /** When it was made. Of a factory's value: when it was begun, so that whatever changed since wins. */
  readonly at: Moment
}

export interface QueuedSet extends Queued, SetToQueue {
  readonly kind: 'set'
  /** A factory made it. */
  readonly guest: boolean
}

/** Without `at` it counts as made when it arrives. */
export interface QueuedDelete extends Queued {
  readonly kind: 'delete'
  readonly name: string
  readonly at: Moment | undefined
}

export interface QueuedTag extends Queued {
  readonly kind: 'tag'
  readonly tag: string
  readonly at: Moment | undefined
}

export interface QueuedPattern extends Queued {
  readonly kind: 'pattern'
  readonly glob: string
  readonly at: Moment | undefined
}

export interface QueuedClear extends Queued {
  readonly kind: 'clear'
  readonly at: Moment | undefined
}

export type QueuedWrite = QueuedSet | QueuedDelete | QueuedTag | QueuedPattern | QueuedClear

export const CLEAR_KEY = 'c'

/** By kind and name: 'n' a set or delete, 'g' a guest, 't' a tag, 'p' a pattern, 'c' the clear. */
export function keyOf(write: QueuedWrite): string {
  switch (write.kind) {
    case 'set':
      return (write.guest ? 'g' : 'n') + write.name
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

export function setBytes(key: string, { bytes }: SetToQueue): number {
  return 2 * key.length + bytes.length
}

export function isBarrier({ kind }: QueuedWrite): boolean {
  return kind === 'tag' || kind === 'pattern' || kind === 'clear'
}
