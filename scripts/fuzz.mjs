/**
 * Fuzzes one body of native/fuzz with libFuzzer, under AddressSanitizer and UndefinedBehaviorSanitizer; needs clang.
 *
 *   node scripts/fuzz.mjs <body> [--seconds N] [--merge]
 *
 * Found inputs gather in build-native-fuzz/work/<body>; one that fails is written to build-native-fuzz/. --merge then
 * makes native/fuzz/corpus/<body> the smallest set of inputs with the same coverage; files whose name is not a hash,
 * which are those of bugs, stay.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { missingTools, runs } from './native-tools.mjs'

const LONGEST_INPUT = 1024
const HASH = /^[0-9a-f]{40}$/

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bodies = readdirSync(join(root, 'native', 'fuzz'))
  .filter((name) => name.endsWith('_fuzz.cc'))
  .map((name) => name.replace('_fuzz.cc', ''))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, merge: { type: 'boolean', default: false } },
})
const [body] = positionals
if (positionals.length !== 1 || !bodies.includes(body) || !/^\d+$/.test(values.seconds)) {
  fail(`usage: fuzz.mjs ${bodies.join('|')} [--seconds N] [--merge]`)
}
const missing = missingTools()
if (missing !== undefined) fail(missing)
if (!runs('clang++'))
  fail('missing: clang++, with the libraries of compiler-rt; install: apt-get install clang')

const build = join(root, 'build-native-fuzz')
const program = join(build, `${body}_fuzz`)
const corpus = join(root, 'native', 'fuzz', 'corpus', body)
const work = join(build, 'work', body)
for (const folder of [corpus, work]) mkdirSync(folder, { recursive: true })

step('cmake', [
  '-S',
  root,
  '-B',
  build,
  '--log-level=NOTICE',
  '-DCMAKE_C_COMPILER=clang',
  '-DCMAKE_CXX_COMPILER=clang++',
  '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
  '-DHITPATH_SANITIZE=address',
  '-DHITPATH_ADDON=OFF',
  '-DHITPATH_FUZZ=ON',
])
step('cmake', ['--build', build, '--target', `${body}_fuzz`, '--parallel', '2'])
const options = [`-max_len=${LONGEST_INPUT}`, '-timeout=10', `-artifact_prefix=${join(build, `${body}-`)}`]
if (values.seconds !== '0') {
  step(program, [work, corpus, `-max_total_time=${values.seconds}`, '-print_final_stats=1', ...options])
}
if (values.merge) merge()

function merge() {
  const smallest = join(build, 'merged', body)
  rmSync(smallest, { recursive: true, force: true })
  mkdirSync(smallest, { recursive: true })
  // without counters: an input for each edge, not for each number of times that it is taken
  step(program, ['-merge=1', '-use_counters=0', ...options, smallest, corpus, work])
  for (const name of readdirSync(corpus).filter((name) => HASH.test(name))) rmSync(join(corpus, name))
  const kept = new Set(readdirSync(corpus))
  for (const name of readdirSync(smallest)) {
    if (!kept.has(name)) copyFileSync(join(smallest, name), join(corpus, name))
  }
}

function step(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

function fail(message) {
  console.error(`fuzz: ${message}`)
  process.exit(1)
}
