/** A thread of endure.ts that bears the same load until it is ended. */
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { SharedCache, type SharedCacheHandle } from 'hitpath'
import type { Task } from './endure.js'
import { steady } from './loads.js'
import { sharedStore, stores } from './stores.js'

interface Companion {
  readonly task: Task
  /** Of the region that the other thread uses; undefined for a cache that no other thread can see. */
  readonly handle?: SharedCacheHandle
  readonly seed: number
}

const { task, handle, seed } = workerData as Companion
const { entries } = task.setting
const store =
  handle === undefined
    ? stores[task.store]!({ entries })
    : sharedStore(SharedCache.attach<Float64Array>(handle))
const load = steady(store, { ...task.setting, seed })
if (handle === undefined) load.fill?.()
parentPort!.postMessage('ready')
for (;;) {
  load.turn(0)
  await turnOfLoop()
}
