/**
 * A million arrays of 64 bytes under string keys of 28 characters: what filling costs, and what an entry takes.
 *
 * Each fill has a child process of its own, contenders in turn. Resident bytes are those of the whole process, after
 * a full collection, less those before the fill; before it a small cache is filled and dropped, so that V8's young
 * generation and the compiled code are not counted. Key and value are 92 bytes; what an entry takes beyond them is
 * the figure. Both sides are handed a fresh array for each entry, as a service computes one; `a reused array`, which
 * only a store that copies allows, stands beside it.
 */
import { TTLCache } from '@isaacs/ttlcache'
import { SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import { inChild } from '../harness/child.js'
import { keyAt, keySpace } from '../harness/keys.js'
import { RunQueue } from '../harness/run-queue.js'
import { type Answer, type Rounds, type Run, type Suite, sized } from '../harness/subject.js'

const TTL_MS = 3_600_000
const LENGTH = 8
const KEY_AND_VALUE_BYTES = 28 + LENGTH * 8
const WARM_ENTRIES = 20_000
const NS_PER_MS = 1e6

interface Store {
  set(key: string, value: Float64Array): unknown
  get(key: string): Float64Array | undefined
  readonly size: number
}

const stores: Readonly<Record<string, (entries: number) => Store>> = {
  hitpath: shared,
  'hitpath, a reused array': shared,
  'lru-cache': (entries) => new LRUCache<string, Float64Array>({ max: entries, ttl: TTL_MS }),
  '@isaacs/ttlcache': (entries) => new TTLCache<string, Float64Array>({ max: entries, ttl: TTL_MS }),
}

/** Pages are taken when they are touched, so a bound well above the need costs nothing. */
function shared(entries: number): Store {
  return SharedCache.create<Float64Array>({ maxEntries: entries, maxBytes: entries * 512, ttl: TTL_MS })
}

export interface Filled {
  readonly nsPerSet: number
  readonly bytesPerEntry: number
}

/** Runs in a child: fills one store and says what that took. */
export function fill(name: string, entries: number): Filled {
  const make = stores[name]!
  const value = name.endsWith('a reused array') ? reusedValue : freshValue
  fillOne(make(WARM_ENTRIES), WARM_ENTRIES, value)
  settle()

  const residentBefore = process.memoryUsage.rss()
  const store = make(entries)
  const queue = new RunQueue()
  const waitedMs = queue.waitedMs()
  const start = performance.now()
  fillOne(store, entries, value)
  const elapsedMs = performance.now() - start - (queue.waitedMs() - waitedMs)
  settle()
  const resident = process.memoryUsage.rss() - residentBefore

  check(store, entries)
  return {
    nsPerSet: (elapsedMs * NS_PER_MS) / entries,
    bytesPerEntry: resident / entries - KEY_AND_VALUE_BYTES,
  }
}

function freshValue(id: number): Float64Array {
  const value = new Float64Array(LENGTH)
  for (let at = 0; at < LENGTH; at++) value[at] = id + at
  return value
}

const scratch = new Float64Array(LENGTH)

function reusedValue(id: number): Float64Array {
  for (let at = 0; at < LENGTH; at++) scratch[at] = id + at
  return scratch
}

function fillOne(store: Store, entries: number, value: (id: number) => Float64Array): void {
  const { symbols, windows, symbolOf, windowOf } = keySpace(entries)
  for (let id = 0; id < entries; id++) {
    store.set(`features:${symbols[symbolOf[id]!]}:${windows[windowOf[id]!]}`, value(id))
  }
}

function check(store: Store, entries: number): void {
  if (store.size !== entries) throw new Error(`${store.size} entries of ${entries} are there`)
  const space = keySpace(entries)
  for (let id = 0; id < entries; id += 997) {
    const value = store.get(keyAt(space, id))
    if (value?.[0] !== id || value[LENGTH - 1] !== id + LENGTH - 1) throw new Error(`entry ${id} is wrong`)
  }
}

function settle(): void {
  for (let pass = 0; pass < 3; pass++) globalThis.gc?.()
}

async function measure(run: Run): Promise<Answer> {
  const entries = sized(run.form, 1_000_000, 200_000)
  const rounds = sized(run.form, 3, 2)
  const names = Object.keys(stores).filter((name) => run.contenders?.has(name) ?? true)
  const byName = new Map<string, Filled[]>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, filled] of byName) {
      filled.push(await inChild<Filled>(import.meta.url, 'fill', name, entries))
    }
  }
  const each = (figure: (filled: Filled) => number): Rounds =>
    Object.fromEntries([...byName].map(([name, filled]) => [name, filled.map(figure)]))
  return {
    figures: {
      'fill-1m': { contenders: each((filled) => filled.nsPerSet) },
      'bytes-1m': { contenders: each((filled) => filled.bytesPerEntry) },
    },
  }
}

export const suite: Suite = {
  id: 'memory',
  title: 'A million small arrays',
  subjects: [
    {
      id: 'fill',
      figures: [
        { id: 'fill-1m', title: 'SharedCache.set of 64-byte arrays, filling 1,000,000', unit: 'ns' },
        { id: 'bytes-1m', title: 'SharedCache: resident bytes an entry beyond key and value', unit: 'B' },
      ],
      measure,
    },
  ],
}
