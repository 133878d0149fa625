/**
 * Globs over names in Redis, whose own patterns differ: a unit is a UTF-16 code unit, not a byte.
 *
 * SCAN filters by a pattern that matches at least as much, and `globMatches` decides.
 */
import { matchClass } from '../glob.js'
import { encodeName, escapeGlob, type Word } from './names.js'

/** Redis refuses patterns of very many stars, and takes time for them. */
const MAX_STARS = 8

/** A pattern of Redis over the UTF-8 of keys that matches every key that `glob` matches, and perhaps more. */
export function scanGlob(glob: string): Word {
  if (!glob.isWellFormed()) return '*'
  let pattern = ''
  let literal = ''
  let stars = 0
  const star = () => {
    if (literal === '' && stars > 0) return // the one before stands for both
    pattern += `${escapeGlob(literal)}*`
    literal = ''
    stars++
  }
  for (let i = 0; i < glob.length && stars < MAX_STARS; ) {
    const unit = glob[i] as string
    if (unit === '*' || unit === '?' || unit === '[') {
      i = unit === '[' ? matchClass(glob, i + 1, 0).next : i + 1
      star()
    } else {
      if (unit === '\\' && i + 1 < glob.length) i++
      literal += glob[i++]
    }
  }
  return encodeName(pattern + escapeGlob(literal))
}
