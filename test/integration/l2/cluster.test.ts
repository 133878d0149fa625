/** RedisStore in a Cluster whose slots move and whose masters fail over while it is written and read. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { RedisCluster, waitFor } from '../../support/redis.js'
import { heard, me, VERSIONS, versionIn, write } from './fixtures.js'

const NAMES = Array.from({ length: 200 }, (_, i) => `s${i}`)

describe.each(VERSIONS)('a Cluster that changes, $ioredis', ({ makeCluster }) => {
  let cluster: RedisCluster
  let store: RedisStore

  beforeEach(async () => {
    cluster = await RedisCluster.start({ masters: 3, replicas: 1 })
    store = new RedisStore({ createClient: () => makeCluster(cluster.startupNodes), commandTimeout: '4s' })
    const all = NAMES.map((name) => write(name, 0))
    await waitFor('the Cluster', () => store.setMany(all, me))
  })

  afterEach(async () => {
    await store.close()
    await cluster.stop()
  })

  async function slotOf(bucket: number): Promise<number> {
    return Number(await cluster.masters[0]?.command('cluster', 'keyslot', store.busKey(bucket)))
  }

  async function ownerOf(bucket: number): Promise<number> {
    const port = await cluster.ownerOf(await slotOf(bucket))
    return cluster.masters.findIndex((master) => master.port === port)
  }

  /** Writes names of a bucket, one after the other, until told to stop: the last acknowledged version of each. */
  function writer(names: readonly string[]) {
    const acknowledged = new Map<string, number>()
    let failures = 0
    let stopping = false
    const done = (async () => {
      for (let i = 0; !stopping; i++) {
        const name = names[i % names.length] as string
        try {
          const version = (await store.set(write(name, i), me)) as number
          expect(version).toBeGreaterThan(acknowledged.get(name) ?? 0)
          acknowledged.set(name, version)
        } catch (error) {
          expect(['L2_TIMEOUT', 'L2_UNAVAILABLE']).toContain((error as { code: string }).code)
          failures++
          // A rejection at once leaves the event loop no turn to reconnect in.
          await delay(1)
        }
      }
    })()
    done.catch(() => {})
    return {
      acknowledged,
      failures: () => failures,
      stop: () => {
        stopping = true
        return done
      },
    }
  }

  test('a slot moves: reads go on, no write is lost, the bus is where the slot is', async () => {
    const bucket = store.bucketOf('s0')
    const mine = NAMES.filter((name) => store.bucketOf(name) === bucket)
    const from = await ownerOf(bucket)
    const to = (from + 1) % 3
    const writing = writer(mine)
    await waitFor('some writes', () => writing.acknowledged.size > 5)
    let read: (Buffer | null)[] = []
    await cluster.migrateSlot(await slotOf(bucket), from, to, async () => {
      read = await store.getMany([...mine, 'snone'])
    })
    expect(read.slice(0, -1).every((bytes) => bytes !== null)).toBe(true)
    expect(read.at(-1)).toBe(null)
    const before = writing.acknowledged.size
    await waitFor(
      'a write at the new owner',
      async () => writing.acknowledged.size >= before && (await store.set(write('s0', 'x'), me)),
    )
    await writing.stop()
    for (const [name, version] of writing.acknowledged) {
      expect(versionIn(await store.get(name))).toBeGreaterThanOrEqual(version)
    }
    const bus = await store.busConnection(bucket)
    expect(bus.options['port']).toBe(cluster.masters[to]?.port)
    bus.disconnect()
    const versions = (await heard(store, bucket)).filter(({ k }) => k === 's').map(({ v }) => v)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
    expect(await store.deletePattern('*', me)).toBe(NAMES.length)
  })

  test('a master dies and its replica takes over: writes go on, and versions with them', async () => {
    const bucket = store.bucketOf('s0')
    const mine = NAMES.filter((name) => store.bucketOf(name) === bucket)
    const owner = await ownerOf(bucket)
    const writing = writer(mine)
    await waitFor('some writes', () => writing.acknowledged.size > 5)
    cluster.masters[owner]?.kill()
    await cluster.failover(owner)
    const before = Math.max(...writing.acknowledged.values())
    await waitFor('writes at the new master', () => Math.max(...writing.acknowledged.values()) > before)
    await writing.stop()
    expect(writing.failures()).toBeGreaterThan(0)
    const found = await waitFor('all to be readable', () => store.getMany(NAMES))
    expect(found.length).toBe(NAMES.length)
    await store.ping()
    const bus = await store.busConnection(bucket)
    expect(bus.options['port']).toBe(cluster.replicas[owner]?.port)
    bus.disconnect()
    expect((await store.nodes()).some((node) => node.endsWith(`:${cluster.replicas[owner]?.port}`))).toBe(
      true,
    )
  })

  test('one frozen node does not hold up the others', async () => {
    // The node thaws before its replica takes over, so its read has a deadline of its own.
    const hasty = new RedisStore({
      createClient: () => makeCluster(cluster.startupNodes),
      commandTimeout: '250ms',
    })
    await waitFor('the other store', async () => [await hasty.get('s0')])
    const owner = await ownerOf(0)
    cluster.masters[owner]?.freeze()
    const elsewhere = NAMES.filter((name) => store.bucketOf(name) !== 0)
    const owners = await Promise.all(elsewhere.map((name) => ownerOf(store.bucketOf(name))))
    const name = elsewhere[owners.findIndex((other) => other !== owner)] as string
    const here = NAMES.find((one) => store.bucketOf(one) === 0) as string
    const [stuck, fine] = await Promise.allSettled([hasty.get(here), store.get(name)])
    expect(stuck).toMatchObject({ status: 'rejected' })
    expect(fine).toMatchObject({ status: 'fulfilled' })
    cluster.masters[owner]?.thaw()
    await waitFor('the node', async () => [await store.get(here)])
    await hasty.close()
  })
})
