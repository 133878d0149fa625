/** Inspect against a real server that real caches filled. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.js'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { TieredCache } from '../../../src/tiered/tiered-cache.js'
import { RedisServer } from '../../support/redis-server.js'
import { hitpath, type Settings } from '../../unit/cli/recording-terminal.js'

let server: RedisServer

beforeAll(async () => {
  server = await RedisServer.start()
  const store = new RedisStore({ port: server.port })
  const cache = new TieredCache({ l2: store, namespace: 'prices', compressAbove: 5000, jitter: 0 })
  for (let i = 0; i < 40; i++) {
    const tags = [i % 2 === 0 ? 'even' : 'odd']
    await cache.set(
      `features:S${i}`,
      Float64Array.from({ length: 16 }, () => i),
      { tags, ttl: '10m' },
    )
  }
  for (let i = 0; i < 10; i++) await cache.set(i, { bid: i, ask: i + 1 }, { ttl: '10m' })
  await cache.set(Float32Array.of(1, 2), new Float32Array(4096), { ttl: Number.POSITIVE_INFINITY })
  await cache.set('model:a', '\u001b[31mred', { grace: '1h' })
  await cache.invalidateTag('odd')
  const predictions = cache.namespace('predictions')
  for (let i = 0; i < 5; i++) await predictions.set(`p${i}`, i)
  await cache.close()
  await store.close()
})

afterAll(() => server.stop())

function inspect(args: readonly string[], settings?: Settings) {
  return hitpath(['inspect', '--redis', server.url, ...args], settings)
}

async function json(...args: string[]) {
  const { out } = await inspect(['--json', ...args])
  return JSON.parse(out)
}

test('without a namespace it lists those that there are, and reads no value', async () => {
  const said = await json()
  expect(said.namespaces).toEqual([
    expect.objectContaining({ name: expect.stringContaining('prices') }),
    expect.objectContaining({ name: expect.stringContaining('prices') }),
  ])
  const counts = Object.fromEntries(
    said.namespaces.map(({ name, entries }: { name: string; entries: number }) => [name, entries]),
  )
  expect(counts).toEqual({ prices: 52, 'prices:predictions': 5 })
  expect(said.walk.complete).toBe(true)
  expect(said.entries).toBeUndefined()
  const { out } = await inspect([])
  expect(out).toMatch(/^ {2}\d+ keys seen: all of them$/m)
})

test('a namespace with those within it: kinds, types, tags, times', async () => {
  const said = await json('--namespace', 'prices')
  expect(said.entries).toMatchObject({ read: 57, damaged: 0, foreign: 0, compressed: 1, negative: 0 })
  expect(said.kinds).toEqual({ string: 46, number: 10, array: 1 })
  expect(said.states).toEqual({ fresh: 37, stale: 0, expired: 0, cleared: 0, tag: 20 })
  expect(said.groups).toMatchObject({ 'features:': 40, 'model:': 1 })
  expect(said.arrays).toMatchObject({ 'float64 [16]': { count: 40 }, 'float32 [4096]': { count: 1 } })
  expect(said.tags).toEqual({ even: 20, odd: 20 })
  expect(said.formats).toEqual({ 1: 57 })
  expect(said.ttls.never).toBe(1)
  expect(said.hottest.by).toBe('idle time')
  expect(said.hottest.keys).toHaveLength(10)
  expect(said.entries.payloadBytes).toBeGreaterThan(said.entries.envelopeBytes)
})

test('a sibling whose name begins the same is not counted', async () => {
  const said = await json('--namespace', 'price')
  expect(said.namespaces).toEqual([])
})

test('a glob takes the string keys that match', async () => {
  const said = await json('--namespace', 'prices', '--match', 'features:S1*')
  expect(said.kinds).toEqual({ string: 11, number: 0, array: 0 })
  expect(said.states).toMatchObject({ tag: 6, fresh: 5 })
})

test('a limit makes a sample, and the output says of how much', async () => {
  const { out } = await inspect(['--namespace', 'prices', '--limit', '5'])
  expect(out).toMatch(/5 entries read: a sample \(--limit 5\)/)
  const said = await json('--namespace', 'prices', '--limit', '5')
  expect(said.entries.read).toBe(5)
  expect(said.walk.complete).toBe(false)
})

test('a limit that leaves nothing out makes none', async () => {
  const { out } = await inspect(['--namespace', 'prices', '--limit', '57'])
  expect(out).toContain('57 entries read: all of them')
})

test('as text', async () => {
  const { out, code } = await inspect(['--namespace', 'prices'])
  expect(code).toBe(0)
  for (const heading of [
    'entries',
    'types',
    'arrays',
    'tags',
    'bytes of an entry',
    'time to live left',
    'hottest by',
  ])
    expect(out).toContain(`\n  ${heading}`)
  expect(out).not.toContain('unreadable, for example')
  expect(out).not.toContain('\u001b')
})

describe('one key', () => {
  test('that a read takes', async () => {
    const one = await json('--namespace', 'prices', '--key', 'features:S2')
    expect(one).toMatchObject({
      state: 'fresh',
      type: 'float64',
      shape: [16],
      redisKey: 'hp:{prices#0}:e:sfeatures:S2',
    })
    expect(one.envelope.tags).toEqual([
      { name: 'even', version: expect.any(Number), current: expect.any(Number) },
    ])
    expect(one.value).toContain('Float64Array(16)')
    expect(one.ttlMs).toBeGreaterThan(0)
  })

  test('whose tag was invalidated', async () => {
    const { out, code } = await inspect(['--namespace', 'prices', '--key', 'features:S3'])
    expect(code).toBe(0)
    expect(out).toMatch(/state +tag: its tag odd was invalidated/)
    expect(out).toMatch(/tag +odd at \d+: invalidated since, at \d+/)
  })

  test('that is a number, and one that is a digest', async () => {
    expect(await json('--namespace', 'prices', '--key', '7')).toMatchObject({ name: 'n7', type: 'object' })
    const { name } =
      (await json('--namespace', 'prices')).hottest.keys.find(
        (key: { name: string }) => key.name[0] === 'd',
      ) ?? {}
    const digest = name ?? `d${(await digestName()).slice(1)}`
    const one = await json('--namespace', 'prices', '--key', digest.slice(1))
    expect(one).toMatchObject({ name: digest, ttlMs: null, envelope: { compressed: true, deadInMs: null } })
  })

  test('whose value would change the terminal', async () => {
    const { out } = await inspect(['--namespace', 'prices', '--key', 'model:a'])
    expect(out).toContain("'\\x1B[31mred'")
    expect(out).toMatch(/served stale +for/)
  })

  test('that is not there', async () => {
    expect(await inspect(['--namespace', 'prices', '--key', 'nothing'])).toMatchObject({
      code: 1,
      err: 'hitpath: prices has no entry nothing\n',
    })
  })
})

async function digestName(): Promise<string> {
  const [, keys] = (await server.command('scan', 0, 'MATCH', 'hp:{prices#0}:e:d*', 'COUNT', 1000)) as [
    string,
    string[],
  ]
  return keys[0]?.split(':e:')[1] ?? ''
}

describe('what is damaged or foreign', () => {
  const whole = encodeEnvelope({ freshUntil: Number.POSITIVE_INFINITY }, { bid: 1 })
  const later = Buffer.from(whole)
  later[2] = 9

  beforeAll(async () => {
    await server.command('set', 'hp:{broken#0}:e:swhole', whole)
    await server.command('set', 'hp:{broken#0}:e:scut', whole.subarray(0, whole.length - 3))
    await server.command('set', 'hp:{broken#0}:e:slater', later)
    await server.command('set', 'hp:{broken#0}:e:sjson', '{"bid":1}')
    await server.command('set', 'hp:{broken#0}:e:sempty', '')
    await server.command('hset', 'hp:{broken#0}:e:shash', 'a', '1')
    await server.command('set', 'hp:{broken#0}:zzz', 'x')
    await server.command('set', 'hp:{broken#0}:e:s\u001b[2J', 'x')
  })

  test('is counted, shown and an exit code', async () => {
    const { out, code } = await inspect(['--namespace', 'broken', '--json'])
    const said = JSON.parse(out)
    expect(code).toBe(1)
    expect(said.entries).toMatchObject({ read: 6, damaged: 2, foreign: 4 })
    expect(said.strangeKeys).toBe(1)
    expect(said.formats).toEqual({ 1: 1, 9: 1 })
    const text = await inspect(['--namespace', 'broken'])
    expect(text.out).toContain('2 damaged, 4 foreign')
    expect(text.out).toContain('broken scut: the head of the envelope contradicts itself')
    expect(text.out).not.toContain('\u001b')
  })

  test.each([
    ['whole', 'fresh', 0],
    ['cut', 'damaged', 1],
    ['later', 'damaged', 1],
    ['json', 'foreign', 0],
    ['hash', 'foreign', 0],
  ])('%s is %s', async (key, state, code) => {
    const said = await inspect(['--namespace', 'broken', '--key', key, '--json'])
    expect(JSON.parse(said.out).state).toBe(state)
    expect(said.code).toBe(code)
  })
})

test('an entry in another bucket than ours is found, and said to be', async () => {
  const store = new RedisStore({ port: server.port, buckets: 4, namespace: 'spread' })
  const name = Array.from({ length: 20 }, (_, i) => `s${i}`).find(
    (each) => store.bucketOf(each) === 3,
  ) as string
  const bytes = encodeEnvelope({ freshUntil: Number.POSITIVE_INFINITY }, 1)
  await store.set({ name, bytes, ttlMs: 60_000 }, { origin: 'me' })
  await store.close()
  const key = name.slice(1)
  expect(await json('--namespace', 'spread', '--key', key)).toMatchObject({ strayBucket: 3 })
  expect(await json('--namespace', 'spread', '--buckets', '4', '--key', key)).not.toHaveProperty(
    'strayBucket',
  )
})

test('a walk that is interrupted shows what was seen', async () => {
  const many = await RedisServer.start()
  try {
    const words = Array.from({ length: 6000 }, (_, i) => [`hp:{many#0}:e:s${i}`, 'x']).flat()
    await many.command('mset', ...words)
    const stop = new AbortController()
    const said = await hitpath(['inspect', '--redis', many.url, '--namespace', 'many'], {
      signal: stop.signal,
      onProgress: (text) => {
        if (text.includes('walked')) stop.abort()
      },
    })
    expect(said.out).toMatch(/entries read: a sample \(interrupted\) of about [\d,]+ keys/)
    const about = Number(/about ([\d,]+) keys/.exec(said.out)?.[1]?.replaceAll(',', ''))
    expect(about).toBeGreaterThan(3000)
    expect(about).toBeLessThan(12_000)
  } finally {
    await many.stop()
  }
})

test('a server that is not there is a sentence, and no stack', async () => {
  const said = await hitpath(['inspect', '--redis', 'redis://:geheim@127.0.0.1:1'])
  expect(said).toMatchObject({ code: 1, out: '', err: 'hitpath: connect ECONNREFUSED 127.0.0.1:1\n' })
})
