/** The entry `l2`: where Redis is, and what a RedisStore is told besides. */
import type { ConfigDocument } from './document.js'
import { duration, flag, integer, listOf, record, secret, text, ttl } from './fields.js'
import type { RedisTierConfig, ServerAddress } from './types.js'

/** Of one server. */
export const accountFields = {
  host: text,
  port: integer(1, 65_535),
  db: integer(0),
  username: text,
  password: secret,
}

const address = record({ host: text, port: integer(1, 65_535) })

export const redisEntries = record({
  ttl,
  url: text,
  ...accountFields,
  path: text,
  tls: flag,
  sentinels: listOf(address),
  name: text,
  sentinelUsername: text,
  sentinelPassword: secret,
  cluster: listOf(address),
  namespace: text,
  prefix: text,
  buckets: integer(1, 1024),
  busLength: integer(1),
  commandTimeout: duration,
})

type Entries = ReturnType<typeof redisEntries>

const WAYS = ['url', 'host', 'path', 'sentinels', 'cluster'] as const
/** What goes with each way besides `tls`; the rest says what the way says already, or makes no sense with it. */
const GOES_WITH: Readonly<Record<(typeof WAYS)[number], readonly string[]>> = {
  url: [],
  host: ['port', 'db', 'username', 'password'],
  path: ['db', 'username', 'password'],
  sentinels: ['name', 'sentinelUsername', 'sentinelPassword', 'db', 'username', 'password'],
  cluster: ['username', 'password'],
}
const PLACES = [
  ...WAYS,
  'port',
  'db',
  'username',
  'password',
  'name',
  'sentinelUsername',
  'sentinelPassword',
] as const

/** The options of the store. @throws HitpathError INVALID_CONFIG when it says twice where Redis is */
export function redisTier(entries: Entries, document: ConfigDocument): RedisTierConfig {
  refuseMixedPlaces(entries, document)
  const { ttl: _, tls, sentinels, cluster, username, password, ...rest } = entries
  const account = { ...(username && { username }), ...(password && { password }) }
  const options = { ...(tls && { tls: {} }), ...account }
  return {
    ...rest,
    ...(cluster === undefined ? options : { cluster: clusterOf(addresses(cluster, 6379), options) }),
    ...(sentinels && { sentinels: addresses(sentinels, 26_379) }),
  }
}

/** Account and TLS of a Cluster are options of each of its nodes. */
function clusterOf(
  nodes: readonly ServerAddress[],
  redisOptions: object,
): NonNullable<RedisTierConfig['cluster']> {
  return Object.keys(redisOptions).length === 0 ? { nodes } : { nodes, options: { redisOptions } }
}

function addresses(
  list: readonly { readonly host?: string; readonly port?: number }[],
  defaultPort: number,
): ServerAddress[] {
  return list.map(({ host = 'localhost', port = defaultPort }) => ({ host, port }))
}

/** Where Redis is may be said in one way. */
function refuseMixedPlaces(entries: Entries, document: ConfigDocument): void {
  const given = WAYS.filter((way) => entries[way] !== undefined)
  const way = given[0] ?? 'host'
  if (given[1] !== undefined)
    throw document.error(['l2', given[1]], `and ${way} both say where Redis is; give one of them`)
  for (const name of PLACES) {
    if (entries[name] === undefined || name === way || GOES_WITH[way].includes(name)) continue
    const fitting = WAYS.filter((other) => GOES_WITH[other].includes(name)).join(' or ')
    throw document.error(['l2', name], `does not go with ${way}, but with ${fitting}`)
  }
  if (entries.url !== undefined && !/^(rediss?|unix):\/\//.test(entries.url))
    throw document.error(['l2', 'url'], 'must begin with redis://, rediss:// or unix://')
  if (entries.sentinels !== undefined && entries.name === undefined)
    throw document.error(['l2', 'sentinels'], 'needs l2.name beside it, the name of the master')
}
