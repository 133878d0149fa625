// Another thread that bumps a name whenever it is asked to, and says so once the bump has returned.
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
const { Generations } = await import('../../../src/coherence/generations.ts')
const { buffer, rounds, turns } = workerData
const generations = new Generations(buffer)
const turn = new Int32Array(turns)
for (let round = 0; round < rounds; round++) {
  Atomics.wait(turn, 0, 2 * round)
  generations.bump(`s${round % 7}`)
  Atomics.store(turn, 0, 2 * round + 2)
  Atomics.notify(turn, 0)
}
