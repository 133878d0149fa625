/**
 * Where this package lies on disk, for a module that must find a file beside it.
 *
 * Always true: in the CommonJS build `here-cjs.ts` stands in this file's place, for `import.meta` cannot be
 * compiled there. Both export the same name.
 */
import { fileURLToPath } from 'node:url'
import { packageRootAbove } from './package-root.js'

/** The directory of hitpath's package.json: absolute, without a slash at its end. */
export const packageRoot: string = packageRootAbove(fileURLToPath(new URL('.', import.meta.url)))
