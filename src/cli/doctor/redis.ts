/** The part of the doctor that needs a connection: gathers facts from each master, then lets each judge its own. */
import type { HitpathError } from '../../errors.js'
import { Keyspace } from '../../l2/names.js'
import { type Connection, connect, type Node } from '../connection.js'
import { nodeOfSlot, ownerOf } from '../slots.js'
import type { Target } from '../target.js'
import { accessFacts, judgeAccess } from './access.js'
import { busFacts, judgeBus, judgeReaders, readersOf } from './bus.js'
import { type ClusterFacts, clusterFacts, judgeBuckets, judgeCluster } from './cluster.js'
import { commandsUsed } from './commands-used.js'
import { type Finding, merged, ok, type Section } from './finding.js'
import { judgeClock, judgeClocks, judgeLatency, type Measures, measure } from './measures.js'
import { judgeServer, serverFacts } from './server.js'
import { judgeTracking, trackingFacts } from './tracking.js'

/** Defaults of the store's options. */
const COMMAND_TIMEOUT_MS = 250
const BUS_LENGTH = 10_000
const CLUSTER_BUCKETS = 8

/** @throws HitpathError when there is no connection */
export async function examineRedis(target: Target): Promise<Section[]> {
  const connection = await connect(target.store ?? {})
  try {
    const cluster = connection.clustered ? await clusterFacts(connection) : undefined
    const [first] = connection.nodes
    if (first === undefined) {
      const findings = cluster === undefined ? [] : judgeCluster(cluster, target.fromConfig)
      return [{ title: `Redis: ${target.shown}`, findings }]
    }
    const servers = await ofServers(connection, target, cluster)
    const namespaces = await ofNamespaces(connection, target, cluster)
    return [
      { title: `Redis: ${target.shown}`, findings: servers },
      { title: 'Namespaces', findings: namespaces },
    ]
  } finally {
    connection.close()
  }
}

async function ofServers(
  { nodes, clustered }: Connection,
  target: Target,
  cluster: ClusterFacts | undefined,
): Promise<Finding[]> {
  const [namespace = 'default'] = namespacesOf(target)
  const deadlineMs = target.config?.l2?.commandTimeout ?? COMMAND_TIMEOUT_MS
  const commands = commandsUsed(target.prefix, namespace, clustered)
  const all: Measures[] = []
  const perNode: { address: string; findings: Finding[] }[] = []
  // one node after the other, or the measurements would disturb each other
  for (const node of nodes) {
    const server = await serverFacts(node)
    const access = await accessFacts(node, commands)
    const measures = await measure(node, scriptKey(node, target, namespace, cluster))
    const tracking = await trackingFacts(node, `${target.prefix}:{${namespace}#0}:e:`)
    all.push(measures)
    perNode.push({
      address: node.address,
      findings: [
        ...judgeServer(server),
        ...judgeAccess(access),
        judgeTracking(tracking, target.config?.bus),
        judgeLatency(measures, deadlineMs),
        judgeClock(measures),
      ],
    })
  }
  const layout = cluster === undefined ? [] : judgeCluster(cluster, target.fromConfig)
  return [ok('CONNECTION', 'connected'), ...layout, ...merged(perNode), ...judgeClocks(all)]
}

/** A node refuses a script on a key of another node: one of its own slots is looked for among many buckets. */
function scriptKey(
  node: Node,
  { prefix }: Target,
  namespace: string,
  cluster: ClusterFacts | undefined,
): string {
  const keys = new Keyspace(prefix, namespace, cluster === undefined ? 1 : 1024)
  for (let bucket = 0; bucket < keys.buckets; bucket++) {
    const { slot, sequence } = keys.of(bucket)
    if (cluster === undefined || ownerOf(cluster.ranges, slot) === node.address) return sequence
  }
  return keys.of(0).sequence
}

async function ofNamespaces(
  connection: Connection,
  target: Target,
  cluster: ClusterFacts | undefined,
): Promise<Finding[]> {
  const buckets = target.buckets ?? (cluster === undefined ? 1 : CLUSTER_BUCKETS)
  const nodeOf = (slot: number): Node | undefined => nodeOfSlot(connection, cluster?.ranges ?? [], slot)
  const findings: Finding[] = []
  for (const namespace of namespacesOf(target)) {
    if (cluster !== undefined) findings.push(...judgeBuckets(cluster, target.prefix, namespace, buckets))
    if (target.config?.bus === 'tracking' || target.config?.bus === false) continue
    const facts = await busFacts(nodeOf, namespace, new Keyspace(target.prefix, namespace, buckets))
    findings.push(...judgeBus(facts, target.config?.l2?.busLength ?? BUS_LENGTH))
  }
  return [...findings, judgeReaders(await readersOf(connection.nodes))]
}

/** Those of TypedCaches are one for each type. */
function namespacesOf({ namespace = 'default', config }: Target): string[] {
  const types = Object.keys(config?.types ?? {})
  return types.length === 0 ? [namespace] : types.map((type) => `${namespace}:${type}`)
}

const REMEDIES: readonly (readonly [pattern: RegExp, why: string, remedy: string])[] = [
  [/needs the package ioredis/, 'the second tier is made with it', 'npm install ioredis'],
  [
    /WRONGPASS|invalid username-password/i,
    'the server knows no such user with this password',
    'the password in the URL or in l2.password (percent-encoded in a URL); ACL LIST on the server',
  ],
  [
    /NOAUTH|Authentication required/i,
    'the server wants a password and none was given',
    'redis://user:password@host:port, or l2.password',
  ],
  [/NOPERM/, 'the user may not even connect', 'ACL SETUSER <user> +info +client +select'],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'the name of the host has no address here',
    'the host in the URL, and the name service of this machine or pod',
  ],
  [
    /ECONNREFUSED/,
    'nothing listens at this address',
    'start the server, or the right host and port; bind and protected-mode in redis.conf',
  ],
  [
    /ETIMEDOUT|did not answer|timed out/i,
    'the server did not answer in time: a firewall, or a server that hangs',
    'nc -vz <host> <port>, security groups and network policies',
  ],
  [
    /certificate|SSL|TLS|wrong version number|packet length/i,
    'the two sides do not agree on TLS',
    'rediss:// for TLS and redis:// without; NODE_EXTRA_CA_CERTS for an own authority',
  ],
  [
    /closed|ECONNRESET|EPIPE/,
    'the server closed the connection before it answered',
    'maxclients, protected-mode, and redis:// against rediss:// (TLS)',
  ],
  [/cluster support disabled/i, 'the server is no node of a Cluster', 'leave out --cluster (l2.cluster)'],
  [/sentinels/i, 'no sentinel knows a master of this name', '--master, and SENTINEL MASTERS on a sentinel'],
]

/** What a connection that was not made is as a finding. */
export function unreachable({ message }: HitpathError): Finding {
  const [
    ,
    why = 'without a connection the first tier is alone',
    remedy = 'redis-cli -u <the same URL> PING',
  ] = REMEDIES.find(([pattern]) => pattern.test(message)) ?? []
  return { code: 'CONNECTION', level: 'error', found: `no connection: ${message}`, why, remedy }
}
