/**
 * Every check of the sources that needs no test run: format and rules (biome), C++ format (clang-format),
 * types (tsc) and layers. All run, then it fails if one failed. With --fix, what can be corrected is.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const fix = process.argv.includes('--fix')

const checks = {
  biome: () =>
    node('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', ...(fix ? ['--write'] : [])]),
  'clang-format': clangFormat,
  tsc: () => node('typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']),
  layers: () => run(process.execPath, [join(root, 'scripts', 'check-layers.mjs')]),
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
  return run('clang-format', [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources])
}

function cppSources(directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true })
    .filter((name) => /\.(h|cc)$/.test(name))
    .map((name) => join(directory, name))
    .sort()
}

function node(script, args) {
  return run(process.execPath, [join(root, 'node_modules', script), ...args])
}

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0
}
