/** Which colour a contender or a policy has, the same in every plot. */
import type { Palette } from '../plots/draw.js'

const KNOWN: Readonly<Record<string, string>> = {
  hitpath: 'var(--hitpath)',
  Map: 'var(--none)',
  opt: 'var(--none)',
  'lru-cache': 'var(--c2)',
  lru: 'var(--c2)',
  '@isaacs/ttlcache': 'var(--c3)',
  s3fifo: 'var(--c3)',
  lmdb: 'var(--c4)',
  arc: 'var(--c4)',
  bentocache: 'var(--c5)',
  'quick-lru': 'var(--c5)',
  'layered-loader': 'var(--c6)',
  'caffeine-head': 'var(--c6)',
  'tiny-lru': 'var(--c6)',
  cacheable: 'var(--c7)',
  'lru.min': 'var(--c7)',
  mnemonist: 'var(--c8)',
}
/** Those first that are far from the colours above; the first and the sixth are alike. */
const OTHERS = [
  'var(--c4)',
  'var(--c7)',
  'var(--c3)',
  'var(--c2)',
  'var(--c5)',
  'var(--c8)',
  'var(--c1)',
  'var(--c6)',
]

/** Other classes and ways of hitpath's own; a plot has two of them at most. */
const FAMILY = ['var(--family)', 'var(--family-2)']

/** hitpath is blue, the original design orange, what does nothing but hold is grey. Others keep apart as far as they can. */
export function paletteOf(names: readonly string[]): Palette {
  const taken = new Set<string>()
  let relatives = 0
  const fixed = names.map((name) => {
    const isRelative = name !== 'hitpath' && name.startsWith('hitpath')
    const found = isRelative ? FAMILY[relatives++ % FAMILY.length] : fixedColour(name)
    if (found !== undefined) taken.add(found)
    return found
  })
  const free = OTHERS.filter((colour) => !taken.has(colour))
  let next = 0
  const colours = fixed.map((colour) => colour ?? free[next++ % Math.max(1, free.length)] ?? 'var(--c1)')
  return { names, colours }
}

function fixedColour(name: string): string | undefined {
  if (name.startsWith('md5')) return 'var(--original)'
  return KNOWN[name] ?? KNOWN[name.split(', ')[0] ?? '']
}
