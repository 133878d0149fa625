import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HitpathError, LocalCache, NdArray, SharedCache, TieredCache } from '../../../src/index.js'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hitpath-snapshot-'))
  file = join(folder, 'cache.snapshot')
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true })
})

const code = (expected: string): unknown => expect.objectContaining({ name: 'HitpathError', code: expected })
const shared = (options = {}) => SharedCache.create<unknown>({ maxBytes: 4 * 2 ** 20, ...options })
const local = (options = {}) => new LocalCache<unknown>({ maxEntries: 10_000, ...options })
const portable = (options = {}) => local({ engine: 'portable', ...options })
const makers = { LocalCache: local, 'portable LocalCache': portable, SharedCache: shared } as const
const isArrayKey = (key: unknown): boolean => typeof key === 'object'
const kinds = Object.keys(makers) as (keyof typeof makers)[]

const anyKey = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 90 }),
  fc.constantFrom('', 'é'.repeat(80), '日'.repeat(40), '\ud800', 'x'.repeat(300)),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Infinity),
  fc.float32Array({ maxLength: 20 }),
)
const anyValue = fc.oneof(
  fc.double(),
  fc.constantFrom<unknown>(null, true, false, -0, Number.NaN, '', 0n, new Date(5)),
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.float64Array({ maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 4 }).map((n) => new NdArray(new Float32Array(3 * n).fill(n), [n, 3])),
  fc.jsonValue().filter((value) => value !== undefined),
  fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.integer(), fc.string())),
)
const anyTags = fc.uniqueArray(fc.constantFrom('a', 'b', 'é', '日本', ''), { maxLength: 3 })

describe.each(kinds)('from a %s', (from) => {
  test.each(kinds)('what was saved comes back in a %s of another size', async (to) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyKey, anyValue, fc.option(fc.constant(60_000)), anyTags), { maxLength: 40 }),
        async (entries) => {
          const a = makers[from]()
          for (const [key, value, ttl, tags] of entries) a.set(key, value, { ...(ttl && { ttl }), tags })
          const saved = await a.save(file)
          expect(saved).toMatchObject({ entries: a.size, skipped: 0, bytes: statSync(file).size })
          const b = makers[to](to === 'SharedCache' ? { maxBytes: 2 ** 20, shards: 3 } : { maxEntries: 777 })
          const restored = await b.restore(file)
          // The engines have other digests of arrays: such entries stay away.
          const foreign = a.engine === b.engine ? 0 : [...a.keys()].filter(isArrayKey).length
          expect(restored).toMatchObject({
            entries: a.size,
            restored: a.size - foreign,
            kept: 0,
            expired: 0,
            rejected: 0,
            foreign,
          })
          expect(b.size).toBe(a.size - foreign)
          if (foreign !== 0) for (const key of [...a.keys()].filter(isArrayKey)) a.delete(key)
          for (const [key] of entries) {
            expect(b.get(key), String(key)).toEqual(a.get(key))
            expect(b.has(key)).toBe(a.has(key))
            if (!a.has(key)) continue
            const left = b.remainingTtl(key) as number
            if (a.remainingTtl(key) === Infinity) expect(left).toBe(Infinity)
            else expect(Math.abs(left - (a.remainingTtl(key) as number))).toBeLessThan(1000)
          }
          for (const tag of ['a', 'b', 'é', '日本', ''])
            expect(b.invalidateTag(tag)).toBe(a.invalidateTag(tag))
          a.validate()
          b.validate()
          for (const cache of [a, b]) cache.close()
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe.each(kinds)('%s', (kind) => {
  const make = makers[kind]

  test('deadlines go on while the process is down', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    const a = make({ clock: { now: () => 500 } })
    a.set('short', 1, { ttl: 1000 }).set('long', 2, { ttl: 10_000 }).set('ever', 3)
    await a.save(file)
    vi.setSystemTime(1_004_000)
    const b = make({ clock: { now: () => 7_000_000 } })
    expect(await b.restore(file)).toMatchObject({ restored: 2, expired: 1, savedAt: 1_000_000 })
    expect(b.has('short')).toBe(false)
    expect(b.remainingTtl('long')).toBe(6000)
    expect(b.remainingTtl('ever')).toBe(Infinity)
  })

  test('a wall clock that was set back gives nobody a longer life', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    const a = make({ clock: { now: () => 0 } }).set('key', 1, { ttl: 1000 })
    await a.save(file)
    vi.setSystemTime(10)
    const b = make({ clock: { now: () => 0 } })
    await b.restore(file)
    expect(b.remainingTtl('key')).toBe(1000)
  })

  test('a live entry wins, unless the file is to replace it', async () => {
    await make().set('a', 'old').set('b', 'old').save(file)
    const b = make().set('a', 'new')
    expect(await b.restore(file)).toMatchObject({ restored: 1, kept: 1 })
    expect([b.get('a'), b.get('b')]).toEqual(['new', 'old'])
    expect(await b.restore(file, { onConflict: 'replace' })).toMatchObject({ restored: 2, kept: 0 })
    expect(b.get('a')).toBe('old')
  })

  test('each byte counts: a file that is changed anywhere, or cut anywhere, restores nothing', async () => {
    const a = make()
    for (let i = 0; i < 30; i++) a.set(`key ${i}`, `value ${i}`.repeat(3), { tags: ['t'] })
    await a.save(file)
    const good = readFileSync(file)
    const b = make()
    const refused = async (bytes: Uint8Array): Promise<unknown> => {
      writeFileSync(file, bytes)
      const error = await b.restore(file).catch((thrown: unknown) => thrown)
      expect(b.size).toBe(0)
      return error instanceof HitpathError && error.code
    }
    for (let at = 0; at < good.length; at++) {
      if (at > 160 && at < good.length - 100 && at % 29 !== 0) continue
      const bad = Uint8Array.from(good)
      bad[at] = (bad[at] as number) ^ (1 << (at % 8))
      const expected = at < 8 ? 'INVALID_SNAPSHOT' : /SNAPSHOT_(CORRUPT|VERSION)/
      expect(await refused(bad), `byte ${at}`).toMatch(expected)
    }
    for (let length = 0; length < good.length; length += 41)
      expect(await refused(good.subarray(0, length)), `length ${length}`).toMatch(
        length < 8 ? 'INVALID_SNAPSHOT' : 'SNAPSHOT_CORRUPT',
      )
    expect(await refused(Buffer.concat([good, Buffer.alloc(1)]))).toBe('SNAPSHOT_CORRUPT')
    writeFileSync(file, good)
    expect(await b.restore(file)).toMatchObject({ restored: 30 })
  })

  test('a file of several blocks is refused whole when its last is damaged', async () => {
    const a = make()
    for (let i = 0; i < 200; i++) a.set(`key ${i}`, new Uint8Array(10_000).fill(i))
    const { bytes } = await a.save(file)
    const b = make()
    truncateSync(file, bytes - 3000)
    await expect(b.restore(file)).rejects.toEqual(code('SNAPSHOT_CORRUPT'))
    expect(b.size).toBe(0)
  })

  test('a file that is read in several stretches comes back whole, or not at all', async () => {
    const a = make({ ...(kind === 'SharedCache' && { maxBytes: 128 * 2 ** 20, shards: 4 }) })
    const large = new Uint8Array(5_000_000).fill(7)
    for (let i = 0; i < 1200; i++) a.set(`key ${i}`, new Uint8Array(10_000).fill(i), { tags: [`t${i % 3}`] })
    a.set('large', large)
    const saved = await a.save(file)
    const b = make({ ...(kind === 'SharedCache' && { maxBytes: 128 * 2 ** 20, shards: 3 }) })
    b.set('key 5', 'mine')
    const told: number[] = []
    const restored = await b.restore(file, { onProgress: ({ done }) => told.push(done) })
    expect(restored).toMatchObject({ entries: 1201, restored: 1200, kept: 1, bytes: saved.bytes })
    expect(told.length).toBeGreaterThan(3)
    expect(told.at(-1)).toBe(1201)
    expect(Buffer.from(b.get('large') as Uint8Array).equals(large)).toBe(true)
    for (let i = 0; i < 1200; i += 11) expect((b.get(`key ${i}`) as Uint8Array)[9999]).toBe(i % 256)
    b.validate()
    const bytes = readFileSync(file)
    const c = make({ ...(kind === 'SharedCache' && { maxBytes: 128 * 2 ** 20 }) })
    for (const at of [bytes.length - 3_000_000, 9_000_000, 4_500_000]) {
      const bad = Uint8Array.from(bytes)
      bad[at] = (bad[at] as number) ^ 1
      writeFileSync(file, bad)
      await expect(c.restore(file)).rejects.toEqual(code('SNAPSHOT_CORRUPT'))
      expect(c.size).toBe(0)
    }
    for (const cache of [a, b, c]) cache.close()
  })

  test('a block that has less room than records is refused', async () => {
    await make().set('a', 1).save(file)
    const bytes = readFileSync(file)
    bytes.writeUInt32LE(0xffff_ffff, 64 + 24)
    writeFileSync(file, bytes)
    await expect(make().restore(file)).rejects.toEqual(code('SNAPSHOT_CORRUPT'))
  })

  test('blocks of odd lengths are refused as what they are', async () => {
    const a = make()
    for (let i = 0; i < 200; i++) a.set(`key ${i}`, new Uint8Array(10_000).fill(i))
    await a.save(file)
    const bytes = readFileSync(file)
    const length = Number(bytes.readBigUInt64LE(64 + 16))
    const next = 64 + 32 + length
    bytes.writeBigUInt64LE(BigInt(length + 1), 64 + 16)
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(next + 16) - 1n, next + 16)
    const longer = [bytes.subarray(0, next), Buffer.alloc(1)]
    writeFileSync(
      file,
      Buffer.concat([...longer, bytes.subarray(next, next + 32), bytes.subarray(next + 33)]),
    )
    await expect(make().restore(file)).rejects.toEqual(code('SNAPSHOT_CORRUPT'))
  })

  test('blocks are of their place and of their file', async () => {
    const a = make()
    for (let i = 0; i < 200; i++) a.set(`key ${i}`, new Uint8Array(10_000).fill(i))
    await a.save(file)
    const bytes = readFileSync(file)
    const length = 32 + Number(bytes.readBigUInt64LE(64 + 16))
    const swapped = Buffer.concat([
      bytes.subarray(0, 64),
      bytes.subarray(64 + length),
      bytes.subarray(64, 64 + length),
    ])
    writeFileSync(file, swapped)
    await expect(make().restore(file)).rejects.toEqual(code('SNAPSHOT_CORRUPT'))
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 })
    await a.save(file)
    writeFileSync(file, Buffer.concat([readFileSync(file).subarray(0, 64), bytes.subarray(64)]))
    await expect(make().restore(file)).rejects.toEqual(code('SNAPSHOT_CORRUPT'))
  })

  test('another format, a foreign file, a folder and a missing file are told apart', async () => {
    await make().set('a', 1).save(file)
    const bytes = readFileSync(file)
    bytes.writeUInt16LE(2, 8)
    writeFileSync(file, bytes)
    await expect(make().restore(file)).rejects.toEqual(code('SNAPSHOT_VERSION'))
    writeFileSync(file, 'something else that is long enough to have a header in it, and more of it')
    await expect(make().restore(file)).rejects.toEqual(code('INVALID_SNAPSHOT'))
    await expect(make().restore(folder)).rejects.toEqual(code('INVALID_SNAPSHOT'))
    const missing = join(folder, 'none')
    await expect(make().restore(missing)).rejects.toEqual(code('SNAPSHOT_IO'))
    expect(await make().restore(missing, { ifExists: true })).toMatchObject({
      entries: 0,
      savedAt: undefined,
    })
    await expect(make().save(join(missing, 'deeper'))).rejects.toEqual(code('SNAPSHOT_IO'))
  })

  test('a saving that is cancelled, or whose cache is closed, leaves the old file and no other', async () => {
    const a = make()
    for (let i = 0; i < 300; i++) a.set(`key ${i}`, new Uint8Array(10_000))
    await make().set('old', 1).save(file)
    const stop = new AbortController()
    const reason = new Error('enough')
    const cancelled = a.save(file, { signal: stop.signal, onProgress: () => stop.abort(reason) })
    await expect(cancelled).rejects.toBe(reason)
    await expect(a.save(file, { onProgress: () => a.close() })).rejects.toEqual(code('CLOSED'))
    expect(await readdir(folder)).toEqual(['cache.snapshot'])
    expect(await make().restore(file)).toMatchObject({ entries: 1 })
  })

  test('a restoring that is cancelled keeps what it stored', async () => {
    const a = make()
    for (let i = 0; i < 300; i++) a.set(`key ${i}`, new Uint8Array(10_000))
    await a.save(file)
    const b = make()
    const stop = new AbortController()
    const reason = new Error('enough')
    const told: number[] = []
    const restoring = b.restore(file, {
      signal: stop.signal,
      onProgress: ({ done, total }) => {
        told.push(done)
        expect(total).toBe(300)
        stop.abort(reason)
      },
    })
    await expect(restoring).rejects.toBe(reason)
    expect(told.length).toBeLessThan(6)
    expect(b.size).toBe(told.at(-1))
    b.validate()
  })

  test('entries that come, change and go while it is saved are whole or absent', async () => {
    const a = make({ maxEntries: 4000 })
    for (let i = 0; i < 3000; i++) a.set(`key ${i}`, { of: `key ${i}`, pad: 'x'.repeat(1000) })
    let n = 0
    const saving = a.save(file, {
      onProgress: () => {
        for (let i = 0; i < 500; i++, n++) {
          a.delete(`key ${n % 3000}`)
          a.set(`other ${n}`, { of: `other ${n}` })
        }
      },
    })
    await saving
    const b = make({ maxEntries: 8000 })
    await b.restore(file)
    for (const [key, value] of b.entries()) expect(value).toMatchObject({ of: key })
    b.validate()
  })

  test('what is wrong in use is said', async () => {
    const a = make()
    await expect(a.save(5 as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(a.restore('')).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(a.save(file, { onprogress: 1 } as never)).rejects.toEqual(code('INVALID_OPTION'))
    await expect(a.restore(file, { onConflict: 'merge' as never })).rejects.toEqual(code('INVALID_OPTION'))
    await expect(a.save(file, { signal: {} as never })).rejects.toEqual(code('INVALID_OPTION'))
    a.close()
    await expect(a.save(file)).rejects.toEqual(code('CLOSED'))
  })

  test('the first tier of a TieredCache has no snapshot', async () => {
    const l1 = make()
    const tiered = new TieredCache({ l1: l1 as never })
    await expect(l1.save(file)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(l1.restore(file)).rejects.toEqual(code('INVALID_ARGUMENT'))
    expect('save' in tiered).toBe(false)
    await tiered.close()
  })
})

test('a value without a stored form is left out, or ends the saving', async () => {
  const a = local()
    .set('f', () => 1)
    .set('n', 1)
  expect(await a.save(file)).toMatchObject({ entries: 1, skipped: 1 })
  await expect(a.save(file, { unsupported: 'refuse' })).rejects.toEqual(code('UNSUPPORTED_VALUE'))
})

test('encoding may change the cache: each value still goes with its own key', async () => {
  const a = local({ maxEntries: 100 })
  for (let i = 0; i < 100; i++) {
    a.set(`key ${i}`, {
      get of() {
        a.delete(`key ${i + 1}`)
        a.set(`other ${i}`, { of: `other ${i}` })
        return `key ${i}`
      },
    })
  }
  await a.save(file)
  const b = local()
  await b.restore(file)
  for (const [key, value] of b.entries()) expect(value).toEqual({ of: key })
})

test('a listener hears what a restoring pushes out and replaces', async () => {
  const a = local()
  for (let i = 0; i < 50; i++) a.set(`key ${i}`, i)
  await a.save(file)
  const heard: unknown[] = []
  const b = local({ maxEntries: 60, onRemoval: (...one: unknown[]) => heard.push(one) })
  b.set('key 7', 'mine')
  await b.restore(file, { onConflict: 'replace' })
  expect(heard).toEqual([['key 7', 'mine', 'replaced']])
  b.delete('key 9')
  expect(heard[1]).toEqual(['key 9', 9, 'deleted'])
  const small = local({ maxEntries: 10 })
  await small.restore(file)
  small.validate()
  for (const [key, value] of small.entries()) expect(key).toBe(`key ${value}`)
})
