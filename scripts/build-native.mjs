/**
 * Builds the addon, build/Release/hitpath.node. Does nothing when the binary is newer than every input and this Node
 * loads it. A checkout that was moved is built anew. A layout.ts that is not of these sources is an error here already.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingTools } from './native-tools.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const binary = join(root, 'build', 'Release', 'hitpath.node')
const cmakeJs = join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js')

const inputs = ['native/core', 'native/addon', 'CMakeLists.txt', 'scripts/build-native.mjs']
if (newest(inputs) <= modifiedMs(binary) && fingerprint() === wantedFingerprint()) process.exit(0)

if (!existsSync(cmakeJs)) fail('the development dependencies are missing: npm ci')
const missing = missingTools()
if (missing !== undefined) fail(missing)

const startedMs = Date.now()
console.log('building the native addon')
const { status } = spawnSync(
  process.execPath,
  [cmakeJs, verb(), '--log-level', 'error', '--CDCMAKE_MESSAGE_LOG_LEVEL=NOTICE'],
  {
    cwd: root,
    stdio: 'inherit',
  },
)
if (status !== 0) {
  fail('CMake or the compiler refused: see above. It takes C++20: g++ 11, clang 14, or later')
}
if (fingerprint() === undefined) fail('the addon was built, but this Node does not load it')
if (fingerprint() !== wantedFingerprint()) {
  fail('src/native/layout.ts is not of this native/core/layout.h: node scripts/gen-layout.mjs')
}
// a tool that found nothing to do leaves the time as it was
utimesSync(binary, new Date(), new Date())
console.log(`built build/Release/hitpath.node in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)

/** CMake refuses a build directory that was made elsewhere. */
function verb() {
  const cache = join(root, 'build', 'CMakeCache.txt')
  if (!existsSync(cache)) return 'compile'
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1]
  return home !== undefined && existsSync(home) && realpathSync(home) === realpathSync(root)
    ? 'compile'
    : 'rebuild'
}

/** Of the layout that the binary was built with; undefined when it does not load. In a process of its own: Node never lets go of a binary. */
function fingerprint() {
  const program = `console.log(String(require(${JSON.stringify(binary)}).fingerprint))`
  const { status, stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

function wantedFingerprint() {
  const layout = readFileSync(join(root, 'src', 'native', 'layout.ts'), 'utf8')
  const literal = /LAYOUT_FINGERPRINT\b[^=]*=\s*(0x[0-9a-f_]+|\d[\d_]*)n/.exec(layout)?.[1]
  return literal === undefined ? undefined : String(BigInt(literal.replaceAll('_', '')))
}

function newest(paths) {
  return Math.max(...paths.map((path) => newestOf(join(root, path))))
}

function newestOf(path) {
  const entry = statSync(path)
  if (!entry.isDirectory()) return entry.mtimeMs
  // a directory's own time tells of files that were removed
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => newestOf(join(path, name))))
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
}

function fail(message) {
  console.error(`build-native: ${message}`)
  process.exit(1)
}
