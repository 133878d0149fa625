/** A Cluster of real servers on the loopback address, whose slots can be moved and whose masters can be failed over. */
import { freePort } from './ports.js'
import { RedisServer } from './redis-server.js'
import { waitFor } from './wait.js'

const SLOTS = 16_384

export interface ClusterOptions {
  /** Default 3. */
  readonly masters?: number
  /** Replicas of each master. Default 0. */
  readonly replicas?: 0 | 1
  readonly args?: readonly string[]
}

export class RedisCluster {
  /** Those that began as masters: node `i` had slots from `i * 16384 / masters`. */
  readonly masters: readonly RedisServer[]
  /** `replicas[i]` began as the replica of `masters[i]`. */
  readonly replicas: readonly RedisServer[]

  private constructor(masters: readonly RedisServer[], replicas: readonly RedisServer[]) {
    this.masters = masters
    this.replicas = replicas
  }

  /** Starts the nodes, makes them meet and waits until each says `cluster_state:ok` and knows all others. */
  static async start({ masters = 3, replicas = 0, args = [] }: ClusterOptions = {}): Promise<RedisCluster> {
    const nodes: RedisServer[] = []
    for (let i = 0; i < masters * (1 + replicas); i++) {
      nodes.push(
        await RedisServer.start({
          port: await freePort({ bus: true }),
          args: [
            ...[
              '--cluster-enabled',
              'yes',
              '--cluster-node-timeout',
              '1000',
              '--cluster-config-file',
              'nodes.conf',
            ],
            ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0', ...args],
          ],
        }),
      )
    }
    const cluster = new RedisCluster(nodes.slice(0, masters), nodes.slice(masters))
    await cluster.#join()
    return cluster
  }

  get nodes(): readonly RedisServer[] {
    return [...this.masters, ...this.replicas]
  }

  /** What ioredis wants: where to ask for the topology. */
  get startupNodes(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  async flushAll(): Promise<void> {
    for (const node of this.nodes) {
      if (String(await node.command('role')).startsWith('master')) await node.flushAll()
    }
  }

  /** The port of the master that owns a slot, as the first node that answers sees it. */
  async ownerOf(slot: number): Promise<number> {
    for (const node of this.nodes) {
      const ranges = await node.command('cluster', 'slots').catch(() => undefined)
      for (const [from, to, master] of (ranges ?? []) as [number, number, [string, number]][]) {
        if (from <= slot && slot <= to) return master[1]
      }
    }
    throw new Error(`nobody owns slot ${slot}`)
  }

  /**
   * Moves a slot with its keys from one master to another (places in `masters`), as `redis-cli --cluster reshard` does.
   * `during` runs when half of the keys have moved: reads of both halves then meet ASK, scripts on both TRYAGAIN.
   */
  async migrateSlot(slot: number, from: number, to: number, during?: () => Promise<void>): Promise<void> {
    const [source, target] = [this.#master(from), this.#master(to)]
    const [sourceId, targetId] = [await idOf(source), await idOf(target)]
    await target.command('cluster', 'setslot', slot, 'importing', sourceId)
    await source.command('cluster', 'setslot', slot, 'migrating', targetId)
    const keys = (await source.command('cluster', 'getkeysinslot', slot, 100_000)) as string[]
    for (const [i, key] of keys.entries()) {
      if (i === keys.length >> 1) await during?.()
      await source.command('migrate', '127.0.0.1', target.port, key, 0, 5000)
    }
    for (;;) {
      const late = (await source.command('cluster', 'getkeysinslot', slot, 1000)) as string[]
      if (late.length === 0) break
      for (const key of late) await source.command('migrate', '127.0.0.1', target.port, key, 0, 5000)
    }
    await target.command('cluster', 'setslot', slot, 'node', targetId)
    await source.command('cluster', 'setslot', slot, 'node', targetId)
    for (const node of this.masters) await node.command('cluster', 'setslot', slot, 'node', targetId)
  }

  /** Makes the replica of a master take over without asking it (also when it is dead), and waits until it has. */
  async failover(masterIndex: number): Promise<void> {
    const replica = this.replicas[masterIndex]
    if (replica === undefined) throw new Error(`master ${masterIndex} has no replica`)
    await replica.command('cluster', 'failover', 'takeover')
    await waitFor('the replica to be master', async () =>
      String(await replica.command('role')).startsWith('master'),
    )
  }

  #master(index: number): RedisServer {
    const node = this.masters[index]
    if (node === undefined) throw new Error(`there is no master ${index}`)
    return node
  }

  async #join(): Promise<void> {
    const first = this.#master(0)
    for (const [i, node] of this.masters.entries()) {
      const [from, to] = [
        Math.ceil((i * SLOTS) / this.masters.length),
        Math.ceil(((i + 1) * SLOTS) / this.masters.length),
      ]
      const slots = Array.from({ length: to - from }, (_, k) => from + k)
      await node.command('cluster', 'addslots', ...slots)
      await node.command('cluster', 'set-config-epoch', i + 1)
    }
    for (const node of this.nodes.slice(1)) await node.command('cluster', 'meet', '127.0.0.1', first.port)
    await this.#agreed('all nodes to have met')
    for (const [i, replica] of this.replicas.entries()) {
      const masterId = await idOf(this.#master(i % this.masters.length))
      await waitFor('the replica to be told', () => replica.command('cluster', 'replicate', masterId))
    }
    for (const replica of this.replicas) {
      await waitFor('the replica to be in step', async () =>
        String(await replica.command('info', 'replication')).includes('master_link_status:up'),
      )
    }
    await this.#agreed('the cluster to be ok')
  }

  async #agreed(what: string): Promise<void> {
    for (const node of this.nodes) {
      await waitFor(what, async () => {
        const info = String(await node.command('cluster', 'info'))
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${this.nodes.length}`)
      })
    }
  }
}

async function idOf(node: RedisServer): Promise<string> {
  return String(await node.command('cluster', 'myid'))
}
