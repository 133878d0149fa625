/**
 * Puts into the package what its users need to do without a compiler, and to do with one: the stripped binary of this machine under
 * prebuilds/, checked for what it asks of other machines, and the headers of others that the sources include under
 * native/vendor/. Binaries of other platforms that lie under prebuilds/ already are left: a release gathers them there.
 *
 * Needs build/Release/hitpath.node. The names are those of prebuildify; src/native/prebuilt.ts looks for them.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokenRequirements, glibcOf } from './check-binary.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const built = join(root, 'build', 'Release', 'hitpath.node')

/** Files of the packages whose headers the sources include, with their licences. */
const VENDOR = {
  'xxhash-addon': ['xxHash/xxhash.h', 'xxHash/xxh_x86dispatch.c', 'xxHash/xxh_x86dispatch.h'],
  'node-addon-api': ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'LICENSE.md'],
  'node-api-headers': [
    'include/node_api.h',
    'include/node_api_types.h',
    'include/js_native_api.h',
    'include/js_native_api_types.h',
    'LICENSE',
  ],
}

/** Where the binary of this machine goes, relative to the package. */
export function prebuiltPath() {
  const { platform, arch } = process
  const libc = platform !== 'linux' ? '' : glibcVersion() === undefined ? '.musl' : '.glibc'
  return `prebuilds/${platform}-${arch}/hitpath${libc}.node`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  vendor()
  prebuild(join(root, prebuiltPath()))
}

function vendor() {
  const target = join(root, 'native', 'vendor')
  rmSync(target, { recursive: true, force: true })
  for (const [module, names] of Object.entries(VENDOR)) {
    for (const path of names) {
      const name = path.startsWith('LICENSE') ? `LICENSE.${module}` : basename(path)
      cpSync(join(root, 'node_modules', module, path), join(target, name))
    }
  }
}

function prebuild(binary) {
  if (process.platform === 'linux') {
    const broken = brokenRequirements(built)
    if (broken.length > 0) fail(`${built}:\n  ${broken.join('\n  ')}`)
  }
  mkdirSync(dirname(binary), { recursive: true })
  rmSync(binary, { force: true })
  cpSync(built, binary)
  // on macOS local symbols alone may go; Windows keeps its symbols in a file of their own
  const strip = { linux: ['--strip-all'], darwin: ['-x'] }[process.platform]
  if (strip !== undefined && spawnSync('strip', [...strip, binary], { stdio: 'inherit' }).status !== 0) {
    fail('strip refused')
  }
  const loads = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(binary)})`], {
    stdio: 'inherit',
  })
  if (loads.status !== 0) fail(`${binary} does not load`)
  const glibc = process.platform === 'linux' ? glibcOf(binary) : undefined
  const asks = glibc === undefined ? '' : `, for glibc ${glibc} and later`
  console.log(`${prebuiltPath()}: ${Math.ceil(statSync(binary).size / 1000)} kB${asks}`)
}

function glibcVersion() {
  return process.report.getReport().header.glibcVersionRuntime
}

function fail(message) {
  console.error(`prebuild: ${message}`)
  process.exit(1)
}
