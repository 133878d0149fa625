/** The tables of MIGRATION.md: what stands in their column *hitpath* exists, and so does what it takes the place of. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { hitpathCachingStore, hitpathStore } from '../../src/compat/cache-manager/index.js'
import { HitpathStorageAdapter, HitpathStore } from '../../src/compat/keyv/index.js'
import { digest, HitpathError, LocalCache, RedisStore, SharedCache, TieredCache } from '../../src/index.js'
import { Context } from '../../src/tiered/context.js'

const TEXT = readFileSync(new URL('../../src/compat/MIGRATION.md', import.meta.url), 'utf8')
/** The code in the second of three columns. */
const NAMED = [...TEXT.matchAll(/^\|[^|]*\|([^|]*)\|[^|]*\|$/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string),
)

const CLASSES: Readonly<Record<string, object>> = {
  LocalCache: LocalCache.prototype,
  SharedCache: SharedCache.prototype,
  TieredCache: TieredCache.prototype,
  RedisStore: RedisStore.prototype,
  HitpathStore: HitpathStore.prototype,
  HitpathStorageAdapter: HitpathStorageAdapter.prototype,
  CacheStore: Object.getPrototypeOf(hitpathStore()) as object,
  CachingStore: Object.getPrototypeOf(hitpathCachingStore()) as object,
  ctx: new Context('key', 'stale', [], () => new AbortController().signal),
}
const FUNCTIONS: Readonly<Record<string, unknown>> = { digest, hitpathStore, hitpathCachingStore }

/** The options of a class are in its refusal of another. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  LocalCache: optionsNamedBy(() => new LocalCache({ none: 1 } as never)),
  SharedCache: optionsNamedBy(() => SharedCache.create({ none: 1 } as never)),
  TieredCache: optionsNamedBy(() => new TieredCache({ none: 1 } as never)),
  HitpathStore: optionsNamedBy(() => new HitpathStore({ none: 1 } as never)),
}

function optionsNamedBy(refused: () => unknown): readonly string[] {
  try {
    refused()
  } catch (error) {
    if (error instanceof HitpathError)
      return [...error.message.matchAll(/'(\w+)'/g)].map(([, name]) => name as string)
  }
  throw new Error('an unknown option was taken')
}

const of = (form: RegExp): string[][] =>
  NAMED.map((code) => form.exec(code))
    .filter((match) => match !== null)
    .map(([, ...parts]) => parts)

test('the tables name enough to be worth a check', () => {
  expect(NAMED.length).toBeGreaterThan(150)
})

test('every name is of a form that is checked here', () => {
  const known = [
    /^\w+\.\w+(\(\))?$/,
    /^\w+ \{ [\w, ]+ \}$/,
    /^(new )?\w+\(.*\)$/,
    /^(new Keyv|createCache)\(.*\)$/,
    /^import .* from 'hitpath/,
  ]
  expect(NAMED.filter((code) => !known.some((form) => form.test(code)))).toEqual([])
})

describe('methods', () => {
  test.each(of(/^(\w+)\.(\w+)/))('%s.%s', (name, member) => {
    expect((member as string) in (CLASSES[name as string] ?? {})).toBe(true)
  })
})

describe('options', () => {
  test.each(of(/^(\w+) \{ ([\w, ]+) \}$/))('%s { %s }', (name, options) => {
    // A call of a TieredCache takes the policy's options, and tags.
    const allowed = name === 'set' ? [...OPTIONS['TieredCache']!, 'tags'] : OPTIONS[name as string]
    expect(allowed).toEqual(expect.arrayContaining((options as string).split(', ')))
  })
})

test.each(of(/^(?:new )?(\w+)\(/))('%s()', (name) => {
  expect((name as string) in FUNCTIONS || (name as string) in CLASSES).toBe(true)
})

/** Where a peer says what it has, by the heading of its table. */
const PEERS: Readonly<Record<string, readonly string[]>> = {
  'lru-cache': ['lru-cache/dist/esm'],
  'node-cache': ['node-cache'],
  '@isaacs/ttlcache': ['@isaacs/ttlcache/dist/esm'],
  bentocache: ['bentocache/build'],
  cacheable: ['cacheable/dist', '@cacheable/memory/dist', '@cacheable/utils/dist'],
  'layered-loader': ['layered-loader/dist'],
}

describe('of the peers', () => {
  test.each(Object.entries(PEERS))('%s has what its table names', (peer, folders) => {
    const section = TEXT.split('\n## ').find((text) => text.startsWith(`${peer}\n`)) ?? ''
    const rows = [...section.matchAll(/^\|([^|]*)\|[^|]*\|[^|]*\|$/gm)].map(([, cell = '']) => cell)
    const words = new Set(
      rows
        .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string))
        .flatMap((code) => code.match(/[a-z]\w{2,}/gi) ?? []),
    )
    const declared = folders.map(declarations).join('\n')
    expect(words.size).toBeGreaterThan(10)
    expect([...words].filter((word) => !new RegExp(`\\b${word}\\b`).test(declared))).toEqual([])
  })
})

function declarations(folder: string): string {
  const root = new URL(`../../node_modules/${folder}/`, import.meta.url)
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(d\.[cm]?ts|[cm]?js)$/.test(name) && !name.includes('node_modules'))
    .map((name) => readFileSync(new URL(name, root), 'utf8'))
    .join('\n')
}
