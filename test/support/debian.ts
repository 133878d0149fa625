/** Packages of a Debian-like machine, installed where that needs no question. */
import { spawnSync } from 'node:child_process'

/** Test files run side by side, and each may be the first to need something. */
const WAIT_FOR_OTHERS = ['-o', 'DPkg::Lock::Timeout=300']

/** Does nothing for who is not root, or has no apt-get: what is missing then says so itself. */
export function installPackages(packages: readonly string[]): void {
  if (process.getuid?.() !== 0) return
  const aptGet = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', [...WAIT_FOR_OTHERS, ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: 'ignore',
    }).status === 0
  const install = ['install', '-y', '--no-install-recommends', ...packages]
  // lists of what there is may be missing, or too old
  if (!aptGet(...install) && aptGet('update')) aptGet(...install)
}
