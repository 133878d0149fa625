/** The generator of src/OPTIONS.md refuses a type that says too little. That the file is not stale, `npm run lint` checks. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROOT, textOf } from './documents.js'

type Render = (root?: string, entries?: readonly string[], extra?: object) => string
// A variable, since the script has no declarations.
const script = '../../scripts/gen-options.mjs'
const { renderOptions } = (await import(script)) as { renderOptions: Render }

let folder: string
beforeEach(() => {
  mkdirSync(join(ROOT, 'build-ts'), { recursive: true })
  folder = mkdtempSync(join(ROOT, 'build-ts', 'options-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const rendered = (source: string): string => {
  writeFileSync(join(folder, 'index.ts'), source)
  return renderOptions(folder, ['index.ts'], {})
}
const cache = (property: string): string =>
  `export interface CacheOptions {\n${property}\n}\nexport class Cache { constructor(options: CacheOptions) {} }`

test('name, type, default, unit and meaning', () => {
  const text = rendered(
    cache('  /** Bytes for values. Default 64 MiB. */\n  readonly maxBytes?: number | undefined'),
  )
  expect(text).toContain('Taken by `new Cache()`.')
  expect(text).toContain('| `maxBytes` | `number` | 64 MiB | bytes | Bytes for values. |')
})

test('the options of an option, and what is required', () => {
  const text = rendered(
    cache('  readonly queue: {\n    /** Keys that wait. */\n    readonly max: number\n  }'),
  )
  expect(text).toContain('| `queue.max` | `number` | required | keys | Keys that wait. |')
})

test.each([
  ['no comment', '  readonly name: string', 'CacheOptions.name has no comment'],
  ['no default', '  /** A name. */\n  readonly name?: string', 'CacheOptions.name does not say its default'],
  [
    'no unit',
    '  /** How much. Default 5. */\n  readonly much?: number',
    'CacheOptions.much is a number and does not say of what',
  ],
  ['a default alone', '  /** Default 5. */\n  readonly name?: string', 'says its default and nothing else'],
])('%s is refused', (_, property, message) => {
  expect(() => rendered(cache(property))).toThrow(message)
})

test('every option that a cache takes is listed', () => {
  const sources: readonly (readonly [file: string, list: RegExp, heading: string])[] = [
    ['src/tiered/options.ts', /POLICY_KEYS = \[([^\]]*)\]/, 'PolicyOptions'],
    ['src/serving/model-cache-options.ts', /const OPTIONS = \[([^\]]*)\]/, 'ModelCacheOptions'],
    ['src/serving/prediction-options.ts', /const OPTIONS = \[([^\]]*)\]/, 'PredictionCacheOptions'],
  ]
  for (const [file, list, heading] of sources) {
    const names = [...(list.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1] ?? '').matchAll(/'(\w+)'/g)]
    expect(names.length).toBeGreaterThan(5)
    const text = textOf('src/OPTIONS.md')
    const section = text.slice(text.indexOf(`\n## ${heading}\n`)).split('\n## ')[1] ?? ''
    expect(names.map(([, name]) => name!).filter((name) => !section.includes(`| \`${name}\``))).toEqual([])
  }
})
