import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { LocalCache } from '../../../src/index.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

test.each(['native', 'portable'] as const)(
  '%s: a closed cache that is collected takes no later one with it',
  async (engine) => {
    for (let i = 0; i < 50; i++) {
      new LocalCache({ maxEntries: 10, engine }).close()
      // It gets the number of the one before, and often its address.
      const cache = new LocalCache<number>({ maxEntries: 10, engine })
      gc()
      await new Promise((resolve) => setImmediate(resolve))
      cache.set('key', i)
      expect(cache.get('key')).toBe(i)
      cache.close()
    }
  },
)
