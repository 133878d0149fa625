/** What the tests of the buses share: connections as the store makes them, a writer as its scripts are, and an ear. */
import { Redis } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import type { Bus, BusClient, BusMessage } from '../../../src/coherence/bus.js'
import { waitFor } from '../../support/redis.js'

export type Major = 5 | 6

const OPTIONS = {
  host: '127.0.0.1',
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 1000,
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

/** Writes down what a bus tells, with the time. */
export class Ear {
  readonly told: string[] = []
  readonly messages: BusMessage[] = []
  readonly #at: number[] = []

  constructor(bus: Bus) {
    bus.onMessage((message) => {
      this.messages.push(message)
      this.#hear(`${message.kind} ${message.name}`)
    })
    bus.onGap((reason) => this.#hear(`gap ${reason}`))
    bus.onLink((up) => this.#hear(up ? 'up' : 'down'))
  }

  /** Waits until `word` has been told (again, after `from`), and returns when that was. */
  async until(word: string, from = 0): Promise<number> {
    const index = await waitFor(
      `the bus to tell ${word}; it told ${this.told}`,
      () => {
        const found = this.told.indexOf(word, from)
        return found < 0 ? undefined : found + 1
      },
      { everyMs: 2 },
    )
    return this.#at[index - 1] as number
  }

  get names(): string[] {
    return this.messages.map(({ name }) => name)
  }

  clear(): void {
    this.told.length = 0
    this.messages.length = 0
    this.#at.length = 0
  }

  #hear(word: string): void {
    this.told.push(word)
    this.#at.push(performance.now())
  }
}

/** Handles of this process that a connection or a timer would add to. */
export function handles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name === 'TCPSocketWrap' || name === 'Timeout' || name === 'TCPConnectWrap')
    .sort()
}
