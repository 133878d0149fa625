/** A reader thread of threads.ts: on each message it reads for some time, starting at the moment named. */
import { parentPort, workerData } from 'node:worker_threads'
import { SharedCache, type SharedCacheHandle } from 'hitpath'
import { flat, keyAt, keySpace } from '../harness/keys.js'
import { shuffledOrder } from '../harness/random.js'
import { RunQueue } from '../harness/run-queue.js'

export type Reads = 'number' | 'array' | 'private Map'

export interface Reader {
  readonly reads: Reads
  readonly handle: SharedCacheHandle
  readonly entries: number
  readonly seed: number
}

export interface Reading {
  readonly reads: number
  /** Time for which the thread had a core. */
  readonly ownMs: number
}

const { reads, handle, entries, seed } = workerData as Reader
const order = shuffledOrder(entries, seed)
const space = keySpace(entries)
const keys = Array.from(order, (id) => flat(keyAt(space, id)))
const queue = new RunQueue()
const pass = passOver(reads)

/** Reads every key once and returns how many answers were right. */
function passOver(reads: Reads): () => number {
  if (reads === 'private Map') {
    const map = new Map(keys.map((key, at) => [key, order[at]!]))
    return () => countRight((at) => map.get(keys[at]!))
  }
  if (reads === 'number') {
    const cache = SharedCache.attach<number>(handle)
    return () => countRight((at) => cache.get(keys[at]!))
  }
  const cache = SharedCache.attach<Float64Array>(handle)
  return () => countRight((at) => cache.get(keys[at]!)?.[0])
}

function countRight(read: (at: number) => number | undefined): number {
  let right = 0
  for (let at = 0; at < entries; at++) if (read(at) === order[at]) right++
  return right
}

function readFor(ms: number): Reading {
  const waitedMs = queue.waitedMs()
  const start = performance.now()
  let total = 0
  let elapsedMs: number
  do {
    const right = pass()
    if (right !== entries) throw new Error(`${right} right answers of ${entries}`)
    total += right
    elapsedMs = performance.now() - start
  } while (elapsedMs < ms)
  return { reads: total, ownMs: elapsedMs - (queue.waitedMs() - waitedMs) }
}

parentPort!.on('message', ({ startAtMs, ms }: { startAtMs: number; ms: number }) => {
  while (performance.timeOrigin + performance.now() < startAtMs);
  parentPort!.postMessage(readFor(ms))
})
parentPort!.postMessage('ready')
