/**
 * How often the values of a group change, learned from their recomputations, and the ttl that follows.
 *
 * A recomputation says whether a value changed within an age, never how often: under a Poisson process of rate r an age a passes
 * without a change with probability exp(-r a). The estimate is the maximum of that likelihood over irregular ages (J. Cho,
 * H. Garcia-Molina, "Estimating Frequency of Change", ACM TOIT 3(3), 2003), found by online expectation maximisation: a change that
 * was seen stands for r a / (1 - exp(-r a)) changes that happened. As there, half a change is added, so that no rate is 0 or infinite;
 * old observations are forgotten exponentially.
 *
 * Changes come in bursts: what has just changed changes again soon, what has long stood is likely to stand (the ground of the Alex
 * protocol: V. Cate, "Alex - a Global Filesystem", 1992). So a rate is kept for each class of standing time, doubling from class to
 * class; a class with little evidence leans on the rate of the group.
 *
 * Among rates r the ttls that cost least recomputation at a given mean staleness are proportional to 1 / sqrt(r), not to 1 / r
 * (after J. Cho, H. Garcia-Molina, "Effective Page Refresh Policies for Web Crawlers", ACM TODS 28(4), 2003); the factor before it
 * follows from the mean of 1 / sqrt(r) over recomputations.
 *
 * Always true: a ttl is between the bounds, and the lower one before anything is known. An observation costs a few dozen
 * floating-point operations; a group takes about 400 bytes.
 */
const CLASSES = 24
/** Observations of a class, and of the group's mean, after which one counts 1/e. */
const MEMORY = 256
/** Changes' worth of evidence by which a class leans on the group. */
const PRIOR = 2

/** How many times the declared staleness a class may reach for the sake of the mean: after long calm, a change must count at once. */
const MAX_EXCESS = 1.5

const KEPT = 1 - 1 / MEMORY

export interface Bounds {
  readonly minMs: number
  readonly maxMs: number
  /** The x for which reads spread over a ttl of x / rate are stale with the declared probability. */
  readonly changesPerTtl: number
}

/**
 * Reads spread uniformly over a ttl in which x changes are expected meet a changed value with probability
 * 1 - (1 - exp(-x)) / x: the x for which that is `staleness`.
 */
export function changesPerTtl(staleness: number): number {
  let low = 0
  let high = 2 / (1 - staleness)
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (1 + Math.expm1(-middle) / middle < staleness) low = middle
    else high = middle
  }
  return low
}

export class ChangeRates {
  readonly #bounds: Bounds
  /** Changes that happened, as far as can be told, and milliseconds watched: by class, the group's last. Both fade. */
  readonly #changes = new Float64Array(CLASSES + 1)
  readonly #watchedMs = new Float64Array(CLASSES + 1)
  #rootSum = 0
  #rootWeight = 0
  observations = 0
  changed = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** For a value that has stood for `stoodMs`; without it the mean of the group's ttls. */
  ttlMs(stoodMs?: number): number {
    const { minMs, maxMs, changesPerTtl: x } = this.#bounds
    if (this.observations === 0) return minMs
    const root = this.#rootSum / this.#rootWeight
    const own = stoodMs === undefined ? root : 1 / Math.sqrt(this.#rate(this.#classOf(stoodMs)))
    return Math.min(maxMs, Math.max(minMs, x * Math.min(root, MAX_EXCESS * own) * own))
  }

  /** Changes a millisecond, over all classes; 0 before anything is known. */
  get rate(): number {
    return this.observations === 0 ? 0 : this.#groupRate()
  }

  /** A value that had stood for `stoodMs` was computed again `ageMs` later. How long the value has stood now. */
  observe(stoodMs: number, ageMs: number, changed: boolean): number {
    // What is computed seldom says little about each of its ttls: a longer age would count as that much calm.
    const age = Math.min(ageMs, this.#bounds.maxMs)
    const at = this.#classOf(stoodMs)
    const rate = this.observations === 0 ? 1 / age : this.#rate(at)
    const changes = changed ? (rate * age) / -Math.expm1(-rate * age) : 0
    for (const i of [at, CLASSES]) {
      this.#changes[i] = (this.#changes[i] as number) * KEPT + changes
      this.#watchedMs[i] = (this.#watchedMs[i] as number) * KEPT + age
    }
    this.observations++
    if (changed) this.changed++
    const stands = changed ? 0 : stoodMs + ageMs
    this.#rootSum = this.#rootSum * KEPT + 1 / Math.sqrt(this.#rate(this.#classOf(stands)))
    this.#rootWeight = this.#rootWeight * KEPT + 1
    return stands
  }

  #rate(at: number): number {
    return (
      ((this.#changes[at] as number) + PRIOR) / ((this.#watchedMs[at] as number) + PRIOR / this.#groupRate())
    )
  }

  #groupRate(): number {
    return ((this.#changes[CLASSES] as number) + 0.5) / (this.#watchedMs[CLASSES] as number)
  }

  #classOf(stoodMs: number): number {
    return Math.min(CLASSES - 1, Math.floor(Math.log2(1 + stoodMs / this.#bounds.minMs)))
  }
}
