/** What a store may offer besides its interface: places to listen at, and itself for another namespace. */
import type { Bus, BusClient } from '../coherence/bus.js'
import { StreamBus } from '../coherence/stream-bus.js'
import { type TrackedPrefix, TrackingBus } from '../coherence/tracking-bus.js'
import { describe, HitpathError } from '../errors.js'
import type { L2Store } from '../l2/store.js'
import type { BusOption } from './options.js'

/** A store that can be listened to, as RedisStore. */
interface Listenable extends L2Store {
  busKey(bucket: number): string
  busConnection(bucket: number): Promise<BusClient>
  entryPrefix(bucket: number): string
  tagPrefix(bucket: number): string
  readonly epochKey: string
  nodes(): Promise<readonly string[]>
  trackingConnection(node: string): Promise<BusClient>
  watchNodes(changed: () => void): () => void
}

/** The bus that the option means; undefined for none. @throws HitpathError INVALID_OPTION */
export function busOf(store: L2Store, option: BusOption | undefined): Bus | undefined {
  if (option === false) return undefined
  if (typeof option === 'object' && option !== null) {
    if (typeof option.onMessage === 'function') return option
    throw refused(option)
  }
  if (option !== undefined && option !== 'stream' && option !== 'tracking') throw refused(option)
  if (isListenable(store)) return option === 'tracking' ? trackingBus(store) : streamBus(store)
  if (option === undefined) return undefined
  throw new HitpathError(
    'INVALID_OPTION',
    `TieredCache.bus: the store has no bus of the kind ${describe(option)}`,
  )
}

function isListenable(store: L2Store): store is Listenable {
  const { busKey, busConnection } = store as Partial<Listenable>
  return typeof busKey === 'function' && typeof busConnection === 'function'
}

function streamBus(store: Listenable): Bus {
  return new StreamBus({
    buckets: store.buckets,
    key: (bucket) => store.busKey(bucket),
    connect: (bucket) => store.busConnection(bucket),
  })
}

function trackingBus(store: Listenable): Bus {
  const prefixes: TrackedPrefix[] = [{ prefix: store.epochKey, kind: 'epoch', bucket: 0 }]
  for (let bucket = 0; bucket < store.buckets; bucket++) {
    prefixes.push({ prefix: store.entryPrefix(bucket), kind: 'entry', bucket })
    prefixes.push({ prefix: store.tagPrefix(bucket), kind: 'tag', bucket })
  }
  return new TrackingBus({
    prefixes,
    nodes: () => store.nodes(),
    connect: (node) => store.trackingConnection(node),
    watch: (changed) => store.watchNodes(changed),
  })
}

/** The store for a namespace, over the same connection. @throws HitpathError INVALID_OPTION when it cannot do that */
export function storeWithin(store: L2Store, namespace: string): L2Store {
  const { forNamespace } = store as { readonly forNamespace?: (namespace: string) => L2Store }
  if (typeof forNamespace === 'function') return forNamespace.call(store, namespace)
  throw new HitpathError('INVALID_OPTION', 'this store serves one namespace only')
}

function refused(option: unknown): HitpathError {
  return new HitpathError(
    'INVALID_OPTION',
    `TieredCache.bus must be 'stream', 'tracking', a bus or false; got ${describe(option)}`,
  )
}
