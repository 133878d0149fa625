/**
 * What the calls of the portable engine have in common: the staging words, the open caches by number, the key that a call is about.
 *
 * A cache goes when it is closed, or when nothing refers to its token.
 */
import {
  FORM_ARRAY,
  FORM_DIGEST,
  FORM_NUMBER,
  KEY_DIGEST,
  KEY_NUMBER,
  STAGING_CACHE,
  STAGING_DEADLINE,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_NOW,
  STAGING_REMOVED,
  STAGING_REMOVED_SLOT,
  STAGING_REMOVED_WHY,
  STAGING_SEQ,
  STAGING_SLOT,
  STAGING_STATUS,
} from '../layout.js'
import { monotonicMs } from './clock.js'
import { arrayDigest, DIGEST_BYTES } from './digest.js'
import { digestKey } from './digest-key.js'
import { NONE } from './slots.js'
import type { StagingArea } from './staging.js'
import type { Key, Store } from './store.js'

// Status of native/core/cache.h.
export const OK = 0
export const MISS = 1
export const CLOSED = 4
export const SHAPE_MISMATCH = 6

export const NO_SLOT = 0xffff_ffff

export type Session = ReturnType<typeof sessionOf>

export function sessionOf(staging: StagingArea) {
  const { words, doubles, scratch } = staging
  const stores: (Store | undefined)[] = [undefined]
  const freeIds: number[] = []
  const digest = new Uint8Array(DIGEST_BYTES)
  const digestView = new DataView(digest.buffer)
  const abandoned = new FinalizationRegistry<{ readonly id: number; readonly store: WeakRef<Store> }>(
    ({ id, store }) => {
      if (stores[id] !== undefined && stores[id] === store.deref()) release(id)
    },
  )

  function release(id: number): void {
    stores[id] = undefined
    freeIds.push(id)
  }

  /** The cache that the call is about; undefined, with the status set, when it is closed. */
  function current(): Store | undefined {
    const store = stores[words[STAGING_CACHE / 4] as number]
    if (store === undefined) fail(CLOSED)
    return store
  }

  function fail(status: number): void {
    words[STAGING_STATUS / 4] = status
    words[STAGING_SLOT / 4] = NO_SLOT
  }

  function now(store: Store): number {
    return store.foreignClock ? (doubles[STAGING_NOW / 8] as number) : monotonicMs()
  }

  function isAlive(store: Store, slot: number): boolean {
    const deadline = store.slots.deadline(slot)
    return deadline === Number.POSITIVE_INFINITY || now(store) <= deadline
  }

  /** Ends a call: which entries it removed. */
  function report(store: Store): void {
    const { removals } = store
    words[STAGING_REMOVED / 4] = removals.length / 2
    if (removals.length === 0) return
    words[STAGING_REMOVED_SLOT / 4] = removals[0] as number
    words[STAGING_REMOVED_WHY / 4] = removals[1] as number
    if (removals.length !== 2) return
    removals.pop() // a third of the cost of setting the length
    removals.pop()
  }

  /** The key that the staging area describes: its kind, and itself in `key`. NONE, with the status set, when it is none. */
  function readStaged(array: unknown): number {
    switch ((words[STAGING_FORM / 4] as number) & 0xff) {
      case FORM_NUMBER:
        session.key = (doubles[STAGING_EXTRA / 8] as number) + 0 // -0 is 0
        return KEY_NUMBER
      case FORM_ARRAY:
        if (!readArray(array)) break
        session.key = digestKey(digest)
        return KEY_DIGEST
      case FORM_DIGEST:
        session.key = digestKey(scratch)
        return KEY_DIGEST
    }
    fail(SHAPE_MISMATCH)
    return NONE
  }

  function found(store: Store, slot: number, kind: number): void {
    words[STAGING_SLOT / 4] = slot
    words[STAGING_SEQ / 4] = store.slots.seq(slot)
    doubles[STAGING_DEADLINE / 8] = store.slots.deadline(slot)
    words[STAGING_FORM / 4] = kind
  }

  /** Whether there is an array where staging says; its digest is then in `digest`. */
  function readArray(array: unknown): boolean {
    return arrayDigest().write(staging, array, digestView)
  }

  /** Opens a cache for as long as its token lives. */
  function adopt(store: Store): number {
    const id = freeIds.pop() ?? stores.length
    stores[id] = store
    words[STAGING_CACHE / 4] = id
    return id
  }

  function keep(token: { readonly id: number }, store: Store): void {
    abandoned.register(token, { id: token.id, store: new WeakRef(store) })
  }

  const session = {
    words,
    doubles,
    scratch,
    digest,
    /** That the last readStaged() read. */
    key: '' as Key,
    current,
    fail,
    now,
    isAlive,
    report,
    readStaged,
    readArray,
    found,
    adopt,
    keep,
    release,
  }
  return session
}
