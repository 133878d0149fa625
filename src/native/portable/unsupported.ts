/** What the portable engine cannot do, in one sentence with its remedy. */
import { HitpathError } from '../../errors.js'

export function unsupported(what: string): HitpathError {
  return new HitpathError(
    'UNSUPPORTED',
    `${what} needs the native engine, and this is the portable one: use a LocalCache without it, or run where the native binary loads, ` +
      "with HITPATH_ENGINE unset and without engine: 'portable'",
  )
}
