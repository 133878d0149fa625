/**
 * A second tier in this process, true to the contract of src/l2/store.ts: versions, fences, generations, leases, tags, epoch, bus.
 *
 * A `MemoryServer` is what processes share; each has a `MemoryStore` and a `MemoryBus` of it. Calls stop where a test says so:
 * `hold('get', 'reply')` lets the server answer and keeps the answer on its way.
 */
import type { Bus, BusMessage, GapReason, Unsubscribe } from '../../src/coherence/bus.js'
import { HitpathError } from '../../src/errors.js'
import { globMatches } from '../../src/glob.js'
import { markUndone } from '../../src/l2/failure.js'
import type {
  CallOptions,
  Deleted,
  DeleteOptions,
  Fence,
  L2Store,
  L2Write,
  Moment,
  OnNames,
  Written,
} from '../../src/l2/store.js'
import { Histogram } from '../../src/observe/histogram.js'

const VERSION_AT = 24

interface Stored {
  bytes: Buffer
  deadAt: number
}

export class MemoryServer {
  /** The server's wall clock in ms. */
  now: () => number
  readonly entries = new Map<string, Stored>()
  readonly generations = new Map<number, number>()
  readonly tags = new Map<string, number>()
  readonly leases = new Map<string, { token: string; until: number }>()
  readonly buses = new Set<MemoryBus>()
  /** All that was ever announced. A real one forgets. */
  readonly told: BusMessage[] = []
  epoch = 0
  sequence = 0
  all = 0

  constructor(now: () => number = Date.now) {
    this.now = now
  }

  tick(): number {
    this.sequence = Math.max(this.sequence + 1, Math.floor(this.now() * 1000))
    return this.sequence
  }

  live(name: string): Stored | undefined {
    const stored = this.entries.get(name)
    if (stored === undefined) return undefined
    if (this.now() <= stored.deadAt) return stored
    this.entries.delete(name)
    return undefined
  }

  /** The version that an invalidation gives, made now or then; undefined when what is there is newer, or is it. */
  raised(stored: number, made: Moment | undefined): number | undefined {
    if (made === undefined) return this.tick() % 2 === 0 ? this.sequence : this.tick()
    if (stored > made.to || stored === made.from) return undefined
    const least = Math.max(stored + 1, made.from)
    const version = least + (least % 2)
    this.sequence = Math.max(this.sequence, version)
    return version
  }

  /** Whether the name was changed after `notAfter`, by another than `except`. */
  changed(name: string, notAfter: number, except: string | undefined): boolean {
    return this.told.some((message) => {
      if (message.version <= notAfter || message.origin === except) return false
      if (message.kind === 'pattern') return name.startsWith('s') && globMatches(message.name, name.slice(1))
      return message.kind === 'clear' || (message.kind !== 'tag' && message.name === name)
    })
  }

  announce(message: BusMessage): void {
    this.told.push(message)
    for (const bus of this.buses) bus.deliver(message)
  }

  generationOf(name: string): string {
    return `${this.generations.get(fieldOf(name)) ?? 0}.${this.all}`
  }
}

export interface Hold {
  /** Settles when a call has come to the point. */
  readonly reached: Promise<void>
  /** Lets it go on. */
  release(): void
}

export type Operation = keyof L2Store
export interface Fate {
  readonly when: 'now' | 'late' | 'never'
  /** Of a late one. */
  readonly until?: Promise<unknown>
}
type Where = 'request' | 'reply'

export class MemoryStore implements L2Store {
  readonly namespace: string
  readonly buckets = 1
  readonly server: MemoryServer
  readonly calls: Operation[] = []
  /** While set, calls are rejected. */
  failing: HitpathError | undefined
  /** While true, calls are not answered. */
  frozen = false
  /** Asked at each call: the connection is reset, and the server does the call all the same, now or later, or never does. */
  fate: ((operation: Operation) => Fate | undefined) | undefined
  #holds: { operation: Operation; where: Where; arrive: () => void; go: Promise<void> }[] = []

  constructor(server: MemoryServer, namespace = 'test') {
    this.server = server
    this.namespace = namespace
  }

  /** Stops the next call of the operation before the server sees it, or its reply on the way back. */
  hold(operation: Operation, where: Where): Hold {
    let arrive: () => void = () => {}
    let release: () => void = () => {}
    const reached = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const go = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#holds.push({ operation, where, arrive, go })
    return { reached, release }
  }

  down(): void {
    this.failing = markUndone(new HitpathError('L2_UNAVAILABLE', 'the memory server is down'))
  }

  up(): void {
    this.failing = undefined
  }

  bucketOf(): number {
    return 0
  }

  get(name: string): Promise<Buffer | null> {
    return this.#call('get', () => this.#bytes(name))
  }

  getMany(names: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#call('getMany', () => names.map((name) => this.#bytes(name)))
  }

  remaining(name: string): Promise<number | undefined> {
    return this.#call('remaining', () => {
      const stored = this.server.live(name)
      return stored && stored.deadAt - this.server.now()
    })
  }

  set(write: L2Write, by: CallOptions): Promise<Written> {
    return this.#call('set', () => this.#write([write], by)[0], by)
  }

  setMany(writes: readonly L2Write[], by: CallOptions): Promise<Written[]> {
    return this.#call('setMany', () => this.#write(writes, by), by)
  }

  delete(name: string, by: DeleteOptions): Promise<Deleted> {
    return this.#call('delete', () => this.#remove(name, by), by)
  }

  deleteMany(names: readonly string[], by: DeleteOptions): Promise<Deleted[]> {
    return this.#call('deleteMany', () => names.map((name) => this.#remove(name, by)), by)
  }

  deletePattern(glob: string, by: CallOptions): Promise<number> {
    const remove = (): number => {
      const { server } = this
      const bound = by.made?.to ?? Infinity
      let removed = 0
      for (const [name, { bytes }] of [...server.entries]) {
        if (!name.startsWith('s') || !globMatches(glob, name.slice(1)) || versionIn(bytes) > bound) continue
        server.entries.delete(name)
        removed++
      }
      server.all = server.tick()
      const version = by.made?.to ?? server.all
      server.announce({ kind: 'pattern', name: glob, version, origin: by.origin, bucket: 0 })
      return removed
    }
    return this.#call('deletePattern', remove, by)
  }

  clear(by: CallOptions): Promise<number> {
    const clear = (): number => {
      const { server } = this
      const epoch = server.raised(server.epoch, by.made)
      if (epoch === undefined) return server.epoch
      server.epoch = epoch
      server.all = server.tick()
      // The bytes stay for a while, as in Redis.
      server.announce({ kind: 'clear', name: '', version: epoch, origin: by.origin, bucket: 0 })
      return epoch
    }
    return this.#call('clear', clear, by)
  }

  tagVersions(tags: readonly string[]): Promise<number[]> {
    return this.#call('tagVersions', () =>
      tags.map((tag) => {
        const { server } = this
        const known = server.tags.get(tag) ?? (server.tick() % 2 === 1 ? server.sequence : server.tick())
        this.server.tags.set(tag, known)
        return known
      }),
    )
  }

  invalidateTag(tag: string, by: CallOptions): Promise<number> {
    const invalidate = (): number => {
      const stored = this.server.tags.get(tag) ?? 0
      const version = this.server.raised(stored, by.made)
      if (version === undefined) return stored
      this.server.tags.set(tag, version)
      this.server.announce({ kind: 'tag', name: tag, version, origin: by.origin, bucket: 0 })
      return version
    }
    return this.#call('invalidateTag', invalidate, by)
  }

  epoch(): Promise<number> {
    return this.#call('epoch', () => this.server.epoch)
  }

  async names(onNames: OnNames, signal?: AbortSignal): Promise<void> {
    const { entries } = this.server
    const names = await this.#call('names', () =>
      [...entries.keys()].filter((name) => this.server.live(name)),
    )
    for (let from = 0; from < names.length; from += 3) {
      signal?.throwIfAborted()
      await onNames(names.slice(Math.max(0, from - 1), from + 3))
    }
  }

  fences(names: readonly string[], leaseMs?: number): Promise<Fence[]> {
    return this.#call('fences', () => {
      const { server } = this
      const version = server.tick()
      return names.map((name) => {
        const fence = { name, generation: server.generationOf(name), version }
        if (leaseMs === undefined) return fence
        const held = server.leases.get(name)
        if (held !== undefined && held.until > server.now()) return fence
        const token = `${server.tick()}`
        server.leases.set(name, { token, until: server.now() + leaseMs })
        return { ...fence, lease: token }
      })
    })
  }

  release({ name, lease }: Fence): Promise<void> {
    return this.#call('release', () => {
      if (this.server.leases.get(name)?.token === lease) this.server.leases.delete(name)
    })
  }

  serverTime(): Promise<number> {
    return this.#call('serverTime', () => this.server.now())
  }

  ping(): Promise<void> {
    return this.#call('ping', () => {})
  }

  async close(): Promise<void> {
    this.failing = new HitpathError('CLOSED', 'the store is closed')
  }

  async #call<T>(operation: Operation, act: () => T, by?: CallOptions): Promise<T> {
    this.calls.push(operation)
    const fate = this.fate?.(operation)
    const perform = (): T => {
      if (by?.before !== undefined && this.server.now() * 1000 >= by.before)
        throw markUndone(new HitpathError('L2_UNAVAILABLE', 'the call comes too late'))
      return act()
    }
    await this.#pause(operation, 'request')
    if (this.frozen) await new Promise<never>(() => {})
    if (this.failing !== undefined) throw this.failing
    if (fate?.when === 'late') void Promise.resolve(fate.until).then(() => attempt(perform))
    if (fate !== undefined) {
      if (fate.when === 'now') attempt(perform)
      throw new HitpathError('L2_UNAVAILABLE', 'the connection was reset')
    }
    const result = perform()
    await this.#pause(operation, 'reply')
    return result
  }

  async #pause(operation: Operation, where: Where): Promise<void> {
    const hold = this.#holds.find((one) => one.operation === operation && one.where === where)
    if (hold === undefined) return
    this.#holds = this.#holds.filter((one) => one !== hold)
    hold.arrive()
    await hold.go
  }

  #bytes(name: string): Buffer | null {
    const stored = this.server.live(name)
    return stored === undefined ? null : Buffer.from(stored.bytes)
  }

  #write(writes: readonly L2Write[], { origin }: CallOptions): Written[] {
    const { server } = this
    const refused = writes.map(({ name, fence, notAfter, ownFirst, onlyIfAbsent }) => {
      if (fence !== undefined && fence.generation !== server.generationOf(name)) return true
      if (fence?.lease !== undefined && server.leases.get(name)?.token !== fence.lease) return true
      if (notAfter === undefined) return false
      if (onlyIfAbsent === true && server.live(name) !== undefined) return true
      return server.changed(name, notAfter, ownFirst === true ? origin : undefined)
    })
    return writes.map(({ name, bytes, ttlMs, notAfter }, i) => {
      if (refused[i]) return undefined
      const old = server.live(name)
      const version =
        notAfter === undefined
          ? server.tick()
          : Math.max(notAfter, old === undefined ? 0 : versionIn(old.bytes) + 1)
      const own = Buffer.from(bytes)
      own.writeDoubleLE(version, VERSION_AT)
      server.entries.set(name, { bytes: own, deadAt: server.now() + ttlMs })
      server.generations.set(fieldOf(name), server.tick())
      server.leases.delete(name)
      server.announce({ kind: 'set', name, version, origin, bucket: 0 })
      return version
    })
  }

  #remove(name: string, { origin, notAfter }: DeleteOptions): Deleted {
    const { server } = this
    const present = server.live(name)
    const bound = notAfter?.get(name)
    const version = bound ?? server.tick()
    if (present !== undefined && versionIn(present.bytes) > (bound ?? Infinity))
      return { existed: false, version }
    const existed = present !== undefined
    server.entries.delete(name)
    server.leases.delete(name)
    server.generations.set(fieldOf(name), server.tick())
    server.announce({ kind: 'delete', name, version, origin, bucket: 0 })
    return { existed, version }
  }
}

/** Delivers at once, unless a test holds messages back or cuts the link. */
export class MemoryBus implements Bus {
  readonly latency = new Histogram()
  readonly #server: MemoryServer
  readonly #message = new Set<(message: BusMessage) => void>()
  readonly #gap = new Set<(reason: GapReason, bucket: number) => void>()
  readonly #link = new Set<(up: boolean, cause: Error | undefined) => void>()
  healthy = false
  held: BusMessage[] | undefined
  readonly seen: BusMessage[] = []

  constructor(server: MemoryServer) {
    this.#server = server
  }

  get silentMs(): number {
    return this.healthy ? 0 : Number.POSITIVE_INFINITY
  }

  async start(): Promise<void> {
    if (this.healthy) return
    this.#server.buses.add(this)
    for (const listener of this.#gap) listener('start', 0)
    this.#change(true)
  }

  async close(): Promise<void> {
    this.#server.buses.delete(this)
    this.healthy = false
  }

  deliver(message: BusMessage): void {
    this.seen.push(message)
    if (this.held !== undefined) this.held.push(message)
    else for (const listener of this.#message) listener(message)
  }

  /** Messages wait from now on. */
  hold(): void {
    this.held = []
  }

  /** What waited arrives, in the order given or its own. */
  release(order: (messages: BusMessage[]) => BusMessage[] = (messages) => messages): void {
    const waiting = this.held ?? []
    this.held = undefined
    for (const message of order(waiting)) for (const listener of this.#message) listener(message)
  }

  /** The link goes down and hears nothing. */
  cut(): void {
    this.#server.buses.delete(this)
    this.#change(false)
  }

  /** It comes back, having missed something or not. */
  mend(gap: GapReason | undefined): void {
    this.#server.buses.add(this)
    if (gap !== undefined) for (const listener of this.#gap) listener(gap, 0)
    this.#change(true)
  }

  onMessage(listener: (message: BusMessage) => void): Unsubscribe {
    return added(this.#message, listener)
  }

  onGap(listener: (reason: GapReason, bucket: number) => void): Unsubscribe {
    return added(this.#gap, listener)
  }

  onLink(listener: (up: boolean, cause: Error | undefined) => void): Unsubscribe {
    return added(this.#link, listener)
  }

  onError(): Unsubscribe {
    return () => {}
  }

  #change(up: boolean): void {
    if (this.healthy === up) return
    this.healthy = up
    for (const listener of this.#link) listener(up, undefined)
  }
}

function added<L>(set: Set<L>, listener: L): Unsubscribe {
  set.add(listener)
  return () => set.delete(listener)
}

function versionIn(bytes: Buffer): number {
  return bytes.readDoubleLE(VERSION_AT)
}

/** Nobody hears how it ends. */
function attempt(act: () => unknown): void {
  try {
    act()
  } catch {
    // as a server that answers into a connection that is gone
  }
}

function fieldOf(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0
  return hash & 1023
}
