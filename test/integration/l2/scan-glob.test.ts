import fc from 'fast-check'
import { expect, test } from 'vitest'
import { globMatches } from '../../../src/glob.js'
import { scanGlob } from '../../../src/l2/glob.js'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { RedisServer } from '../../support/redis.js'
import { me, write } from './fixtures.js'

const glob = fc.string({
  unit: fc.constantFrom('a', 'b', '*', '?', '[', ']', '^', '-', '\\', 'é', '😀', '\ud83d'),
  maxLength: 8,
})
const key = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '*', 'é', '😀', '\ude00', '\ud83d'),
  maxLength: 5,
})

test('what Redis is asked for finds every key that the glob means, and the store deletes just those', async () => {
  const server = await RedisServer.start()
  const store = new RedisStore({ url: server.url, commandTimeout: '2s' })
  await fc.assert(
    fc.asyncProperty(glob, fc.uniqueArray(key, { minLength: 1, maxLength: 20 }), async (pattern, keys) => {
      const names = keys.map((one) => `s${one}`)
      await store.setMany(
        names.map((name) => write(name, 1)),
        me,
      )
      const matching = keys.filter((one) => globMatches(pattern, one))
      expect(await store.deletePattern(pattern, me), String(scanGlob(pattern))).toBe(matching.length)
      const left = await store.getMany(names)
      expect(keys.filter((_, i) => left[i] === null)).toEqual(matching)
      await store.deleteMany(names, me)
    }),
    { numRuns: 400 },
  )
  await store.close()
  await server.stop()
})
