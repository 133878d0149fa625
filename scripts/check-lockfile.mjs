/**
 * package-lock.json installs on every platform and from every registry: it holds an entry for each optional package,
 * and no address. With --fix, missing entries are added.
 *
 * npm leaves out the packages of platforms that the registry at hand does not carry, and `npm ci` then refuses the
 * file. An entry without `integrity` is enough: only machines of that platform install the package.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How packages name their platform: `cli-linux-x64-musl`. */
const PLATFORM = /\b(android|darwin|freebsd|linux|win32)-(arm64|arm|ia32|x64)(?:-(glibc|gnu|musl))?$/

/** Names of optional packages that the lock file mentions and does not hold, with who asks for them. */
export function missingPackages({ packages }) {
  return Object.entries(packages).flatMap(([asker, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(
        ([name]) => !(`node_modules/${name}` in packages) && !(`${asker}/node_modules/${name}` in packages),
      )
      .map(([name, range]) => ({ asker, name, range })),
  )
}

export function addresses({ packages }) {
  return Object.keys(packages).filter((path) => packages[path].resolved !== undefined)
}

/** The entry of a package that another platform installs; undefined when its name does not tell which. */
export function entryFor({ asker, name, range }, { packages }) {
  const [, os, cpu, libc] = PLATFORM.exec(name) ?? []
  if (os === undefined || !/^\d/.test(range)) return undefined
  return {
    version: range,
    cpu: [cpu],
    ...(packages[asker].dev ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc === 'gnu' ? 'glibc' : libc] }),
    optional: true,
    os: [os],
  }
}

function main() {
  const file = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const problems = addresses(lock).map(
    (path) => `${path} names the registry it came from: npm config set omit-lockfile-registry-resolved true`,
  )
  for (const missing of missingPackages(lock)) {
    const entry = process.argv.includes('--fix') ? entryFor(missing, lock) : undefined
    if (entry === undefined) problems.push(`${missing.name}@${missing.range} has no entry: npm run format`)
    else lock.packages[`node_modules/${missing.name}`] = entry
  }
  if (process.argv.includes('--fix')) {
    lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
    writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
  }
  for (const problem of problems) console.error(`package-lock.json: ${problem}`)
  process.exit(problems.length > 0 ? 1 : 0)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
