/**
 * The package's directory, seen from a module of it: two levels above sources and built files alike, and three above what a program of
 * the package loads late.
 *
 * Cost: one small file read, once when the package is loaded.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { HitpathError } from '../errors.js'

/** @throws HitpathError NATIVE_LOAD when no directory above holds hitpath's package.json: the code was bundled */
export function packageRootAbove(directory: string): string {
  let candidate = resolve(directory, '..', '..')
  while (packageName(candidate) !== 'hitpath') {
    const above = dirname(candidate)
    if (above === candidate) {
      throw new HitpathError(
        'NATIVE_LOAD',
        `no package.json of hitpath above ${directory}: leave hitpath out of the bundle (mark it as external)`,
      )
    }
    candidate = above
  }
  return candidate
}

/** dist/esm and dist/cjs have a package.json too, without a name. */
function packageName(directory: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { name?: unknown }).name
  } catch {
    return undefined
  }
}
