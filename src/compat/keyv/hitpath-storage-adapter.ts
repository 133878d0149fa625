/** The storage adapter for Keyv 6, which hands over when an entry ends and not how long it lives, and asks for a result for each key. */
import { StoreAdapter } from './adapter.js'
import type { StoreCache, StoreOptions } from './caches.js'
import type { SpaceWrite } from './space.js'

/** An entry as Keyv 6 writes it. */
export interface StorageEntry {
  readonly key: string
  readonly value: unknown
  /** Milliseconds since 1970. */
  readonly expires?: number
}

interface StorageMethod {
  exists: boolean
  methodType: 'sync' | 'async' | 'none'
}

const METHODS = [
  'get',
  'getMany',
  'has',
  'hasMany',
  'set',
  'setMany',
  'delete',
  'deleteMany',
  'clear',
  'disconnect',
  'iterator',
] as const

/** What Keyv 6 asks an adapter for: with `expires` it is used as it is, else through a bridge. */
export interface StorageCapability {
  compatible: boolean
  store: 'keyvStorage'
  methods: Record<(typeof METHODS)[number], StorageMethod>
  expires: boolean
}

export class HitpathStorageAdapter extends StoreAdapter {
  /**
   * @param options options of a LocalCache for this store alone; or a cache, or `{ cache }`: a LocalCache, a SharedCache or a TieredCache
   * @throws HitpathError INVALID_OPTION, INVALID_TTL, OUT_OF_MEMORY
   */
  constructor(options: StoreCache | StoreOptions = {}) {
    super(options, 'HitpathStorageAdapter')
  }

  get capabilities(): StorageCapability {
    const methods = METHODS.map((name) => {
      const methodType: StorageMethod['methodType'] = name === 'iterator' ? 'sync' : 'async'
      return [name, { exists: true, methodType }]
    })
    return {
      compatible: true,
      store: 'keyvStorage',
      methods: Object.fromEntries(methods) as StorageCapability['methods'],
      expires: true,
    }
  }

  /**
   * Stores a value; whether the second tier, or its queue, has it too.
   * @param expires milliseconds since 1970. Default: the ttl of the cache
   */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    return this.space.set(write({ key, value, expires }))
  }

  /** As set(), for each entry. */
  async setMany(entries: readonly StorageEntry[]): Promise<boolean[]> {
    return this.space.setMany(entries.map(write))
  }

  /** For each key whether there was an entry. */
  async deleteMany(keys: string[]): Promise<boolean[]> {
    return this.space.deleteMany(keys)
  }
}

function write({
  key,
  value,
  expires,
}: {
  readonly key: string
  readonly value: unknown
  readonly expires?: number | undefined
}): SpaceWrite {
  return { key, value, ttl: typeof expires === 'number' ? expires - Date.now() : undefined }
}
