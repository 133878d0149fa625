/**
 * A 600-element Float64Array in a store that other threads can read, by an interned string key: SharedCache against
 * lmdb.
 *
 * What the two give differs in lmdb's favour: `getBinaryFast` copies into one buffer that the next read overwrites,
 * whereas a SharedCache view stays what it is while it is held. lmdb's copy that may be kept stands beside it, and so
 * does `getInto`. lmdb writes a thousand values in one transaction, invisible to others until it commits; its
 * `putSync`, visible at once as a `set` of SharedCache is, stands beside it.
 */
import { SharedCache } from 'hitpath'
import type { Contender } from '../harness/contender.js'
import { internedKeys, keySpace } from '../harness/keys.js'
import { openMemoryLmdb } from '../harness/lmdb.js'
import { shuffledOrder } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const ENTRIES = 1_024
const LENGTH = 600
const BYTES = LENGTH * 8
const TTL_MS = 3_600_000

const ids = shuffledOrder(ENTRIES, 5)
const keysById = internedKeys(keySpace(ENTRIES))
const keys = Array.from(ids, (id) => keysById[id]!)
/** What stands under `keys[at]`: an array that names its key at both ends. */
const values = Array.from(ids, (id) => new Float64Array(LENGTH).fill(id))
const buffers = values.map((value) => Buffer.from(value.buffer))

function filledShared(): SharedCache<Float64Array> {
  const cache = SharedCache.create<Float64Array>({
    maxEntries: ENTRIES,
    maxBytes: 4 * ENTRIES * BYTES,
    ttl: TTL_MS,
  })
  for (let at = 0; at < ENTRIES; at++) cache.set(keys[at]!, values[at]!)
  return cache
}

function isRight(value: Float64Array | undefined, at: number): boolean {
  return value !== undefined && value[0] === ids[at] && value[LENGTH - 1] === ids[at]
}

function hitpathGet(): Contender {
  const cache = filledShared()
  return {
    operations: ENTRIES,
    batch() {
      let right = 0
      for (let at = 0; at < ENTRIES; at++) if (isRight(cache.get(keys[at]!), at)) right++
      return right
    },
    close: () => cache.close(),
  }
}

function hitpathGetInto(): Contender {
  const cache = filledShared()
  const out = new Float64Array(LENGTH)
  return {
    operations: ENTRIES,
    batch() {
      let right = 0
      for (let at = 0; at < ENTRIES; at++) if (cache.getInto(keys[at]!, out) && isRight(out, at)) right++
      return right
    },
    close: () => cache.close(),
  }
}

function hitpathSet(): Contender {
  const cache = filledShared()
  return {
    operations: ENTRIES,
    batch() {
      for (let at = 0; at < ENTRIES; at++) cache.set(keys[at]!, values[at]!)
      const last = ENTRIES - 1
      return isRight(cache.get(keys[last]!), last) ? ENTRIES : 0
    },
    close: () => cache.close(),
  }
}

function lmdbGet(): Contender {
  const { db, close } = openMemoryLmdb()
  db.transactionSync(() => {
    for (let at = 0; at < ENTRIES; at++) db.putSync(keys[at]!, buffers[at]!)
  })
  // The buffer is lmdb's own and nearly always the same: the view over it is made when it changes.
  let bytes: Buffer | undefined
  let view: Float64Array | undefined
  return {
    operations: ENTRIES,
    batch() {
      let right = 0
      for (let at = 0; at < ENTRIES; at++) {
        const read = db.getBinaryFast(keys[at]!)
        if (read !== bytes && read !== undefined)
          view = new Float64Array(read.buffer, read.byteOffset, LENGTH)
        bytes = read
        if (isRight(view, at)) right++
      }
      return right
    },
    close,
  }
}

function lmdbGetKept(): Contender {
  const { db, close } = openMemoryLmdb()
  db.transactionSync(() => {
    for (let at = 0; at < ENTRIES; at++) db.putSync(keys[at]!, buffers[at]!)
  })
  return {
    operations: ENTRIES,
    batch() {
      let right = 0
      for (let at = 0; at < ENTRIES; at++) {
        const read = db.getBinary(keys[at]!)!
        if (isRight(new Float64Array(read.buffer, read.byteOffset, LENGTH), at)) right++
      }
      return right
    },
    close,
  }
}

function lmdbSet(put: 'in one transaction' | 'one by one'): Contender {
  const { db, close } = openMemoryLmdb()
  const putAll = (): void => {
    for (let at = 0; at < ENTRIES; at++) db.putSync(keys[at]!, buffers[at]!)
  }
  return {
    operations: ENTRIES,
    batch() {
      if (put === 'one by one') putAll()
      else db.transactionSync(putAll)
      const last = ENTRIES - 1
      const read = db.getBinaryFast(keys[last]!)!
      return isRight(new Float64Array(read.buffer, read.byteOffset, LENGTH), last) ? ENTRIES : 0
    },
    close,
  }
}

const module = import.meta.url

export const suite: Suite = {
  id: 'shared-values',
  title: 'Arrays in a store for all threads',
  subjects: [
    timed({
      id: 'shared-get',
      title: 'SharedCache.get of a 600-element Float64Array, zero-copy',
      module,
      contenders: {
        hitpath: hitpathGet,
        'hitpath getInto': hitpathGetInto,
        lmdb: lmdbGet,
        'lmdb, a copy to keep': lmdbGetKept,
      },
    }),
    timed({
      id: 'shared-set',
      title: 'SharedCache.set of a 600-element Float64Array',
      module,
      statistic: 'mean',
      contenders: {
        hitpath: hitpathSet,
        lmdb: () => lmdbSet('in one transaction'),
        'lmdb, visible at once': () => lmdbSet('one by one'),
      },
    }),
  ],
}
