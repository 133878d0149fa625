/** How the build is divided, on a package of a few modules. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

interface Plugin {
  resolveId(id: string, importer?: string): string | undefined
  load(id: string): string | undefined
}

interface Divided {
  readonly entryPlugin: Plugin
  readonly chunks: readonly {
    readonly name: string
    readonly entry: string
    readonly contract: string
    readonly banner: string
    readonly plugin: Plugin
  }[]
}

interface LateChunks {
  divide(out: string, entry: string, main: string): Divided
}

const { divide } = (await import(
  new URL('../../scripts/late-chunks.mjs', import.meta.url).href
)) as LateChunks

const WARMING = `export async function warmKeys() {}
export function warmFromStore() {}`

const MODULES = {
  'index.js': `export { LocalCache } from './l1/local-cache.js'
export { TieredCache } from './tiered/tiered-cache.js'
export { warmKeys, warmFromStore as warm } from './serving/warming.js'`,
  'compat/keyv/index.js': `import { LocalCache } from '../../l1/local-cache.js'`,
  'l1/local-cache.js': `import { HitpathError } from '../errors.js'
import { portableBinding } from '../native/portable/binding.js'`,
  'native/portable/binding.js': `import { HitpathError, describe } from '../../errors.js'
export function portableBinding() {}
export function* cacheStore() {}`,
  'tiered/tiered-cache.js': `import { LocalCache } from '../l1/local-cache.js'
import { readKey } from './keys.js'
export class TieredCache {}`,
  'tiered/keys.js': `import { describe as text } from '../errors.js'`,
  'serving/warming.js': WARMING,
  'errors.js': '',
}

let out: string
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'hitpath-late-'))
  for (const [path, code] of Object.entries(MODULES)) write(path, code)
})
afterEach(() => rmSync(out, { recursive: true }))

function write(path: string, code: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true })
  writeFileSync(join(out, path), code)
}

/** What the entry gets for a module that it imports. */
function standIn({ entryPlugin }: Divided, id: string, importer = 'index.js'): string | undefined {
  const resolved = entryPlugin.resolveId(id, join(out, importer))
  return resolved === undefined ? undefined : entryPlugin.load(resolved)
}

test('classes are stood for and functions are called late; what is early stays', () => {
  const divided = divide(out, 'index.js', 'index.js')
  const tiered = standIn(divided, './tiered/tiered-cache.js')
  expect(tiered).toContain(
    `export const TieredCache = /*#__PURE__*/ lateClass('TieredCache', () => load().TieredCache)`,
  )
  const warming = standIn(divided, './serving/warming.js')
  expect(warming).toContain('export const warmFromStore = (...args) => load().warmFromStore(...args)')
  expect(standIn(divided, './l1/local-cache.js')).toBeUndefined()
})

test('a chunk holds what it alone needs, and is handed the rest', () => {
  const { chunks } = divide(out, 'index.js', 'index.js')
  const tiers = chunks.find(({ name }) => name === 'tiers')!
  expect(tiers.plugin.load(tiers.entry)).toContain('export { TieredCache } from')
  const resolve = (id: string, importer: string) => tiers.plugin.resolveId(id, join(out, importer))
  expect(resolve('./keys.js', 'tiered/tiered-cache.js')).toBeUndefined()
  const common = resolve('../l1/local-cache.js', 'tiered/tiered-cache.js')!
  expect(tiers.plugin.load(common)).toBe("export const { LocalCache } = common['l1/local-cache.js']")
  expect(tiers.plugin.load(resolve('../errors.js', 'tiered/keys.js')!)).toContain('{ describe }')
})

test('what loads a chunk hands over just what it takes', () => {
  const { entryPlugin } = divide(out, 'index.js', 'index.js')
  expect(entryPlugin.load('\0late/portable')).toMatch(
    /'errors\.js': \{ HitpathError: \w+, describe: \w+ \} \}\)\)$/,
  )
  expect(entryPlugin.load('\0late/tiers')).toMatch(/lateChunk\('dist\/cjs\/tiers\.js'/)
})

test('entries that need the same of a chunk share it', () => {
  const contract = (entry: string) =>
    divide(out, entry, 'index.js').chunks.find(({ name }) => name === 'portable')!.contract
  expect(contract('compat/keyv/index.js')).toBe(contract('index.js'))
  write(
    'compat/keyv/index.js',
    `${MODULES['compat/keyv/index.js']}\nimport { cacheStore } from '../../native/portable/binding.js'`,
  )
  expect(contract('compat/keyv/index.js')).not.toBe(contract('index.js'))
})

test('an entry has no chunk of which it imports nothing', () => {
  const { chunks } = divide(out, 'compat/keyv/index.js', 'index.js')
  expect(chunks.map(({ name }) => name)).toEqual(['portable'])
})

test.each([
  ['DEFAULTS', 'export const DEFAULTS = {}'],
  ['defaults', 'export const defaults = {}'],
  ['Defaults', 'const options = {}\nexport const Defaults = options;'],
  ['readOptions', 'export const readOptions = (text) => JSON.parse(text)'],
  ['passedOn', `export { passedOn } from './tiered-cache.js'`],
])('a constant cannot be late: %s of %s', (name, code) => {
  write('index.js', `export { ${name} } from './tiered/options.js'`)
  write('tiered/options.js', code)
  expect(() => divide(out, 'index.js', 'index.js')).toThrow(`${name} of tiered/options.js: not declared as`)
})

test('a class may be exported by another name', () => {
  write('index.js', `export { Options } from './tiered/options.js'`)
  write('tiered/options.js', 'class Read {\n}\nexport const Options = Read;\n')
  const { entryPlugin } = divide(out, 'index.js', 'index.js')
  expect(entryPlugin.load('\0late/tiers/tiered/options.js')).toContain("lateClass('Options', ")
})

test('an entry and a chunk know each other as parts of one build, whatever changed', () => {
  const builds = (entry: string) => {
    const { entryPlugin, chunks } = divide(out, entry, 'index.js')
    const { name, banner } = chunks.find((chunk) => chunk.name === 'portable')!
    const [, build] = /^module\.exports = \{ build: "(\w{16})"/.exec(banner)!
    expect(entryPlugin.load(`\0late/${name}`)).toContain(`'dist/cjs/portable.js', '${build}', () =>`)
    return build
  }
  const before = builds('index.js')
  expect(builds('compat/keyv/index.js')).toBe(before)
  write('errors.js', 'export const limit = 2')
  expect(builds('index.js')).not.toBe(before)
})

test.each([
  ['serving/warming.js', `import * as errors from '../errors.js'`, 'errors.js'],
  ['serving/warming.js', `export * from '../errors.js'`, 'errors.js'],
  ['serving/warming.js', `import '../errors.js'`, 'errors.js'],
  ['index.js', `export * from './serving/warming.js'`, 'serving/warming.js'],
])('what crosses the border must be named: %s with %s', (path, code, target) => {
  write(
    'index.js',
    `export { warmKeys } from './serving/warming.js'\nexport { HitpathError } from './errors.js'`,
  )
  write(path, code)
  expect(() => divide(out, 'index.js', 'index.js')).toThrow(
    `${path}: what is imported of ${target} must be named`,
  )
})

test('within a chunk nothing must be', () => {
  write('serving/warming.js', `import * as plans from './plans.js'\n${WARMING}`)
  write('serving/plans.js', `import { HitpathError } from '../errors.js'`)
  const { entryPlugin } = divide(out, 'index.js', 'index.js')
  expect(entryPlugin.load('\0late/tiers')).toContain('HitpathError')
})
