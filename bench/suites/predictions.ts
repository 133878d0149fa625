/**
 * Batches of predictions through PredictionCache.
 *
 * All rows known: 256 windows of 60 x 5 float32, picked at random among those that were predicted, written into one matrix (untimed, as
 * the caller does so anyway). The peer hashes each row with `h64Raw` of a byte view made beforehand, asks lru-cache by that BigInt
 * and copies two numbers. Half of the rows new: frames of 512 samples for the pretrained network of @ricky0123/vad-web, on one
 * thread, against the same batch on the network; half were predicted before, the others are new in each batch.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { onnxModel, PredictionCache, SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import * as ort from 'onnxruntime-node'
import xxhash from 'xxhash-wasm'
import type { Contender } from '../harness/contender.js'
import { Random } from '../harness/random.js'
import { type Suite, sized } from '../harness/subject.js'
import { timed } from '../harness/timed.js'

const TTL_MS = 3_600_000
const BATCH = 256
const WINDOW = [60, 5] as const
const ELEMENTS = WINDOW[0] * WINDOW[1]
const OUTPUTS = 2

/** A batch of windows, each made of its number, and the predictions that it must get. */
class Windows {
  readonly matrix = { data: new Float32Array(BATCH * ELEMENTS), shape: [BATCH, ...WINDOW] }
  readonly out = new Float32Array(BATCH * OUTPUTS)
  readonly #ids = new Uint32Array(BATCH)

  place(at: number, id: number): void {
    const { data } = this.matrix
    for (let i = 0; i < ELEMENTS; i++) data[at * ELEMENTS + i] = id + i / 1_024
    this.#ids[at] = id
  }

  fillAtRandom(random: Random, rows: number): void {
    for (let at = 0; at < BATCH; at++) this.place(at, random.below(rows))
    this.out.fill(Number.NaN)
  }

  right(): number {
    let right = 0
    for (let at = 0; at < BATCH; at++) {
      const id = this.#ids[at]!
      if (this.out[at * OUTPUTS] === id && this.out[at * OUTPUTS + 1] === -id) right++
    }
    return right
  }

  check(): void {
    if (this.right() !== BATCH) throw new Error('a row got the prediction of another')
  }
}

/** Gives each window its number and minus that, exactly: up to 16,384 the first element is whole. */
function numbered(data: Float32Array): Float32Array {
  const rows = data.length / ELEMENTS
  const out = new Float32Array(rows * OUTPUTS)
  for (let i = 0; i < rows; i++) {
    out[i * OUTPUTS] = data[i * ELEMENTS]!
    out[i * OUTPUTS + 1] = -data[i * ELEMENTS]!
  }
  return out
}

async function known(rows: number): Promise<Contender> {
  const work = new Windows()
  const predictions = new PredictionCache({
    model: ({ data }) => numbered(data as Float32Array),
    name: 'numbered',
    version: 1,
    outputs: OUTPUTS,
    cache: SharedCache.create({ maxEntries: rows, maxBytes: rows * 512 }),
    ttl: TTL_MS,
  })
  for (let first = 0; first < rows; first += BATCH) {
    for (let at = 0; at < BATCH; at++) work.place(at, Math.min(first + at, rows - 1))
    await predictions.predict(work.matrix)
  }
  const random = new Random(11)
  const options = { out: work.out }
  const { computed: asked } = predictions.stats()
  return {
    operations: BATCH,
    before: () => work.fillAtRandom(random, rows),
    async batch() {
      const { shape } = await predictions.predict(work.matrix, options)
      return shape[0]!
    },
    after() {
      work.check()
      if (predictions.stats().computed !== asked) throw new Error('a known row was computed')
    },
  }
}

async function xxhashLru(rows: number): Promise<Contender> {
  const { h64Raw } = await xxhash()
  const work = new Windows()
  const bytes = ELEMENTS * 4
  const views = Array.from(
    { length: BATCH },
    (_, at) => new Uint8Array(work.matrix.data.buffer, at * bytes, bytes),
  )
  const cache = new LRUCache<bigint, Float32Array>({ max: rows, ttl: TTL_MS })
  for (let id = 0; id < rows; id++) {
    work.place(0, id)
    cache.set(h64Raw(views[0]!), Float32Array.of(id, -id))
  }
  const random = new Random(11)
  const { out } = work
  return {
    operations: BATCH,
    before: () => work.fillAtRandom(random, rows),
    batch() {
      let hits = 0
      for (let at = 0; at < BATCH; at++) {
        const found = cache.get(h64Raw(views[at]!))
        if (found === undefined) continue
        for (let k = 0; k < OUTPUTS; k++) out[at * OUTPUTS + k] = found[k]!
        hits++
      }
      return hits
    },
    after: () => work.check(),
  }
}

const FRAME = 512
const FRAMES = 256

const feeds = (rows: number): Readonly<Record<string, unknown>> => ({
  state: new ort.Tensor('float32', new Float32Array(2 * rows * 128), [2, rows, 128]),
  sr: new ort.Tensor('int64', BigInt64Array.of(16_000n), []),
})

async function network(): Promise<ReturnType<typeof onnxModel>> {
  const vad = dirname(createRequire(import.meta.url).resolve('@ricky0123/vad-web/package.json'))
  const session = await ort.InferenceSession.create(join(vad, 'dist', 'silero_vad_v5.onnx'), {
    intraOpNumThreads: 1,
  })
  return onnxModel(session, { input: 'input', output: 'output', feeds, Tensor: ort.Tensor })
}

/** Frames of noise: the first half of a batch the same each time, the second half new. */
class Sound {
  readonly data = new Float32Array(FRAMES * FRAME)
  readonly shape = [FRAMES, FRAME]
  readonly #random = new Random(5)

  constructor() {
    this.renew(0)
  }

  renew(from: number): void {
    for (let i = from * FRAME; i < this.data.length; i++)
      this.data[i] = this.#random.below(65_536) / 65_536 - 0.5
  }
}

async function halfKnown(): Promise<Contender> {
  const sound = new Sound()
  const cache = SharedCache.create({ maxEntries: 100_000, maxBytes: 2 ** 25 })
  const predictions = new PredictionCache({
    model: await network(),
    name: 'vad',
    version: 5,
    outputs: 1,
    cache,
  })
  await predictions.predict(sound)
  let computed = predictions.stats().computed
  return {
    operations: FRAMES,
    before: () => sound.renew(FRAMES / 2),
    batch: async () => (await predictions.predict(sound)).shape[0]!,
    after() {
      const now = predictions.stats().computed
      if (now - computed !== FRAMES / 2) throw new Error(`${now - computed} rows were computed`)
      computed = now
    },
  }
}

async function wholeBatch(): Promise<Contender> {
  const sound = new Sound()
  const model = await network()
  const { signal } = new AbortController()
  return {
    operations: FRAMES,
    before: () => sound.renew(FRAMES / 2),
    batch: async () => ((await model(sound, { signal })) as ort.Tensor).dims[0]!,
  }
}

export const suite: Suite = {
  id: 'predictions',
  title: 'Batches of predictions',
  subjects: [
    timed({
      id: 'predict-known',
      title: 'PredictionCache.predict, a row of 16,384 known windows of 60 x 5 float32, batches of 256',
      module: import.meta.url,
      contenders: {
        hitpath: (form) => known(sized(form, 16_384, 4_096)),
        'xxhash-wasm + lru-cache': (form) => xxhashLru(sized(form, 16_384, 4_096)),
      },
    }),
    timed({
      id: 'predict-half',
      title: 'PredictionCache.predict, a row of batches of 256 frames for silero VAD, half of them new',
      module: import.meta.url,
      contenders: { hitpath: halfKnown, 'the whole batch on the model': wholeBatch },
    }),
  ],
}
