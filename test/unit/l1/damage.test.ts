/** A region one of whose locks was written over: refused with REGION_CORRUPT, never waited for. */
import { expect, test } from 'vitest'
import { SharedCache } from '../../../src/index.js'
import { HEADER_BYTES, SHARD_HEADER_LOCK } from '../../../src/native/layout.js'

const corrupt = expect.objectContaining({ name: 'HitpathError', code: 'REGION_CORRUPT' })

function damaged(): SharedCache<unknown> {
  const cache = SharedCache.create<unknown>({ maxBytes: 2 ** 20, shards: 1 })
  cache.set('k', [1], { tags: ['t'] })
  new Int32Array(cache.handle.region)[(HEADER_BYTES + SHARD_HEADER_LOCK) / 4] = 7
  return cache
}

test.each<[string, (cache: SharedCache<unknown>) => unknown]>([
  ['set', (cache) => cache.set('k', 2)],
  ['delete', (cache) => cache.delete('k')],
  ['setMany', (cache) => cache.setMany([['k', 2]])],
  ['clear', (cache) => cache.clear()],
  ['invalidateTag', (cache) => cache.invalidateTag('t')],
  ['invalidatePattern', (cache) => cache.invalidatePattern('*')],
  ['stats', (cache) => cache.stats()],
  ['keys', (cache) => [...cache.keys()]],
  ['validate', (cache) => cache.validate()],
])('%s says so, and every call of every thread after it', (_, call) => {
  const cache = damaged()
  const same = SharedCache.attach(cache.handle)
  expect(() => call(cache)).toThrow(corrupt)
  expect(() => cache.get('another')).toThrow(corrupt)
  expect(() => same.set('k', 3)).toThrow(corrupt)
  expect(() => SharedCache.attach(cache.handle)).toThrow(corrupt)
  cache.close()
  same.close({ everywhere: true })
})
