/** Debian's Python with msgpack, numpy and xxhash, installed where that needs no question. */
import { spawnSync } from 'node:child_process'
import { installPackages } from './debian.js'

const PYTHON = '/usr/bin/python3'
const PACKAGES = ['python3', 'python3-msgpack', 'python3-numpy', 'python3-xxhash']

/** @throws Error that says what to install */
export function requirePython(): void {
  if (hasPackages()) return
  installPackages(PACKAGES)
  if (!hasPackages())
    throw new Error(
      `${PYTHON} with msgpack, numpy and xxhash is missing: apt-get install ${PACKAGES.join(' ')}`,
    )
}

function hasPackages(): boolean {
  return spawnSync(PYTHON, ['-c', 'import msgpack, numpy, xxhash']).status === 0
}

/** What a program prints. @throws Error with what Python printed instead */
export function runPython(args: readonly string[], input: Uint8Array = new Uint8Array()): Buffer {
  const { status, stdout, stderr } = spawnSync(PYTHON, args, {
    input,
    maxBuffer: 2 ** 28,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  })
  if (status !== 0) throw new Error(`python3 ${args.join(' ')} failed:\n${stderr}`)
  return stdout
}
