/**
 * A warm restart: a million entries of 64 bytes out of a snapshot, against filling a cache with the same by `set`.
 *
 * Each round takes a fresh cache, in a turn of its own, and the file is in the page cache of the system, as after a deploy. What comes back
 * is compared, all of it by count and a sample by value.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalCache, SharedCache } from 'hitpath'
import { internedKeys, keySpace } from '../harness/keys.js'
import { type Answer, type Run, type Suite, sized } from '../harness/subject.js'

interface Restored {
  readonly size: number
  get(key: string): unknown
  save(path: string): Promise<unknown>
  restore(path: string): Promise<unknown>
  close(): void
}

interface Kind {
  readonly id: string
  readonly title: string
  /** Has a target; what has none takes three rounds. */
  readonly isJudged: boolean
  make(entries: number): Restored & { set(key: string, value: unknown): unknown }
  valueOf(serial: number): unknown
  serialOf(value: unknown): number
}

const array = new Float32Array(16)

const kinds: readonly Kind[] = [
  {
    id: 'snapshot-restore',
    title: 'SharedCache, string keys, 64 bytes',
    isJudged: true,
    make: (entries) =>
      SharedCache.create({
        maxBytes: Math.max(2 ** 22, 256 * entries),
        maxEntries: Math.ceil(entries * 1.01),
      }),
    valueOf: (serial) => {
      array[0] = serial
      return array
    },
    serialOf: (value) => (value as Float32Array)[0] as number,
  },
  {
    id: 'snapshot-restore-local',
    title: 'LocalCache, string keys, arrays of 64 bytes',
    isJudged: false,
    make: (entries) => new LocalCache({ maxEntries: Math.ceil(entries * 1.01) }),
    valueOf: (serial) => new Float32Array(16).fill(serial),
    serialOf: (value) => (value as Float32Array)[0] as number,
  },
]

async function measure(kind: Kind, run: Run): Promise<Answer> {
  const entries = sized(run.form, 1_000_000, 100_000)
  const keys = internedKeys(keySpace(entries))
  const folder = mkdtempSync(join(tmpdir(), 'hitpath-bench-'))
  const file = join(folder, 'cache.snapshot')
  const timings: Record<string, number[]> = { hitpath: [], set: [] }
  const noise: number[] = []
  const fill = (): Restored => {
    const cache = kind.make(entries)
    for (let i = 0; i < entries; i++) cache.set(keys[i] as string, kind.valueOf(i))
    return cache
  }
  const timedRestore = async (): Promise<number> => {
    const cache = kind.make(entries)
    const began = performance.now()
    await cache.restore(file)
    const ms = performance.now() - began
    check(cache)
    return ms
  }
  const check = (cache: Restored): void => {
    for (let i = 0; i < entries; i += 997)
      if (kind.serialOf(cache.get(keys[i] as string)) !== i) throw new Error(`${keys[i]} came back wrong`)
    if (cache.size !== entries) throw new Error(`${cache.size} of ${entries} entries`)
    cache.close()
  }
  try {
    const first = fill()
    await first.save(file)
    check(first)
    for (let round = 0; round < (kind.isJudged ? run.rounds : 3); round++) {
      const began = performance.now()
      const filled = fill()
      timings['set']?.push(performance.now() - began)
      check(filled)
      const ms = await timedRestore()
      timings['hitpath']?.push(ms)
      noise.push((await timedRestore()) / ms)
    }
    return { figures: { [kind.id]: { contenders: timings, noise } } }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export const suite: Suite = {
  id: 'snapshot',
  title: 'A warm restart from a file',
  subjects: kinds.map((kind) => ({
    id: kind.id,
    figures: [{ id: kind.id, title: `restore against filling by set: ${kind.title}`, unit: 'ms' }],
    measure: (run: Run) => measure(kind, run),
  })),
}
