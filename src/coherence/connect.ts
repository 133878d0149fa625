/**
 * Connections for a link, made like a client that was handed in. The client stays as it is; of a Cluster it is asked which node to go to.
 */
import { describe, HitpathError } from '../errors.js'
import { failure } from '../l2/failure.js'
import { crc16 } from '../l2/names.js'
import {
  type AnyClient,
  type ClusterClient,
  clientOption,
  dedicatedClient,
  isCluster,
  keyPrefixOf,
  type RedisClient,
} from '../l2/redis-client.js'
import type { BusClient } from './bus.js'

export type { ClientLike } from '../l2/redis-client.js'

const SLOTS = 16_384

export class Connector {
  readonly #template: AnyClient

  /** @throws HitpathError INVALID_OPTION unless it has the shape of an ioredis client */
  constructor(client: unknown, path: string) {
    this.#template = clientOption(client, path)
  }

  /** What the client puts before keys. */
  get keyPrefix(): string {
    return keyPrefixOf(this.#template)
  }

  /** A connection to the server, or to any master of a Cluster. Not connected yet. @throws HitpathError L2_UNAVAILABLE */
  anywhere(): BusClient {
    const template = this.#template
    if (!isCluster(template)) return dedicatedClient(template)
    const masters = template.nodes('master')
    const node = masters[Math.floor(Math.random() * masters.length)]
    return dedicatedClient(found(node, 'no masters'))
  }

  /** A connection to the server, or to the master of a Cluster that owns a key. Not connected yet. @throws HitpathError */
  async ownerOf(key: string): Promise<BusClient> {
    const template = this.#template
    return dedicatedClient(isCluster(template) ? await ownerIn(template, key) : template)
  }
}

/** Asked for the key, the client learns who owns it now. */
async function ownerIn(cluster: ClusterClient, key: string): Promise<RedisClient> {
  try {
    await cluster.call('exists', key)
  } catch (error) {
    throw failure(error)
  }
  const address = cluster.slots[slotOf(key)]?.[0]
  const node = cluster
    .nodes('master')
    .find(({ options }) => `${options['host']}:${options['port']}` === address)
  return found(node, `no master for the key ${describe(key)}`)
}

/** The Cluster slot of a key: of what stands in its first braces, if anything does. */
function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return crc16(close > open + 1 ? key.slice(open + 1, close) : key) % SLOTS
}

function found(node: RedisClient | undefined, what: string): RedisClient {
  if (node !== undefined) return node
  throw new HitpathError('L2_UNAVAILABLE', `the Cluster has ${what}`)
}
