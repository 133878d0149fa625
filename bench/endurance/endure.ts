/** Runs in a child: one cache under one load, observed. The thread that is observed bears the load as well, as a service's does. */
import { once } from 'node:events'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import type { SharedCache } from 'hitpath'
import { startThread } from '../harness/thread.js'
import { bytes, type MakeLoad, type Setting, steady, storm } from './loads.js'
import { Observer, type Window } from './observer.js'
import { newRegion, sharedStore, stores } from './stores.js'

const loads: Readonly<Record<string, MakeLoad>> = { steady, storm, bytes }
const THREAD = new URL('./companion.ts', import.meta.url)
const COMPANIONS = 1

export interface Task {
  readonly load: 'steady' | 'storm' | 'bytes'
  readonly store: string
  readonly setting: Setting
  /** Bound by bytes, for loads that need one. */
  readonly maxBytes?: number
  /** Another thread with the same load: on the same region, or on a cache of its own where the cache is one thread's. */
  readonly isThreaded?: boolean
  readonly windowMs: number
}

export async function endure(task: Task): Promise<readonly Window[]> {
  const { store: name, setting, maxBytes } = task
  const bounds = { entries: setting.entries, ...(maxBytes !== undefined && { bytes: maxBytes }) }
  const region = name === 'hitpath SharedCache' ? newRegion(bounds) : undefined
  const store = region === undefined ? stores[name]!(bounds) : sharedStore(region)
  const load = loads[task.load]!(store, setting)
  load.fill?.()
  globalThis.gc?.()
  const companions = task.isThreaded ? await startCompanions(task, region) : []
  const observer = new Observer(task.windowMs)
  const startedMs = performance.now()
  let elapsedMs = 0
  while (elapsedMs < setting.ms) {
    observer.did(load.turn(elapsedMs))
    await turnOfLoop()
    elapsedMs = performance.now() - startedMs
  }
  const windows = observer.stop()
  await Promise.all(companions.map((companion) => companion.terminate()))
  return windows
}

async function startCompanions(
  task: Task,
  region: SharedCache<Float64Array> | undefined,
): Promise<readonly ReturnType<typeof startThread>[]> {
  const started = Array.from({ length: COMPANIONS }, (_, index) =>
    startThread(THREAD, { task, handle: region?.handle, seed: task.setting.seed + 1 + index }),
  )
  await Promise.all(started.map((companion) => once(companion, 'message')))
  return started
}
