/** The options of RedisStore, checked once. */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import { functionOption, integerOption, refuseUnknownOptions } from '../options.js'
import { checkNamespace } from './names.js'
import {
  type AnyClient,
  type ClientLike,
  clientOption,
  isCluster,
  keyPrefixOf,
  quiet,
  type RedisClient,
} from './redis-client.js'

/** Where the server is, when hitpath makes the client: it then needs ioredis (`^5.3 || ^6`) installed. */
export interface RedisConnectionOptions {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. In place of host, port and db. Default: none. */
  readonly url?: string
  /** Name or address of the server. Default `'localhost'`. */
  readonly host?: string
  /** TCP port of the server. Default 6379. */
  readonly port?: number
  /** Path of a Unix socket, in place of host and port. Default: none. */
  readonly path?: string
  /** Index of the database. A Cluster has only 0. Default 0. */
  readonly db?: number
  /** The ACL user. Default: none, the user `default`. */
  readonly username?: string
  /** The password of the user. Default: none. */
  readonly password?: string
  /** Options of `tls.connect`; `{}` for TLS with the system's authorities. Default: no TLS. */
  readonly tls?: object
  /** Addresses of sentinels; `name` is then the master's name. Default: none. */
  readonly sentinels?: readonly { readonly host: string; readonly port: number }[]
  /** The master's name among the sentinels. Default: none; needed with `sentinels`. */
  readonly name?: string
  /** The ACL user of the sentinels. Default: none. */
  readonly sentinelUsername?: string
  /** The password of the sentinels. Default: none. */
  readonly sentinelPassword?: string
  /** Some nodes of a Cluster, and options of ioredis for it. In place of all others. Default: none. */
  readonly cluster?: { readonly nodes: readonly (string | number | object)[]; readonly options?: object }
}

export interface RedisStoreOptions extends RedisConnectionOptions {
  /** An ioredis client or Cluster. It is left as it is, and open: the store uses duplicates of it, under its own rules. Default: one made of the other options. */
  readonly client?: ClientLike
  /** Makes the client when the store is made. Only its options are used: it is disconnected at once. Default: none. */
  readonly createClient?: () => ClientLike
  /** Namespace of `new RedisStore()` itself: 1 to 128 characters without braces, blanks and control characters. Default `'default'`. */
  readonly namespace?: string
  /** Begins all keys, after the `keyPrefix` of the client. Default `'hp'`. */
  readonly prefix?: string
  /** Cluster slots over which a namespace is spread, 1 to 1,024. Must be equal in all processes. Default: 8 in a Cluster, else 1. */
  readonly buckets?: number
  /** After this long every call is rejected with L2_TIMEOUT, except scans, each of whose steps has this long. Default '250ms'. */
  readonly commandTimeout?: Duration
  /** Messages that the bus keeps for processes that were cut off, about. Default 10,000. */
  readonly busLength?: number
}

export interface CheckedOptions {
  readonly template: () => Promise<AnyClient>
  readonly namespace: string
  readonly prefix: string
  readonly buckets: number
  readonly timeoutMs: number
  readonly busLength: number
}

const PATH = 'RedisStore'
const SERVER = ['host', 'port', 'path', 'db', 'username', 'password', 'tls'] as const
const SENTINEL = ['sentinels', 'name', 'sentinelUsername', 'sentinelPassword'] as const
const CONNECTION = ['url', ...SERVER, ...SENTINEL, 'cluster'] as const
const OWN = ['namespace', 'prefix', 'buckets', 'commandTimeout', 'busLength'] as const
const MAX_PREFIX = 128
const MAX_BUCKETS = 1024

/** @throws HitpathError INVALID_OPTION or INVALID_TTL, naming the option */
export function checkOptions(options: RedisStoreOptions): CheckedOptions {
  refuseUnknownOptions(options, PATH, ['client', 'createClient', ...CONNECTION, ...OWN])
  const { source, clustered } = sourceOf(options)
  const prefix = prefixOption(
    (source instanceof Function ? '' : keyPrefixOf(source)) + (options.prefix ?? 'hp'),
  )
  return {
    template: source instanceof Function ? source : () => Promise.resolve(source),
    namespace: checkNamespace(options.namespace ?? 'default', `${PATH}.namespace`),
    prefix,
    buckets: integerOption(options.buckets ?? (clustered ? 8 : 1), `${PATH}.buckets`, { max: MAX_BUCKETS }),
    timeoutMs: parseDuration(options.commandTimeout ?? '250ms', `${PATH}.commandTimeout`),
    busLength: integerOption(options.busLength ?? 10_000, `${PATH}.busLength`),
  }
}

interface Source {
  readonly source: AnyClient | (() => Promise<AnyClient>)
  readonly clustered: boolean
}

function sourceOf(options: RedisStoreOptions): Source {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const names = given.map(([name]) => name)
  const places = names.filter((name) => (CONNECTION as readonly string[]).includes(name))
  if (options.client !== undefined) {
    alone('client', [...places, ...names.filter((name) => name === 'createClient')])
    const client = clientOption(options.client, `${PATH}.client`)
    return { source: client, clustered: isCluster(client) }
  }
  if (options.createClient !== undefined) {
    alone('createClient', places)
    const made = functionOption(options.createClient, `${PATH}.createClient`)()
    const client = quiet(clientOption(made, `the client made by ${PATH}.createClient`))
    client.disconnect()
    return { source: client, clustered: isCluster(client) }
  }
  checkPlaces(options, places)
  let made: Promise<AnyClient> | undefined
  const source = () => {
    made ??= makeClient(options)
    return made
  }
  return { source, clustered: options.cluster !== undefined }
}

function checkPlaces(options: RedisStoreOptions, places: readonly string[]): void {
  if (options.cluster !== undefined) {
    alone(
      'cluster',
      places.filter((name) => name !== 'cluster'),
    )
    refuseUnknownOptions(options.cluster, `${PATH}.cluster`, ['nodes', 'options'])
    if (!Array.isArray(options.cluster.nodes) || options.cluster.nodes.length === 0)
      throw wrong('cluster.nodes', 'an array of at least one address', options.cluster.nodes)
  }
  if (options.url !== undefined) {
    if (typeof options.url !== 'string' || !/^(rediss?|unix):\/\//.test(options.url))
      throw wrong('url', "a string that begins with 'redis://' or 'rediss://'", options.url)
    alone(
      'url',
      places.filter((name) => !['url', 'tls'].includes(name)),
    )
  }
  for (const name of [
    'host',
    'path',
    'username',
    'password',
    'name',
    'sentinelUsername',
    'sentinelPassword',
  ] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'string')
      throw wrong(name, 'a string', options[name])
  }
  if (options.port !== undefined) integerOption(options.port, `${PATH}.port`, { max: 65_535 })
  if (options.db !== undefined) integerOption(options.db, `${PATH}.db`, { min: 0 })
  if (options.sentinels !== undefined) {
    if (!Array.isArray(options.sentinels) || options.sentinels.length === 0)
      throw wrong('sentinels', 'an array of at least one address', options.sentinels)
    if (options.name === undefined) throw wrong('name', "the master's name among the sentinels", options.name)
  }
}

async function makeClient(options: RedisStoreOptions): Promise<AnyClient> {
  const { Redis, Cluster } = await importIoredis()
  if (options.cluster !== undefined) {
    return quiet(new Cluster(options.cluster.nodes, { ...options.cluster.options, lazyConnect: true }))
  }
  const server: Record<string, unknown> = { lazyConnect: true }
  for (const name of [...SERVER, ...SENTINEL]) if (options[name] !== undefined) server[name] = options[name]
  return quiet(options.url === undefined ? new Redis(server) : new Redis(options.url, server))
}

interface Ioredis {
  readonly Redis: new (...args: unknown[]) => RedisClient
  readonly Cluster: new (nodes: readonly unknown[], options: object) => AnyClient
}

async function importIoredis(): Promise<Ioredis> {
  try {
    return (await import('ioredis')) as unknown as Ioredis
  } catch (cause) {
    throw new HitpathError(
      'INVALID_OPTION',
      `${PATH} with a host or url needs the package ioredis, which could not be loaded: npm install ioredis`,
      { cause },
    )
  }
}

function alone(name: string, others: readonly string[]): void {
  if (others.length === 0) return
  throw new HitpathError(
    'INVALID_OPTION',
    `${PATH}.${name} stands alone: it does not go with ${others.join(', ')}`,
  )
}

function prefixOption(prefix: string): string {
  if (
    prefix.length > 0 &&
    prefix.length <= MAX_PREFIX &&
    prefix.isWellFormed() &&
    !/[{}\s\p{Cc}]/u.test(prefix)
  )
    return prefix
  throw wrong(
    'prefix',
    `1 to ${MAX_PREFIX} characters (with the client's keyPrefix) without braces or blanks`,
    prefix,
  )
}

function wrong(name: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${PATH}.${name} must be ${expected}; got ${describe(value)}`)
}
