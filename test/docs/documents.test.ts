/** What the documents say of names, numbers, files and each other is so; their TypeScript compiles. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digest, LocalCache, SharedCache } from 'hitpath'
import { describe, expect, test } from 'vitest'
import { DTYPE } from '../../src/key/dtype.js'
import { requirePython, runPython } from '../support/python.js'
import { anchorsOf, blocksOf, DOCUMENTS, linksOf, nameOf, ROOT, textOf } from './documents.js'

describe('links and names', () => {
  test('every link leads to a file, and to a heading of it', () => {
    const links = DOCUMENTS.flatMap((document) =>
      linksOf(document).map((link) => ({ from: document.path, ...link })),
    )
    expect(links.length).toBeGreaterThan(40)
    const broken = links.filter(({ path, anchor }) => {
      if (!existsSync(join(ROOT, path))) return true
      return anchor !== '' && !anchorsOf(readFileSync(join(ROOT, path), 'utf8')).has(anchor)
    })
    expect(broken).toEqual([])
  })

  test('every document is reached from README.md', () => {
    const reached = new Set(['README.md'])
    for (const path of reached) {
      const document = DOCUMENTS.find((one) => one.path === path)
      if (document !== undefined) for (const link of linksOf(document)) reached.add(link.path)
    }
    expect(DOCUMENTS.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([])
  })

  test('every file that is named exists', () => {
    const named = DOCUMENTS.flatMap(({ path, text }) =>
      [...text.matchAll(/`((?:bench|native|scripts|src|test)\/[\w./-]+)`/g)].map(([, name]) => ({
        path,
        name: name!,
      })),
    )
    expect(named.length).toBeGreaterThan(30)
    // What the benches and the packing write is not in the repository.
    const written = /^(?:bench\/results|native\/vendor)\//
    expect(named.filter(({ name }) => !written.test(name) && !existsSync(join(ROOT, name)))).toEqual([])
  })

  test('every script of npm that is named exists', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
    const named = DOCUMENTS.flatMap(({ text }) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!),
    )
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})

describe('TypeScript', () => {
  const blocks = blocksOf('ts')

  test('the blocks compile as they stand', () => {
    expect(blocks.length).toBeGreaterThan(0)
    mkdirSync(join(ROOT, 'build-ts'), { recursive: true })
    const folder = mkdtempSync(join(ROOT, 'build-ts', 'documents-'))
    try {
      for (const [i, block] of blocks.entries()) writeFileSync(join(folder, `block-${i}.mts`), block.code)
      const compilerOptions = {
        ...{ target: 'ES2023', module: 'NodeNext', moduleResolution: 'NodeNext', types: ['node'] },
        ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true, noEmit: true },
      }
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }))
      const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
      const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
      expect(stdout.replace(/block-(\d+)\.mts/g, (_, i) => nameOf(blocks[Number(i)]!))).toBe('')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('the digest', () => {
  const text = textOf('src/key/DIGEST.md')

  test('the lines of Python give it', () => {
    requirePython()
    const lines = blocksOf('python').find(({ document }) => document === 'src/key/DIGEST.md')?.code ?? ''
    const script = [
      'import array, struct, xxhash',
      'class Array:',
      '  ndim, shape = 2, (2, 3)',
      "  tobytes = array.array('f', [1, 2, 3, 4, 5, 6]).tobytes",
      `a, code = Array(), ${DTYPE.float32}`,
      lines.trimEnd().replace(/\n(.*)$/, '\nprint($1)'),
    ].join('\n')
    expect(runPython(['-c', script]).toString().trim()).toBe(
      digest({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }),
    )
  })

  test('the table of dtypes is that of the code', () => {
    for (const [name, code] of Object.entries(DTYPE))
      expect(text).toMatch(new RegExp(`\\b${name} ${code}\\b`))
  })
})

test('every error code has its row in TROUBLESHOOTING.md, with a cause and a remedy, and no other has', () => {
  const source = readFileSync(join(ROOT, 'src', 'errors.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}\| '([A-Z_0-9]+)'/gm)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(25)
  const text = textOf('src/TROUBLESHOOTING.md')
  const table = text.slice(text.indexOf('\n## Error codes'), text.indexOf('\n## Symptoms'))
  const rows = [...table.matchAll(/^\| `([A-Z_0-9]+)` \| (\S.*) \| (\S.*) \|$/gm)].map(([, code]) => code)
  expect(rows.sort()).toEqual(codes.sort())
})

test('every finding of health() has its row', () => {
  const source = readFileSync(join(ROOT, 'src', 'observe', 'health.ts'), 'utf8')
  const type = source.slice(source.indexOf('export type FindingCode'))
  const codes = [...type.slice(0, type.indexOf('\n\n')).matchAll(/'([A-Z_0-9]+)'/g)].map(([, code]) => code!)
  expect(codes.length).toBeGreaterThan(10)
  const text = textOf('src/observe/OBSERVING.md')
  expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([])
})

test('what an entry reserves is what the table says', () => {
  const maxEntries = 100_000
  using shared = SharedCache.create({ maxBytes: maxEntries * 256, maxEntries })
  using local = new LocalCache({ maxEntries })
  const { regionBytes, arenaBytes } = shared.stats()
  const [sharedSaid, localSaid] = /reserved for each.*?about (\d+) bytes.*?about (\d+) bytes/
    .exec(textOf('src/l1/CACHES.md'))!
    .slice(1)
    .map(Number)
  expect((regionBytes - arenaBytes) / maxEntries / sharedSaid!).toBeCloseTo(1, 1)
  expect(local.stats().regionBytes / maxEntries / localSaid!).toBeCloseTo(1, 1)
})
