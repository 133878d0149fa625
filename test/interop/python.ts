/** Debian's Python with msgpack and numpy, installed where that needs no question. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const PYTHON = '/usr/bin/python3'
const PACKAGES = ['python3', 'python3-msgpack', 'python3-numpy']

/** @throws Error that says what to install */
export function requirePython(): void {
  if (hasPackages()) return
  if (process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const install = ['install', '-y', '--no-install-recommends', ...PACKAGES]
    if (spawnSync('apt-get', install, { env }).status !== 0) {
      spawnSync('apt-get', ['update'], { env })
      spawnSync('apt-get', install, { env })
    }
    if (hasPackages()) return
  }
  throw new Error(`${PYTHON} with msgpack and numpy is missing: apt-get install ${PACKAGES.join(' ')}`)
}

function hasPackages(): boolean {
  return spawnSync(PYTHON, ['-c', 'import msgpack, numpy']).status === 0
}

/** What `peer.py` answers to these frames. @throws Error with what Python printed */
export function runPeer(
  mode: 'echo' | 'write' | 'commands' | 'judge',
  frames: readonly Uint8Array[] = [],
): Buffer[] {
  const { status, stdout, stderr } = spawnSync(PYTHON, [join(import.meta.dirname, 'peer.py'), mode], {
    input: Buffer.concat(frames.flatMap((frame) => [lengthOf(frame), frame])),
    maxBuffer: 2 ** 28,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  })
  if (status !== 0) throw new Error(`peer.py ${mode} failed:\n${stderr}`)
  const answers: Buffer[] = []
  for (let at = 0; at < stdout.length; ) {
    const end = at + 4 + stdout.readUInt32LE(at)
    answers.push(stdout.subarray(at + 4, end))
    at = end
  }
  return answers
}

function lengthOf(frame: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(frame.length)
  return bytes
}
