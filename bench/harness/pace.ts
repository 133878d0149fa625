/**
 * How fast the machine itself is just now, and rounds in which that did not change.
 *
 * A virtual machine may have two speeds, which come by turns of parts of a second to tens of seconds: all code takes twice as long then, also a
 * loop that touches no memory, and the kernel counts no waiting. A ratio is fair within either, and wrong across them. So each turn of a
 * round says what the pace was about it; a round in which it changed is taken again, whatever its times were, and does not count if there are
 * others enough.
 */

/** The slowest pace about a round over the quickest: beyond it the turns were not alike. */
const EVEN = 1.25
const STEPS = 4_000
const SAMPLES = 9

let kept = 0

/** Nanoseconds of one dependent multiplication, which is in no cache: the median of nine samples, 50 to 100 µs in all. */
export function pace(): number {
  const ns: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const from = process.hrtime.bigint()
    kept = multiply(STEPS, kept)
    ns.push(Number(process.hrtime.bigint() - from) / STEPS)
  }
  return ns.sort((a, b) => a - b)[SAMPLES >> 1] as number
}

function multiply(steps: number, seed: number): number {
  let x = seed | 1
  for (let i = 0; i < steps; i++) x = Math.imul(x, 0x9e37_79b1) ^ i
  return x
}

export function isEven(paces: readonly number[]): boolean {
  return Math.max(...paces) <= EVEN * Math.min(...paces)
}

export interface Taken<T> {
  readonly value: T
  /** Before and after each turn. */
  readonly paces: readonly number[]
}

export interface EvenRounds<T> {
  readonly values: readonly T[]
  /** Rounds that were taken again, and rounds that count though the pace changed. */
  readonly repeated: number
  readonly uneven: number
}

/**
 * Takes rounds one after the other. One of an uneven pace is taken again, as long as no more than half of `rounds` are on top. Those that are
 * uneven all the same are left out where half of the rounds are even.
 */
export async function evenRounds<T>(
  rounds: number,
  take: (round: number) => Promise<Taken<T>>,
): Promise<EvenRounds<T>> {
  const all: Taken<T>[] = []
  let left = Math.ceil(rounds / 2)
  let repeated = 0
  for (let round = 0; round < rounds; round++) {
    let taken = await take(round)
    for (; !isEven(taken.paces) && left > 0; left--) {
      repeated++
      taken = await take(round)
    }
    all.push(taken)
  }
  const even = all.filter(({ paces }) => isEven(paces))
  const kept = 2 * even.length >= rounds ? even : all
  return { values: kept.map(({ value }) => value), repeated, uneven: kept.length - even.length }
}
