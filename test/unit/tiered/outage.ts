/** What the tests of changes in an outage share. */
import { expect } from 'vitest'
import { type EnvelopeHeader, readHeader } from '../../../src/codec/envelope.js'
import { waitFor } from '../../support/wait.js'
import type { Process, World } from './world.js'

export const LIMIT_MS = 50
export const OPTIONS = { breaker: { failures: 100, resetAfter: 1 }, l2Timeout: LIMIT_MS, ttl: '1h' } as const

export async function replayed({ cache }: Process): Promise<void> {
  await waitFor('an empty queue', () => cache.stats().replaying === 0, { everyMs: 1 })
}

/** What each sets under the tag 't' the others find until it is invalidated; the server has nothing under a version that it never had. */
export async function agreeOnTag({ server }: World, ...processes: readonly Process[]): Promise<void> {
  for (const { cache: by } of processes) {
    await by.set('key', 'value', { tags: ['t'] })
    for (const { cache } of processes) expect(await cache.get('key')).toBe('value')
    for (const { bytes } of server.entries.values()) {
      const { epoch, tags } = readHeader(bytes) as EnvelopeHeader
      expect(epoch).toBeLessThanOrEqual(server.epoch)
      for (const { name, version } of tags)
        expect(version).toBeLessThanOrEqual(server.tags.get(name) as number)
    }
  }
  for (const { cache: by } of processes) {
    await by.set('key', 'value', { tags: ['t'] })
    expect(await by.invalidateTag('t')).toEqual({ queued: false })
    for (const { cache } of processes) expect(await cache.get('key')).toBeUndefined()
  }
}
