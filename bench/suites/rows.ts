/**
 * Rows of a matrix as keys: a prediction batch whose rows have all been seen.
 *
 * The matrix is one buffer that the caller fills for each batch with rows picked at random (untimed, as the caller
 * does so anyway); its rows are float64, and so are the four predictions stored for each. The peer walks the rows:
 * `h64Raw` of a byte view made beforehand, lru-cache by that BigInt, a loop that copies four numbers.
 */
import { SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import xxhash from 'xxhash-wasm'
import type { Contender } from '../harness/contender.js'
import { Random } from '../harness/random.js'
import { type Form, type Suite, sized } from '../harness/subject.js'
import { type TimedSubject, timed } from '../harness/timed.js'

const TTL_MS = 3_600_000
const PREDICTIONS = 4

interface Shape {
  readonly rows: number
  /** Values in a row. */
  readonly width: number
  readonly batch: number
}

/** The matrix of a batch, the predictions it gets, and which row stands where. */
class Batch {
  readonly matrix: { readonly data: Float64Array; readonly shape: readonly [number, number] }
  readonly out: { readonly data: Float64Array; readonly shape: readonly [number, number] }
  readonly found: Uint8Array
  readonly #ids: Uint32Array
  readonly #width: number

  constructor({ width, batch }: Shape) {
    this.matrix = { data: new Float64Array(batch * width), shape: [batch, width] }
    this.out = { data: new Float64Array(batch * PREDICTIONS), shape: [batch, PREDICTIONS] }
    this.found = new Uint8Array(batch)
    this.#ids = new Uint32Array(batch)
    this.#width = width
  }

  /** Puts row `id` of the data set at position `at`, and forgets what was predicted there. */
  place(at: number, id: number): void {
    const { data } = this.matrix
    const start = at * this.#width
    for (let column = 0; column < this.#width; column++) data[start + column] = id + column / 1_024
    this.#ids[at] = id
    this.found[at] = 0
    this.out.data.fill(Number.NaN, at * PREDICTIONS, (at + 1) * PREDICTIONS)
  }

  fillAtRandom(random: Random, rows: number): void {
    for (let at = 0; at < this.#ids.length; at++) this.place(at, random.below(rows))
  }

  /** Fills `out` with what belongs to the rows: what a caller would have computed. */
  predict(): void {
    for (let at = 0; at < this.#ids.length; at++) {
      for (let k = 0; k < PREDICTIONS; k++)
        this.out.data[at * PREDICTIONS + k] = prediction(this.#ids[at]!, k)
    }
  }

  check(): void {
    for (let at = 0; at < this.#ids.length; at++) {
      for (let k = 0; k < PREDICTIONS; k++) {
        if (this.out.data[at * PREDICTIONS + k] !== prediction(this.#ids[at]!, k)) {
          throw new Error(`row ${this.#ids[at]} got the prediction of another`)
        }
      }
    }
  }
}

function prediction(id: number, k: number): number {
  return id + k / 4
}

function hitpath(shape: Shape): Contender {
  const { rows, batch } = shape
  // An entry's digest, slot and 32 bytes of predictions; twice that, so that nothing is evicted.
  const cache = SharedCache.create({ maxEntries: rows, maxBytes: Math.max(rows * 512, 2 ** 24), ttl: TTL_MS })
  const work = new Batch(shape)
  for (let first = 0; first < rows; first += batch) {
    for (let at = 0; at < batch; at++) work.place(at, Math.min(first + at, rows - 1))
    work.predict()
    cache.setRows(work.matrix, work.out, work.found)
  }
  const random = new Random(11)
  return {
    operations: batch,
    before: () => work.fillAtRandom(random, rows),
    batch: () => cache.getRows(work.matrix, work.out, work.found),
    after: () => work.check(),
  }
}

async function xxhashLru(shape: Shape): Promise<Contender> {
  const { h64Raw } = await xxhash()
  const { rows, batch, width } = shape
  const work = new Batch(shape)
  const views = Array.from(
    { length: batch },
    (_, at) => new Uint8Array(work.matrix.data.buffer, at * width * 8, width * 8),
  )
  const cache = new LRUCache<bigint, Float64Array>({ max: rows, ttl: TTL_MS })
  for (let id = 0; id < rows; id++) {
    work.place(0, id)
    cache.set(
      h64Raw(views[0]!),
      Float64Array.from({ length: PREDICTIONS }, (_, k) => prediction(id, k)),
    )
  }
  const random = new Random(11)
  const out = work.out.data
  return {
    operations: batch,
    before: () => work.fillAtRandom(random, rows),
    batch() {
      let hits = 0
      for (let at = 0; at < batch; at++) {
        const found = cache.get(h64Raw(views[at]!))
        if (found === undefined) continue
        const start = at * PREDICTIONS
        for (let k = 0; k < PREDICTIONS; k++) out[start + k] = found[k]!
        hits++
      }
      return hits
    },
    after: () => work.check(),
  }
}

const hit = (id: string, title: string, shape: (form: Form) => Shape): TimedSubject =>
  timed({
    id,
    title,
    module: import.meta.url,
    contenders: {
      hitpath: (form) => hitpath(shape(form)),
      'xxhash-wasm + lru-cache': (form) => xxhashLru(shape(form)),
    },
  })

export const suite: Suite = {
  id: 'rows',
  title: 'Rows of a matrix as keys',
  subjects: [
    hit('rows-2k', 'SharedCache.getRows, a row of 2,048 x 256 B, batches of 256', () => ({
      rows: 2_048,
      width: 32,
      batch: 256,
    })),
    hit('rows-1m', 'SharedCache.getRows, a row of 1,000,000 x 256 B, batches of 256', (form) => ({
      rows: sized(form, 1_000_000, 200_000),
      width: 32,
      batch: 256,
    })),
    hit('rows-5kb', 'SharedCache.getRows, a row of 20,000 x 4.8 KB, batches of 64', () => ({
      rows: 20_000,
      width: 600,
      batch: 64,
    })),
  ],
}
