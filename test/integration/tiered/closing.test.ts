/** What is left behind: nothing. What invalidating many costs: one number. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Child } from '../../support/processes.js'
import { command, RedisServer, waitFor } from '../../support/redis.js'
import type { functions } from './skewed-writer.js'
import { World } from './world.js'

test('after close nothing keeps the process alive, and no connection is left', async () => {
  const server = await RedisServer.start()
  try {
    const script = fileURLToPath(new URL('./closing-program.ts', import.meta.url))
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', script, String(server.port)],
      { encoding: 'utf8', timeout: 50_000 },
    )
    expect([status, stdout, stderr]).toEqual([0, 'closed\n', ''])
    const clients = String(await command(server.port, 'client', 'list'))
      .trim()
      .split('\n')
    expect(clients).toHaveLength(1)
  } finally {
    await server.stop()
  }
})

test('a process that is killed while it holds a lease: another computes when the lease is over', async () => {
  await using world = await World.start()
  const a = await world.client({ lease: 300 })
  const holder = await Child.start<typeof functions>(new URL('./skewed-writer.ts', import.meta.url))
  try {
    await holder.call('open', world.server.port)
    await holder.call('hang', 'key')
    const made = a.cache.getOrSet('key', () => 'made here')
    await holder.stop()
    expect(await made).toBe('made here')
  } finally {
    await holder.stop()
  }
})

test('a tag of 100,000 entries is invalidated within a millisecond of the event loop', async () => {
  await using world = await World.start()
  const a = await world.client({ maxEntries: 150_000 })
  for (let i = 0; i < 100; i++) {
    const batch = Array.from({ length: 1000 }, (_, j) => [i * 1000 + j, j, { tags: ['t'] }] as const)
    await a.cache.setMany(batch)
  }
  // So many changes overrun the stream, and the gap empties the first tier: it is filled again.
  const keys = Array.from({ length: 1000 }, (_, j) => j)
  await waitFor('a full first tier', async () => {
    for (let i = 0; i < 100; i++) await a.cache.getMany(keys.map((j) => i * 1000 + j))
    return a.cache.getSync(5) === 5 && a.cache.getSync(99_999) === 999
  })
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 20; i++) {
    const version = (Date.now() + i) * 1000
    const begin = performance.now()
    a.bus.deliver({ kind: 'tag', name: 't', version, origin: 'other', bucket: 0 })
    best = Math.min(best, performance.now() - begin)
  }
  expect(best).toBeLessThan(1)
  expect(a.cache.getSync(99_999)).toBeUndefined()
  expect(a.cache.getSync(5)).toBeUndefined()
})
