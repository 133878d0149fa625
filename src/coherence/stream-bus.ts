/**
 * The bus on Redis Streams: each write adds an entry to its bucket's stream in the script that writes, and each process reads every
 * stream over a blocking connection of its own. A process that was cut off reads on from where it was.
 *
 * Costs a connection a bucket, one round trip an entry or batch, and a few commands each heartbeat.
 */
import { integerOption } from '../options.js'
import type { BusConnect, BusTiming } from './bus.js'
import { BusBase } from './bus-base.js'
import { Link, type Timing, timingOf } from './link.js'
import type { ServerClock } from './server-clock.js'
import { StreamReader } from './stream-reader.js'

const MICROSECONDS_PER_MS = 1000

export interface StreamBusOptions extends BusTiming {
  /** Streams to read, default 1. */
  readonly buckets?: number
  /** Key of a bucket's stream. */
  readonly key: (bucket: number) => string
  /** A connection to the master that owns the bucket's stream. */
  readonly connect: BusConnect<number>
}

interface Bucket {
  readonly reader: StreamReader
  readonly link: Link
}

export class StreamBus extends BusBase {
  readonly #timing: Timing
  readonly #buckets: readonly Bucket[]

  constructor(options: StreamBusOptions) {
    super()
    this.#timing = timingOf(options)
    const buckets = integerOption(options.buckets ?? 1, 'StreamBus.buckets')
    integerOption(this.#timing.heartbeatMs, 'StreamBus.heartbeatMs')
    integerOption(this.#timing.graceMs, 'StreamBus.graceMs')
    this.#buckets = Array.from({ length: buckets }, (_, bucket) => this.#bucket(bucket, options))
  }

  /** The wall clock of the server that owns the bucket (default 0), measured at each connect and heartbeat. */
  clock(bucket = 0): ServerClock {
    return this.#at(bucket).reader.clock
  }

  /** Id of the last entry of a bucket that was reported; undefined before the first connection. */
  position(bucket = 0): string | undefined {
    return this.#at(bucket).reader.position
  }

  protected override open(): void {
    for (const { link } of this.#buckets) link.open()
  }

  protected override async shut(): Promise<void> {
    await Promise.all(this.#buckets.map(({ link }) => link.close()))
  }

  protected override *links(): Iterable<Link> {
    for (const { link } of this.#buckets) yield link
  }

  #at(bucket: number): Bucket {
    return this.#buckets[integerOption(bucket, 'bucket', { min: 0, max: this.#buckets.length - 1 })] as Bucket
  }

  #bucket(bucket: number, { key, connect }: StreamBusOptions): Bucket {
    const reader = new StreamReader({
      key: key(bucket),
      timing: this.#timing,
      onMessage: ({ kind, name, version, origin }) => {
        this.latency.recordMs(reader.clock.now() - version / MICROSECONDS_PER_MS)
        this.tellMessage({ kind, name, version, origin, bucket })
      },
      onGap: (reason) => this.tellGap(reason, bucket),
    })
    const link = new Link({
      connect: () => connect(bucket),
      converse: (talk, up) => reader.converse(talk, up),
      timing: this.#timing,
      onChange: (_, cause) => this.judge(cause),
      onError: (error) => this.tellError(error),
    })
    return { reader, link }
  }
}
