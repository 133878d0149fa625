/**
 * A storm: a million entries expire in the same millisecond while reads go on.
 *
 * The loop of a child process reads a hundred keys a turn, by `setImmediate`, and notes how long each turn took, less the
 * time for which the thread was ready and had no core (see RunQueue), and at most the processor time that the process
 * used meanwhile. The longest turn of a run in which everything expires is compared with that of a run of the same
 * length in which nothing does: medians over some runs of each, in turn. SharedCache is read by `getInto`, so that no
 * garbage of views hides the storm; reading by `get` stands beside it as `views`.
 *
 * In the idle run every read must hit; after the deadline every read of hitpath must miss (lru-cache, which reads its
 * clock once a turn, may be late). Memory counts as free when the cache holds less than a hundredth of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { TTLCache } from '@isaacs/ttlcache'
import { LocalCache, SharedCache } from 'hitpath'
import { LRUCache } from 'lru-cache'
import { inChildWith } from '../harness/child.js'
import { flat, keyAt, keySpace } from '../harness/keys.js'
import { Random } from '../harness/random.js'
import type { Line } from '../harness/results.js'
import { RunQueue } from '../harness/run-queue.js'
import { type Answer, type Form, type Run, type Suite, sized } from '../harness/subject.js'

const HOUR_MS = 3_600_000
const LENGTH = 8
const READS_A_TURN = 100
/** Reads are by so many keys, made beforehand: the loop itself leaves nothing to collect. */
const READ_KEYS = 20_000
/** Clocks of the caches and of the probe may differ by this much, whole milliseconds included. */
const CLOCK_MS = 2
const LEAD_MS = 500
const GIVE_UP_MS = 10_000
const POLL_MS = 5
/** Free is what holds no more than this share: views that the readers still have keep their bytes. */
const FREE_SHARE = 0.01
const STRETCH_MS = 50
/** An axis of powers of ten has no zero. */
const LEAST_TURN_MS = 0.01

interface Store {
  set(key: string, value: Float64Array, ttlMs: number): void
  get(key: string): Float64Array | undefined
  entries(): number
  /** Bytes and entries for which memory is still held, alive or not. */
  held(): number
}

const stores: Readonly<Record<string, (entries: number) => Store>> = {
  hitpath(entries) {
    const cache = SharedCache.create<Float64Array>({ maxEntries: entries, maxBytes: entries * 512 })
    const out = new Float64Array(LENGTH)
    return { ...storing(cache), get: (key) => (cache.getInto(key, out) ? out : undefined) }
  },
  'hitpath, views'(entries) {
    const cache = SharedCache.create<Float64Array>({ maxEntries: entries, maxBytes: entries * 512 })
    return storing(cache)
  },
  'hitpath LocalCache': (entries) => storing(new LocalCache<Float64Array>({ maxEntries: entries })),
  'lru-cache, ttlAutopurge': (entries) =>
    keeping(new LRUCache<string, Float64Array>({ max: entries, ttlAutopurge: true, ttl: HOUR_MS })),
  '@isaacs/ttlcache': (entries) =>
    keeping(new TTLCache<string, Float64Array>({ max: entries, ttl: HOUR_MS })),
}

/** What the storm needs of a cache of hitpath. `size` would reclaim, so what is held is asked of `stats()`. */
function storing(cache: SharedCache<Float64Array> | LocalCache<Float64Array>): Store {
  return {
    set: (key, value, ttl) => cache.set(key, value, { ttl }),
    get: (key) => cache.get(key),
    entries: () => cache.stats().entries,
    held() {
      const { entries, usedBytes } = cache.stats()
      return entries + usedBytes
    },
  }
}

/** What it needs of a cache that keeps values by reference. */
function keeping(cache: TTLCache<string, Float64Array> | LRUCache<string, Float64Array>): Store {
  return {
    set: (key, value, ttl) => cache.set(key, value, { ttl }),
    get: (key) => cache.get(key),
    entries: () => cache.size,
    held: () => cache.size,
  }
}

/** A collection that waits for a helper thread without a core would count as the cache's delay. */
const FLAGS: readonly string[] = ['--single-threaded-gc']

/** Whose storms are compared with idle runs, in the full form, and whose are judged, and so repeated. */
const WITH_IDLE: readonly string[] = ['hitpath', 'hitpath LocalCache']
const JUDGED: readonly string[] = [...WITH_IDLE, '@isaacs/ttlcache']

export interface Storm {
  readonly entries: number
  readonly expires: boolean
  /** Time given to the filling; the deadline stands at its end. Where nothing expires, it stands half a second after the filling. */
  readonly fillMs: number
  /** How long turns are timed after the deadline. */
  readonly tailMs: number
}

export interface Weathered {
  readonly longestTurnMs: number
  /** The same with the time in the run queue: what a client of a busy machine sees. */
  readonly longestWallMs: number
  /** From the deadline until nothing was held; infinite when it took longer than ten seconds. */
  readonly freeMs: number | null
  /** The longest turn, own time, of each stretch of 50 ms, by the time of its end after the deadline. */
  readonly turns: readonly (readonly [afterMs: number, longestMs: number])[]
}

interface Attempt {
  readonly fillMs: number
  /** Missing when the filling took longer than it was given. */
  readonly weathered?: Weathered
}

/** Runs in a child. */
export async function weather(name: string, storm: Storm): Promise<Attempt> {
  const { entries, expires, tailMs } = storm
  const store = stores[name]!(entries)
  const reads = readsAmong(entries)
  const began = performance.now()
  const late = fill(store, entries, expires ? began + storm.fillMs : undefined)
  globalThis.gc?.()
  const ended = performance.now()
  const fillMs = ended - began
  const deadline = expires ? began + storm.fillMs : ended + LEAD_MS
  if (ended > deadline - LEAD_MS) return { fillMs }
  if (store.entries() !== entries)
    throw new Error(`${name}: ${store.entries()} entries of ${entries} are there`)
  await sleep(deadline - LEAD_MS - performance.now())
  // Memory that lay untouched through the wait may have to be brought back by the machine, a page at a time.
  for (const key of reads.keys) store.get(key)
  return {
    fillMs,
    weathered: await readThrough(name, store, { ...reads, late }, expires, deadline, deadline + tailMs),
  }
}

/** Returns whom a collection between the two clocks gave more time than the others, which is no fault of the store. */
function fill(store: Store, entries: number, deadline: number | undefined): Set<number> {
  const { symbols, windows, symbolOf, windowOf } = keySpace(entries)
  const late = new Set<number>()
  for (let id = 0; id < entries; id++) {
    const key = `features:${symbols[symbolOf[id]!]}:${windows[windowOf[id]!]}`
    const value = new Float64Array(LENGTH).fill(id)
    const leftMs = deadline === undefined ? HOUR_MS : Math.max(1, deadline - performance.now())
    store.set(key, value, Math.ceil(leftMs))
    if (deadline !== undefined && deadline - performance.now() < leftMs - CLOCK_MS / 2) late.add(id)
  }
  return late
}

interface Reads {
  readonly random: Random
  readonly ids: Uint32Array
  readonly keys: readonly string[]
}

function readsAmong(entries: number): Reads {
  const random = new Random(17)
  const ids = Uint32Array.from({ length: READ_KEYS }, () => random.below(entries))
  const space = keySpace(entries)
  return { random, ids, keys: Array.from(ids, (id) => flat(keyAt(space, id))) }
}

/** Reads until `end`, and on until the memory is free. */
function readThrough(
  name: string,
  store: Store,
  { random, ids, keys, late }: Reads & { readonly late: ReadonlySet<number> },
  expires: boolean,
  deadline: number,
  end: number,
): Promise<Weathered> {
  const queue = new RunQueue()
  let longestTurnMs = 0
  let longestWallMs = 0
  let freeMs: number | null = null
  let nextPoll = 0
  const turns: (readonly [number, number])[] = []
  let stretchEnd = performance.now() + STRETCH_MS
  let longestOfStretchMs = 0
  const heldMost = store.held()
  let turnAt = performance.now()
  let waitedMs = queue.waitedMs()
  let usedMs = usedCpuMs()

  const readSome = (): void => {
    const mustMiss = expires && name.startsWith('hitpath') && performance.now() > deadline + CLOCK_MS
    let hits = 0
    for (let read = 0; read < READS_A_TURN; read++) {
      const at = random.below(READ_KEYS)
      const value = store.get(keys[at]!)
      if (value === undefined) continue
      if (value[0] !== ids[at]) throw new Error(`${name}: the value of another key`)
      if (mustMiss && !late.has(ids[at]!)) throw new Error(`${name}: an expired value was served`)
      hits++
    }
    const mustHit = !expires || performance.now() < deadline - CLOCK_MS
    if (mustHit && hits < READS_A_TURN) throw new Error(`${name}: a miss before the deadline`)
  }

  return new Promise((resolve, reject) => {
    const turn = (): void => {
      const now = performance.now()
      const waited = queue.waitedMs()
      const used = usedCpuMs()
      const wallMs = now - turnAt
      if (turnAt < end) {
        longestWallMs = Math.max(longestWallMs, wallMs)
        const ownMs = Math.min(wallMs - (waited - waitedMs), used - usedMs)
        longestTurnMs = Math.max(longestTurnMs, ownMs)
        longestOfStretchMs = Math.max(longestOfStretchMs, ownMs)
        if (now >= stretchEnd) {
          turns.push([Math.round(now - deadline), longestOfStretchMs])
          longestOfStretchMs = 0
          stretchEnd = now + STRETCH_MS
        }
      }
      turnAt = now
      waitedMs = waited
      usedMs = used
      if (now > nextPoll) {
        nextPoll = now + POLL_MS
        if (freeMs === null && now > deadline && store.held() <= heldMost * FREE_SHARE)
          freeMs = now - deadline
      }
      const waitsForFree = expires && freeMs === null && now < deadline + GIVE_UP_MS
      if (now > end && !waitsForFree) {
        resolve({ longestTurnMs, longestWallMs, freeMs, turns })
        return
      }
      try {
        readSome()
        setImmediate(turn)
      } catch (error) {
        reject(error)
      }
    }
    setImmediate(turn)
  })
}

/** Processor time of the process: a turn in which the hypervisor took the core away uses little of it. */
function usedCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function measure(run: Run): Promise<Answer> {
  const names = Object.keys(stores).filter((name) => run.contenders?.has(`${name}, expiring`) ?? true)
  const delays: Record<string, number[]> = {}
  const walls: Record<string, number[]> = {}
  const frees: Record<string, number[]> = {}
  const lines: Line[] = []
  const fillMs = new Map<string, number>()
  for (let round = 0; round < 3; round++) {
    for (const name of names.filter((each) => round === 0 || JUDGED.includes(each))) {
      for (const expires of run.form === 'full' && WITH_IDLE.includes(name) ? [false, true] : [true]) {
        const guess = fillMs.get(name) ?? sized(run.form, 6_000, 700)
        const weathered = await weatherInChild(name, expires, run.form, guess)
        fillMs.set(name, weathered.fillMs)
        const label = `${name}, ${expires ? 'expiring' : 'idle'}`
        append(delays, label, weathered.longestTurnMs)
        append(walls, label, weathered.longestWallMs)
        if (expires) append(frees, name, weathered.freeMs ?? Number.POSITIVE_INFINITY)
        if (expires && round === 0) lines.push(lineOf(name, weathered))
      }
    }
  }
  return {
    figures: {
      'expiry-delay': { contenders: delays },
      'expiry-delay-wall': { contenders: walls },
      'expiry-free': { contenders: frees },
    },
    curves: [
      {
        id: 'storm-delay',
        title: `Longest event-loop turn while ${sized(run.form, '1,000,000', '100,000')} entries expire at once`,
        x: { title: 'time after the deadline', unit: 'ms', scale: 'linear' },
        y: { title: 'longest turn', unit: 'ms', scale: 'log' },
        lines,
        marks: [{ title: 'deadline', from: 0 }],
        note: `Own time of the thread, the longest turn of each ${STRETCH_MS} ms.`,
      },
    ],
  }
}

function lineOf(name: string, { turns }: Weathered): Line {
  const points = turns.map(([after, longest]) => [after, Math.max(LEAST_TURN_MS, longest)] as const)
  return { name, kind: 'measured', points }
}

/** @param fillMs the time that a filling took, or the guess */
async function weatherInChild(
  name: string,
  expires: boolean,
  form: Form,
  fillMs: number,
): Promise<Weathered & { readonly fillMs: number }> {
  for (let known = fillMs; ; ) {
    const storm: Storm = {
      entries: sized(form, 1_000_000, 100_000),
      expires,
      fillMs: 1.5 * known + LEAD_MS,
      tailMs: sized(form, 1_500, 600),
    }
    const attempt: Attempt = await inChildWith<Attempt>(FLAGS, import.meta.url, 'weather', name, storm)
    known = attempt.fillMs
    if (attempt.weathered !== undefined) return { ...attempt.weathered, fillMs: known }
  }
}

function append(rounds: Record<string, number[]>, name: string, value: number): void {
  const known = rounds[name]
  if (known === undefined) rounds[name] = [value]
  else known.push(value)
}

export const suite: Suite = {
  id: 'expiry',
  title: 'A million entries expiring at once',
  subjects: [
    {
      id: 'expiry',
      figures: [
        { id: 'expiry-delay', title: 'Longest event-loop turn through the storm, own time', unit: 'ms' },
        { id: 'expiry-delay-wall', title: 'The same by the clock on the wall', unit: 'ms' },
        { id: 'expiry-free', title: 'From the deadline until the memory is free', unit: 'ms' },
      ],
      measure,
    },
  ],
}
