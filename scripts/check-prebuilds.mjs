/** Before a release: prebuilds/ has a binary for each platform that the package supports, and nothing else. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const SUPPORTED = [
  'darwin-arm64/hitpath.node',
  'darwin-x64/hitpath.node',
  'linux-arm64/hitpath.glibc.node',
  'linux-x64/hitpath.glibc.node',
  'linux-x64/hitpath.musl.node',
  'win32-x64/hitpath.node',
]

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'prebuilds')
const found = existsSync(folder)
  ? readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.node'))
      .map((name) => name.split(sep).join('/'))
  : []
const missing = SUPPORTED.filter((name) => !found.includes(name))
const unknown = found.filter((name) => !SUPPORTED.includes(name))
for (const name of missing) console.error(`check-prebuilds: missing: ${name}`)
for (const name of unknown) console.error(`check-prebuilds: not of a supported platform: ${name}`)
if (missing.length + unknown.length > 0) process.exit(1)
console.log(`check-prebuilds: ${found.join(', ')}`)
