/** Keyv's own test suite over each cache. test/integration/compat runs it over Redis. */
import { describe } from 'vitest'
import { LocalCache, SharedCache, TieredCache } from '../../../src/index.js'
import { keyvSuite } from '../../support/keyv-suite.js'

const CACHES = {
  LocalCache: new LocalCache(),
  SharedCache: SharedCache.create({ maxBytes: 2 ** 20 }),
  TieredCache: new TieredCache(),
}

describe.each(Object.entries(CACHES))('over a %s', (_, cache) => keyvSuite(() => cache))
