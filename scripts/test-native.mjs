/**
 * Builds and runs the tests of native/core: `node scripts/test-native.mjs plain|asan|tsan ...`.
 *
 * Each variant has its own directory, build-native-<variant>/, so that switching rebuilds nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingTools, runs } from './native-tools.mjs'

const CMAKE_OPTIONS_OF_VARIANT = {
  plain: ['-DCMAKE_BUILD_TYPE=Release'],
  asan: ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DHITPATH_SANITIZE=address'],
  tsan: ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DHITPATH_SANITIZE=thread'],
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const variants = process.argv.slice(2)
const unknown = variants.filter((variant) => !Object.hasOwn(CMAKE_OPTIONS_OF_VARIANT, variant))
if (variants.length === 0 || unknown.length > 0) {
  fail(`usage: test-native.mjs ${Object.keys(CMAKE_OPTIONS_OF_VARIANT).join('|')} ...`)
}
const missing = missingTools()
if (missing !== undefined) fail(missing)

for (const variant of variants) testVariant(variant)

function testVariant(variant) {
  console.log(`tests of native/core: ${variant}`)
  const build = join(root, `build-native-${variant}`)
  const jobs = String(availableParallelism())
  step('cmake', [
    '-S',
    root,
    '-B',
    build,
    ...generator(build),
    '--log-level=NOTICE',
    '-DHITPATH_ADDON=OFF',
    '-DHITPATH_TESTS=ON',
    ...CMAKE_OPTIONS_OF_VARIANT[variant],
  ])
  step('cmake', ['--build', build, '--parallel', jobs])
  const [command, ...before] = [...(variant === 'tsan' ? fixedAddresses() : []), 'ctest']
  // sanitized tests are slow, and none of them is judged by its time
  const parallel = variant === 'plain' ? [] : ['--parallel', jobs]
  step(command, [
    ...before,
    '--test-dir',
    build,
    '--output-on-failure',
    '--no-tests=error',
    '--timeout',
    '900',
    ...parallel,
  ])
}

/** ThreadSanitizer of GCC 12 does not start where the kernel spreads addresses widely; a prefix that stops it. */
function fixedAddresses() {
  const prefix = ['setarch', '--addr-no-randomize']
  return spawnSync(prefix[0], [...prefix.slice(1), 'true']).status === 0 ? prefix : []
}

/** A directory that is configured already keeps its generator. */
function generator(build) {
  const cache = join(build, 'CMakeCache.txt')
  if (existsSync(cache))
    return ['-G', /^CMAKE_GENERATOR:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1] ?? 'Ninja']
  return ['-G', runs('ninja') ? 'Ninja' : 'Unix Makefiles']
}

function step(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

function fail(message) {
  console.error(`test-native: ${message}`)
  process.exit(1)
}
