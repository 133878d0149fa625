import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { SharedCache, type SharedCacheHandle } from '../../src/index.js'

function file(name: string): URL {
  return new URL(`./fixtures/${name}`, import.meta.url)
}

/** The first message of a worker. */
function answer<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject)
  })
}

function ended(worker: Worker): Promise<number> {
  return new Promise((resolve) => worker.once('exit', resolve))
}

function child(name: string, ...flags: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...flags, fileURLToPath(file(name))], {
    encoding: 'utf8',
    timeout: 50_000,
  })
}

describe('the handle of a SharedCache', () => {
  test('goes to a worker and back', async () => {
    const cache = SharedCache.create<unknown>({ maxBytes: 2 ** 20 })
    cache.set('from main', 'text')
    const worker = new Worker(file('echo.mjs'), { workerData: { handle: cache.handle } })
    const exit = ended(worker)
    const handle = await answer<SharedCacheHandle>(worker)
    await exit
    const expected = { array: new Float64Array(600).fill(2), text: 'text' }
    expect(cache.get('from worker')).toEqual(expected)
    expect(SharedCache.attach(handle).get('from worker')).toEqual(expected)
    cache.validate()
  })

  test('made in a worker that has ended, serves main', async () => {
    const worker = new Worker(file('echo.mjs'), { workerData: { create: 7 } })
    const exit = ended(worker)
    const handle = await answer<SharedCacheHandle>(worker)
    await exit
    const cache = SharedCache.attach<Float64Array | number>(handle)
    expect(cache.get('made')).toEqual(new Float64Array(600).fill(7))
    for (let i = 0; i < 5000; i++) cache.set(`new${i}`, i)
    expect(cache.get('new4999')).toBe(4999)
    cache.validate()
  })
})

test('eight workers load the module at once', async () => {
  const workers = Array.from({ length: 8 }, () => new Worker(file('echo.mjs')))
  const exits = workers.map(ended)
  expect(await Promise.all(workers.map((worker) => answer(worker)))).toEqual(new Array(8).fill(1))
  await Promise.all(exits)
})

test('four workers lose no update, read no torn value and nothing that expired', async () => {
  const cache = SharedCache.create<Float64Array>({ maxBytes: 2 ** 24, shards: 2 })
  const workers = Array.from(
    { length: 4 },
    (_, id) =>
      new Worker(file('torn.mjs'), {
        workerData: { handle: cache.handle, id, workers: 4, operations: 3000 },
      }),
  )
  const exits = workers.map(ended)
  expect(await Promise.all(workers.map((worker) => answer(worker)))).toEqual([[], [], [], []])
  await Promise.all(exits)
  cache.validate()
  for (let id = 0; id < 4; id++)
    for (let i = 0; i < 20; i++) expect(cache.get(`own:${id}:${i}`)?.[0]).toBe(id * 1e7 + 2980 + i)
  expect(cache.stats().evictions).toBe(0)
})

test('forty workers are terminated at any moment; the region stays sound and their pins come back', async () => {
  const cache = SharedCache.create<unknown>({ maxBytes: 2 ** 20, maxEntries: 500, shards: 2 })
  for (let round = 0; round < 20; round++) {
    const workers = [0, 1].map(
      (i) => new Worker(file('churn.mjs'), { workerData: { handle: cache.handle, seed: round * 2 + i } }),
    )
    await Promise.all(workers.map((worker) => answer(worker)))
    const until = performance.now() + ((round * 7) % 40)
    while (performance.now() < until) {
      cache.set(`key:${round}`, new Float64Array(600).fill(round))
      cache.getInto(`key:${round}`, new Float64Array(600))
    }
    await Promise.all(workers.map((worker) => worker.terminate()))
    cache.validate()
  }
  cache.clear()
  expect([cache.size, cache.stats().pinnedBytes]).toEqual([0, 0])
  for (let i = 0; i < 100; i++)
    expect(cache.set(`after${i}`, new Float64Array(600).fill(i)).get(`after${i}`)).toEqual(
      new Float64Array(600).fill(i),
    )
  cache.validate()
})

describe('in a process of its own', () => {
  test('the addon is loaded by workers only, and unloaded with the last', () => {
    expect(child('only-workers.mjs')).toMatchObject({ status: 0, stdout: 'done\n', stderr: '' })
  })

  test('errors that native code causes while a worker is terminated abort nothing', () => {
    expect(child('throwing.mjs')).toMatchObject({ status: 0, stdout: 'done\n', stderr: '' })
  })

  test('import and require of the package share a region', () => {
    expect(child('both-modules.cjs')).toMatchObject({ status: 0, stdout: '1 2 1 2\n', stderr: '' })
  })
})
