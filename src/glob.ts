/**
 * The glob patterns of native/core/glob.h in TypeScript, for keys that native code does not hold: names in Redis, and those of the
 * portable engine. A unit is a UTF-16 code unit.
 */

/** What one element of a pattern says of one unit: whether it matches, and where the next element begins. */
interface Step {
  readonly matches: boolean
  readonly next: number
}

/** Whether the whole key matches; see native/core/glob.h for the corners. O(glob * key), without recursion. */
export function globMatches(glob: string, key: string): boolean {
  let g = 0
  let k = 0
  let afterStar = 0
  let starEnd = 0
  for (;;) {
    if (g < glob.length && glob[g] === '*') {
      if (++g === glob.length) return true
      afterStar = g
      starEnd = k
      continue
    }
    if (k === key.length) return g === glob.length
    const step = g < glob.length ? matchOne(glob, g, key.charCodeAt(k)) : undefined
    if (step?.matches) {
      g = step.next
      k++
    } else {
      if (afterStar === 0) return false
      g = afterStar
      k = ++starEnd
    }
  }
}

function matchOne(glob: string, i: number, unit: number): Step {
  const element = glob[i]
  if (element === '?') return { matches: true, next: i + 1 }
  if (element === '[') return matchClass(glob, i + 1, unit)
  if (element === '\\' && glob.length - i >= 2)
    return { matches: glob.charCodeAt(i + 1) === unit, next: i + 2 }
  return { matches: glob.charCodeAt(i) === unit, next: i + 1 }
}

/** The class whose "[" stands before `from`. */
export function matchClass(glob: string, from: number, unit: number): Step {
  const negated = glob[from] === '^'
  let i = negated ? from + 1 : from
  let found = false
  while (i < glob.length && glob[i] !== ']') {
    let low = glob.charCodeAt(i)
    let high = low
    if (glob[i] === '\\' && glob.length - i >= 2) {
      low = high = glob.charCodeAt(i + 1)
      i += 2
    } else if (glob.length - i >= 3 && glob[i + 1] === '-') {
      high = glob.charCodeAt(i + 2)
      i += 3
    } else {
      i += 1
    }
    found ||= low <= high ? low <= unit && unit <= high : high <= unit && unit <= low
  }
  return { matches: found !== negated, next: i < glob.length ? i + 1 : glob.length }
}
