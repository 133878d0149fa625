/** Many processes ask for one cold key at once. */
import { expect, test } from 'vitest'
import { Child } from '../../support/processes.js'
import { RedisServer } from '../../support/redis.js'
import type { functions } from './asking.js'

async function factoryCalls(lease: number | false): Promise<number> {
  const server = await RedisServer.start()
  const script = new URL('./asking.ts', import.meta.url)
  const children = await Promise.all(Array.from({ length: 4 }, () => Child.start<typeof functions>(script)))
  try {
    await Promise.all(children.map((child) => child.call('open', server.port, lease)))
    const values = await Promise.all(children.map((child) => child.call('ask', 'key', 250)))
    for (const seen of values) expect(seen).toHaveLength(1)
    if (lease !== false) expect(new Set(values.flat()).size).toBe(1)
    const calls = await Promise.all(children.map((child) => child.call('calls')))
    return calls.reduce((sum, count) => sum + count, 0)
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    await server.stop()
  }
}

test('1,000 questions in four processes: the factory runs once with a lease', async () => {
  expect(await factoryCalls(30_000)).toBe(1)
})

test('1,000 questions in four processes: once a process, at most, without', async () => {
  expect(await factoryCalls(false)).toBeLessThanOrEqual(4)
})
