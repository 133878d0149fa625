/** The name that was probably meant by a misspelt one. */

/** Undefined when none of `names` is close: at most a third of the letters wrong, case and underscores aside. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const wanted = folded(given)
  let best: string | undefined
  let bestDistance = Math.floor(Math.max(wanted.length, 3) / 3) + 1
  if (wanted.length > MAX_CHARACTERS) return undefined
  for (const name of names) {
    const distance = editDistance(wanted, folded(name))
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

const MAX_CHARACTERS = 64

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}

/** Letters to insert, delete, change or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
