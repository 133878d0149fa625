/** The twin of `here.ts` in the CommonJS build, where the build puts it under that name. */
import { packageRootAbove } from './package-root.js'

/** The directory of hitpath's package.json: absolute, without a slash at its end. */
export const packageRoot: string = packageRootAbove(__dirname)

/** What a file of CommonJS in this package exports, by its absolute path. */
export function requireFile(path: string): unknown {
  // This module's own, so that what is loaded late is of the realm that a test runner loaded the rest in.
  return require(path)
}
