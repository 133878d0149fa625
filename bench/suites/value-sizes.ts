/**
 * What a value costs by its size, in a store that other threads can read: a number (8 bytes), and typed arrays of 64 bytes to 64 KB, by
 * interned string keys. lru-cache keeps references, for one thread alone: the ground that a store of bytes stands on.
 */
import { SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import type { Contender } from '../harness/contender.js'
import { internedKeys, keySpace } from '../harness/keys.js'
import { openMemoryLmdb } from '../harness/lmdb.js'
import { shuffledOrder } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { type TimedSubject, timed } from '../harness/timed.js'

export const VALUE_BYTES = [8, 64, 512, 4_096, 65_536] as const
const ENTRIES = 256
const TTL_MS = 3_600_000
const NUMBER_BYTES = 8

type Value = number | Float64Array

interface Data {
  readonly ids: Uint32Array
  readonly keys: readonly string[]
  readonly valueFor: (id: number) => Value
}

function dataOf(bytes: number): Data {
  const ids = shuffledOrder(ENTRIES, 9)
  const byId = internedKeys(keySpace(ENTRIES))
  return {
    ids,
    keys: Array.from(ids, (id) => byId[id]!),
    valueFor: (id) => (bytes === NUMBER_BYTES ? id : new Float64Array(bytes / 8).fill(id)),
  }
}

const isRight = (value: Value | undefined, id: number): boolean =>
  value === id || (typeof value === 'object' && value[0] === id && value[value.length - 1] === id)

/** Does `each` for all entries; right is what `read` then finds under every key of the last pass. */
function passes(each: (at: number) => boolean): Contender {
  let next = 0
  return {
    operations: ENTRIES,
    batch() {
      let right = 0
      for (let at = 0; at < ENTRIES; at++) if (each(at)) right++
      return right
    },
    one() {
      const at = next
      next = (at + 1) % ENTRIES
      return each(at) ? 1 : 0
    },
  }
}

type Store = { get(key: string): Value | undefined; set(key: string, value: Value): unknown }

function shared(bytes: number): Store & { getInto(key: string, out: Float64Array): boolean } {
  return SharedCache.create<Value>({
    maxEntries: ENTRIES,
    maxBytes: 2 ** 20 + 4 * ENTRIES * bytes,
    ttl: TTL_MS,
  }) as unknown as ReturnType<typeof shared>
}

function lmdb(bytes: number): Store {
  const db = openMemoryLmdb()
  return {
    get(key) {
      const read = db.getBinaryFast(key)
      if (read === undefined) return undefined
      const value = new Float64Array(read.buffer, read.byteOffset, bytes / 8)
      return bytes === NUMBER_BYTES ? value[0] : value
    },
    set(key, value) {
      db.putSync(key, Buffer.from((typeof value === 'number' ? Float64Array.of(value) : value).buffer))
    },
  }
}

const lru = (): Store => new LRUCache<string, Value>({ max: ENTRIES, ttl: TTL_MS })

function filled<S extends Store>(store: S, { ids, keys, valueFor }: Data): S {
  for (let at = 0; at < ENTRIES; at++) store.set(keys[at]!, valueFor(ids[at]!))
  return store
}

function getting(make: (bytes: number) => Store, bytes: number): Contender {
  const data = dataOf(bytes)
  const store = filled(make(bytes), data)
  return passes((at) => isRight(store.get(data.keys[at]!), data.ids[at]!))
}

function gettingInto(bytes: number): Contender {
  const data = dataOf(bytes)
  const store = filled(shared(bytes), data)
  const out = new Float64Array(bytes / 8)
  return passes((at) => store.getInto(data.keys[at]!, out) && isRight(out, data.ids[at]!))
}

/** Sets made beforehand; whether they arrived is checked after each batch, outside the time. */
function setting(make: (bytes: number) => Store, bytes: number): Contender {
  const data = dataOf(bytes)
  const store = filled(make(bytes), data)
  const values = Array.from(data.ids, data.valueFor)
  const sets = passes((at) => {
    store.set(data.keys[at]!, values[at]!)
    return true
  })
  return {
    ...sets,
    after() {
      const at = ENTRIES - 1
      if (!isRight(store.get(data.keys[at]!), data.ids[at]!)) throw new Error('what was set is not there')
    },
  }
}

const module = import.meta.url
const sizeName = (bytes: number): string =>
  bytes === NUMBER_BYTES ? 'a number' : bytes < 1_024 ? `${bytes} bytes` : `${bytes / 1_024} KB`

const get = (bytes: number): TimedSubject =>
  timed({
    id: `value-get-${bytes}`,
    title: `SharedCache.get of ${sizeName(bytes)}`,
    module,
    contenders: {
      hitpath: () => getting(shared, bytes),
      ...(bytes !== NUMBER_BYTES && { 'hitpath getInto': () => gettingInto(bytes) }),
      lmdb: () => getting(lmdb, bytes),
      'lru-cache, by reference': () => getting(lru, bytes),
    },
  })

const set = (bytes: number): TimedSubject =>
  timed({
    id: `value-set-${bytes}`,
    title: `SharedCache.set of ${sizeName(bytes)}, visible to all threads at once`,
    module,
    statistic: 'mean',
    contenders: {
      hitpath: () => setting(shared, bytes),
      lmdb: () => setting(lmdb, bytes),
      'lru-cache, by reference': () => setting(lru, bytes),
    },
  })

export const suite: Suite = {
  id: 'value-sizes',
  title: 'A value, by its size',
  subjects: [...VALUE_BYTES.map(get), ...VALUE_BYTES.map(set)],
}
