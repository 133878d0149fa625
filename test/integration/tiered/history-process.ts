/**
 * One of the processes of a history: a TieredCache that does what its schedule says and remembers all of it.
 * Commands and the bus have a way to Redis each, so that news may overtake answers and either may fail alone.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Bus } from '../../../src/coherence/bus.js'
import { StreamBus } from '../../../src/coherence/stream-bus.js'
import { TrackingBus } from '../../../src/coherence/tracking-bus.js'
import { LocalCache, RedisStore, TieredCache } from '../../../src/index.js'
import { serve } from '../../support/processes.js'
import { waitFor } from '../../support/wait.js'
import type { Read, Removal, Span, Write } from './history.js'
import { type Action, KEYS, pick, randomFrom, stepsOf, TAGS } from './history-schedule.js'

export interface ProcessOptions {
  readonly index: number
  readonly processes: number
  readonly seed: number
  readonly kind: 'stream' | 'tracking'
  readonly dataPort: number
  readonly busPort: number
  readonly lease: number | false
  readonly heartbeatMs: number
  readonly graceMs: number
  readonly whenUnlinkedMs: number
  readonly timeoutMs: number
  readonly busLength: number
}

export interface Recorded {
  readonly reads: readonly Read[]
  readonly writes: readonly Write[]
  readonly removals: readonly Removal[]
  readonly stalls: readonly Span[]
  readonly ups: readonly number[]
  readonly misses: number
  readonly stats: object
}

const READ_EVERY_MS = 10
const READS = 6
const STALL_MS = 40
/** Keys without a factory: in an outage nothing takes the place of what is over. */
const NEVER_MADE = 'c'
const TTL_MS = 600_000
const SHORT_TTL_MS = 300

type Open<T> = { -readonly [K in keyof T]: T[K] }
const reads: Read[] = []
const writes: Open<Write>[] = []
const removals: Open<Removal>[] = []
/** Queued, and not known to have left the queue. */
let pending: { settled: number }[] = []
const stalls: Span[] = []
const ups: number[] = []
let misses = 0
let values = 0
let options: ProcessOptions
let cache: TieredCache<string>
let random: () => number

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function storeAt(port: number): RedisStore {
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  client.on('error', () => {})
  return new RedisStore({
    client,
    namespace: 'history',
    commandTimeout: options.timeoutMs,
    busLength: options.busLength,
  })
}

function busAt(store: RedisStore): Bus {
  const timing = { heartbeatMs: options.heartbeatMs, graceMs: options.graceMs, backoffMs: [20, 200] as const }
  if (options.kind === 'stream') {
    return new StreamBus({
      ...timing,
      key: (bucket) => store.busKey(bucket),
      connect: (bucket) => store.busConnection(bucket),
    })
  }
  return new TrackingBus({
    ...timing,
    prefixes: [
      { prefix: store.epochKey, kind: 'epoch', bucket: 0 },
      { prefix: store.entryPrefix(0), kind: 'entry', bucket: 0 },
      { prefix: store.tagPrefix(0), kind: 'tag', bucket: 0 },
    ],
    connect: (node) => store.trackingConnection(node),
  })
}

// ---- what is done, recorded ----

function saw(by: Read['by'], key: string, value: string | undefined, start: number): void {
  if (value === undefined) misses++
  else reads.push({ process: options.index, by, key, value, start, end: now() })
}

function settle(change: Open<Write> | Open<Removal>, queued: boolean): void {
  change.end = now()
  change.queued = queued
  if (queued) pending.push(change)
  else change.settled = change.end
}

function newWrite(kind: Write['kind'], key: string, tags: readonly string[], lasting = true): Open<Write> {
  const value = `${options.index}.${++values}`
  const unsettled = { end: Infinity, lasting, refused: false, queued: false, settled: Infinity }
  const write = { process: options.index, kind, key, value, tags, start: now(), ...unsettled }
  writes.push(write)
  return write
}

function someTags(): readonly string[] {
  return random() < 0.5 ? [] : [pick(TAGS, random)]
}

async function set(key: string, ttl: number): Promise<void> {
  const tags = someTags()
  const write = newWrite('set', key, tags, ttl === TTL_MS)
  const { queued, refused } = await cache.set(key, write.value, { tags, ttl })
  write.refused = refused === true
  settle(write, queued)
}

async function getOrSet(key: string): Promise<void> {
  const start = now()
  const tags = someTags()
  const takesMs = random() < 0.5 ? 0 : random() * 30
  let made: Open<Write> | undefined
  const factory = async (): Promise<string> => {
    made = newWrite('make', key, tags)
    if (takesMs > 0) await delay(takesMs)
    return made.value
  }
  const value = await cache.getOrSet(key, factory, { tags })
  // While the queue is not empty it may stand there, and come to Redis later.
  if (made !== undefined) settle(made, cache.stats().replaying > 0)
  saw('getOrSet', key, value, start)
}

async function remove(kind: Removal['kind'], target: string): Promise<void> {
  const removal = { process: options.index, kind, target, start: now(), end: Infinity }
  const open: Open<Removal> = { ...removal, queued: false, settled: Infinity }
  removals.push(open)
  const acts = {
    delete: () => cache.delete(target),
    tag: () => cache.invalidateTag(target),
    pattern: () => cache.invalidatePattern(`${target}*`),
    clear: () => cache.clear(),
  }
  const { queued } = await acts[kind]()
  settle(open, queued)
}

async function act(action: Action): Promise<void> {
  const start = now()
  switch (action.kind) {
    case 'set':
      return await set(action.key, random() < 0.1 ? SHORT_TTL_MS : TTL_MS)
    case 'getOrSet':
      if (!action.key.startsWith(NEVER_MADE)) return await getOrSet(action.key)
      return saw('get', action.key, await cache.get(action.key), start)
    case 'get':
      return saw('get', action.key, await cache.get(action.key), start)
    case 'getMany': {
      const keys = [action.key, pick(KEYS, random)]
      const found = await cache.getMany(keys)
      for (const [i, key] of keys.entries()) saw('getMany', key, found[i], start)
      return
    }
    case 'delete':
      return await remove('delete', action.key)
    default:
      return await remove(action.kind, action.target)
  }
}

function readSync(key: string): void {
  const start = now()
  saw('getSync', key, cache.getSync(key), start)
}

/** What was queued has reached Redis once the queue is empty. */
function noteDrained(): void {
  if (pending.length === 0 || cache.stats().replaying > 0) return
  const settled = now()
  for (const change of pending) change.settled = settled
  pending = []
}

export const functions = {
  open: async (given: ProcessOptions): Promise<void> => {
    options = given
    random = randomFrom(options.seed * 31 + options.index)
    cache = new TieredCache<string>({
      l1: new LocalCache({ maxEntries: 1000 }),
      l2: storeAt(options.dataPort),
      bus: busAt(storeAt(options.busPort)),
      ttl: TTL_MS,
      whenUnlinked: options.whenUnlinkedMs,
      l2Timeout: options.timeoutMs,
      breaker: { failures: 3, resetAfter: 100 },
      lease: options.lease,
      onError: () => {},
    })
    cache.on('link', ({ up }) => {
      if (up) ups.push(now())
    })
    // A loaded machine may be too slow for the first call.
    await waitFor('the second tier', () => cache.ready().then(() => true), { timeoutMs: 60_000 })
    let last = now()
    setInterval(() => {
      noteDrained()
      const time = now()
      if (time - last > STALL_MS) stalls.push({ from: last, to: time })
      last = time
    }, 5)
  },

  /** Follows the schedule from `startAt` on. */
  run: async (startAt: number, forMs: number): Promise<void> => {
    const steps = stepsOf(options.seed, options.processes, options.index, forMs)
    const under = new Set<Promise<void>>()
    const begin = (action: Action): void => {
      // Refused by the server, which is never certain to have done nothing: it stays unsettled.
      const work = act(action).catch(() => {})
      under.add(work)
      void work.then(() => under.delete(work))
    }
    let next = 0
    let nextRead = startAt
    for (let time = now(); time < startAt + forMs; time = now()) {
      for (; next < steps.length && startAt + (steps[next]?.at as number) <= time; next++)
        begin((steps[next] as (typeof steps)[number]).action)
      if (time >= nextRead) {
        nextRead = time + READ_EVERY_MS
        for (let i = 0; i < READS; i++) {
          const key = pick(KEYS, random)
          if (random() < 0.7) readSync(key)
          else begin({ kind: random() < 0.4 ? 'getOrSet' : 'get', key })
        }
      }
      await delay(1)
    }
    await Promise.all(under)
  },

  setLasting: (key: string): Promise<void> => set(key, TTL_MS),
  newest: (): string => writes.at(-1)?.value as string,
  /** What every key gives now, in order. A call that Redis did not answer in time says nothing, as may happen on a loaded machine. */
  readAll: async (): Promise<(string | undefined)[]> => {
    for (;;) {
      const { errors } = cache.stats()
      const start = now()
      const found = await Promise.all(KEYS.map((key) => cache.get(key)))
      for (const [i, key] of KEYS.entries()) saw('get', key, found[i], start)
      for (const key of KEYS) readSync(key)
      if (cache.stats().errors === errors) return found
    }
  },
  /** What is not as it should be, if anything. */
  broken: async (): Promise<string> => {
    await cache.get('no such key')
    noteDrained()
    const { linked, replaying, circuit } = cache.stats()
    return linked && replaying === 0 && circuit === 'closed'
      ? ''
      : JSON.stringify({ linked, replaying, circuit })
  },
  record: (): Recorded => ({ reads, writes, removals, stalls, ups, misses, stats: cache.stats() }),
}

serve(functions)
