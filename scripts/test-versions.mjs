/**
 * The package and the tests under every runtime of runtimes.mjs: `node scripts/test-versions.mjs [--short] [name ...]`.
 *
 * Each runs the programs of test/package against the packed and installed package; each Node also runs tests of vitest against the
 * sources, over the addon that one compiler built, with ioredis 5 and 6 and the Redis that is on the path. The short form leaves
 * out the Node that it runs on itself, under which all other tests have run, and most of the tests.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programOf, RUNTIMES } from './runtimes.mjs'

const PROGRAMS = ['esm.mjs', 'commonjs.cjs']
const TESTS = {
  short: [
    'test/unit/key',
    'test/unit/codec/value.test.ts',
    'test/unit/l1/local-cache.test.ts',
    'test/unit/l1/shared-values.test.ts',
    'test/worker/workers.test.ts',
    'test/integration/tiered/values.test.ts',
  ],
  long: [
    'test/unit/key',
    'test/unit/codec',
    'test/unit/l1',
    'test/unit/native',
    'test/unit/tiered',
    'test/worker',
    'test/integration/coherence',
    'test/integration/l2',
    'test/integration/tiered',
  ],
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log(
    'test-versions: the runtimes come as packages for Linux on x64; elsewhere run the tests under each Node by hand',
  )
  process.exit(0)
}

const short = process.argv.includes('--short')
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const chosen = RUNTIMES.filter(({ name, version }) =>
  wanted.length > 0 ? wanted.includes(name) : !short || version !== process.versions.node,
)
if (chosen.length === 0) {
  console.error(`test-versions: choose among ${RUNTIMES.map(({ name }) => `'${name}'`).join(', ')}`)
  process.exit(1)
}

const folder = mkdtempSync(join(tmpdir(), 'hitpath-versions-'))
try {
  const programs = await Promise.all(chosen.map((runtime) => programOf(runtime)))
  const consumer = install()
  const failed = chosen.filter((runtime, i) => !passes(runtime, programs[i], consumer))
  if (failed.length > 0) {
    console.error(`test-versions: failed under ${failed.map(({ name }) => name).join(', ')}`)
    process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function passes({ name, version }, program, consumer) {
  const startedMs = Date.now()
  const isNode = name.startsWith('Node')
  const passed =
    PROGRAMS.every((file) => run(program, [file], consumer)) &&
    (!isNode || run(program, [vitest, 'run', '--reporter=dot', ...TESTS[short ? 'short' : 'long']], root))
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(0)
  console.log(`${name} (${version}): ${passed ? 'passed' : 'failed'} in ${seconds} s`)
  return passed
}

/** The package where nothing else is. */
function install() {
  const consumer = join(folder, 'consumer')
  mkdirSync(consumer)
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true }\n')
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const packed = spawnSync('npm', pack, { cwd: root, encoding: 'utf8' })
  if (packed.status !== 0) throw new Error(`npm pack failed: ${packed.stderr}`)
  const tarball = join(folder, JSON.parse(packed.stdout)[0].filename)
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  if (!run('npm', ['install', ...options, tarball], consumer)) throw new Error('the tarball does not install')
  cpSync(join(root, 'test', 'package', 'programs'), consumer, { recursive: true })
  return consumer
}

function run(command, args, cwd) {
  return spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}
