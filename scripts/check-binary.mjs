/**
 * What a binary for Linux asks of the machine that loads it: the glibc, the libraries and the processor. Read from what binutils print.
 *
 * Instructions beyond the baseline of x86-64 may stand only in functions that are chosen by the processor at run time, whose names say
 * for which; they are checked before the symbols are stripped.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The oldest glibc that the binary must load with: Node itself asks for 2.28 from version 18 on. */
export const GLIBC_FLOOR = '2.17'

const LIBRARIES = /^(lib(c|m|pthread)\.so\.\d|ld-linux-.*|libc\.(musl-.*\.)?so(\.1)?)$/

/** Functions that run only where the processor has what their name says. */
const DISPATCHED = /_avx(2|512)(\W|E|$)/

/** Beyond SSE2: VEX and EVEX, bit manipulation, SSE3 to SSE4.2. */
const BEYOND_BASELINE =
  /^(v(?!err|erw)[a-z0-9]+|andn|bextr|bls\w+|mulx|pdep|pext|rorx|sarx|shlx|shrx|popcnt|lzcnt|pshufb|palignr|pabs[bwd]|ph(add|sub)\w+|pm(ulld|uldq|adubsw|ulhrsw)|ptest|crc32\w?|pblend\w+|blend\w+|pinsr[bdq]|pextr[bdq]|pm(in|ax)(s[bd]|u[wd])|pmov[sz]x\w+|round[sp][sd]|h(add|sub)p[sd]|addsubp[sd]|lddqu|mov(ddup|shdup|sldup))$/

/** Sentences on what is wrong with the binary; none for platforms whose binaries are not of ELF. */
export function brokenRequirements(binary) {
  const dynamic = print('objdump', ['-T', binary])
  const needed = [...print('readelf', ['-d', binary]).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(
    ([, name]) => name,
  )
  return [
    ...versions(dynamic)
      .filter((version) => newer(version, GLIBC_FLOOR))
      .map((version) => `asks for glibc ${version}: ${symbolsOf(dynamic, version).join(', ')}`),
    ...needed.filter((name) => !LIBRARIES.test(name)).map((name) => `needs the library ${name}`),
    ...(process.arch === 'x64' ? beyondBaseline(binary) : []),
  ]
}

/** The newest glibc that the binary asks for; undefined when it names none. */
export function glibcOf(binary) {
  return versions(print('objdump', ['-T', binary])).reduce(
    (newest, version) => (newest === undefined || newer(version, newest) ? version : newest),
    undefined,
  )
}

function versions(dynamic) {
  return [...new Set([...dynamic.matchAll(/GLIBC_([\d.]+)/g)].map(([, version]) => version))]
}

function symbolsOf(dynamic, version) {
  return dynamic
    .split('\n')
    .filter((line) => /GLIBC_([\d.]+)/.exec(line)?.[1] === version)
    .map((line) => line.trim().split(/\s+/).at(-1))
}

function newer(a, b) {
  return a.localeCompare(b, 'en', { numeric: true }) > 0
}

function beyondBaseline(binary) {
  const found = new Map()
  let name = ''
  for (const line of print('objdump', ['-d', '--no-show-raw-insn', binary]).split('\n')) {
    const start = /^[0-9a-f]+ <(.+)>:$/.exec(line)
    if (start !== null) name = start[1]
    const mnemonic = /^\s+[0-9a-f]+:\t(\S+)/.exec(line)?.[1]
    if (mnemonic === undefined || !BEYOND_BASELINE.test(mnemonic) || DISPATCHED.test(name)) continue
    found.set(name, (found.get(name) ?? new Set()).add(mnemonic))
  }
  return [...found].map(
    ([name, mnemonics]) => `${name} has instructions beyond the baseline: ${[...mnemonics].join(', ')}`,
  )
}

function print(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, LC_ALL: 'C' },
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const broken = process.argv.slice(2).flatMap((binary) => brokenRequirements(binary))
  for (const line of broken) console.error(line)
  process.exit(broken.length > 0 ? 1 : 0)
}
