/**
 * Two threads reading one SharedCache at once, against one of them reading alone.
 *
 * Both threads are workers; the main thread sleeps. A thread's rate is its reads over the time it had a core (see
 * RunQueue), so that other processes on the machine do not count as contention, while waiting for one another
 * does. A private Map in each thread, read in the same rounds, shows what the machine itself allows.
 */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { SharedCache } from 'hitpath'
import { Child } from '../harness/child.js'
import { keyAt, keySpace } from '../harness/keys.js'
import type { Line } from '../harness/results.js'
import { median } from '../harness/statistics.js'
import { type Answer, type Run, type Subject, type Suite, sized } from '../harness/subject.js'
import { startThread } from '../harness/thread.js'
import type { Reader, Reading, Reads } from './threads.reader.js'

const ENTRIES = 4_096
const LENGTH = 600
const TTL_MS = 3_600_000

const READER = new URL('./threads.reader.ts', import.meta.url)

/** Threads of the curve: powers of two up to the cores of the machine, and two in any case. */
const COUNTS = [1, 2, 4, 8].filter((count) => count <= Math.max(2, availableParallelism()))
const MOST = Math.max(...COUNTS)

let readers: readonly Worker[] = []

/** Runs in a child: fills the cache and starts as many readers of `reads` as there will be threads. */
export async function open(reads: Reads): Promise<void> {
  const cache = SharedCache.create({ maxEntries: ENTRIES, maxBytes: 4 * ENTRIES * LENGTH * 8, ttl: TTL_MS })
  const space = keySpace(ENTRIES)
  for (let id = 0; id < ENTRIES; id++) {
    cache.set(keyAt(space, id), reads === 'array' ? new Float64Array(LENGTH).fill(id) : id)
  }
  readers = Array.from({ length: MOST }, (_, index) => {
    const workerData: Reader = { reads, handle: cache.handle, entries: ENTRIES, seed: index + 1 }
    return startThread(READER, workerData)
  })
  await Promise.all(readers.map((reader) => once(reader, 'message')))
}

/** Runs in a child: the named readers read at the same time for `ms`; returns reads a millisecond, all told. */
export async function read(which: readonly number[], ms: number): Promise<number> {
  const readings = which.map(async (index) => {
    const [reading] = (await once(readers[index]!, 'message')) as [Reading]
    return reading
  })
  const startAtMs = performance.timeOrigin + performance.now() + 5
  for (const index of which) readers[index]!.postMessage({ startAtMs, ms })
  return (await Promise.all(readings)).reduce((total, reading) => total + reading.reads / reading.ownMs, 0)
}

interface Scaling {
  readonly one: readonly number[]
  readonly two: readonly number[]
  /** Reads a millisecond by number of threads. */
  readonly points: Line['points']
}

async function scaling(reads: Reads, run: Run): Promise<Scaling> {
  const rounds = sized(run.form, 7, 5)
  const roundMs = sized(run.form, 300, 200)
  const child = new Child()
  try {
    const readBy = (which: readonly number[]): Promise<number> =>
      child.call<number>(import.meta.url, 'read', which, roundMs)
    await child.call(import.meta.url, 'open', reads)
    await readBy([0, 1])
    const one: number[] = []
    const two: number[] = []
    for (let round = 0; round < rounds; round++) {
      const first = await readBy([0])
      two.push(await readBy([0, 1]))
      one.push((first + (await readBy([1]))) / 2)
    }
    const points: [number, number][] = [
      [1, median(one)],
      [2, median(two)],
    ]
    if (run.form === 'full') {
      for (const count of COUNTS.filter((each) => each > 2)) {
        const all = Array.from({ length: count }, (_, index) => index)
        points.push([count, median([await readBy(all), await readBy(all), await readBy(all)])])
      }
    }
    return { one, two, points }
  } finally {
    await child.stop()
  }
}

const subject = (id: string, title: string, reads: Reads): Subject => ({
  id,
  figures: [{ id, title, unit: 'reads/ms' }],
  async measure(run): Promise<Answer> {
    const shared = await scaling(reads, run)
    const figures = { [id]: { contenders: { 'two threads': shared.two, 'one thread': shared.one } } }
    // what the machine allows is there to be looked at: no gate judges it
    if (run.form === 'ci') return { figures }
    const own = await scaling('private Map', run)
    const ceiling = median(own.two.map((two, round) => two / own.one[round]!))
    return {
      figures,
      curves: [
        {
          id: `throughput-by-${id}`,
          title: `Reads of one SharedCache by threads: ${reads === 'array' ? 'an array' : 'a number'}`,
          x: { title: 'threads', unit: 'threads', scale: 'linear' },
          y: { title: 'reads', unit: 'reads/ms', scale: 'linear' },
          lines: [
            { name: 'hitpath SharedCache', kind: 'measured', points: shared.points },
            { name: 'a private Map in each thread', kind: 'measured', points: own.points },
          ],
          note: 'Reads over the time for which the threads had a core.',
        },
      ],
      notes: [
        `A private Map in each thread scales ${ceiling.toFixed(2)} times here: what the machine allows.`,
      ],
    }
  },
})

export const suite: Suite = {
  id: 'threads',
  title: 'Two threads reading at once',
  subjects: [
    subject('threads-number', 'SharedCache.get of a number from two threads, throughput', 'number'),
    subject(
      'threads-array',
      'SharedCache.get of a 600-element Float64Array from two threads, throughput',
      'array',
    ),
  ],
}
