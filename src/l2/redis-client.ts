/**
 * What hitpath needs of ioredis 5.3 or 6, by shape, and the rules under which it uses a client.
 *
 * A client that was handed in stays as it is: every connection is a duplicate of it under these rules. None queues while it is offline
 * and none sends a command twice, since an old write that is sent again could come after a newer one.
 */

import { describe, HitpathError } from '../errors.js'
import type { Bytes } from '../platform.js'
import { encodeName } from './names.js'

const CONNECT_LIMIT_MS = 1000
const BACKOFF_MS = { first: 50, longest: 2000 }
const REFRESH_MS = 2000

/** An ioredis client of one server, or behind Sentinel. */
export interface RedisClient {
  readonly status: string
  readonly options: Readonly<Record<string, unknown>>
  connect(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  duplicate(override?: object): RedisClient
  call(command: string, ...args: (string | number | Bytes)[]): Promise<unknown>
  callBuffer(command: string, ...args: (string | number | Bytes)[]): Promise<unknown>
  getBuffer(key: string | Bytes): Promise<Bytes | null>
  mgetBuffer(keys?: readonly (string | Bytes)[]): Promise<(Bytes | null)[]>
  sendCommand(command: unknown): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  off(event: string, listener: (...args: never[]) => void): unknown
}

/** An ioredis client of a Cluster. */
export interface ClusterClient extends Omit<RedisClient, 'duplicate'> {
  readonly slots: readonly (readonly string[] | undefined)[]
  nodes(role: 'master' | 'all'): RedisClient[]
  duplicate(nodes: readonly unknown[], override: object): ClusterClient
}

export type AnyClient = RedisClient | ClusterClient

/** What a user hands in: `new Redis(…)` or `new Redis.Cluster(…)`. */
export interface ClientLike {
  readonly status: string
  duplicate(...args: never[]): unknown
}

/** @throws HitpathError INVALID_OPTION unless it has the shape of an ioredis client */
export function clientOption(value: unknown, path: string): AnyClient {
  const shape = value as Partial<Record<keyof ClusterClient, unknown>> | null | undefined
  if (
    typeof shape === 'object' &&
    shape !== null &&
    typeof shape.status === 'string' &&
    typeof shape.duplicate === 'function' &&
    typeof shape.callBuffer === 'function'
  ) {
    return value as AnyClient
  }
  throw new HitpathError(
    'INVALID_OPTION',
    `${path} must be an ioredis client (5.3 or later); got ${describe(value)}`,
  )
}

export function isCluster(client: AnyClient): client is ClusterClient {
  return 'nodes' in client && typeof client.nodes === 'function'
}

/** A command as ioredis makes and sends it. */
interface Command {
  args: readonly string[]
  readonly promise: Promise<unknown>
  /** What goes over the wire. */
  toWritable(): string | Bytes
}

/**
 * MGET. ioredis flattens the arguments of each command that it makes, 150 ns a key: here a command that was made without any gets them, and
 * its text. Keys that are not all ASCII, and Clusters, take the usual way.
 */
export function mget(client: AnyClient, keys: readonly string[]): Promise<(Bytes | null)[]> {
  const text = isCluster(client) ? undefined : asciiText('mget', keys)
  const command = text === undefined ? undefined : emptyMget(client)
  if (text === undefined || command === undefined) return client.mgetBuffer(keys.map(encodeName))
  command.args = keys
  command.toWritable = () => text
  return client.sendCommand(command) as Promise<(Bytes | null)[]>
}

/** Takes the place of a client where a command is to be made and not sent. */
export const UNSENT: object = unsent(false)
const UNSENT_WITH_STACK: object = unsent(true)
/** What is no `mgetBuffer` of ioredis: it sends by itself, or looks for more than it is given. */
const otherMakes = new WeakSet<object>()

/** The class of commands is not to be had from a client (its `constructor` is that of events), but what makes them gives them away. */
function emptyMget({ mgetBuffer, options }: AnyClient): Command | undefined {
  if (typeof mgetBuffer !== 'function' || otherMakes.has(mgetBuffer)) return undefined
  const maker = options?.['showFriendlyErrorStack'] ? UNSENT_WITH_STACK : UNSENT
  try {
    const made = mgetBuffer.call(maker as never) as unknown as Partial<Command> | undefined
    if (typeof made?.toWritable === 'function' && made.promise !== undefined) return made as Command
    Promise.resolve(made).catch(() => {}) // what it sent had no keys
  } catch {
    // a client of another make
  }
  otherMakes.add(mgetBuffer)
  return undefined
}

function unsent(showFriendlyErrorStack: boolean): object {
  return { options: { showFriendlyErrorStack }, sendCommand: (command: unknown) => command }
}

/**
 * A command in RESP if all of it is ASCII, so that units are bytes: this is found out once for the whole, which is made flat once, where
 * each key, looked at by itself, would be made flat by itself. It is half of the time.
 */
function asciiText(name: string, words: readonly string[]): string | undefined {
  let text = `*${words.length + 1}\r\n$${name.length}\r\n${name}\r\n`
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string
    text += `$${word.length}\r\n${word}\r\n`
  }
  return Buffer.byteLength(text) === text.length ? text : undefined
}

/** What the user's client puts before keys: it must become part of ours, which are also patterns and arguments. */
export function keyPrefixOf(client: AnyClient): string {
  const redisOptions = client.options['redisOptions'] as { keyPrefix?: unknown } | undefined
  const prefix = client.options['keyPrefix'] ?? redisOptions?.keyPrefix ?? ''
  return Buffer.isBuffer(prefix) ? prefix.toString() : String(prefix)
}

/**
 * The connection for commands. It has no deadlines of its own: deadlines.ts has.
 *
 * @param silenceMs a node of a Cluster that owes answers and is silent for so long is connected to anew (ioredis 5.5 and up)
 */
export function dataClient(template: AnyClient, silenceMs: number): AnyClient {
  if (!isCluster(template)) {
    return quiet(template.duplicate({ ...rules(template.options), retryStrategy: backoff }))
  }
  const redisOptions = (template.options['redisOptions'] ?? {}) as Readonly<Record<string, unknown>>
  return quiet(
    template.duplicate([], {
      keyPrefix: '',
      lazyConnect: true,
      enableOfflineQueue: false,
      // It asks a node that may not be connected yet, which fails without a queue; the link waits for the nodes itself.
      enableReadyCheck: false,
      enableAutoPipelining: false,
      scaleReads: 'master',
      maxRedirections: 16,
      // A command whose connection closed may have been done: it is not sent again.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 50,
      retryDelayOnTryAgain: 5,
      slotsRefreshInterval: REFRESH_MS,
      slotsRefreshTimeout: CONNECT_LIMIT_MS,
      clusterRetryStrategy: backoff,
      redisOptions: { ...redisOptions, ...rules(redisOptions), socketTimeout: silenceMs },
    }),
  )
}

/** A connection of its own that is not made anew: for reads that block and for tracking. Not connected yet. */
export function dedicatedClient(template: RedisClient): RedisClient {
  return quiet(
    template.duplicate({
      ...rules(template.options),
      retryStrategy: () => null,
    }),
  )
}

/** An error event without a listener would end the process; the commands themselves report what went wrong. */
export function quiet<C extends AnyClient>(client: C): C {
  client.on('error', () => {})
  return client
}

function rules(options: Readonly<Record<string, unknown>>): object {
  const limit = Number(options['connectTimeout'] ?? CONNECT_LIMIT_MS)
  return {
    keyPrefix: '',
    lazyConnect: true,
    readOnly: false,
    monitor: false,
    protocol: 2,
    stringNumbers: false,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: undefined,
    socketTimeout: undefined,
    blockingTimeout: undefined,
    connectTimeout: limit > 0 ? Math.min(limit, CONNECT_LIMIT_MS) : CONNECT_LIMIT_MS,
    // A master that became a replica: its connections must find the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  }
}

function backoff(attempt: number): number {
  return (
    Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** Math.min(attempt - 1, 10)) *
    (0.5 + Math.random() / 2)
  )
}
