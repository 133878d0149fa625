/**
 * The bus on server-assisted tracking: the server itself says which keys changed, so writers that do not know hitpath are heard too.
 *
 * The server broadcasts keys by prefix (BCAST) to a RESP2 connection, one to each node that is read. It says neither versions nor
 * who wrote: every message is newer than anything (version Infinity), own writes come back as foreign ones, and `latency` stays empty.
 * Nothing is kept for a link that is down, so each connection begins with a gap.
 *
 * Nodes are listed anew each heartbeat, when a link breaks, and when `watch` says so. Until a node that took over is linked, which is at most
 * a heartbeat after it is listed, what was read from it is not guarded.
 */
import { integerOption } from '../options.js'
import type { BusClient, BusConnect, BusMessageKind, BusTiming, Unsubscribe } from './bus.js'
import { BusBase } from './bus-base.js'
import { asError, type Conversation } from './conversation.js'
import { Link, type Timing, timingOf } from './link.js'

const CHANNEL = '__redis__:invalidate'

/** Keys that are tracked. No prefix may be the beginning of another. */
export interface TrackedPrefix {
  readonly prefix: string
  /** What a key's rest is: the name of an entry, a tag, or nothing (the epoch of the namespace). */
  readonly kind: 'entry' | 'tag' | 'epoch'
  readonly bucket: number
}

export interface TrackingBusOptions extends BusTiming {
  readonly prefixes: readonly TrackedPrefix[]
  /** Nodes that are read: the masters of a Cluster, by address. Default: one, named ''. An empty list or a rejection changes nothing. */
  readonly nodes?: () => readonly string[] | Promise<readonly string[]>
  /** A connection to a node: `protocol: 2` (ioredis 6), `autoResubscribe: false`. */
  readonly connect: BusConnect<string>
  /** Calls back when the nodes may have become others. */
  readonly watch?: (changed: () => void) => Unsubscribe
}

const MESSAGE_KINDS: Readonly<Record<TrackedPrefix['kind'], BusMessageKind>> = {
  entry: 'delete',
  tag: 'tag',
  epoch: 'clear',
}

export class TrackingBus extends BusBase {
  readonly #options: TrackingBusOptions
  readonly #timing: Timing
  readonly #links = new Map<string, Link>()
  readonly #leaving = new Set<Promise<void>>()
  #listing: Promise<void> | undefined
  #again = false
  #timer: NodeJS.Timeout | undefined
  #unwatch: Unsubscribe | undefined

  constructor(options: TrackingBusOptions) {
    super()
    this.#options = options
    this.#timing = timingOf(options)
    integerOption(this.#timing.heartbeatMs, 'TrackingBus.heartbeatMs')
    integerOption(this.#timing.graceMs, 'TrackingBus.graceMs')
  }

  /** Nodes that are linked or being linked. */
  get nodes(): readonly string[] {
    return [...this.#links.keys()]
  }

  protected override open(): void {
    this.#unwatch = this.#options.watch?.(() => this.#list())
    this.#list()
  }

  protected override async shut(): Promise<void> {
    clearTimeout(this.#timer)
    this.#unwatch?.()
    await Promise.all([...this.#links.values()].map((link) => link.close()))
    await Promise.all(this.#leaving)
  }

  protected override links(): Iterable<Link> {
    return this.#links.values()
  }

  /** One listing at a time; a change during one is followed by another. */
  #list(): void {
    if (this.closing) return
    if (this.#listing !== undefined) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#listing = this.#relist().finally(() => {
      this.#listing = undefined
      if (this.closing) return
      const soon = this.#again
      this.#again = false
      this.#timer = setTimeout(() => this.#list(), soon ? 0 : this.#timing.heartbeatMs)
    })
  }

  async #relist(): Promise<void> {
    try {
      const nodes = new Set((await this.#options.nodes?.()) ?? [''])
      if (!this.closing && nodes.size > 0) this.#settle(nodes)
    } catch (error) {
      this.tellError(asError(error))
    }
  }

  #settle(nodes: ReadonlySet<string>): void {
    const added = [...nodes].filter((node) => !this.#links.has(node))
    for (const node of added) this.#links.set(node, this.#link(node))
    for (const [node, link] of this.#links) {
      if (nodes.has(node)) continue
      this.#links.delete(node)
      const left = link.close().finally(() => this.#leaving.delete(left))
      this.#leaving.add(left)
    }
    for (const node of added) this.#links.get(node)?.open()
    this.judge(undefined)
  }

  #link(node: string): Link {
    const link = new Link({
      connect: () => this.#options.connect(node),
      converse: (talk, up) => this.#converse(talk, up),
      timing: this.#timing,
      onChange: (up, cause) => {
        this.judge(cause)
        if (!up && this.#links.get(node) === link) this.#list()
      },
      onError: (error) => this.tellError(error),
    })
    return link
  }

  async #converse(talk: Conversation, up: () => void): Promise<void> {
    const { heartbeatMs, graceMs } = this.#timing
    const id = Number(await talk.ask(graceMs, 'CLIENT', 'ID'))
    const prefixes = this.#options.prefixes.flatMap(({ prefix }) => ['PREFIX', prefix])
    await talk.ask(graceMs, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...prefixes)
    listenTo(talk.client, (payload) => {
      talk.heard()
      this.#hear(payload)
    })
    await talk.subscribe(graceMs, CHANNEL)
    this.tellGap(this.wasHealthy ? 'reconnect' : 'start', 0)
    up()
    for (;;) {
      await talk.pause(heartbeatMs)
      await talk.ping(graceMs)
    }
  }

  #hear(payload: unknown): void {
    if (Array.isArray(payload)) for (const key of payload) this.#hearKey(String(key))
    else this.tellGap('flushed', 0)
  }

  #hearKey(key: string): void {
    for (const { prefix, kind, bucket } of this.#options.prefixes) {
      if (!key.startsWith(prefix)) continue
      const name = kind === 'epoch' ? '' : key.slice(prefix.length)
      const version = Number.POSITIVE_INFINITY
      this.tellMessage({ kind: MESSAGE_KINDS[kind], name, version, origin: '', bucket })
      return
    }
  }
}

/** The payload is an array of Buffers, or null when everything changed; ioredis declares it as a Buffer. */
function listenTo(client: BusClient, hear: (payload: unknown) => void): void {
  client.on('messageBuffer', (channel, payload) => {
    if (String(channel) === CHANNEL) hear(payload)
  })
}
