/**
 * Where the server's programs are. HITPATH_TEST_REDIS says which server to test with. Without it they are looked for on the PATH under the
 * names of Redis and Valkey; a root user of a Debian-like machine gets them installed; anyone else reads one line that says what to
 * install.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages } from './debian.js'

let server: string | undefined

/** Path of redis-server or valkey-server. */
export function serverBinary(): string {
  server ??=
    process.env['HITPATH_TEST_REDIS'] ?? onPath('redis-server') ?? onPath('valkey-server') ?? installed()
  return server
}

/** Path of a program, or undefined. */
export function onPath(program: string): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // The next directory may have it.
    }
  }
  return undefined
}

function installed(): string {
  installPackages(['redis-server'])
  const path = onPath('redis-server')
  if (path !== undefined) return path
  throw new Error('these tests need redis-server or valkey-server on the PATH: apt-get install redis-server')
}
