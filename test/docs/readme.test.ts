/** README.md is true: its programs print what they say, its paths exist, its tables are complete. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { digest, LocalCache, SharedCache } from 'hitpath'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DTYPE } from '../../src/key/dtype.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const MIGRATION = readFileSync(join(ROOT, 'src', 'compat', 'MIGRATION.md'), 'utf8')
const PROGRAMS = [...blocks('js'), ...blocks('js', MIGRATION)]

/** Inside the package, so that `hitpath` is the package itself. */
let folder: string
beforeAll(() => {
  mkdirSync(join(ROOT, 'build-ts'), { recursive: true })
  folder = mkdtempSync(join(ROOT, 'build-ts', 'readme-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the programs', () => {
  test('there are some, and each says what it prints', () => {
    expect(PROGRAMS.length).toBeGreaterThan(3)
    for (const program of PROGRAMS) expect(promised(program)).not.toEqual([])
  })

  test.each(PROGRAMS.map((program, i) => [`${i + 1}: ${program.split('\n')[0]}`, program]))(
    '%s',
    (_, program) => {
      const file = join(folder, `${PROGRAMS.indexOf(program)}.mjs`)
      writeFileSync(file, program)
      const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
        encoding: 'utf8',
        timeout: 30_000,
      })
      expect(stderr).toBe('')
      expect(stdout.trimEnd().split('\n')).toEqual(promised(program))
      expect(status).toBe(0)
    },
  )
})

describe('the digest', () => {
  const python = pythonWithXxhash()

  test.skipIf(python === undefined)('the lines of Python give it (skipped: no python3 with xxhash)', () => {
    const [lines = ''] = blocks('python')
    const script = [
      'import array, struct, xxhash',
      'class Array:',
      '  ndim, shape = 2, (2, 3)',
      "  tobytes = array.array('f', [1, 2, 3, 4, 5, 6]).tobytes",
      `a, code = Array(), ${DTYPE.float32}`,
      lines.trimEnd().replace(/\n(.*)$/, '\nprint($1)'),
    ].join('\n')
    const { stdout } = spawnSync(python ?? '', ['-c', script], { encoding: 'utf8' })
    expect(stdout.trim()).toBe(digest({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }))
  })

  test('the table of dtypes is that of the code', () => {
    for (const [name, code] of Object.entries(DTYPE))
      expect(README).toMatch(new RegExp(`\\b${name} ${code}\\b`))
  })
})

test('every error code has its row, and no other', () => {
  const source = readFileSync(join(ROOT, 'src', 'errors.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code)
  const table = README.slice(README.indexOf('\n## Errors'), README.indexOf('\n## The digest'))
  const rows = [...table.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
  expect(rows.sort()).toEqual(codes.sort())
})

test('every file that is named exists', () => {
  const paths = [...README.matchAll(/`((?:bench|native|scripts|src|test)\/[\w./-]+)`/g)].map(
    ([, path]) => path!,
  )
  expect(paths.length).toBeGreaterThan(8)
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('what an entry reserves is what the table says', () => {
  const maxEntries = 100_000
  using shared = SharedCache.create({ maxBytes: maxEntries * 256, maxEntries })
  using local = new LocalCache({ maxEntries })
  const { regionBytes, arenaBytes } = shared.stats()
  const [sharedSaid, localSaid] = /reserved for each.*?about (\d+) bytes.*?about (\d+) bytes/
    .exec(README)!
    .slice(1)
    .map(Number)
  expect((regionBytes - arenaBytes) / maxEntries / sharedSaid!).toBeCloseTo(1, 1)
  expect(local.stats().regionBytes / maxEntries / localSaid!).toBeCloseTo(1, 1)
})

function blocks(language: string, text = README): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, code]) => code!,
  )
}

/** What a program says that it prints, line by line: `console.log(...) // this`. */
function promised(program: string): readonly string[] {
  return [...program.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text!)
}

function pythonWithXxhash(): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import xxhash'], { stdio: 'ignore' }).status === 0,
  )
}
