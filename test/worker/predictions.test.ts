import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { SharedCache } from '../../src/index.js'

interface Answer {
  readonly answer: Float32Array
  readonly seen: readonly number[]
}

class Predictor {
  readonly #worker: Worker
  constructor(cache: SharedCache) {
    const file = new URL('./fixtures/predicting.mjs', import.meta.url)
    this.#worker = new Worker(file, { workerData: { handle: cache.handle } })
  }
  async ask(message: object): Promise<Answer> {
    const answer = once(this.#worker, 'message')
    this.#worker.postMessage(message)
    return (await answer)[0] as Answer
  }
  predict(...data: number[]): Promise<Answer> {
    return this.ask({ data: Float32Array.from(data) })
  }
  end(): Promise<number> {
    return this.#worker.terminate()
  }
}

test('threads share what they predicted, and what they invalidated', async () => {
  const cache = SharedCache.create({ maxBytes: 2 ** 22 })
  const [a, b] = [new Predictor(cache), new Predictor(cache)]
  try {
    expect(await a.predict(1, 2, 3, 4)).toEqual({ answer: Float32Array.of(3, 7), seen: [1, 3] })
    expect(await b.predict(3, 4, 5, 6)).toEqual({ answer: Float32Array.of(7, 11), seen: [5] })
    await b.ask({ invalidate: 'BTC' })
    expect(await a.predict(1, 2)).toEqual({ answer: Float32Array.of(3), seen: [1] })
    expect(await b.predict(1, 2, 5, 6)).toEqual({ answer: Float32Array.of(3, 11), seen: [5] })
    // At once, over the same rows.
    for (let round = 0; round < 30; round++) {
      const data = Array.from({ length: 400 }, (_, i) => (i >> 1) + round * 50 + (i & 1))
      const wanted = Float32Array.from({ length: 200 }, (_, i) => 2 * (i + round * 50) + 1)
      const answers = await Promise.all([a.predict(...data), b.predict(...data)])
      for (const { answer } of answers) expect(answer).toEqual(wanted)
    }
    cache.validate()
  } finally {
    await Promise.all([a.end(), b.end()])
  }
})
