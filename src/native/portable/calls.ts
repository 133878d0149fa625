/** The calls on keys: as native/addon/reads.cc, writes.cc and batches.cc. */
import type { Native } from '../binding.js'
import {
  BIT_PEEK,
  KEY_LATIN1,
  STAGING_BITS,
  STAGING_COUNT,
  STAGING_EXTRA,
  STAGING_OFFSET,
  STAGING_REMOVED,
  STAGING_SLOT,
  STAGING_STATUS,
  STAGING_TTL,
} from '../layout.js'
import { DIGEST_BYTES, MARK } from './digest.js'
import { MISS, NO_SLOT, OK, type Session, SHAPE_MISMATCH } from './session.js'
import { NONE } from './slots.js'
import type { Key, Store } from './store.js'

/** In place of a slot: the key must be asked for alone. */
const SINGLE = NO_SLOT - 1

type Calls = Pick<
  Native,
  | 'findString'
  | 'findStaged'
  | 'lookString'
  | 'lookStaged'
  | 'setString'
  | 'setStaged'
  | 'eraseString'
  | 'eraseStaged'
  | 'takeString'
  | 'takeStaged'
  | 'eraseAt'
  | 'digestStaged'
  | 'findMany'
>

export function callsOf(session: Session): Calls {
  const { words, doubles, scratch, digest } = session
  const { current, fail, now, isAlive, report, readStaged, readArray, found } = session
  const slots = new Uint32Array(scratch.buffer, scratch.byteOffset, Math.floor(scratch.length / 4))

  function find(store: Store, slot: number | undefined, kind: number): void {
    words[STAGING_STATUS / 4] = OK
    words[STAGING_REMOVED / 4] = 0
    const peek = ((words[STAGING_BITS / 4] as number) & BIT_PEEK) !== 0
    if (slot !== undefined && isAlive(store, slot)) {
      if (!peek) {
        store.counts.hits++
        store.touch(slot)
      }
      found(store, slot, kind)
      return
    }
    if (!peek) {
      store.counts.misses++
      if (slot !== undefined) {
        store.expire(slot)
        report(store)
      }
    }
    fail(MISS)
  }

  function look(store: Store, slot: number | undefined, kind: number): void {
    words[STAGING_BITS / 4] = (words[STAGING_BITS / 4] as number) | BIT_PEEK
    find(store, slot, kind)
    if (words[STAGING_SLOT / 4] !== NO_SLOT) doubles[STAGING_EXTRA / 8] = now(store)
  }

  function set(store: Store, kind: number, key: Key, tags: readonly string[] | undefined): void {
    const wanted = doubles[STAGING_TTL / 8] as number
    const ttl = Number.isNaN(wanted) ? store.config.defaultTtl : wanted
    // Where nothing has a deadline no clock is read.
    const time = ttl === Number.POSITIVE_INFINITY && !store.timed ? 0 : now(store)
    const deadline = time + ttl
    const slot = store.set(kind, key, tags, deadline, time)
    words[STAGING_STATUS / 4] = OK
    words[STAGING_COUNT / 4] = store.replaced ? 1 : 0
    found(store, slot, kind)
    report(store)
  }

  function erase(store: Store, slot: number | undefined): void {
    const erased = slot !== undefined && store.erase(slot, now(store))
    words[STAGING_STATUS / 4] = erased ? OK : MISS
    report(store)
  }

  /** Finds a key, or puts it in after the entry of slot staging.count was let go. */
  function take(store: Store, kind: number, key: Key): void {
    words[STAGING_STATUS / 4] = OK
    const there = store.find(kind, key)
    if (there === undefined) {
      store.eraseAt(words[STAGING_COUNT / 4] as number)
      found(store, store.set(kind, key, undefined, Number.POSITIVE_INFINITY, 0), kind)
      store.removals.length = 0
    } else found(store, there, kind)
    words[STAGING_COUNT / 4] = there === undefined ? 0 : 1
  }

  return {
    findString(key) {
      const store = current()
      if (store !== undefined) find(store, store.findPlain(key), KEY_LATIN1)
    },
    findStaged(array) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) find(store, store.find(kind, session.key), kind)
    },
    lookString(key) {
      const store = current()
      if (store !== undefined) look(store, store.findPlain(key), KEY_LATIN1)
    },
    lookStaged(array) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) look(store, store.find(kind, session.key), kind)
    },
    setString(key, _value, tags) {
      const store = current()
      if (store !== undefined) set(store, KEY_LATIN1, key, tags)
    },
    setStaged(array, _value, tags) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) set(store, kind, session.key, tags)
    },
    eraseString(key) {
      const store = current()
      if (store !== undefined) erase(store, store.findPlain(key))
    },
    eraseStaged(array) {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(array)
      if (store !== undefined && kind !== NONE) erase(store, store.find(kind, session.key))
    },
    takeString(key) {
      const store = current()
      if (store !== undefined) take(store, KEY_LATIN1, key)
    },
    takeStaged() {
      const store = current()
      const kind = store === undefined ? NONE : readStaged(undefined)
      if (store !== undefined && kind !== NONE) take(store, kind, session.key)
    },
    eraseAt() {
      const store = current()
      if (store === undefined) return
      store.eraseAt(words[STAGING_COUNT / 4] as number)
      store.removals.length = 0
    },
    digestStaged(array) {
      words[STAGING_STATUS / 4] = OK
      if (!readArray(array)) {
        fail(SHAPE_MISMATCH)
        return
      }
      scratch.set(digest)
      scratch[DIGEST_BYTES] = MARK
    },
    findMany(keys) {
      const store = current()
      if (store === undefined) return
      const from = doubles[STAGING_OFFSET / 8] as number
      const count = words[STAGING_COUNT / 4] as number
      for (let i = 0; i < count; i++) {
        const key = keys[from + i]
        if (typeof key !== 'string') {
          slots[i] = SINGLE
          continue
        }
        const slot = store.findPlain(key)
        const alive = slot !== undefined && isAlive(store, slot)
        slots[i] = alive ? slot : NO_SLOT
        if (alive) {
          store.counts.hits++
          store.touch(slot)
        } else store.counts.misses++
      }
      words[STAGING_STATUS / 4] = OK
    },
  }
}
