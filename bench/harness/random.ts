/** Seeded randomness, so that every contender and every run meets the same input. */

/** A generator of integers in [0, bound): xorshift32, enough for shuffles and picks. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0 || 1
  }

  below(bound: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) % bound
  }
}

/** The integers 0 .. count-1 in an order that no prefetcher guesses. */
export function shuffledOrder(count: number, seed: number): Uint32Array {
  const random = new Random(seed)
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  for (let index = count - 1; index > 0; index--) {
    const other = random.below(index + 1)
    const held = order[index]!
    order[index] = order[other]!
    order[other] = held
  }
  return order
}
