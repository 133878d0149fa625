/**
 * Connections for looking: one to the server, or one to each master of a Cluster, under the rules of the store's own (redis-client.ts) but
 * without reconnecting, and with deadlines that a person waits for.
 *
 * Always true: a failure is one sentence of what the server or the network said; nothing is left open by `close`.
 */
import { HitpathError } from '../errors.js'
import { Deadlines } from '../l2/deadlines.js'
import {
  type AnyClient,
  dataClient,
  dedicatedClient,
  isCluster,
  type RedisClient,
} from '../l2/redis-client.js'
import { checkOptions, type RedisStoreOptions } from '../l2/redis-options.js'
import { clusterPlace } from './target.js'

/** Of one question. */
const ANSWER_MS = 5000
const CONNECT_MS = 5000

export type Word = string | number | Buffer

/** One server. */
export class Node {
  /** `host:port`, or a socket's path. */
  readonly address: string
  readonly #client: RedisClient
  readonly #deadlines = new Deadlines(ANSWER_MS, () => {}, Number.POSITIVE_INFINITY)

  constructor(client: RedisClient) {
    this.#client = client
    const { host, port, path } = client.options
    this.address = path == null ? `${host}:${port}` : String(path)
  }

  /** Strings. @throws HitpathError */
  ask(command: string, ...words: readonly Word[]): Promise<unknown> {
    return this.#deadlines.guard(this.#client.call(command, ...words))
  }

  /** Buffers. @throws HitpathError */
  askBytes(command: string, ...words: readonly Word[]): Promise<unknown> {
    return this.#deadlines.guard(this.#client.callBuffer(command, ...words))
  }

  async connect(): Promise<void> {
    await connected(this.#client)
  }

  close(): void {
    this.#client.disconnect()
  }
}

export interface Connection {
  readonly clustered: boolean
  /** The options said one server, and it is a node of a Cluster. */
  readonly undeclared: boolean
  /** The server, or the masters that could be reached. */
  readonly nodes: readonly Node[]
  /** Masters that could not. */
  readonly lost: readonly { readonly address: string; readonly error: Error }[]
  close(): void
}

/**
 * Connects to what the options say; a single server that is a node of a Cluster leads to the Cluster.
 *
 * @throws HitpathError INVALID_OPTION (ioredis is not installed, an option is wrong), L2_UNAVAILABLE, L2_ERROR
 */
export async function connect(options: RedisStoreOptions): Promise<Connection> {
  const template = await checkOptions(options).template()
  if (isCluster(template)) return connectCluster(template, false)
  const node = new Node(dedicatedClient(template))
  await node.connect()
  const isNode = await node.ask('info', 'cluster').then(
    (info) => String(info).includes('cluster_enabled:1'),
    () => false,
  )
  if (!isNode || options.sentinels !== undefined || options.path !== undefined) {
    return { clustered: false, undeclared: isNode, nodes: [node], lost: [], close: () => node.close() }
  }
  node.close()
  const { host, port, username, password, tls } = template.options
  const url = new URL(`${tls ? 'rediss' : 'redis'}://${host}:${port}`)
  url.username = encodeURIComponent(String(username ?? ''))
  url.password = encodeURIComponent(String(password ?? ''))
  return connectCluster(await checkOptions(clusterPlace(url)).template(), true)
}

async function connectCluster(template: AnyClient, undeclared: boolean): Promise<Connection> {
  const cluster = dataClient(template, CONNECT_MS)
  try {
    await connected(cluster)
    const masters = isCluster(cluster) ? cluster.nodes('master') : []
    const reached = await Promise.all(
      masters.map(async (master) => {
        const node = new Node(dedicatedClient(master))
        try {
          await node.connect()
          return { node }
        } catch (error) {
          node.close()
          return { address: node.address, error: error as Error }
        }
      }),
    )
    const nodes = reached.flatMap((one) => ('node' in one ? [one.node] : []))
    const lost = reached.flatMap((one) => ('node' in one ? [] : [one]))
    nodes.sort((a, b) => a.address.localeCompare(b.address))
    return {
      clustered: true,
      undeclared,
      nodes,
      lost,
      close: () => {
        for (const node of nodes) node.close()
      },
    }
  } finally {
    cluster.disconnect()
  }
}

/** @throws HitpathError with what the server or the network said, and not with what ioredis made of it */
async function connected(client: AnyClient): Promise<void> {
  let said: Error | undefined
  client.on('error', (error: Error & { readonly lastNodeError?: Error }) => {
    said = error.lastNodeError ?? error
  })
  const deadlines = new Deadlines(CONNECT_MS, () => {}, Number.POSITIVE_INFINITY)
  try {
    await deadlines.guard(client.connect())
  } catch (error) {
    client.disconnect()
    const cause = said ?? (error as Error)
    throw new HitpathError('L2_UNAVAILABLE', cause.message || String((cause as NodeJS.ErrnoException).code), {
      cause,
    })
  }
}
