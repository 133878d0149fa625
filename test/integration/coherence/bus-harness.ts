/** What the tests of the buses share: connections as the store makes them, a writer as its scripts are, and an ear. */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import type { Bus, BusClient, BusMessage } from '../../../src/coherence/bus.js'
import { ServerClock, timeReplyMs } from '../../../src/coherence/server-clock.js'
import { entriesOf, entriesOfXread } from '../../../src/coherence/stream-message.js'
import { Histogram } from '../../../src/observe/histogram.js'
import { waitFor } from '../../support/redis.js'

export type Major = 5 | 6

const OPTIONS = {
  host: '127.0.0.1',
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 10_000,
  retryStrategy: () => null,
} as const

/** A connection as the bus wants it; version 6 speaks RESP3 unless it is for tracking. */
export function busClient(port: number, major: Major = 5, protocol: 2 | 3 = 3): BusClient {
  return major === 5 ? new Redis({ ...OPTIONS, port }) : new Redis6({ ...OPTIONS, port, protocol })
}

const PUBLISH = `
  local t = redis.call('TIME')
  local v = math.max((tonumber(redis.call('GET', KEYS[2])) or 0) + 1, t[1] * 1000000 + t[2])
  redis.call('SET', KEYS[2], string.format('%.0f', v))
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  local p = last[1] and last[1][1] or '0-0'
  return redis.call('XADD', KEYS[1], '*', 'k', ARGV[1], 'n', ARGV[2], 'v', string.format('%.0f', v), 'o', ARGV[3], 'p', p)`

/** Writes messages to a stream with version and chain, in one script each. */
export class Publisher {
  readonly client: Redis
  readonly #key: string

  constructor(port: number, key: string) {
    this.client = new Redis({ ...OPTIONS, port, lazyConnect: false, enableOfflineQueue: true })
    this.client.on('error', () => {})
    this.#key = key
  }

  async publish(name: string, kind = 's', origin = 'publisher'): Promise<string> {
    const sequence = this.#key.replace(/:bus$/, ':seq')
    return String(await this.client.eval(PUBLISH, 2, this.#key, sequence, kind, name, origin))
  }

  close(): void {
    this.client.disconnect()
  }
}

/** Reads a stream and notes how old each message was when it came, by the clock of the server that it learned at its begin. */
export class BareReader {
  readonly latency = new Histogram()
  readonly #client: Redis
  readonly #key: string

  constructor(port: number, key: string) {
    this.#client = new Redis({ ...OPTIONS, port })
    this.#client.on('error', () => {})
    this.#key = key
  }

  async open(): Promise<void> {
    await this.#client.connect()
    const clock = new ServerClock()
    for (let i = 0; i < 20; i++) {
      const sent = performance.now()
      const reply = await this.#client.time()
      clock.sample(sent, performance.now(), timeReplyMs(reply))
    }
    const [last] = entriesOf(await this.#client.xrevrange(this.#key, '+', '-', 'COUNT', 1))
    void this.#read(clock, last?.id ?? '0-0').catch(() => {})
  }

  close(): void {
    this.#client.disconnect()
  }

  async #read(clock: ServerClock, from: string): Promise<never> {
    for (let position = from; ; ) {
      const entries = entriesOfXread(
        await this.#client.xread('COUNT', 500, 'BLOCK', 0, 'STREAMS', this.#key, position),
      )
      const now = clock.now()
      for (const { id, message } of entries) {
        position = id
        this.latency.recordMs(now - (message?.version ?? Number.NaN) / 1000)
      }
    }
  }
}

/** Writes down what a bus tells. */
export class Ear {
  readonly told: string[] = []
  readonly messages: BusMessage[] = []

  constructor(bus: Bus) {
    bus.onMessage((message) => {
      this.messages.push(message)
      this.#hear(`${message.kind} ${message.name}`)
    })
    bus.onGap((reason) => this.#hear(`gap ${reason}`))
    bus.onLink((up) => this.#hear(up ? 'up' : 'down'))
  }

  /** Waits until `word` has been told. */
  async until(word: string): Promise<void> {
    await waitFor(`the bus to tell ${word}; it told ${this.told}`, () => this.told.includes(word), {
      everyMs: 2,
    })
  }

  get names(): string[] {
    return this.messages.map(({ name }) => name)
  }

  clear(): void {
    this.told.length = 0
    this.messages.length = 0
  }

  #hear(word: string): void {
    this.told.push(word)
  }
}

/**
 * Whether an event comes before this process has waited so long three times over: on a loaded machine it is late with both, and the
 * more often it waits, the later.
 */
export async function comesWithin(ms: number, event: Promise<unknown>): Promise<boolean> {
  const late = async (): Promise<boolean> => {
    for (let i = 0; i < 3; i++) await delay(ms)
    return false
  }
  return await Promise.race([event.then(() => true), late()])
}

/** Handles of this process that a connection or a timer would add to. */
export function handles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name === 'TCPSocketWrap' || name === 'Timeout' || name === 'TCPConnectWrap')
    .sort()
}
