import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodePayload, encodeEnvelope, readHeader } from '../../src/codec/envelope.js'
import { NdArray } from '../../src/key/ndarray.js'
import { RedisStore } from '../../src/l2/redis-store.js'
import { requirePython } from '../support/python.js'
import { RedisServer } from '../support/redis.js'
import { runPeer } from './peer.js'

const NAMES = ['sfeatures:BTCUSDT', 'sünï', 'n5', 'n0.1', `d${'0f'.repeat(16)}`, 'sa b', 's']

let server: RedisServer
let store: RedisStore

beforeAll(async () => {
  requirePython()
  server = await RedisServer.start()
  store = new RedisStore({ url: server.url, namespace: 'interop', buckets: 8 })
}, 300_000)

afterAll(async () => {
  await store?.close()
  await server?.stop()
})

/** The commands that Python makes for each name: put, delete. */
function commandsOf(names: readonly string[], epoch: number): Buffer[][] {
  const frames = runPeer(
    'commands',
    names.flatMap((name) => [Buffer.from(name), Buffer.from(`${epoch}`)]),
  )
  const commands: Buffer[][] = []
  for (let at = 0; at < frames.length; ) {
    const count = Number(frames[at])
    commands.push(frames.slice(at + 1, at + 1 + count))
    at += 1 + count
  }
  return commands
}

test('what Python puts is found by the store in every bucket, under a version that the server gave', async () => {
  const commands = commandsOf(NAMES, await store.epoch())
  const before = (await store.serverTime()) * 1000
  for (const [i, name] of NAMES.entries()) {
    const fence = (await store.fences([name]))[0]
    const version = Number(await server.command(...(commands[2 * i] as Buffer[])))
    const bytes = await store.get(name)
    const header = bytes === null ? undefined : readHeader(bytes)
    expect(header?.version).toBe(version)
    expect(version).toBeGreaterThan(before - 1e6)
    expect(bytes && header && decodePayload(bytes, header)?.value).toStrictEqual({
      from: 'python',
      x: new NdArray(Float64Array.of(0, 1, 2), [3]),
    })
    expect(await store.remaining(name)).toBeGreaterThan(50_000)
    // a value computed before is kept out (R3)
    const late = { name, bytes: encodeEnvelope({ freshUntil: 1 }, 'late'), ttlMs: 1000 }
    expect(fence && (await store.set({ ...late, fence }, { origin: 'node' }))).toBeUndefined()
    await server.command(...(commands[2 * i + 1] as Buffer[]))
    expect(await store.get(name)).toBeNull()
  }
})

test('its messages carry the chain on that the bus checks', async () => {
  const [put, remove] = commandsOf(['schain'], 0)
  const own = { name: 'schain', bytes: encodeEnvelope({ freshUntil: 1 }, 1), ttlMs: 1000 }
  await store.set(own, { origin: 'node' })
  await server.command(...(put as Buffer[]))
  await server.command(...(remove as Buffer[]))
  await store.delete('schain', { origin: 'node' })
  const stream = `hp:{interop#${store.bucketOf('schain')}}:bus`
  const messages = (await server.command('XRANGE', stream, '-', '+')) as [string, string[]][]
  const last = messages.slice(-4).map(([id, words]) => ({ id: `${id}`, words: words.map(String) }))
  expect(
    last.map(({ words }) => [words[0], words[1], words[2], words[3], words[4], words[6], words[8]]),
  ).toEqual(['s', 's', 'd', 'd'].map((kind) => ['k', kind, 'n', 'schain', 'v', 'o', 'p']))
  for (let i = 1; i < 4; i++) expect(last[i]?.words[9]).toBe(last[i - 1]?.id)
  const versions = last.map(({ words }) => Number(words[5]))
  expect(versions).toEqual([...versions].sort((a, b) => a - b))
})

describe('Python believes', () => {
  const tagged = encodeEnvelope({ freshUntil: 1000, epoch: 7, tags: [{ name: 'btc', version: 3 }] }, 1)
  test.each<readonly [string, Uint8Array, string, string, 'yes' | 'no']>([
    ['what is as it was', tagged, '7', '3', 'yes'],
    ['no invalidated tag', tagged, '7', '4', 'no'],
    ['no tag that is not known', tagged, '7', '', 'no'],
    ['nothing before a clear', tagged, '8', '3', 'no'],
    ['nothing stale', encodeEnvelope({ freshUntil: 999 }, 1), '', '', 'no'],
    ['no tag, no epoch', encodeEnvelope({ freshUntil: 1000 }, 1), '', '', 'yes'],
  ])('%s', (_, bytes, epoch, version, answer) => {
    expect(`${runPeer('judge', [bytes, Buffer.from(epoch), Buffer.from(version)])}`).toBe(answer)
  })
})
