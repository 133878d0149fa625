import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { contestant, releaseOf } from '../../../src/cli/bench/peers.js'

const folder = mkdtempSync(join(tmpdir(), 'hitpath-peers-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A release of a peer that says how it was made. */
function release(name: string, code: string): string {
  const file = join(folder, `${name}.cjs`)
  writeFileSync(file, code)
  return file
}

describe('the peers of hitpath bench', () => {
  it('are made of old releases as well, whose module is the cache itself', async () => {
    const lru6 = release('lru6', 'module.exports = class { constructor(given) { this.given = given } }')
    const tiny8 = release('tiny8', 'module.exports = (max, ttl) => ({ given: { max, ttl } })')

    expect(await contestant('lru-cache', lru6, 5)).toMatchObject({ given: { max: 5, maxAge: 3_600_000 } })
    expect(await contestant('tiny-lru', tiny8, 5)).toMatchObject({ given: { max: 5, ttl: 3_600_000 } })
  })

  it('are made of new ones by the name that these export', async () => {
    const lru11 = release('lru11', 'exports.LRUCache = class { constructor(given) { this.given = given } }')

    expect(await contestant('lru-cache', lru11, 5)).toEqual({ given: { max: 5, ttl: 3_600_000 } })
  })

  it('have the version of the package.json with their name, not of one between', () => {
    mkdirSync(join(folder, 'ttl', 'dist', 'esm'), { recursive: true })
    writeFileSync(join(folder, 'ttl', 'package.json'), '{ "name": "@isaacs/ttlcache", "version": "2.1.5" }')
    writeFileSync(join(folder, 'ttl', 'dist', 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'ttl', 'dist', 'esm', 'package.json'), 'not JSON')
    const file = join(folder, 'ttl', 'dist', 'esm', 'index.js')

    expect(releaseOf('@isaacs/ttlcache', file)).toBe('2.1.5')
    expect(releaseOf('lru-cache', file)).toBeUndefined()
    expect(releaseOf('Map', '')).toBeUndefined()
  })
})
