/**
 * Replays recorded accesses through the real caches: a get, and after a miss a set, by number keys.
 *
 * Cells are dealt to two worker threads, the longest traces first; a thread keeps the trace that it decoded last.
 */
import { once } from 'node:events'
import { startThread } from '../harness/thread.js'
import type { Outcome, Task } from './replay-thread.js'
import { type Cell, requestsOf } from './traces.js'

const THREADS = 2
const THREAD = new URL('./replay-thread.ts', import.meta.url)

/** The cache that replays: one shard of one thread, or a region that is asked for sixteen shards and has at most one for each 64 entries. */
export type Replayed = 'LocalCache' | 'SharedCache of 16 shards'

export interface Replay {
  readonly cell: Cell
  /** 0 .. 1 */
  readonly hitRatio: number
  readonly nsPerRequest: number
}

/** Replays `cells`, in the order given in the result. */
export async function replayAll(
  folder: string,
  cells: readonly Cell[],
  cache: Replayed,
  onDone: (done: number) => void,
): Promise<readonly Replay[]> {
  const requests = new Map(
    [...new Set(cells.map((cell) => cell.trace))].map((name) => [name, requestsOf(folder, name)]),
  )
  const queue = [...cells.keys()].sort(
    (a, b) => requests.get(cells[b]!.trace)! - requests.get(cells[a]!.trace)! || a - b,
  )
  const replays = new Array<Replay>(cells.length)
  let done = 0
  const serve = async (): Promise<void> => {
    const worker = startThread(THREAD)
    try {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const cell = cells[index]!
        const task: Task = { folder, trace: cell.trace, capacity: cell.capacity, cache }
        worker.postMessage(task)
        const [outcome] = (await once(worker, 'message')) as [Outcome]
        replays[index] = { cell, ...outcome }
        onDone(++done)
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: THREADS }, serve))
  return replays
}
