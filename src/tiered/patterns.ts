/** Globs as in Redis, on the keys of one namespace in the first tier. */
import { globMatches } from '../glob.js'
import { escapeGlob } from '../l2/names.js'
import type { Core } from './core.js'

/**
 * Removes the string keys of this namespace that match; how many. One native pass where the first tier holds no other
 * namespace, else one over its keys in JavaScript.
 */
export function erasePattern(core: Core<unknown>, glob: string, othersInside: boolean): number {
  const { prefix } = core.names
  core.recorder.fates?.forget()
  if (prefix !== undefined) return core.l1.invalidatePattern(escapeGlob(`${prefix}s`) + glob)
  if (!othersInside) return core.l1.invalidatePattern(glob)
  let erased = 0
  for (const key of core.l1.keys()) {
    if (typeof key === 'string' && !key.startsWith('\u0001') && globMatches(glob, key) && core.l1.delete(key))
      erased++
  }
  return erased
}

export { escapeGlob }
