/**
 * One contender in a process of its own, so that no other cache's types are in its compiled code: `contender.js NAME FILE SETTING`.
 * Answers each `Ask` with the time of one operation, of a cache that is filled when the case is first asked for.
 */
import { createHash } from 'node:crypto'
import { type Contestant, contestant } from './peers.js'
import type { Ask, Case, Reply, Setting } from './protocol.js'

const BATCH = 1024
/** Hits follow a fixed shuffle, so that neither they nor the processor's caches go in order; long, so that a large cache is met as a whole. */
const ORDER = 1 << 20
const WINDOWS = 256
/** Elements of a batch of arrays, and of all the arrays in use: large ones are fewer. */
const BATCH_ELEMENTS = 1 << 19
const WINDOW_ELEMENTS = 1 << 22

/** `size` operations at a time, of which `from` were done before. */
interface Batch {
  readonly size: number
  readonly run: (from: number) => void
}

const [, , name = '', file = '', words = '{}'] = process.argv
const setting = JSON.parse(words) as Setting
let prepared: { readonly which: Case; readonly batch: Batch | undefined } | undefined

process.on('message', ({ which, ms }: Ask) => void measure(which, ms))
process.on('disconnect', () => process.exit())

async function measure(which: Case, ms: number): Promise<void> {
  try {
    if (prepared?.which !== which) {
      prepared = undefined
      prepared = { which, batch: prepare(which, await contestant(name, file, setting.entries)) }
    }
    const { batch } = prepared
    answer({ ns: batch === undefined ? undefined : timed(batch, ms) })
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) })
  }
}

function answer(reply: Reply): void {
  process.send?.(reply)
}

/** Batches until the time is up. */
function timed({ size, run }: Batch, ms: number): number {
  const start = process.hrtime.bigint()
  const end = start + BigInt(Math.round(ms * 1e6))
  let done = 0
  let now = start
  while (now < end) {
    run(done)
    done += size
    now = process.hrtime.bigint()
  }
  return Number(now - start) / done
}

function prepare(which: Case, cache: Contestant): Batch | undefined {
  if (which === 'array') return arrayHits(cache)
  if (which === 'set-evict' && cache.unbounded) return undefined
  const { entries, keyLength } = setting
  const prefix = 'features:'.padEnd(keyLength, 'x').slice(0, Math.max(0, keyLength - DIGITS))
  const keyOf = (i: number): string => prefix + (FIRST_NUMBER + i)
  const kept = Array.from({ length: entries }, (_, i) => keyOf(i))
  for (const [i, key] of kept.entries()) cache.set(key, { i })
  if (which === 'set-evict') {
    let fresh = entries
    return batchOf(() => {
      for (let i = 0; i < BATCH; i++) cache.set(keyOf(fresh++), kept)
    })
  }
  const order = shuffled(entries)
  if (which === 'hit-kept') {
    return batchOf((from) => {
      for (let i = 0; i < BATCH; i++) {
        if (cache.get(kept[order[(from + i) % ORDER] as number] as string) === undefined) missing()
      }
    })
  }
  return batchOf((from) => {
    for (let i = 0; i < BATCH; i++) {
      if (cache.get(keyOf(order[(from + i) % ORDER] as number)) === undefined) missing()
    }
  })
}

function batchOf(run: Batch['run']): Batch {
  return { size: BATCH, run }
}

/** Keys end in a number of this many digits. */
const DIGITS = 8
const FIRST_NUMBER = 10_000_000

function arrayHits(cache: Contestant): Batch {
  const { windowElements } = setting
  const count = Math.min(WINDOWS, Math.ceil(WINDOW_ELEMENTS / windowElements))
  const size = Math.min(BATCH, Math.ceil(BATCH_ELEMENTS / windowElements))
  const windows = Array.from({ length: count }, (_, w) =>
    Float64Array.from({ length: windowElements }, (_, i) => w * 1000 + i),
  )
  const digest = (array: Float64Array): string => createHash('md5').update(array).digest('hex')
  const get = cache.getArray ?? ((array) => cache.get(digest(array)))
  const set = cache.setArray ?? ((array, value) => cache.set(digest(array), value))
  for (const window of windows) set(window, window)
  const run = (from: number): void => {
    for (let i = 0; i < size; i++) {
      if (get(windows[(from + i) % count] as Float64Array) === undefined) missing()
    }
  }
  return { size, run }
}

function missing(): never {
  throw new Error('an entry that was just stored is missing')
}

function shuffled(entries: number): Uint32Array {
  const order = new Uint32Array(ORDER)
  let state = 12_345
  for (let i = 0; i < ORDER; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    order[i] = Math.floor((state / 2 ** 32) * entries)
  }
  return order
}
