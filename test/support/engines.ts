/** LocalCache on each of its engines: what runs over these is the contract that both keep. */
import { LocalCache, type LocalCacheOptions } from '../../src/index.js'

class NativeCache<V = unknown> extends LocalCache<V> {
  constructor(options: LocalCacheOptions<V> = {}) {
    super(typeof options === 'object' && options !== null ? { engine: 'native', ...options } : options)
  }
}

class PortableCache<V = unknown> extends LocalCache<V> {
  constructor(options: LocalCacheOptions<V> = {}) {
    super(typeof options === 'object' && options !== null ? { engine: 'portable', ...options } : options)
  }
}

/** For `describe.each(ENGINES)('... on the %s engine', (_, LocalCache) => ...)`. */
export const ENGINES: readonly (readonly [name: 'native' | 'portable', cache: typeof LocalCache])[] = [
  ['native', NativeCache],
  ['portable', PortableCache],
]
