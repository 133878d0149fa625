/** Snapshots while threads write, and while the process dies. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LocalCache, SharedCache } from '../../src/index.js'

const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hitpath-snapshot-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

test('a cache that workers write is saved in whole entries, and restored while they write', async () => {
  const file = join(folder, 'cache.snapshot')
  const cache = SharedCache.create<Float64Array>({ maxBytes: 16 * 2 ** 20, maxEntries: 5000 })
  const workers = [1, 2].map(
    (seed) => new Worker(fixture('snapshot-writer.mjs'), { workerData: { handle: cache.handle, seed } }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  for (let round = 0; round < 5; round++) {
    await cache.save(file)
    const copy = SharedCache.create<Float64Array>({ maxBytes: 4 * 2 ** 20, shards: 2 })
    const { restored, kept, entries } = await copy.restore(file)
    // A key that went and came again while it was saved may be there twice.
    expect(restored + kept).toBe(entries)
    expect(copy.size).toBeLessThanOrEqual(restored) // it is smaller
    expect(entries).toBeGreaterThan(0)
    for (const [key, value] of copy.entries())
      expect(value.every((word) => word === value[0] && `key ${word}` === key)).toBe(true)
    copy.validate()
    copy.close()
    await cache.restore(file, { onConflict: 'replace' })
  }
  await Promise.all(
    workers.map(async (worker) => {
      worker.postMessage('stop')
      await once(worker, 'exit')
    }),
  )
  for (const [key, value] of cache.entries()) expect(`key ${value[0]}`).toBe(key)
  cache.validate()
})

test('a process that is killed while it saves leaves the file that was there', async () => {
  const file = join(folder, 'cache.snapshot')
  await new LocalCache<string>().set('old', 'whole').save(file)
  for (let round = 0; round < 4; round++) {
    const child = spawn(
      process.execPath,
      [fileURLToPath(fixture('snapshot-saver.mjs')), file, String(round)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    await once(child.stdout, 'data') // that many blocks are written
    child.kill('SIGKILL')
    await once(child, 'exit')
    const cache = new LocalCache<string>()
    expect(await cache.restore(file)).toMatchObject({ restored: 1 })
    expect(cache.get('old')).toBe('whole')
  }
  expect((await readdir(folder)).length).toBeGreaterThan(1)
})

test('a worker that is terminated while it restores harms nobody', async () => {
  const file = join(folder, 'cache.snapshot')
  const full = SharedCache.create({ maxBytes: 32 * 2 ** 20, maxEntries: 100_000 })
  for (let i = 0; i < 50_000; i++) full.set(`key ${i}`, Float64Array.of(i, i))
  await full.save(file)
  for (let round = 0; round < 2; round++) {
    const cache = SharedCache.create<Float64Array>({ maxBytes: 32 * 2 ** 20, maxEntries: 100_000 })
    const worker = new Worker(fixture('snapshot-restorer.mjs'), {
      workerData: { handle: cache.handle, file, blocks: round },
    })
    await once(worker, 'message')
    await worker.terminate()
    cache.validate()
    for (const [key, value] of cache.entries()) expect(`key ${value[0]}`).toBe(key)
    expect(await cache.restore(file)).toMatchObject({ entries: 50_000 })
    expect(cache.size).toBe(50_000)
    cache.close()
  }
})
