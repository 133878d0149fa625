/** The twin of `here.ts` in the CommonJS build, where the build puts it under that name. */
import { packageRootAbove } from './package-root.js'

/** The directory of hitpath's package.json: absolute, without a slash at its end. */
export const packageRoot: string = packageRootAbove(__dirname)
