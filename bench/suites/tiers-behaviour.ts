/**
 * What two tiers promise, counted and timed: one computation among processes, invalidation seen elsewhere soon, a tag of many
 * entries invalidated without holding the event loop, reads that do not notice that Redis stands still.
 *
 * Every cache has a process of its own; the parent starts the server. Times between processes are of the machine's one wall clock.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCache, RedisStore, TieredCache } from 'hitpath'
import { Redis } from 'ioredis'
import { RedisServer } from '../../test/support/redis.js'
import { Child } from '../harness/child.js'
import { type Answer, type Run, type Subject, type Suite, sized } from '../harness/subject.js'

const PROCESSES = 4
const CALLS = 1_000
const TAGGED = 100_000
const HOT = 1_000

const BARE_CHANNEL = 'bare'

let cache: TieredCache<number>
let l1: LocalCache<number>
let bare: Redis
/** When the bare message about each key came here. */
const told = new Map<string, number>()
let calls = 0

const wallMs = (): number => performance.timeOrigin + performance.now()

// ---- what children do ----

export async function open(port: number, lease: boolean): Promise<void> {
  l1 = new LocalCache({ maxEntries: 2 * TAGGED })
  const l2 = new RedisStore({ host: '127.0.0.1', port })
  cache = new TieredCache<number>({
    l1,
    l2,
    namespace: 'bench',
    ttl: '1h',
    ...(lease && { lease: '5s' }),
  })
  await cache.get('warm')
}

/** How often the factory ran here for calls that all began at once. */
export async function stampede(key: string): Promise<number> {
  calls = 0
  const factory = async (): Promise<number> => {
    calls++
    await sleep(50)
    return 7
  }
  const values = await Promise.all(Array.from({ length: CALLS }, () => cache.getOrSet(key, factory)))
  if (!values.every((value) => value === 7)) throw new Error('a caller got another value')
  return calls
}

export async function hold(keys: readonly string[]): Promise<number> {
  for (const key of keys) await cache.get(key)
  return keys.filter((key) => cache.getSync(key) !== undefined).length
}

export async function fill(keys: readonly string[]): Promise<void> {
  for (const key of keys) await cache.set(key, 1)
}

/** A connection without a cache: what it takes to tell another process anything. */
export async function openBare(port: number, listens: boolean): Promise<void> {
  bare = new Redis(port)
  if (!listens) return
  await bare.subscribe(BARE_CHANNEL)
  bare.on('message', (_, key: string) => told.set(key, wallMs()))
}

/** For each key a time of the cache, and one of the bare client. */
interface Moments {
  readonly cache: readonly number[]
  readonly bare: readonly number[]
}

/** When each key was gone from this process, and when the bare message about it came. Answers once all are. */
export function watch(keys: readonly string[]): Promise<Moments> {
  told.clear()
  return new Promise((resolve) => {
    const gone = new Map<string, number>()
    const look = (): void => {
      for (const key of keys) if (!gone.has(key) && cache.getSync(key) === undefined) gone.set(key, wallMs())
      if (gone.size < keys.length || told.size < keys.length) setImmediate(look)
      else resolve({ cache: keys.map((key) => gone.get(key)!), bare: keys.map((key) => told.get(key)!) })
    }
    look()
  })
}

/** When each deletion was asked for, and after it each bare message. */
export async function removeInTurn(keys: readonly string[]): Promise<Moments> {
  const moments = { cache: [] as number[], bare: [] as number[] }
  for (const key of keys) {
    moments.cache.push(wallMs())
    await cache.delete(key)
    await sleep(2)
    moments.bare.push(wallMs())
    await bare.publish(BARE_CHANNEL, key)
    await sleep(2)
  }
  return moments
}

interface Tagged {
  readonly idle: number
  readonly busy: number
  readonly walk: number
}

/**
 * The longest turn of the event loop while a tag of many entries is invalidated, and in as long a time without; and what it takes
 * to delete as many entries one by one.
 */
export async function tagged(): Promise<Tagged> {
  const entries = Array.from(
    { length: TAGGED },
    (_, i) => [`t${i}`, i, { tags: ['all'], tier: 'l1' }] as const,
  )
  for (let from = 0; from < TAGGED; from += 1000) await cache.setMany(entries.slice(from, from + 1000))
  if (cache.getSync('t5') !== 5) throw new Error('the entries are not in the first tier')
  ;(globalThis as { gc?: () => void }).gc?.()
  await sleep(300)
  const idle = await longestTurn(async () => sleep(50))
  const busy = await longestTurn(async () => {
    await cache.invalidateTag('all')
    await sleep(50)
  })
  if (cache.getSync('t5') !== undefined) throw new Error('the tag was not invalidated')
  for (const [key, value] of entries) l1.set(key, value)
  const began = performance.now()
  for (const [key] of entries) l1.delete(key)
  return { idle, busy, walk: performance.now() - began }
}

async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let going = true
  let last = performance.now()
  const turn = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (going) setImmediate(turn)
  }
  setImmediate(turn)
  await sleep(5)
  longest = 0
  await work()
  going = false
  return longest
}

/** The p99.9 of single awaited reads of what the first tier has, in nanoseconds, with misses that ask Redis in between. */
export async function readTail(keys: readonly string[], ms: number): Promise<number> {
  const times: number[] = []
  const end = performance.now() + ms
  let i = 0
  while (performance.now() < end) {
    for (let n = 0; n < 200; n++) {
      const begin = process.hrtime.bigint()
      if ((await cache.get(keys[i++ % keys.length]!)) === undefined) throw new Error('a hit was lost')
      times.push(Number(process.hrtime.bigint() - begin))
    }
    void cache.get(`absent-${i}`)
    await new Promise(setImmediate)
  }
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.999)]!
}

// ---- subjects ----

const module = import.meta.url

async function withCaches<T>(
  count: number,
  lease: boolean,
  use: (children: readonly Child[], server: RedisServer) => Promise<T>,
): Promise<T> {
  const server = await RedisServer.start()
  const children = Array.from({ length: count }, () => new Child())
  try {
    await Promise.all(children.map((child) => child.call(module, 'open', server.port, lease)))
    return await use(children, server)
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    await server.stop()
  }
}

async function computations(lease: boolean, rounds: number): Promise<number[]> {
  return withCaches(PROCESSES, lease, async (children) => {
    const counts: number[] = []
    for (let round = 0; round < rounds; round++) {
      const ran = await Promise.all(
        children.map((child) => child.call<number>(module, 'stampede', `cold-${lease}-${round}`)),
      )
      counts.push(ran.reduce((sum, count) => sum + count, 0))
    }
    return counts
  })
}

const stampedes: Subject = {
  id: 'tiers-stampede',
  figures: [
    {
      id: 'stampede-lease',
      title: `factory runs for ${CALLS} calls in each of ${PROCESSES} processes, with a lease`,
      unit: 'runs',
    },
    { id: 'stampede', title: 'the same without a lease', unit: 'runs' },
  ],
  async measure(run: Run): Promise<Answer> {
    const rounds = sized(run.form, 9, 3)
    const hitpath = await computations(true, rounds)
    return {
      figures: {
        'stampede-lease': { contenders: { hitpath } },
        stampede: { contenders: { hitpath: await computations(false, rounds) } },
      },
    }
  },
}

const invalidation: Subject = {
  id: 'tiers-invalidation',
  figures: [
    { id: 'invalidation', title: 'from delete() to gone in another process, median', unit: 'ms' },
    { id: 'invalidation-p99', title: 'from delete() to gone in another process, p99', unit: 'ms' },
  ],
  async measure(run: Run): Promise<Answer> {
    const keys = Array.from({ length: sized(run.form, 1_000, 150) }, (_, i) => `k${i}`)
    return withCaches(2, false, async ([writer, reader], server) => {
      await writer!.call(module, 'openBare', server.port, false)
      await reader!.call(module, 'openBare', server.port, true)
      const halves: Record<string, number[]> = { hitpath: [], 'ioredis publish': [] }
      const tails: Record<string, number[]> = { hitpath: [], 'ioredis publish': [] }
      for (let round = 0; round < 3; round++) {
        await writer!.call(module, 'fill', keys)
        const held = await reader!.call<number>(module, 'hold', keys)
        if (held !== keys.length) throw new Error(`the reader holds ${held} of ${keys.length} keys`)
        const watched = reader!.call<Moments>(module, 'watch', keys)
        const asked = await writer!.call<Moments>(module, 'removeInTurn', keys)
        const seen = await watched
        for (const [name, which] of [
          ['hitpath', 'cache'],
          ['ioredis publish', 'bare'],
        ] as const) {
          const delays = seen[which].map((at, i) => at - asked[which][i]!).sort((a, b) => a - b)
          halves[name]!.push(delays[Math.floor(delays.length * 0.5)]!)
          tails[name]!.push(delays[Math.floor(delays.length * 0.99)]!)
        }
      }
      return { figures: { invalidation: { contenders: halves }, 'invalidation-p99': { contenders: tails } } }
    })
  },
}

const tagBlock: Subject = {
  id: 'tiers-tag',
  figures: [
    {
      id: 'tag-block',
      title: `longest turn while a tag of ${TAGGED} entries is invalidated`,
      unit: 'ms',
    },
  ],
  async measure(run: Run): Promise<Answer> {
    return withCaches(1, false, async ([child]) => {
      const busy: number[] = []
      const idle: number[] = []
      const walk: number[] = []
      for (let round = 0; round < sized(run.form, 5, 3); round++) {
        const turns = await child!.call<Tagged>(module, 'tagged')
        busy.push(turns.busy)
        idle.push(turns.idle)
        walk.push(turns.walk)
      }
      const contenders = { 'hitpath, invalidating': busy, 'hitpath, idle': idle, 'deleting one by one': walk }
      return { figures: { 'tag-block': { contenders } } }
    })
  },
}

const frozen: Subject = {
  id: 'tiers-frozen',
  figures: [
    {
      id: 'frozen-p999',
      title: 'await get of what the first tier has, p99.9, Redis standing still',
      unit: 'ns',
    },
  ],
  async measure(run: Run): Promise<Answer> {
    const keys = Array.from({ length: HOT }, (_, i) => `h${i}`)
    const ms = sized(run.form, 2_000, 400)
    return withCaches(1, false, async ([child], server) => {
      await child!.call(module, 'fill', keys)
      await child!.call(module, 'readTail', keys, sized(run.form, 1_000, 400))
      const well: number[] = []
      const still: number[] = []
      for (let round = 0; round < 3; round++) {
        if (round > 0) await sleep(1_500)
        well.push(await child!.call<number>(module, 'readTail', keys, ms))
        server.freeze()
        still.push(await child!.call<number>(module, 'readTail', keys, ms))
        server.thaw()
      }
      return {
        figures: { 'frozen-p999': { contenders: { 'hitpath, frozen': still, 'hitpath, before': well } } },
      }
    })
  },
}

export const suite: Suite = {
  id: 'tiers-behaviour',
  title: 'Two tiers among processes and in an outage',
  subjects: [stampedes, invalidation, tagBlock, frozen],
}
