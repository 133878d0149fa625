/** A real network of convolutions and an LSTM behind the cache: silero VAD v5, as @ricky0123/vad-web carries it. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { beforeAll, expect, test } from 'vitest'
import { onnxModel, PredictionCache, SharedCache } from '../../../src/index.js'

const SAMPLES = 512
const vad = dirname(createRequire(import.meta.url).resolve('@ricky0123/vad-web/package.json'))
let session: ort.InferenceSession

beforeAll(async () => {
  session = await ort.InferenceSession.create(join(vad, 'dist', 'silero_vad_v5.onnx'), {
    intraOpNumThreads: 1,
  })
})

const feeds = (rows: number) => ({
  state: new ort.Tensor('float32', new Float32Array(2 * rows * 128), [2, rows, 128]),
  sr: new ort.Tensor('int64', BigInt64Array.of(16_000n), []),
})

/** Frames of sound: row i is a chord of its own. */
function frames(...ids: number[]): { data: Float32Array; shape: number[] } {
  const data = new Float32Array(ids.length * SAMPLES)
  for (const [i, id] of ids.entries()) {
    for (let t = 0; t < SAMPLES; t++)
      data[i * SAMPLES + t] = 0.3 * Math.sin(t * (0.02 + id / 300)) + 0.2 * Math.sin(t * (0.11 + id / 77))
  }
  return { data, shape: [ids.length, SAMPLES] }
}

async function direct(...ids: number[]): Promise<Float32Array> {
  const { data, shape } = frames(...ids)
  const { output } = await session.run({
    ...feeds(ids.length),
    input: new ort.Tensor('float32', data, shape),
  })
  return (output as ort.Tensor).data as Float32Array
}

function cached(): { predictions: PredictionCache; rows: number[] } {
  const rows: number[] = []
  const model = onnxModel(session, { input: 'input', output: 'output', feeds, Tensor: ort.Tensor })
  const predictions = new PredictionCache({
    model: (asked, context) => {
      rows.push(asked.shape[0] as number)
      return model(asked, context)
    },
    name: 'silero-vad',
    version: 5,
    outputs: 1,
    cache: SharedCache.create({ maxBytes: 2 ** 22 }),
  })
  return { predictions, rows }
}

test('row by row, predictions through the cache are those without it, bit for bit', async () => {
  const { predictions, rows } = cached()
  const ids = [1, 2, 3, 4, 5, 6, 7, 8]
  for (const id of ids) expect((await predictions.predict(frames(id))).data).toEqual(await direct(id))
  const together = await predictions.predict(frames(...ids, ...ids))
  const alone = await Promise.all(ids.map((id) => direct(id)))
  expect([...together.data]).toEqual([...alone, ...alone].map(([value]) => value))
  expect(rows).toEqual(ids.map(() => 1))
})

test('a batch that is half known asks the network for the other half; the network may round batches otherwise', async () => {
  const { predictions, rows } = cached()
  const known = [10, 11, 12, 13]
  expect((await predictions.predict(frames(...known))).data).toEqual(await direct(...known))
  const mixed = [20, 10, 21, 11, 20, 22, 12, 13]
  const tensor = frames(...mixed)
  const answer = await predictions.predict(new ort.Tensor('float32', tensor.data, tensor.shape))
  expect(rows).toEqual([4, 3])
  const whole = await direct(...mixed)
  for (const [i, value] of whole.entries()) expect(answer.data[i]).toBeCloseTo(value, 6)
})

test('an output that the session does not have, and rows that it does not take', async () => {
  const cache = SharedCache.create({ maxBytes: 2 ** 20 })
  const options = { name: 'silero', version: 5, outputs: 1, cache }
  const wrong = onnxModel(session, { input: 'input', output: 'probability', feeds, Tensor: ort.Tensor })
  await expect(new PredictionCache({ ...options, model: wrong }).predict(frames(1))).rejects.toMatchObject({
    code: 'INVALID_VALUE',
  })
  const model = onnxModel(session, { input: 'input', output: 'output', feeds, Tensor: ort.Tensor })
  const ints = { data: new Int32Array(SAMPLES), shape: [1, SAMPLES] }
  await expect(new PredictionCache({ ...options, model }).predict(ints)).rejects.toThrow()
})
