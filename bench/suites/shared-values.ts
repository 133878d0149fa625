/**
 * A 600-element Float64Array in a store that other threads can read, by an interned string key: SharedCache against
 * lmdb.
 *
 * What the two give differs in lmdb's favour: `getBinaryFast` copies into one buffer that the next read overwrites,
 * whereas a SharedCache view stays what it is while it is held. lmdb's copy that may be kept stands beside it, and so
 * does `getInto`. lmdb writes a thousand values in one transaction, invisible to others until it commits; its
 * `putSync`, visible at once as a `set` of SharedCache is, stands beside it.
 *
 * A thread remembers the views that it was given last; 20,000 arrays are more than it remembers, so nearly every hit
 * makes a new view and pins it.
 */
import { SharedCache } from 'hitpath'
import type { Contender } from '../harness/contender.js'
import { internedKeys, keySpace } from '../harness/keys.js'
import { type MemoryLmdb, openMemoryLmdb } from '../harness/lmdb.js'
import { shuffledOrder } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const FEW = 1_024
const MANY = 20_000
const BATCH = 1_000
const LENGTH = 600
const BYTES = LENGTH * 8
const TTL_MS = 3_600_000

/** Arrays that name their key at both ends, in the order in which they are asked for. */
interface Data {
  readonly ids: Uint32Array
  readonly keys: readonly string[]
  readonly arrayOf: (id: number) => Float64Array
}

function dataOf(entries: number): Data {
  const ids = shuffledOrder(entries, 5)
  const keysById = internedKeys(keySpace(entries))
  const keys = Array.from(ids, (id) => keysById[id]!)
  return { ids, keys, arrayOf: (id) => new Float64Array(LENGTH).fill(id) }
}

function isRight(value: Float64Array | undefined, id: number): boolean {
  return value !== undefined && value[0] === id && value[LENGTH - 1] === id
}

/** Asks for the arrays in turn, `BATCH` at a time. */
function reading({ ids, keys }: Data, read: (key: string) => Float64Array | undefined): Contender {
  const last = ids.length - BATCH
  let at = 0
  return {
    operations: BATCH,
    batch() {
      let right = 0
      const end = at + BATCH
      for (let i = at; i < end; i++) if (isRight(read(keys[i]!), ids[i]!)) right++
      at = end > last ? 0 : end
      return right
    },
    one() {
      const i = at
      at = i >= last ? 0 : i + 1
      return isRight(read(keys[i]!), ids[i]!) ? 1 : 0
    },
  }
}

function filledShared({ ids, keys, arrayOf }: Data): SharedCache<Float64Array> {
  const cache = SharedCache.create<Float64Array>({
    maxEntries: ids.length,
    maxBytes: 4 * ids.length * BYTES,
    ttl: TTL_MS,
  })
  for (let at = 0; at < ids.length; at++) cache.set(keys[at]!, arrayOf(ids[at]!))
  return cache
}

function filledLmdb({ ids, keys, arrayOf }: Data): MemoryLmdb {
  const store = openMemoryLmdb()
  store.transactionSync(() => {
    for (let at = 0; at < ids.length; at++) store.putSync(keys[at]!, Buffer.from(arrayOf(ids[at]!).buffer))
  })
  return store
}

function hitpathGet(entries: number): Contender {
  const data = dataOf(entries)
  const cache = filledShared(data)
  return reading(data, (key) => cache.get(key))
}

function hitpathGetInto(entries: number): Contender {
  const data = dataOf(entries)
  const cache = filledShared(data)
  const out = new Float64Array(LENGTH)
  return reading(data, (key) => (cache.getInto(key, out) ? out : undefined))
}

function lmdbGet(entries: number): Contender {
  const data = dataOf(entries)
  const db = filledLmdb(data)
  // The buffer is lmdb's own and nearly always the same: the view over it is made when it changes.
  let bytes: Buffer | undefined
  let view: Float64Array | undefined
  return reading(data, (key) => {
    const read = db.getBinaryFast(key)
    if (read === undefined) return undefined
    if (read !== bytes) view = new Float64Array(read.buffer, read.byteOffset, LENGTH)
    bytes = read
    return view
  })
}

function lmdbGetKept(entries: number): Contender {
  const data = dataOf(entries)
  const db = filledLmdb(data)
  return reading(data, (key) => {
    const read = db.getBinary(key)
    return read && new Float64Array(read.buffer, read.byteOffset, LENGTH)
  })
}

function hitpathSet(): Contender {
  const data = dataOf(FEW)
  const { ids, keys, arrayOf } = data
  const cache = filledShared(data)
  const values = Array.from(ids, arrayOf)
  return {
    operations: FEW,
    batch() {
      for (let at = 0; at < FEW; at++) cache.set(keys[at]!, values[at]!)
      const last = FEW - 1
      return isRight(cache.get(keys[last]!), ids[last]!) ? FEW : 0
    },
  }
}

function lmdbSet(put: 'in one transaction' | 'one by one'): Contender {
  const data = dataOf(FEW)
  const { ids, keys, arrayOf } = data
  const db = filledLmdb(data)
  const buffers = Array.from(ids, (id) => Buffer.from(arrayOf(id).buffer))
  const putAll = (): void => {
    for (let at = 0; at < FEW; at++) db.putSync(keys[at]!, buffers[at]!)
  }
  return {
    operations: FEW,
    batch() {
      if (put === 'one by one') putAll()
      else db.transactionSync(putAll)
      const last = FEW - 1
      const read = db.getBinaryFast(keys[last]!)!
      return isRight(new Float64Array(read.buffer, read.byteOffset, LENGTH), ids[last]!) ? FEW : 0
    },
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
        hitpath: () => hitpathGet(FEW),
        'hitpath getInto': () => hitpathGetInto(FEW),
        lmdb: () => lmdbGet(FEW),
        'lmdb, a copy to keep': () => lmdbGetKept(FEW),
      },
    }),
    timed({
      id: 'shared-get-20k',
      title: 'The same out of 20,000 arrays, most hits making a view',
      module,
      contenders: {
        hitpath: () => hitpathGet(MANY),
        'hitpath getInto': () => hitpathGetInto(MANY),
        lmdb: () => lmdbGet(MANY),
        'lmdb, a copy to keep': () => lmdbGetKept(MANY),
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
