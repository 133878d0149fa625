/**
 * The package as its users get it: packed, its contents checked, installed into an empty folder without install
 * scripts, then run as an ES module and from CommonJS, and type-checked in the settings that consumers have.
 *
 * Needs a build (`npm run test:package` makes one) and the package registry for msgpackr.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAX_TARBALL_BYTES = 1_500_000
const NEEDED = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CMakeLists.txt',
  'package.json',
  'build/Release/hitpath.node',
  'dist/esm/index.js',
  'dist/esm/cli.js',
  'dist/esm/index.d.ts',
  'dist/cjs/index.js',
  'dist/cjs/index.d.ts',
  'native/core/layout.h',
]
const ALLOWED =
  /^(README\.md|LICENSE|CHANGELOG\.md|CMakeLists\.txt|package\.json|build\/Release\/hitpath\.node|src\/observe\/grafana\.json|dist\/(esm|cjs)\/([\w-]+\/)*[\w-]+(\.d\.ts|\.js|\.json)|native\/(core|addon)\/\w+\.(h|cc))$/

const STRICT = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false']
/** Settings of consumers. Without @types/node, `Disposable` comes from the compiler's own library. */
const COMPILERS = {
  'nodenext, @types/node': [
    'types.mts',
    'types.cts',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
  ],
  'nodenext, no @types/node': [
    'types.mts',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2022,esnext.disposable',
  ],
  'bundler, @types/node': [
    'types.mts',
    '--module',
    'esnext',
    '--moduleResolution',
    'bundler',
    '--target',
    'es2022',
    '--types',
    'node',
  ],
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = mkdtempSync(join(tmpdir(), 'hitpath-package-'))
try {
  const tarball = pack()
  const consumer = install(tarball)
  runPrograms(consumer)
  checkTypes(consumer)
  console.log('the package works as an ES module, in CommonJS, in a worker, and for the compiler')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack() {
  const [packed] = JSON.parse(npm(root, ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]))
  const paths = packed.files.map(({ path }) => path)
  const missing = NEEDED.filter((path) => !paths.includes(path))
  if (missing.length > 0) fail(`the tarball lacks ${missing.join(', ')}`)
  const needless = paths.filter((path) => !ALLOWED.test(path))
  if (needless.length > 0) fail(`the tarball holds what nobody needs: ${needless.join(', ')}`)
  console.log(`tarball: ${kB(packed.size)}, ${paths.length} files, ${kB(packed.unpackedSize)} unpacked`)
  console.log(`binary: ${kB(statSync(join(root, 'build', 'Release', 'hitpath.node')).size)} of it`)
  if (packed.size > MAX_TARBALL_BYTES) fail(`the tarball is larger than ${kB(MAX_TARBALL_BYTES)}`)
  return join(folder, packed.filename)
}

function install(tarball) {
  const consumer = join(folder, 'consumer')
  mkdirSync(consumer)
  writeFileSync(
    join(consumer, 'package.json'),
    '{ "name": "consumer", "version": "1.0.0", "private": true }\n',
  )
  npm(consumer, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball])
  cpSync(join(root, 'test', 'package', 'programs'), consumer, { recursive: true })
  return consumer
}

function runPrograms(consumer) {
  for (const program of ['esm.mjs', 'commonjs.cjs']) {
    run(consumer, process.execPath, [program])
    console.log(`ran ${program}`)
  }
  run(consumer, process.execPath, [join('node_modules', 'hitpath', 'dist', 'esm', 'cli.js'), 'doctor'])
}

function checkTypes(consumer) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const nodeTypes = join(consumer, 'node_modules', '@types', 'node')
  for (const [name, options] of Object.entries(COMPILERS)) {
    rmSync(nodeTypes, { recursive: true, force: true })
    if (options.includes('--types')) {
      cpSync(join(root, 'node_modules', '@types', 'node'), nodeTypes, { recursive: true })
      cpSync(join(root, 'node_modules', 'undici-types'), join(consumer, 'node_modules', 'undici-types'), {
        recursive: true,
      })
    }
    run(consumer, process.execPath, [tsc, ...STRICT, ...options])
    console.log(`types: ${name}`)
  }
}

function npm(cwd, args) {
  // npm tells scripts where it is; on Windows it is not a program that can be started as it is
  const cli = process.env.npm_execpath
  return cli?.endsWith('.js') ? run(cwd, process.execPath, [cli, ...args]) : run(cwd, 'npm', args)
}

/** Standard output. NODE_PATH and the like of the caller would let the consumer see what it has not installed. */
function run(cwd, command, args) {
  const { NODE_PATH: _, NODE_OPTIONS: __, ...env } = process.env
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' })
  if (status !== 0) fail(`${[command, ...args].join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`)
  return stdout
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(0)} kB`
}

function fail(message) {
  console.error(`test-package: ${message}`)
  rmSync(folder, { recursive: true, force: true })
  process.exit(1)
}
