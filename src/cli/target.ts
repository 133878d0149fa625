/** Which Redis and which namespace a command means: its options, those of a configuration file, or an environment variable. */
import { loadConfig } from '../config/load-config.js'
import type { HitpathConfig, ServerAddress } from '../config/types.js'
import { checkNamespace } from '../l2/names.js'
import { checkOptions, type RedisStoreOptions } from '../l2/redis-options.js'
import { type Given, integerGiven, type OptionSpecs, UsageError } from './command.js'
import { redacted } from './terminal.js'

const ENVIRONMENT = 'HITPATH_REDIS_URL'

export const TARGET_OPTIONS = {
  redis: {
    value: 'URL',
    text: `redis://user:password@host:6379/0, rediss:// for TLS, unix://; default: the environment's ${ENVIRONMENT}, which keeps a password out of the list of processes`,
  },
  config: {
    value: 'FILE',
    text: 'the configuration file of the caches, YAML or JSON: its l2, and its namespace',
  },
  namespace: { value: 'NS', text: 'the namespace; default: that of the configuration' },
  cluster: { text: 'the URL is a node of a Cluster' },
  sentinel: {
    value: 'HOST:PORT',
    multiple: true,
    text: 'a sentinel, with --master; of --redis only user, password and database then count',
  },
  master: { value: 'NAME', text: 'the name of the master among the sentinels' },
  prefix: { value: 'P', text: "the store's option prefix; default hp" },
  buckets: { value: 'N', text: "the store's option buckets; default 8 in a Cluster, else 1" },
} as const satisfies OptionSpecs

type TargetGiven = Given<typeof TARGET_OPTIONS>

export interface Target {
  /** Undefined when nothing says where Redis is. */
  readonly store: RedisStoreOptions | undefined
  /** Without password. */
  readonly shown: string
  readonly namespace: string | undefined
  readonly prefix: string
  readonly buckets: number | undefined
  readonly config: HitpathConfig | undefined
  /** Whether the place comes from the configuration, which the caches use as it is. */
  readonly fromConfig: boolean
}

/** @throws UsageError; HitpathError INVALID_CONFIG of the configuration */
export function targetOf(given: TargetGiven, env: Readonly<Record<string, string | undefined>>): Target {
  const config = given.config === undefined ? undefined : loadConfig(given.config)
  const { prefix: _, buckets: __, namespace: ___, ...configured } = config?.l2 ?? {}
  const url =
    given.redis ?? (config === undefined && given.sentinel === undefined ? env[ENVIRONMENT] : undefined)
  const named = url !== undefined || given.sentinel !== undefined
  if (given.cluster && url === undefined)
    throw new UsageError('--cluster needs --redis, the URL of one of its nodes')
  if (given.cluster && given.sentinel !== undefined)
    throw new UsageError('--cluster and --sentinel exclude each other')
  if ((given.sentinel === undefined) !== (given.master === undefined))
    throw new UsageError('--sentinel and --master go together')
  const place = named ? placeOf(url, given) : config?.l2 === undefined ? undefined : configured
  const buckets =
    given.buckets === undefined ? config?.l2?.buckets : integerGiven(given.buckets, 'buckets', 1, 1024)
  const prefix = given.prefix ?? config?.l2?.prefix ?? 'hp'
  const namespace = given.namespace ?? config?.namespace ?? config?.l2?.namespace
  const store = place && {
    ...place,
    prefix,
    ...(buckets === undefined ? {} : { buckets }),
    ...(config?.l2?.commandTimeout === undefined ? {} : { commandTimeout: config.l2.commandTimeout }),
  }
  checkAll(store, namespace)
  return {
    store,
    shown: place === undefined ? '' : shownPlace(place),
    namespace,
    prefix,
    buckets,
    config,
    fromConfig: !named && place !== undefined,
  }
}

/** What the store would refuse. @throws UsageError */
function checkAll(store: RedisStoreOptions | undefined, namespace: string | undefined): void {
  try {
    if (store !== undefined) checkOptions(store)
    if (namespace !== undefined) checkNamespace(namespace, '--namespace')
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

type Place = Pick<RedisStoreOptions, 'url' | 'host' | 'port' | 'path' | 'sentinels' | 'cluster' | 'name'>

function placeOf(url: string | undefined, given: TargetGiven): RedisStoreOptions {
  const parsed = url === undefined ? undefined : parsedUrl(url)
  if (given.sentinel !== undefined) {
    const db = Number(parsed?.pathname.slice(1) || 0)
    return {
      sentinels: given.sentinel.map(address),
      name: given.master as string,
      ...account(parsed),
      ...(db === 0 ? {} : { db }),
    }
  }
  if (!given.cluster) return { url: url as string }
  return clusterPlace(parsed as URL)
}

/** The Cluster that the server at a URL is a node of. */
export function clusterPlace(url: URL): RedisStoreOptions {
  const { hostname, port, protocol } = url
  const redisOptions = { ...account(url), ...(protocol === 'rediss:' ? { tls: {} } : {}) }
  const nodes = [{ host: hostname.replace(/^\[|\]$/g, '') || 'localhost', port: Number(port || 6379) }]
  return { cluster: { nodes, options: { redisOptions } } }
}

function account(url: URL | undefined): { username?: string; password?: string } {
  return {
    ...(url?.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url?.password ? { password: decodeURIComponent(url.password) } : {}),
  }
}

/** What came is not shown: it may hold a password. */
function parsedUrl(url: string): URL {
  if (/^(rediss?|unix):\/\//.test(url) && URL.canParse(url)) {
    const parsed = new URL(url)
    try {
      account(parsed)
      return parsed
    } catch (cause) {
      throw new UsageError('user and password in --redis must be percent-encoded: a % is written %25', {
        cause,
      })
    }
  }
  throw new UsageError('--redis must be a URL such as redis://localhost:6379, rediss://host or unix:///path')
}

function address(text: string): ServerAddress {
  const [, host, port = '26379'] = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(text) ?? []
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) }
  throw new UsageError(`--sentinel must be HOST or HOST:PORT; got ${JSON.stringify(text)}`)
}

function shownPlace({ url, host, port, path, sentinels, cluster, name }: Place): string {
  if (url !== undefined) return redacted(url)
  if (path !== undefined) return `unix://${path}`
  const list = (nodes: readonly unknown[]) =>
    nodes.map((node) => `${(node as ServerAddress).host}:${(node as ServerAddress).port}`).join(', ')
  if (sentinels !== undefined) return `${name} by the sentinels ${list(sentinels)}`
  if (cluster !== undefined) return `the Cluster of ${list(cluster.nodes)}`
  return `redis://${host ?? 'localhost'}:${port ?? 6379}`
}
