/**
 * Clients of one real server, each with connections of its own, whose calls and messages a test holds where it wants them.
 */
import { Redis } from 'ioredis'
import type { Bus, BusMessage, GapReason, Unsubscribe } from '../../../src/coherence/bus.js'
import {
  type Duration,
  LocalCache,
  RedisStore,
  TieredCache,
  type TieredCacheOptions,
} from '../../../src/index.js'
import { type L2Store, setTell, type Tell, tellOf } from '../../../src/l2/store.js'
import type { Histogram } from '../../../src/observe/histogram.js'
import { busOf } from '../../../src/tiered/second-tier.js'
import { RedisServer, TcpProxy, waitFor } from '../../support/redis.js'

export interface Hold {
  readonly reached: Promise<void>
  release(): void
}

type Operation = 'get' | 'getMany' | 'set' | 'setMany' | 'deleteMany' | 'clear' | 'fences' | 'tagVersions'

/** Stops the next call of an operation before it is sent, or its reply. */
export class Holds {
  #all: { operation: string; where: 'request' | 'reply'; arrive: () => void; go: Promise<void> }[] = []
  readonly calls: string[] = []

  hold(operation: Operation, where: 'request' | 'reply'): Hold {
    let arrive: () => void = () => {}
    let release: () => void = () => {}
    const reached = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const go = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#all.push({ operation, where, arrive, go })
    return { reached, release }
  }

  async pause(operation: string, where: 'request' | 'reply'): Promise<void> {
    const hold = this.#all.find((one) => one.operation === operation && one.where === where)
    if (hold === undefined) return
    this.#all = this.#all.filter((one) => one !== hold)
    hold.arrive()
    await hold.go
  }

  /** The store, with pauses. */
  around<S extends L2Store>(store: S): S {
    return new Proxy(store, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property, target)
        if (typeof member !== 'function') return member
        const operation = String(property)
        const pausing = async (...args: unknown[]): Promise<unknown> => {
          this.calls.push(operation)
          await this.pause(operation, 'request')
          const result: unknown = await (member as (...all: unknown[]) => unknown).apply(target, args)
          await this.pause(operation, 'reply')
          return result
        }
        if (operation === 'get') {
          const tell = this.#telling(target)
          if (tell !== undefined) setTell(pausing as L2Store['get'], tell)
        }
        return PAUSED.has(operation) ? pausing : member.bind(target)
      },
    })
  }

  /** The other form of `get`, with the same pauses. */
  #telling(store: L2Store): Tell | undefined {
    const tell = tellOf(store)
    if (tell === undefined) return undefined
    return (name, receiver) => {
      this.calls.push('get')
      const replied = (told: () => void): void => void this.pause('get', 'reply').then(told)
      void this.pause('get', 'request').then(() =>
        tell.call(store, name, {
          found: (bytes) => replied(() => receiver.found(bytes)),
          failed: (error) => replied(() => receiver.failed(error)),
        }),
      )
    }
  }
}

const PAUSED = new Set(['get', 'getMany', 'set', 'setMany', 'deleteMany', 'clear', 'fences', 'tagVersions'])

/** A bus whose messages wait while they are held. */
export class HeldBus implements Bus {
  readonly #inner: Bus
  readonly #listeners = new Set<(message: BusMessage) => void>()
  readonly heard: BusMessage[] = []
  #held: BusMessage[] | undefined

  constructor(inner: Bus) {
    this.#inner = inner
    inner.onMessage((message) => {
      this.heard.push(message)
      if (this.#held === undefined) this.deliver(message)
      else this.#held.push(message)
    })
  }

  hold(): void {
    this.#held = []
  }

  release(order: (messages: BusMessage[]) => BusMessage[] = (all) => all): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const message of order(held)) this.deliver(message)
  }

  deliver(message: BusMessage): void {
    for (const listener of this.#listeners) listener(message)
  }

  /** Waits until so many messages of the kind have come in. */
  async hears(kind: BusMessage['kind'], count = 1): Promise<void> {
    await waitFor(
      `${count} messages of ${kind}`,
      () => this.heard.filter((m) => m.kind === kind).length >= count,
      {
        everyMs: 2,
      },
    )
  }

  start(signal?: AbortSignal): Promise<void> {
    return this.#inner.start(signal)
  }
  close(): Promise<void> {
    return this.#inner.close()
  }
  get healthy(): boolean {
    return this.#inner.healthy
  }
  get silentMs(): number {
    return this.#inner.silentMs
  }
  get latency(): Histogram {
    return this.#inner.latency
  }
  onMessage(listener: (message: BusMessage) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  onGap(listener: (reason: GapReason, bucket: number) => void): Unsubscribe {
    return this.#inner.onGap(listener)
  }
  onLink(listener: (up: boolean, cause: Error | undefined) => void): Unsubscribe {
    return this.#inner.onLink(listener)
  }
  onError(listener: (error: Error) => void): Unsubscribe {
    return this.#inner.onError(listener)
  }
}

export interface Client {
  readonly cache: TieredCache
  readonly l1: LocalCache
  readonly store: RedisStore
  readonly bus: HeldBus
  readonly holds: Holds
  readonly errors: unknown[]
}

export interface ClientOptions extends Omit<TieredCacheOptions, 'l1' | 'l2' | 'bus'> {
  /** Default: straight to the server. */
  readonly port?: number
  readonly maxEntries?: number
  /** Default 10 s: what a test does not want to fail does not, on a loaded machine. */
  readonly commandTimeout?: Duration
  readonly kind?: 'stream' | 'tracking'
}

export class World implements AsyncDisposable {
  readonly server: RedisServer
  readonly #proxies: TcpProxy[] = []
  readonly #caches: TieredCache[] = []
  readonly #redis: Redis[] = []

  private constructor(server: RedisServer) {
    this.server = server
  }

  static async start(): Promise<World> {
    return new World(await RedisServer.start())
  }

  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(this.server.port)
    this.#proxies.push(proxy)
    return proxy
  }

  /** A client that is linked. */
  async client(options: ClientOptions = {}): Promise<Client> {
    const {
      port = this.server.port,
      maxEntries = 1000,
      commandTimeout = '10s',
      kind = 'stream',
      ...rest
    } = options
    const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
    redis.on('error', () => {})
    this.#redis.push(redis)
    const store = new RedisStore({ client: redis, namespace: 'world', commandTimeout })
    const holds = new Holds()
    const held = holds.around(store)
    const bus = new HeldBus(busOf(store, kind) as Bus)
    const l1 = new LocalCache({ maxEntries, ...(rest.clock && { clock: rest.clock }) })
    const errors: unknown[] = []
    const cache = new TieredCache({
      l1,
      l2: held,
      bus,
      ttl: '1m',
      jitter: 0,
      l2Timeout: '10s',
      onError: (error) => errors.push(error),
      ...rest,
    })
    this.#caches.push(cache)
    await waitFor('the second tier', () => cache.ready().then(() => true))
    return { cache, l1, store, bus, holds, errors }
  }

  async clients(count: number, options: ClientOptions = {}): Promise<Client[]> {
    return await Promise.all(Array.from({ length: count }, () => this.client(options)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.close()))
    for (const redis of this.#redis) redis.disconnect()
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()))
    await this.server.stop()
  }
}

export function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((yes) => {
    resolve = yes
  })
  return { promise, resolve }
}
