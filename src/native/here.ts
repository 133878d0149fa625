/**
 * Where this package lies on disk, for a module that must find a file beside it.
 *
 * Always true: in the CommonJS build `here-cjs.ts` stands in this file's place, for `import.meta` cannot be
 * compiled there. Both export the same names.
 */
import { createRequire } from 'node:module'
import { packageRootAbove } from './package-root.js'

/** The directory of hitpath's package.json: absolute, without a slash at its end. */
export const packageRoot: string = packageRootAbove(import.meta.dirname)

/** What a file of CommonJS in this package exports, by its absolute path. */
export function requireFile(path: string): unknown {
  return createRequire(import.meta.url)(path)
}
