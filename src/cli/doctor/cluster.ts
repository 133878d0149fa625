/** The layout of a Cluster: state, masters, replicas, slots, and where the buckets of a namespace lie. */
import { Keyspace } from '../../l2/names.js'
import type { Connection } from '../connection.js'
import { ownerOf, readRanges, type SlotRange } from '../slots.js'
import { type Finding, ok } from './finding.js'

const SLOTS = 16_384

export interface ClusterFacts {
  /** Undefined when CLUSTER INFO is refused. */
  readonly state: string | undefined
  readonly ranges: readonly SlotRange[]
  readonly lost: readonly { readonly address: string; readonly message: string }[]
  /** The options said one server. */
  readonly undeclared: boolean
}

export async function clusterFacts(connection: Connection): Promise<ClusterFacts> {
  const { nodes, lost, undeclared } = connection
  const info = (await nodes[0]?.ask('cluster', 'info').then(String, () => '')) ?? ''
  return {
    state: /^cluster_state:(\S+)/m.exec(info)?.[1],
    ranges: await readRanges(connection),
    lost: lost.map(({ address, error }) => ({ address, message: error.message })),
    undeclared,
  }
}

export function judgeCluster(facts: ClusterFacts, fromConfig: boolean): Finding[] {
  const findings: Finding[] = []
  if (facts.undeclared) findings.push(undeclaredFinding(fromConfig))
  for (const { address, message } of facts.lost) {
    findings.push({
      code: 'CLUSTER_NODE',
      level: 'error',
      found: `the master ${address} cannot be reached: ${message}`,
      why: 'every key of its slots is a miss, and the bus of its buckets has no link',
      remedy:
        'redis-cli --cluster check <any node>; with Docker or NAT: cluster-announce-ip and cluster-announce-port',
    })
  }
  const covered = facts.ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  if (covered < SLOTS || (facts.state !== undefined && facts.state !== 'ok')) {
    findings.push({
      code: 'CLUSTER_STATE',
      level: 'error',
      found: `the Cluster is ${facts.state ?? 'not known'}, ${covered} of ${SLOTS} slots have a master`,
      why: 'with cluster-require-full-coverage no key can be used until all slots are covered; without, those of the others',
      remedy: 'redis-cli --cluster fix <any node>, or bring the failed masters back',
    })
  }
  const masters = new Map(facts.ranges.map(({ master, replicas }) => [master, replicas]))
  const bare = [...masters].filter(([, replicas]) => replicas === 0).map(([master]) => master)
  if (findings.every(({ level }) => level !== 'error')) {
    findings.push(
      ok('CLUSTER_STATE', `the Cluster is ok: ${masters.size} masters, ${SLOTS} of ${SLOTS} slots`),
    )
  }
  if (bare.length > 0) {
    findings.push({
      code: 'CLUSTER_REPLICAS',
      level: 'note',
      found: `without a replica: ${bare.join(', ')}`,
      why: 'when it fails its slots are gone until it is back: misses for a cache, and a flush of the first tiers',
      remedy: 'redis-cli --cluster add-node <new> <any node> --cluster-slave',
    })
  }
  return findings
}

function undeclaredFinding(fromConfig: boolean): Finding {
  return {
    code: 'CLUSTER_OPTION',
    level: fromConfig ? 'error' : 'note',
    found: 'the server is a node of a Cluster, and the options speak of one server',
    why: 'a cache with these options fails for every key of another node (MOVED), and spreads its namespace over 1 bucket and not 8',
    remedy:
      'l2: { cluster: [{ host, port }] } in the file, new RedisStore({ cluster: { nodes: [...] } }), or --cluster here',
  }
}

/** Where a namespace lies. */
export function judgeBuckets(
  { ranges }: ClusterFacts,
  prefix: string,
  namespace: string,
  buckets: number,
): Finding[] {
  const keys = new Keyspace(prefix, namespace, buckets)
  const masters = new Set(ranges.map(({ master }) => master))
  const owners = Array.from({ length: buckets }, (_, bucket) => {
    return ownerOf(ranges, keys.of(bucket).slot)
  })
  const used = new Set(owners.filter((owner) => owner !== undefined))
  const found = `${buckets} bucket${buckets === 1 ? '' : 's'} of ${namespace} by the hash tags {${namespace}#0}${buckets === 1 ? '' : ` to {${namespace}#${buckets - 1}}`} on ${used.size} of ${masters.size} masters`
  if (used.size >= masters.size || masters.size === 0) return [ok('CLUSTER_BUCKETS', found)]
  return [
    {
      code: 'CLUSTER_BUCKETS',
      level: used.size === 1 && masters.size > 1 ? 'warning' : 'note',
      found,
      why: 'the other masters hold nothing of this namespace: its load is not spread over them',
      remedy: `buckets: ${Math.min(1024, Math.max(8, 4 * masters.size))} in the options of the store, the same in every process; entries that are there are lost once`,
    },
  ]
}
