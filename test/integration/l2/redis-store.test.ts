/** RedisStore over one server and over a Cluster, with both versions of ioredis: every method, and what it leaves in Redis. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { RedisCluster, RedisServer, waitFor } from '../../support/redis.js'
import { envelope, heard, me, other, VERSIONS, versionIn, write } from './fixtures.js'

let server: RedisServer
let cluster: RedisCluster

beforeAll(async () => {
  server = await RedisServer.start()
  cluster = await RedisCluster.start()
})

afterAll(async () => {
  await server.stop()
  await cluster.stop()
})

/** What is tested here is no timeout, and the machine may be busy. */
const PATIENCE = '20s'

const places = VERSIONS.flatMap(({ ioredis, makeRedis, makeCluster }) => [
  {
    place: `one server, ${ioredis}`,
    flush: () => server.flushAll(),
    make: () =>
      new RedisStore({ createClient: () => makeRedis({ port: server.port }), commandTimeout: PATIENCE }),
  },
  {
    place: `a Cluster, ${ioredis}`,
    flush: () => cluster.flushAll(),
    make: () =>
      new RedisStore({
        createClient: () => makeCluster(cluster.startupNodes),
        commandTimeout: PATIENCE,
      }),
  },
])

describe.each(places)('RedisStore over $place', ({ flush, make }) => {
  let store: RedisStore

  beforeEach(async () => {
    await flush()
    store = make()
  })

  afterEach(() => store.close())

  async function allHeard() {
    const buckets = Array.from({ length: store.buckets }, (_, bucket) => heard(store, bucket))
    return (await Promise.all(buckets)).flat()
  }

  test('an absent name is null; a written one has its bytes and its version', async () => {
    expect(await store.get('sa')).toBe(null)
    const version = await store.set(write('sa', 1), me)
    const bytes = await store.get('sa')
    expect(versionIn(bytes)).toBe(version)
    const rest = Buffer.from(bytes as Buffer)
    rest.fill(0, 24, 32)
    expect(rest).toEqual(envelope(1))
  })

  test('versions grow, and are about the time in microseconds', async () => {
    const versions: number[] = []
    for (let i = 0; i < 20; i++) versions.push((await store.set(write('sa', i), me)) as number)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
    expect(new Set(versions).size).toBe(20)
    expect(Math.abs((versions[0] as number) / 1000 - Date.now())).toBeLessThan(60_000)
  })

  test('many names: aligned, with misses and repetitions', async () => {
    const names = Array.from({ length: 1500 }, (_, i) => `s${i}`)
    const versions = await store.setMany(
      names.map((name, i) => write(name, i)),
      me,
    )
    expect(versions.every((version) => typeof version === 'number')).toBe(true)
    const found = await store.getMany(['s7', 'none', ...names, 's7'])
    expect(found.length).toBe(1503)
    expect(found[1]).toBe(null)
    expect(found[0]).toEqual(found[1502])
    expect(found.slice(2, 1502).map(versionIn)).toEqual(versions)
    expect(await store.getMany([])).toEqual([])
    expect(await store.setMany([], me)).toEqual([])
  })

  test('names and values are binary safe', async () => {
    const names = [
      's',
      's\0\r\n',
      's*?[]\\{}',
      'sé',
      's😀',
      's\ud83d',
      's\ude00',
      's\ud83d\ud83d',
      `d${'ab'.repeat(16)}`,
      'n1.5',
    ]
    await store.setMany(
      names.map((name) => write(name, name)),
      me,
    )
    const found = await store.getMany(names)
    expect(found.every((bytes) => bytes !== null)).toBe(true)
    expect(new Set(found.map((bytes) => bytes?.subarray(48).toString('hex'))).size).toBe(names.length)
    const raw = Buffer.concat([
      envelope(0).subarray(0, 40),
      Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)),
    ])
    await store.set({ name: 'sraw', bytes: new Uint8Array(raw), ttlMs: 1000 }, me)
    expect((await store.get('sraw'))?.subarray(40)).toEqual(raw.subarray(40))
    for (const name of names) expect((await store.delete(name, me)).existed).toBe(true)
  })

  test('a delete says whether there was one, has a version, and is announced also for an absent name', async () => {
    const version = (await store.set(write('sa', 1), me)) as number
    const first = await store.delete('sa', other)
    const second = await store.delete('sa', other)
    expect(first.existed).toBe(true)
    expect(second.existed).toBe(false)
    expect(first.version).toBeGreaterThan(version)
    expect(second.version).toBeGreaterThan(first.version)
    expect(await allHeard()).toEqual([
      { k: 's', n: 'sa', v: version, o: 'me' },
      { k: 'd', n: 'sa', v: first.version, o: 'other' },
      { k: 'd', n: 'sa', v: second.version, o: 'other' },
    ])
    expect((await store.deleteMany(['sa', 'sb'], me)).map(({ existed }) => existed)).toEqual([false, false])
  })

  test('a name that no message can carry is announced as a glob that matches it', async () => {
    await store.set(write('sa*\ud83d', 1), me)
    expect(await allHeard()).toMatchObject([{ k: 'p', n: 'a\\*?' }])
  })

  test('the remaining time is that of the server', async () => {
    await store.set(write('sa', 1, { ttlMs: 5000.2 }), me)
    await store.set(write('sb', 1, { ttlMs: Number.POSITIVE_INFINITY }), me)
    expect(await store.remaining('sa')).toBeGreaterThan(4000)
    expect(await store.remaining('sa')).toBeLessThanOrEqual(5001)
    expect(await store.remaining('sb')).toBe(Number.POSITIVE_INFINITY)
    expect(await store.remaining('sc')).toBe(undefined)
    await store.set(write('sd', 1, { ttlMs: -5 }), me)
    await waitFor('the entry to expire', async () => (await store.get('sd')) === null)
  })

  test.each(['set', 'delete', 'pattern', 'clear', 'loss'])('a fence is broken by: %s', async (event) => {
    const [fence] = await store.fences(['sa'])
    if (event === 'set') await store.set(write('sa', 'new'), me)
    if (event === 'delete') await store.delete('sa', me)
    if (event === 'pattern') await store.deletePattern('a*', me)
    if (event === 'clear') await store.clear(me)
    if (event === 'loss') await flush()
    if (event === 'loss') await store.fences(['sa'])
    const before = await store.get('sa')
    const messages = (await allHeard()).length
    expect(await store.set(write('sa', 'old', { fence: fence as never }), me)).toBe(undefined)
    expect(await store.get('sa')).toEqual(before)
    expect((await allHeard()).length).toBe(messages)
  })

  test('a fence that holds lets the write through, once', async () => {
    const names = Array.from({ length: 400 }, (_, i) => `s${i}`)
    const fences = await store.fences(names)
    expect(fences.map(({ name }) => name)).toEqual(names)
    const writes = fences.map((fence) => write(fence.name, 1, { fence }))
    expect((await store.setMany(writes, me)).includes(undefined)).toBe(false)
    expect(new Set(await store.setMany(writes, me))).toEqual(new Set([undefined]))
  })

  test('one of two gets the lease, and only its holder writes', async () => {
    const [first] = await store.fences(['sa'], 5000)
    const [second] = await store.fences(['sa'], 5000)
    expect(first?.lease).toBeTypeOf('string')
    expect(second?.lease).toBe(undefined)
    expect(await store.set(write('sa', 1, { fence: { ...first, lease: 'stolen' } as never }), me)).toBe(
      undefined,
    )
    expect(await store.set(write('sa', 1, { fence: first as never }), me)).toBeTypeOf('number')
    expect((await store.fences(['sa'], 5000))[0]?.lease).toBeTypeOf('string')
  })

  test('a lease is given back, revoked by a delete, and expires', async () => {
    const [first] = await store.fences(['sa'], 5000)
    await store.release({ ...first, lease: 'stolen' } as never)
    expect((await store.fences(['sa'], 5000))[0]?.lease).toBe(undefined)
    await store.release(first as never)
    const [second] = await store.fences(['sa'], 5000)
    expect(second?.lease).toBeTypeOf('string')
    await store.delete('sa', me)
    expect(await store.set(write('sa', 1, { fence: second as never }), me)).toBe(undefined)
    expect((await store.fences(['sa'], 1))[0]?.lease).toBeTypeOf('string')
    await waitFor('the lease to expire', async () => (await store.fences(['sa'], 5000))[0]?.lease)
  })

  test('a late write loses to a newer one, and to a newer delete', async () => {
    const stamp = (await store.serverTime()) * 1000
    const newer = await store.set(write('sa', 'newer'), me)
    await store.delete('sb', me)
    expect(await store.set(write('sa', 'late', { notAfter: stamp }), me)).toBe(undefined)
    expect(await store.set(write('sb', 'late', { notAfter: stamp }), me)).toBe(undefined)
    expect(versionIn(await store.get('sa'))).toBe(newer)
    expect(await store.get('sb')).toBe(null)
  })

  test('a late write replaces what is older than it, and the next late write replaces it', async () => {
    await store.set(write('sa', 'older'), me)
    const stamp = Math.ceil((await store.serverTime()) * 1000) + 1
    const first = await store.set(write('sa', 'late', { notAfter: stamp }), me)
    const second = await store.set(write('sa', 'later', { notAfter: stamp + 1 }), me)
    expect(first).toBe(stamp)
    expect(second).toBe(stamp + 1)
    expect(versionIn(await store.get('sa'))).toBe(stamp + 1)
    const [fence] = await store.fences(['sa'])
    await store.set(write('sa', 'still later', { notAfter: stamp + 2 }), me)
    expect(await store.set(write('sa', 'x', { fence: fence as never }), me)).toBe(undefined)
  })

  test('a late write that was made after a clear stays, in every bucket', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `s${i}`)
    await store.setMany(
      names.map((name) => write(name, 'older')),
      me,
    )
    const epoch = await store.clear(me)
    const late = names.map((name) => ({
      ...write(name, 'late', { notAfter: epoch }),
      bytes: envelope('late', epoch),
    }))
    // What is older than the clear may stand until the sweep comes to it; it is newer than the stamp in a bucket whose clock is ahead.
    await waitFor('the sweep', async () => (await store.getMany(names)).every((bytes) => bytes === null))
    expect((await store.setMany(late, me)).every((version) => version === epoch)).toBe(true)
    expect((await store.getMany(names)).every((bytes) => bytes !== null)).toBe(true)
  })

  test('tags get versions, keep them, and never get one again', async () => {
    const [a, b] = await store.tagVersions(['a', 'b'], 60_000)
    expect(await store.tagVersions(['b', 'a'], 60_000)).toEqual([b, a])
    const invalidated = await store.invalidateTag('a', me)
    expect(invalidated).toBeGreaterThan(a as number)
    expect(await store.tagVersions(['a', 'b'], 60_000)).toEqual([invalidated, b])
    expect((await allHeard()).filter(({ k }) => k === 't')).toEqual([
      { k: 't', n: 'a', v: invalidated, o: 'me' },
    ])
    await flush()
    const [again] = await store.tagVersions(['a'], 1)
    expect(again).toBeGreaterThan(invalidated)
    await waitFor(
      'the tag to expire',
      async () => ((await store.tagVersions(['a'], 1))[0] as number) > (again as number),
    )
  })

  test('a tag invalidated before anyone used it is remembered', async () => {
    const version = await store.invalidateTag('a', me)
    expect(await store.tagVersions(['a'], 1000)).toEqual([version])
  })

  test('a tag lives as long as its longest entry', async () => {
    const bucket = store.bucketOf('a')
    const left = async () => {
      const client = await store.busConnection(bucket)
      await client.connect()
      const ms = Number(await client.call('pttl', `${store.tagPrefix(bucket)}a`))
      client.disconnect()
      return ms
    }
    await store.tagVersions(['a'], 10_000)
    await store.tagVersions(['a'], 50_000)
    await store.tagVersions(['a'], 1000)
    expect(await left()).toBeGreaterThan(49_000)
    await store.invalidateTag('a', me)
    expect(await left()).toBeGreaterThan(49_000)
    await store.tagVersions(['a'], Number.POSITIVE_INFINITY)
    expect(await left()).toBe(-1)
  })

  test('a pattern deletes what matches, of string keys, and is announced in every bucket before and after', async () => {
    const matching = ['sfeatures:BTC', 'sfeatures:xBTCx', 'sfeatures:éBTC']
    const kept = ['sfeatures:ETH', 'sxfeatures:BTC', 'n1', `d${'00'.repeat(16)}`]
    const version = Math.max(
      ...((await store.setMany(
        [...matching, ...kept].map((name) => write(name, name)),
        me,
      )) as number[]),
    )
    const progress: number[] = []
    const deleted = await store.deletePattern('features:*BTC*', {
      ...me,
      onProgress: (p) => progress.push(p.deleted),
    })
    expect(deleted).toBe(matching.length)
    expect(progress.at(-1)).toBe(matching.length)
    expect((await store.getMany(matching)).every((bytes) => bytes === null)).toBe(true)
    expect((await store.getMany(kept)).every((bytes) => bytes !== null)).toBe(true)
    const messages = (await allHeard()).filter(({ k }) => k === 'p')
    expect(messages.length).toBe(2 * store.buckets)
    for (const message of messages) {
      expect(message).toMatchObject({ n: 'features:*BTC*', o: 'me' })
      expect(message.v).toBeGreaterThan(version)
    }
  })

  test('a pattern speaks of characters, where Redis speaks of bytes', async () => {
    await store.setMany(
      ['sé', 'sa', 's😀', 'sab', 's'].map((name) => write(name, 1)),
      me,
    )
    expect(await store.deletePattern('?', me)).toBe(2)
    expect(await store.deletePattern('??', me)).toBe(2)
    expect(await store.deletePattern('*', me)).toBe(1)
  })

  test('a pattern can be aborted', async () => {
    await store.set(write('sa', 1), me)
    const reason = new Error('enough')
    await expect(store.deletePattern('*', { ...me, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await store.get('sa')).not.toBe(null)
  })

  test('clear gives a new epoch, says so everywhere, and removes the bytes of this namespace alone', async () => {
    const neighbour = store.forNamespace('neighbour')
    const before = await store.epoch()
    expect(await store.epoch()).toBe(before)
    await store.setMany(
      Array.from({ length: 700 }, (_, i) => write(`s${i}`, i)),
      me,
    )
    await neighbour.set(write('sa', 1), me)
    const epoch = await store.clear(other)
    const kept = await store.set({ ...write('safter', 1), bytes: envelope(1, epoch) }, me)
    expect(epoch).toBeGreaterThan(before)
    expect(await store.epoch()).toBe(epoch)
    const names = Array.from({ length: 700 }, (_, i) => `s${i}`)
    await waitFor('the entries to be gone', async () =>
      (await store.getMany(names)).every((bytes) => bytes === null),
    )
    expect(versionIn(await store.get('safter'))).toBe(kept)
    expect(await neighbour.get('sa')).not.toBe(null)
    const messages = (await allHeard()).filter(({ k, o }) => k === 'c' && o === 'other')
    expect(messages).toEqual(
      Array.from({ length: store.buckets }, () => ({ k: 'c', n: '', v: epoch, o: 'other' })),
    )
    await neighbour.close()
  })

  test('an epoch that was lost is given anew and announced, never a value used before', async () => {
    const epoch = await store.clear(me)
    await flush()
    expect(await store.epoch()).toBeGreaterThan(epoch)
    expect((await allHeard()).map(({ k }) => k)).toEqual(['c'])
  })

  test('the clock of a bucket that lost its counter goes on', async () => {
    const before = (await store.set(write('sa', 1), me)) as number
    await flush()
    expect(await store.set(write('sa', 1), me)).toBeGreaterThan(before)
  })

  test('time and ping', async () => {
    expect(Math.abs((await store.serverTime()) - Date.now())).toBeLessThan(1000)
    await store.ping()
  })

  test('after close every call is rejected', async () => {
    await store.set(write('sa', 1), me)
    await store.close()
    await store.close()
    const closed = expect.objectContaining({ code: 'CLOSED' })
    await expect(store.get('sa')).rejects.toEqual(closed)
    await expect(store.setMany([write('sa', 1)], me)).rejects.toEqual(closed)
    await expect(store.deletePattern('*', me)).rejects.toEqual(closed)
    await expect(store.clear(me)).rejects.toEqual(closed)
    await expect(store.busConnection(0)).rejects.toEqual(closed)
  })
})
