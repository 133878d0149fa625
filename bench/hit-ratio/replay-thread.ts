/** A thread of replay.ts: replays one cell a message. */
import { parentPort } from 'node:worker_threads'
import { LocalCache, SharedCache } from 'hitpath'
import { loadBuilt } from '../harness/built.js'
import type { Replayed } from './replay.js'
import { readTrace } from './traces.js'

const NS_PER_MS = 1e6
const SHARDS = 16

export interface Task {
  readonly folder: string
  readonly trace: string
  readonly capacity: number
  readonly cache: Replayed
}

export interface Outcome {
  readonly hitRatio: number
  readonly nsPerRequest: number
}

interface Cache {
  get(id: number): number | undefined
  set(id: number, value: number): unknown
  close(): void
}

await loadBuilt()

let decoded: { readonly trace: string; readonly ids: Uint32Array } = { trace: '', ids: new Uint32Array() }

function make({ cache, capacity }: Task): Cache {
  if (cache === 'LocalCache') return new LocalCache<number>({ maxEntries: capacity })
  const maxBytes = 2 ** 22 + capacity * 512
  return SharedCache.create<number>({ maxEntries: capacity, maxBytes, shards: SHARDS })
}

function replay(cache: Cache, ids: Uint32Array): number {
  let hits = 0
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at]!
    if (cache.get(id) === undefined) cache.set(id, 1)
    else hits++
  }
  return hits
}

parentPort!.on('message', (task: Task) => {
  if (decoded.trace !== task.trace) decoded = { trace: task.trace, ids: readTrace(task.folder, task.trace) }
  const { ids } = decoded
  const cache = make(task)
  const start = performance.now()
  const hits = replay(cache, ids)
  const nsPerRequest = ((performance.now() - start) * NS_PER_MS) / ids.length
  cache.close()
  const outcome: Outcome = { hitRatio: hits / ids.length, nsPerRequest }
  parentPort!.postMessage(outcome)
})
