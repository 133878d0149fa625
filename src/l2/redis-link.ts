/**
 * The connection that stores share: opened by the first call, closed when the last store that used it is.
 *
 * Always true: once it was up, or could not be reached, a call never waits for it: without a ready connection it is rejected at once.
 */
import { channel } from 'node:diagnostics_channel'
import { HitpathError } from '../errors.js'
import { Deadlines } from './deadlines.js'
import { failure, markUndone } from './failure.js'
import {
  type AnyClient,
  type ClusterClient,
  dataClient,
  dedicatedClient,
  isCluster,
  type RedisClient,
} from './redis-client.js'

/** `{ message }` when the server is set up in a way that will hurt. */
const WARNINGS = channel('hitpath:l2:warning')
const OLDEST = { major: 6, minor: 2 }
/** The peer of a connection that was made must have answered the first commands by then, */
const HANDSHAKE_MS = 1000
/** and later must not be silent, with calls waiting, for so many deadlines and at least so long: it may be gone without a word. */
const SILENT_DEADLINES = 4
const SILENT_MS = 1000

export class RedisLink {
  /** Every call goes through it. */
  readonly deadlines: Deadlines
  readonly #silenceMs: number
  readonly #template: () => Promise<AnyClient>
  #client: AnyClient | undefined
  #opening: Promise<void> | undefined
  /** Settles with the first connection or the first failure to make one. */
  #first: Promise<void> | undefined
  /** The server may not be used, for as long as it is this one. */
  #unfit: HitpathError | undefined
  #lastError: unknown
  #up = false
  #users = 0

  constructor(template: () => Promise<AnyClient>, timeoutMs: number) {
    this.#template = template
    this.#silenceMs = Math.max(SILENT_MS, SILENT_DEADLINES * timeoutMs)
    this.deadlines = new Deadlines(timeoutMs, () => this.#reconnect(), this.#silenceMs)
  }

  /** The client, if a command may be sent now. */
  get ready(): AnyClient | undefined {
    return this.#up && this.#client?.status === 'ready' ? this.#client : undefined
  }

  retain(): void {
    this.#users++
  }

  release(): void {
    if (--this.#users > 0) return
    const client = this.#client
    this.#client = undefined
    this.#opening = this.#first = this.#unfit = undefined
    this.#up = false
    client?.disconnect()
  }

  /** The client, connected. Only while the first connection is made does it wait. @throws HitpathError L2_UNAVAILABLE */
  async open(): Promise<AnyClient> {
    await this.#connected()
    const client = this.ready
    if (client !== undefined) return client
    if (this.#unfit !== undefined) throw this.#unfit
    const why = this.#lastError instanceof Error ? `: ${this.#lastError.message}` : ''
    throw markUndone(
      new HitpathError('L2_UNAVAILABLE', `there is no connection to Redis${why}`, { cause: this.#lastError }),
    )
  }

  /** A connection of its own, not connected yet, to the master that owns a slot; `probe` is a key of the slot. */
  async dedicated(slot: number, probe: string): Promise<RedisClient> {
    return this.dedicatedTo(await this.ownerOf(slot, probe))
  }

  /** Address of the master that owns a slot, '' for one server. Asked for a key of the slot, the client learns who owns it now. */
  async ownerOf(slot: number, probe: string): Promise<string> {
    if (!isCluster(await this.#template())) return ''
    const client = (this.ready ?? (await this.open())) as ClusterClient
    try {
      await client.call('exists', probe)
    } catch (error) {
      throw failure(error)
    }
    return client.slots[slot]?.[0] ?? ''
  }

  /** A connection of its own, not connected yet, to a node by its address, or to the only one by ''. */
  async dedicatedTo(address: string): Promise<RedisClient> {
    const template = await this.#template()
    if (!isCluster(template)) return dedicatedClient(template)
    const client = (this.ready ?? (await this.open())) as ClusterClient
    const node = client
      .nodes('all')
      .find(({ options }) => `${options['host']}:${options['port']}` === address)
    if (node !== undefined) return dedicatedClient(node)
    throw new HitpathError('L2_UNAVAILABLE', `the Cluster has no node ${address}`)
  }

  /** Calls back when the nodes of a Cluster may have changed; returns how to stop. */
  watch(changed: () => void): () => void {
    const client = this.#client
    if (client === undefined || !isCluster(client)) return () => {}
    const events = ['+node', '-node', 'refresh']
    for (const event of events) client.on(event, changed)
    return () => {
      for (const event of events) client.off(event, changed)
    }
  }

  async #connected(): Promise<void> {
    this.#opening ??= this.#open()
    await this.#opening
    await this.#first
  }

  async #open(): Promise<void> {
    try {
      const template = await this.#template()
      const client = dataClient(template, this.#silenceMs)
      this.#client = client
      client.on('error', (error: unknown) => {
        this.#lastError = error
      })
      if (isCluster(client)) client.on('+node', connectSoon)
      else client.on('connect', () => hurry(client))
      const first = new Promise<void>((resolve) => {
        client.on('ready', () => void this.#examine(client).finally(resolve))
        for (const event of ['close', 'end']) client.on(event, resolve)
      })
      this.#first = first
      client.connect().catch((error: unknown) => {
        this.#lastError ??= error
      })
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  /** A Cluster's nodes find out for themselves: silence of one is not silence of all. */
  #reconnect(): void {
    const client = this.#client
    if (client !== undefined && !isCluster(client)) renew(client)
  }

  /** The server's version and settings, at each connection: it may be another. */
  async #examine(client: AnyClient): Promise<void> {
    try {
      if (isCluster(client)) await Promise.all(client.nodes('master').map(settled))
      const info = String(await client.call('info'))
      this.#unfit = tooOld(info)
      warnOfEviction(info)
    } catch {
      // An ACL may forbid INFO, and a connection that is gone again will be examined when it comes back.
    }
    this.#up = this.#unfit === undefined && this.#client === client
  }
}

/** Reconnects at once: a socket that is only ended waits for a peer that may be gone. */
function renew(client: RedisClient): void {
  client.disconnect(true)
  const stream = Reflect.get(client, 'stream') as { readonly destroy?: () => void } | null | undefined
  stream?.destroy?.()
}

/** A server that accepts connections and says nothing: a new connection may reach a better one. */
function hurry(client: RedisClient): void {
  const timer = setTimeout(() => {
    if (client.status === 'connect') renew(client)
  }, HANDSHAKE_MS)
  timer.unref()
}

/** Nodes connect with their first command, and reject all others until they have: each is connected before it is needed. */
function connectSoon(node: RedisClient): void {
  queueMicrotask(() => {
    if (node.status === 'wait') node.connect().catch(() => {})
  })
}

/** Resolves when the node is connected or could not be. */
function settled(node: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    if (node.status === 'ready' || node.status === 'end') return resolve()
    for (const event of ['ready', 'close', 'end']) node.on(event, resolve)
    connectSoon(node)
  })
}

function tooOld(info: string): HitpathError | undefined {
  const [, version = '', major, minor] = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(info) ?? []
  const [have, want] = [Number(major) * 1000 + Number(minor), OLDEST.major * 1000 + OLDEST.minor]
  if (version === '' || have >= want) return undefined
  return new HitpathError(
    'L2_ERROR',
    `Redis ${OLDEST.major}.${OLDEST.minor} or later is needed; the server is ${version}`,
  )
}

function warnOfEviction(info: string): void {
  const bound = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0)
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? ''
  if (bound === 0 || policy.startsWith('volatile-')) return
  const message =
    policy === 'noeviction'
      ? 'maxmemory-policy is noeviction: when the server is full, writes fail; volatile-lru suits a cache'
      : `maxmemory-policy is ${policy}: it may evict counters and the bus, which costs entries; volatile-lru suits a cache`
  WARNINGS.publish({ message })
}
