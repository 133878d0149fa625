/**
 * The package as its users get it: packed, checked by publint and "are the types wrong", installed into an empty folder without
 * install scripts and without a compiler, then run as an ES module, from CommonJS and in a worker, type-checked in the settings
 * that consumers have, shaken by a bundler, and at last built from the sources that it carries.
 *
 * Needs a build and the binary in prebuilds/ (`npm run test:package` makes both), and the package registry for its dependencies.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { prebuiltPath } from './prebuild.mjs'

const MAX_TARBALL_BYTES = 1_500_000
const NEEDED = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CMakeLists.txt',
  'package.json',
  prebuiltPath(),
  'dist/esm/index.js',
  'dist/esm/cli.js',
  'dist/esm/index.d.ts',
  'dist/cjs/index.js',
  'dist/cjs/index.d.ts',
  'dist/cjs/portable.js',
  'dist/cjs/tiers.js',
  'native/core/layout.h',
  'native/vendor/napi.h',
]
const ALLOWED = new RegExp(
  `^(${[
    'README\\.md|LICENSE|CHANGELOG\\.md|CMakeLists\\.txt|package\\.json|src/observe/grafana\\.json',
    'src/([\\w-]+/)*[A-Z-]+\\.md|src/recipes/cache-targets\\.yml',
    'prebuilds/\\w+-\\w+/hitpath(\\.glibc|\\.musl)?\\.node',
    'dist/(esm|cjs)/([\\w-]+/)*[\\w-]+(\\.d\\.ts|\\.js|\\.json)',
    'native/(core|addon)/\\w+\\.(h|cc|map)',
    'native/vendor/([\\w-]+\\.(h|c)|napi-inl\\.deprecated\\.h|LICENSE\\.[\\w-]+)',
  ].join('|')})$`,
)

/** What an install must not need, nor bring along. */
const COMPILERS = ['cc', 'c++', 'gcc', 'g++', 'clang', 'cmake', 'make', 'ninja', 'python3', 'node-gyp']
const FOREIGN = ['cmake-js', 'node-addon-api', 'node-gyp', 'ioredis', 'prom-client', '@opentelemetry']

/** A bundle that imports one small thing, against one that imports all. */
const MAX_SHAKEN_SHARE = 0.35

const STRICT = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false']
/** Settings of consumers. Without @types/node, `Disposable` comes from the compiler's own library. */
const CONSUMERS = {
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
  lint(tarball)
  const consumer = install(tarball)
  runPrograms(consumer, bareEnvironment())
  checkTypes(consumer)
  await shake(consumer)
  buildFromSource(consumer)
  console.log(
    'the package installs without a compiler and works as an ES module, in CommonJS and in a worker',
  )
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
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const atInstall = ['preinstall', 'install', 'postinstall'].filter((name) => scripts[name] !== undefined)
  if (atInstall.length > 0) fail(`package.json runs something at the user's: ${atInstall.join(', ')}`)
  console.log(`tarball: ${kB(packed.size)}, ${paths.length} files, ${kB(packed.unpackedSize)} unpacked`)
  const binaries = paths.filter((path) => path.startsWith('prebuilds/'))
  for (const path of binaries) console.log(`  ${path}: ${kB(statSync(join(root, path)).size)}`)
  // each further binary may take what the first does
  const limit = MAX_TARBALL_BYTES + (binaries.length - 1) * 200_000
  if (packed.size > limit) fail(`the tarball is larger than ${kB(limit)}`)
  return join(folder, packed.filename)
}

/** publint takes what stands in package.json for what is in the tarball; the other resolves every entry as compilers do. */
function lint(tarball) {
  const publint = join(root, 'node_modules', 'publint', 'src', 'cli.js')
  run(root, process.execPath, [publint, 'run', tarball, '--strict'])
  console.log('publint: nothing to object to')
  // node10 resolves no `exports`, which Node has followed since 12.7: subpaths have never existed for it
  const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
  run(root, process.execPath, [attw, tarball, '--profile', 'node16'])
  console.log('are the types wrong: no')
}

/** Only Node, and a shell for npm: neither compiler nor CMake. */
function bareEnvironment() {
  const bin = join(folder, 'bin')
  if (!existsSync(bin)) {
    mkdirSync(bin)
    symlinkSync(realpathSync(process.execPath), join(bin, process.platform === 'win32' ? 'node.exe' : 'node'))
    if (process.platform !== 'win32') symlinkSync('/bin/sh', join(bin, 'sh'))
  }
  const found = COMPILERS.filter((name) => bin.split(delimiter).some((path) => existsSync(join(path, name))))
  if (found.length > 0) fail(`the bare environment has ${found.join(', ')}`)
  return {
    PATH: bin,
    HOME: folder,
    NODE_PATH: undefined,
    NODE_OPTIONS: undefined,
    CC: undefined,
    CXX: undefined,
  }
}

function install(tarball) {
  const consumer = join(folder, 'consumer')
  mkdirSync(consumer)
  writeFileSync(
    join(consumer, 'package.json'),
    '{ "name": "consumer", "version": "1.0.0", "private": true }\n',
  )
  const { HOME: _, ...bare } = bareEnvironment()
  npm(consumer, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball], bare)
  const foreign = FOREIGN.filter((name) => existsSync(join(consumer, 'node_modules', name)))
  if (foreign.length > 0) fail(`an install brings along ${foreign.join(', ')}`)
  console.log(`installed: ${readdirSync(join(consumer, 'node_modules')).join(' ')}`)
  cpSync(join(root, 'test', 'package', 'programs'), consumer, { recursive: true })
  return consumer
}

function runPrograms(consumer, environment) {
  for (const program of ['esm.mjs', 'commonjs.cjs', 'native.cjs', 'lean.mjs', 'lean.cjs']) {
    run(consumer, process.execPath, [program], environment)
    console.log(`ran ${program}`)
  }
  run(consumer, process.execPath, [join('node_modules', 'hitpath', 'dist', 'esm', 'cli.js'), 'doctor'])
}

function checkTypes(consumer) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const nodeTypes = join(consumer, 'node_modules', '@types', 'node')
  for (const [name, options] of Object.entries(CONSUMERS)) {
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

/** What a bundler leaves of the root when a program takes little of it. */
async function shake(consumer) {
  const sizes = {}
  const programs = {
    nothing: `import { TieredCache } from 'hitpath'`,
    error: `export { HitpathError } from 'hitpath'`,
    all: `export * from 'hitpath'`,
  }
  for (const [name, code] of Object.entries(programs)) {
    const input = join(consumer, `shake-${name}.mjs`)
    writeFileSync(input, code)
    const bundle = await rolldown({ input, platform: 'node', logLevel: 'silent' })
    const { output } = await bundle.generate({ comments: false })
    await bundle.close()
    sizes[name] = output.reduce((sum, { code: part = '' }) => sum + part.length, 0)
  }
  console.log(
    `bundled: ${Object.entries(sizes)
      .map(([name, size]) => `${name} ${kB(size)}`)
      .join(', ')}`,
  )
  if (sizes.nothing > 1_000) fail('an import that is not used is not dropped')
  if (sizes.error > sizes.all * MAX_SHAKEN_SHARE) fail('a bundle of one class keeps too much of the package')
}

/** The headers and sources in the tarball are enough, with CMake and a compiler. */
function buildFromSource(consumer) {
  const installed = join(consumer, 'node_modules', 'hitpath')
  rmSync(join(installed, 'prebuilds'), { recursive: true })
  run(installed, 'cmake', ['-S', '.', '-B', 'build', '-DCMAKE_BUILD_TYPE=Release'])
  run(installed, 'cmake', ['--build', 'build', '--parallel', String(availableParallelism())])
  run(consumer, process.execPath, ['esm.mjs'])
  console.log('built from the sources in the tarball')
}

function npm(cwd, args, environment = {}) {
  return run(cwd, process.execPath, [npmCli(), ...args], environment)
}

/** npm tells scripts where it is; elsewhere it lies where its command leads. */
function npmCli() {
  const told = process.env.npm_execpath
  if (told?.endsWith('.js')) return told
  const beside = join(
    dirname(process.execPath),
    process.platform === 'win32' ? '' : '../lib',
    'node_modules/npm/bin/npm-cli.js',
  )
  if (existsSync(beside)) return beside
  const folders = (process.env.PATH ?? '').split(delimiter)
  const command = folders.map((path) => join(path, 'npm')).find((path) => existsSync(path))
  if (command === undefined) fail('npm is not on the path')
  return realpathSync(command)
}

/** Standard output. NODE_PATH and the like of the caller would let the consumer see what it has not installed. */
function run(cwd, command, args, environment = {}) {
  const { NODE_PATH: _, NODE_OPTIONS: __, ...inherited } = process.env
  const env = { ...inherited, ...environment }
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
