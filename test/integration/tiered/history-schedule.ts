/**
 * What each process does and when, from a seed. Keys come in bursts: one process writes, the others read while the news is on its
 * way, and another writes into that; then the key is left alone, so that what is wrong stays to be seen.
 */

export const KEYS: readonly string[] = ['a', 'b', 'c'].flatMap((group) =>
  Array.from({ length: 12 }, (_, i) => `${group}${i}`),
)
export const TAGS: readonly string[] = ['red', 'green', 'blue', 'white', 'black']
const BURST_MS = 50
const SPREAD_MS = 40

export type Action =
  | { readonly kind: 'set' | 'get' | 'getMany' | 'getOrSet' | 'delete'; readonly key: string }
  | { readonly kind: 'tag' | 'pattern' | 'clear'; readonly target: string }

export interface Step {
  /** Milliseconds from the beginning. */
  readonly at: number
  readonly action: Action
}

/** Numbers from 0 to 1: mulberry32, by Tommy Ettinger. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T
}

/** The steps of one of the processes, in order. All processes draw the same bursts. */
export function stepsOf(seed: number, processes: number, process: number, forMs: number): Step[] {
  const random = randomFrom(seed)
  const steps: Step[] = []
  for (let at = 0; at < forMs; at += BURST_MS) {
    const key = pick(KEYS, random)
    const first = Math.floor(random() * processes)
    const second = Math.floor(random() * processes)
    const plan: [who: number, Step][] = [
      [first, { at, action: change(key, random) }],
      [second, { at: at + random() * SPREAD_MS, action: change(key, random) }],
    ]
    for (let who = 0; who < processes; who++) {
      for (const kind of ['get', random() < 0.2 ? 'getMany' : 'get', 'getOrSet'] as const)
        plan.push([who, { at: at + 1 + random() * SPREAD_MS, action: { kind, key } }])
    }
    for (const [who, step] of plan) if (who === process) steps.push(step)
  }
  return steps.sort((a, b) => a.at - b.at)
}

function change(key: string, random: () => number): Action {
  const draw = random()
  if (draw < 0.5) return { kind: 'set', key }
  if (draw < 0.8) return { kind: 'delete', key }
  if (draw < 0.96) return { kind: 'tag', target: pick(TAGS, random) }
  if (draw < 0.99) return { kind: 'set', key }
  if (draw < 0.996) return { kind: 'pattern', target: key.slice(0, 1) }
  return { kind: 'clear', target: '' }
}
