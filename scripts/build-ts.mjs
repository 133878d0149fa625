/**
 * Builds src/ into dist/esm and dist/cjs: one file of code for each entry of the package, what they load late (late-chunks.mjs), and
 * declarations. Does nothing when dist/ is newer than every input.
 *
 * One file, because V8 takes a module's own constants for constants, addresses included, but reads what it imports anew at each
 * use: a hit by a number took 114 ns in separate files and 96 ns in one. Declarations are compiled twice, since a package.json
 * beside them decides what they mean. In the CommonJS build here-cjs.ts takes the place of here.ts. dist/ is replaced only
 * when all has passed.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { divide } from './late-chunks.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'dist', '.stamp')
const staged = join(root, 'build-ts', String(process.pid))

const inputs = ['src', 'tsconfig.json', 'package.json', 'scripts/build-ts.mjs', 'scripts/late-chunks.mjs']
if (newest(inputs) <= modifiedMs(stamp)) process.exit(0)

/** Entries of the package, by the name of their file. */
const entries = {
  index: 'index.js',
  'lru-cache': 'compat/lru-cache/index.js',
  keyv: 'compat/keyv/index.js',
  'cache-manager': 'compat/cache-manager/index.js',
}
/** Programs: nobody imports them, so they are ES modules only. What they load late lies in a folder of their name. */
const programs = { cli: 'cli/main.js', 'cli-bench': 'cli/bench/contender.js' }

const COMMENTS = { annotation: true, jsdoc: false, legal: false }

/**
 * Modules of Node that it does not load by itself when it starts, or whose first use takes long. Only functions may be imported from
 * them.
 */
const LAZY_BUILTINS = [
  'node:child_process',
  'node:crypto',
  'node:fs/promises',
  'node:module',
  'node:net',
  'node:os',
  'node:readline',
  'node:timers/promises',
  'node:v8',
  'node:worker_threads',
  'node:zlib',
]

const startedMs = Date.now()
compile('esm', 'module')
compile('cjs', 'commonjs')
const compiled = join(staged, 'esm', 'out')
const contracts = new Map()
for (const [name, source] of Object.entries(entries)) {
  const { entryPlugin, chunks } = divided(source)
  const plugins = [entryPlugin, builtins()]
  await bundle('esm', name, join(compiled, source), plugins)
  await bundle('cjs', name, join(compiled, source), [...plugins, { name: 'here', resolveId: hereOfCommonJs }])
  for (const chunk of chunks) await bundleChunk(chunk)
}
for (const [name, source] of Object.entries(programs))
  await bundle('esm', name, join(compiled, source), [builtins()])
rmSync(join(root, 'dist'), { recursive: true, force: true })
renameSync(join(staged, 'dist'), join(root, 'dist'))
rmSync(staged, { recursive: true, force: true })
writeFileSync(stamp, '')
console.log(`built dist/esm and dist/cjs in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)

/** Compiles a copy of src/ under build-ts/: code beside it, declarations into dist/. */
function compile(flavour, type) {
  const project = join(staged, flavour)
  mkdirSync(project, { recursive: true })
  const source = join(project, 'src')
  cpSync(join(root, 'src'), source, { recursive: true })
  if (type === 'commonjs') cpSync(join(source, 'native', 'here-cjs.ts'), join(source, 'native', 'here.ts'))
  writeJson(join(project, 'package.json'), { type })
  writeJson(join(project, 'tsconfig.json'), {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rootDir: 'src',
      outDir: 'out',
      declarationDir: join(staged, 'dist', flavour),
    },
    include: ['src'],
  })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' })
  if (status !== 0) fail(`the ${flavour} build failed; the paths above are of a copy of src/`)
  writeJson(join(staged, 'dist', flavour, 'package.json'), { type })
}

async function bundle(format, name, input, plugins, wrapper = {}) {
  try {
    const build = await rolldown({
      input: { [name]: input },
      platform: 'node',
      external: (id) => !/^(node:|\0|\.|\/|[A-Za-z]:)/.test(id),
      plugins,
    })
    const chunkFileNames = `${name}/[name].js`
    const output = {
      dir: join(staged, 'dist', format),
      format,
      exports: 'named',
      // as the ES modules are: a function that is not strict has other properties
      strict: true,
      comments: COMMENTS,
      chunkFileNames,
      ...wrapper,
    }
    await build.write(output)
    const file = join(staged, 'dist', format, `${name}.js`)
    if (format === 'esm' && name in entries) aliasExports(file)
    escapeUnicode(file)
    await build.close()
  } catch (error) {
    fail(`the ${format} bundle of ${name} failed: ${error.message}`)
  }
}

function divided(source) {
  try {
    return divide(compiled, source, entries.index)
  } catch (error) {
    return fail(error.message)
  }
}

/** Entries that have a chunk in common hand it the same modules, so it is written once. */
async function bundleChunk({ name, entry, contract, plugin, banner, footer }) {
  const known = contracts.get(name)
  if (known === undefined) await bundle('cjs', name, entry, [plugin, builtins()], { banner, footer })
  else if (known !== contract) fail(`the chunk ${name} is not the same for all entries`)
  contracts.set(name, contract)
}

/**
 * Exports other names for what the file exports: V8 keeps an exported constant in a cell, which code of the file itself would
 * read at each use too (14 ns of a hit by a number, most of it for `instanceof` a class that might change).
 */
function aliasExports(path) {
  const code = readFileSync(path, 'utf8')
  const statement = /^export \{ ([^}]+) \};?\s*$/m.exec(code)
  if (statement === null) fail('the bundle does not end with one export statement')
  const names = statement[1].split(', ').map((name) => name.split(' as '))
  const aliases = names.map(([local]) => `const exported_${local} = ${local};`).join('\n')
  const list = names.map(([local, name = local]) => `exported_${local} as ${name}`).join(', ')
  writeFileSync(path, code.replace(statement[0], `${aliases}\nexport { ${list} };\n`))
}

/** V8 holds and reads a file with one character beyond Latin-1 as UTF-16, which takes it a twentieth longer. */
function escapeUnicode(path) {
  const code = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

/**
 * Modules of Node without an import: an ES module that imports one waits until all that it exports has been read, getters
 * included, which for node:fs loads the streams (3 ms). A lazy one is loaded by the first call of one of its functions.
 */
function builtins() {
  const names = new Map()
  for (const file of readdirSync(join(staged, 'esm', 'out'), { recursive: true })) {
    if (!file.endsWith('.js')) continue
    const code = readFileSync(join(staged, 'esm', 'out', file), 'utf8')
    for (const [, list, module] of code.matchAll(/^import (.*?) from '(node:[\w/]+)'/gms)) {
      const named = /^\{(.*)\}$/s.exec(list.trim())
      if (named === null) fail(`${file}: what is imported from ${module} must be named`)
      const imported = named[1].split(',').map((name) => name.trim().split(' as ')[0])
      names.set(module, new Set([...(names.get(module) ?? []), ...imported.filter((name) => name !== '')]))
    }
  }
  return {
    name: 'builtins',
    resolveId: (id) => (names.has(id) ? `\0${id}` : undefined),
    load(id) {
      const module = id.slice(1)
      if (!id.startsWith('\0') || !names.has(module)) return undefined
      const lazy = LAZY_BUILTINS.includes(module)
      const classes = lazy ? [...names.get(module)].filter((name) => /^[A-Z]/.test(name)) : []
      if (classes.length > 0)
        fail(`${classes} of ${module}: only functions can be loaded at their first call`)
      const source = `const load = () => process.getBuiltinModule('${module}');`
      const exported = [...names.get(module)].map((name) =>
        lazy
          ? `export const ${name} = (...args) => load().${name}(...args);`
          : `export const ${name} = /*#__PURE__*/ (() => load().${name})();`,
      )
      return [source, ...exported].join('\n')
    },
  }
}

function hereOfCommonJs(id) {
  return /[\\/]here\.js$/.test(id) ? join(compiled, 'native', 'here-cjs.js') : undefined
}

function fail(sentence) {
  console.error(`build-ts: ${sentence}`)
  rmSync(staged, { recursive: true, force: true })
  process.exit(1)
}

function newest(paths) {
  return Math.max(...paths.map((path) => newestOf(join(root, path))))
}

function newestOf(path) {
  const { mtimeMs } = statSync(path)
  if (!statSync(path).isDirectory()) return mtimeMs
  // a directory's own time tells of files that were removed
  return Math.max(mtimeMs, ...readdirSync(path).map((name) => newestOf(join(path, name))))
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
}

function writeJson(path, content) {
  writeFileSync(path, `${JSON.stringify(content)}\n`)
}
