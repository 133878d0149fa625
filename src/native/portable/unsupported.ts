/** What the portable engine cannot do, in one sentence with its remedy. */
import { HitpathError } from '../../errors.js'

export function unsupported(what: string): HitpathError {
  return new HitpathError(
    'UNSUPPORTED',
    `${what} needs the native engine, and this is the portable one: use a LocalCache without it, or the native engine ` +
      '(HITPATH_ENGINE=native, which says why where its binary does not load)',
  )
}
