import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { LocalCache } from '../../../src/l1/local-cache.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

it('a cache lives on when one that was closed before it is collected', async () => {
  for (let round = 0; round < 200; round++) {
    const before = new LocalCache<number>({ maxEntries: 100 })
    before.close()
    const after = new LocalCache<number>({ maxEntries: 100 })
    after.set('key', round)
    if (round % 5 === 0) {
      gc()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(after.peek('key')).toBe(round)
    after.close()
  }
})
