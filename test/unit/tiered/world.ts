/** Processes that share a server, on one clock that the test moves. */
import { LocalCache, SharedCache, TieredCache, type TieredCacheOptions } from '../../../src/index.js'
import { MemoryBus, MemoryServer, MemoryStore } from '../../support/memory-store.js'

/** What the contract of the tiers holds over. */
export const FIRST_TIERS = ['LocalCache', 'portable LocalCache', 'SharedCache'] as const
export type FirstTierKind = (typeof FIRST_TIERS)[number]

export interface Process {
  readonly cache: TieredCache
  readonly store: MemoryStore
  readonly bus: MemoryBus
}

export class World implements AsyncDisposable {
  #now = 1_000_000
  readonly clock = { now: (): number => this.#now }
  /** The server's clock is its own. */
  readonly server = new MemoryServer(() => 1_700_000_000_000 + this.#now)
  readonly #kind: FirstTierKind
  readonly #open: TieredCache[] = []

  constructor(kind: FirstTierKind = 'LocalCache') {
    this.#kind = kind
  }

  advance(ms: number): void {
    this.#now += ms
  }

  process(options: Omit<TieredCacheOptions, 'l2'> = {}): Process {
    const store = new MemoryStore(this.server)
    const bus = new MemoryBus(this.server)
    const cache = new TieredCache({
      l1: this.#firstTier(),
      l2: store,
      bus,
      clock: this.clock,
      jitter: 0,
      ttl: 1000,
      ...options,
    })
    this.#open.push(cache)
    return { cache, store, bus }
  }

  /** Without a second tier. */
  alone(options: Omit<TieredCacheOptions, 'l2'> = {}): TieredCache {
    const l1 = this.#firstTier()
    const cache = new TieredCache({ l1, clock: this.clock, jitter: 0, ttl: 1000, ...options })
    this.#open.push(cache)
    return cache
  }

  #firstTier(): LocalCache | SharedCache {
    const options = { maxEntries: 1000, clock: this.clock }
    if (this.#kind === 'SharedCache') return SharedCache.create({ ...options, maxBytes: 2 ** 21 })
    return new LocalCache({ ...options, engine: this.#kind === 'LocalCache' ? 'native' : 'portable' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((cache) => cache.close()))
  }
}

/** A promise and its ends. */
export function deferred<T>(): {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
} {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** Lets everything go on that waits for nothing but other promises. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
