/**
 * Where the keys of a cache differ: two runs of three characters, counted from the end of a key, by which an index in JavaScript finds a key
 * without hashing the whole string.
 *
 * Always true: equal strings have equal hashes while `learn()` does not answer true. V8 hashes a string that was built for the call in about
 * 200 ns, and six characters are read in ten.
 */

/** Shorter keys have no runs. */
export const RUN = 3
/** Runs end at most so many characters before the end of a key. */
const FARTHEST = 40
/** One key in so many: what samples of the same keys differ by is less. */
const CLEARLY = 16

export class Runs {
  /** Where the runs begin, from the end of a key. */
  #first = RUN
  #second = 2 * RUN

  /** 32 bits of a key of at least RUN characters; the upper ones are the better mixed. */
  hash(key: string, length: number): number {
    const a = length > this.#first ? length - this.#first : 0
    const b = length > this.#second ? length - this.#second : 0
    const first = key.charCodeAt(a) + (key.charCodeAt(a + 1) << 8) + (key.charCodeAt(a + 2) << 16)
    const second = key.charCodeAt(b) + (key.charCodeAt(b + 1) << 8) + (key.charCodeAt(b + 2) << 16)
    const hash = Math.imul(both(first, second + length), 0x85eb_ca6b)
    return hash ^ (hash >>> 15)
  }

  /** Takes the two runs by which the most of these keys differ, if by them clearly more differ than now; whether it did. */
  learn(keys: readonly string[]): boolean {
    const first = bestRun(keys, 0)
    const second = bestRun(keys, first)
    if (distinct(keys, first, second) <= distinct(keys, this.#first, this.#second) + keys.length / CLEARLY)
      return false
    this.#first = first
    this.#second = second
    return true
  }
}

/** How many can be told apart by two runs. */
function distinct(keys: readonly string[], first: number, second: number): number {
  return new Set(keys.map((key) => both(runAt(key, key.length, first), runAt(key, key.length, second)))).size
}

/** What the hash is made of. */
function both(first: number, second: number): number {
  return Math.imul(first, 0x9e37_79b1) ^ second
}

/**
 * The run by which, beside `other` unless 0, the most keys differ; of equals, that by which alone the most differ, and then that with the
 * most digits: those before them may be the next to differ.
 */
function bestRun(keys: readonly string[], other: number): number {
  const count = keys.length + 1
  let best = RUN
  let most = 0
  for (let from = RUN; from <= FARTHEST; from++) {
    const alone = new Set<number>()
    const together = new Set<number>()
    let digits = 0
    for (const key of keys) {
      const run = runAt(key, key.length, from)
      alone.add(run)
      if (other !== 0) together.add(both(runAt(key, key.length, other), run))
      for (let shift = 0; shift < 24; shift += 8) if (isDigit((run >> shift) & 255)) digits++
    }
    const score = together.size + (alone.size + digits / (RUN * count)) / count
    if (score > most) {
      most = score
      best = from
    }
  }
  return best
}

function isDigit(unit: number): boolean {
  return unit >= 48 && unit <= 57
}

/** Three characters, which begin `from` before the end, or the first ones; not to be asked of a hit. */
function runAt(key: string, length: number, from: number): number {
  const at = length > from ? length - from : 0
  return key.charCodeAt(at) + (key.charCodeAt(at + 1) << 8) + (key.charCodeAt(at + 2) << 16)
}
