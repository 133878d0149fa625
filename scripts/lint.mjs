/**
 * Every check of the sources that needs no test run: format and rules (biome), C++ format (clang-format), types
 * (tsc; src/ a second time together with the declarations that it builds on), layers, the options' reference and the lock
 * file. All run, then it fails if one failed. With --fix, what can be corrected is.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const fix = process.argv.includes('--fix')

const checks = {
  biome: () =>
    node('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', ...(fix ? ['--write'] : [])]),
  'clang-format': clangFormat,
  tsc: () => node('typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']),
  'tsc of src with its libraries': declarations,
  layers: () => run(process.execPath, [join(root, 'scripts', 'check-layers.mjs')]),
  options: () =>
    run(process.execPath, [join(root, 'scripts', 'gen-options.mjs'), ...(fix ? [] : ['--check'])]),
  lockfile: () =>
    run(process.execPath, [join(root, 'scripts', 'check-lockfile.mjs'), ...(fix ? ['--fix'] : [])]),
}

const failed = Object.keys(checks).filter((name) => !checks[name]())
if (failed.length > 0) {
  console.error(`lint: failed: ${failed.join(', ')}`)
  process.exit(1)
}

function clangFormat() {
  const sources = cppSources(join(root, 'native'))
  if (sources.length === 0) return true
  if (spawnSync('clang-format', ['--version']).error !== undefined) {
    console.error('lint: clang-format is missing: apt-get install clang-format')
    return false
  }
  return run('clang-format', [...(fix ? ['-i'] : ['--dry-run', '-Werror', '--ferror-limit=3']), ...sources])
}

/** What is published must not lean on `skipLibCheck`, which development dependencies of the benches need. */
function declarations() {
  const project = join(root, 'build-ts', 'declarations')
  mkdirSync(project, { recursive: true })
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { skipLibCheck: false },
    include: ['../../src'],
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
  return node('typescript/bin/tsc', ['-p', project])
}

function cppSources(directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true })
    .filter((name) => /^(?!vendor\b).*\.(h|cc)$/.test(name))
    .map((name) => join(directory, name))
    .sort()
}

function node(script, args) {
  return run(process.execPath, [join(root, 'node_modules', script), ...args])
}

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0
}
