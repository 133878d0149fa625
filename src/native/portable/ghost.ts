/**
 * What left a queue: 16-bit fingerprints in buckets of eight, youngest first; the oldest of a full bucket is forgotten.
 *
 * Two bytes for each of half the capacity.
 */
const WAYS = 8

export class Ghost {
  readonly #marks: Uint16Array
  readonly #buckets: number
  /** Fingerprints that are held. */
  count = 0

  /** `capacity`: entries of the cache. */
  constructor(capacity: number) {
    this.#buckets = Math.max(1, Math.ceil(Math.floor(capacity / 2) / WAYS))
    this.#marks = new Uint16Array(this.#buckets * WAYS)
  }

  /** Whether a hash was held; it is not any more. */
  take(hash: number): boolean {
    if (this.count === 0) return false
    const key = mix(hash)
    const marks = this.#marks
    const first = this.#first(key)
    const mark = fingerprint(key)
    for (let i = first; i < first + WAYS; i++) {
      if (marks[i] !== mark) continue
      marks.copyWithin(i, i + 1, first + WAYS)
      marks[first + WAYS - 1] = 0
      this.count--
      return true
    }
    return false
  }

  put(hash: number): void {
    const key = mix(hash)
    const marks = this.#marks
    const first = this.#first(key)
    if (marks[first + WAYS - 1] === 0) this.count++
    for (let i = first + WAYS - 1; i > first; i--) marks[i] = marks[i - 1] as number
    marks[first] = fingerprint(key)
  }

  /** Undefined, or what is wrong. */
  validate(): string | undefined {
    let seen = 0
    for (let i = 0; i < this.#marks.length; i++) {
      if (this.#marks[i] === 0) continue
      if (i % WAYS !== 0 && this.#marks[i - 1] === 0) return 'a ghost bucket has a hole'
      seen++
    }
    return seen === this.count ? undefined : "a ghost's count is wrong"
  }

  #first(key: number): number {
    return Math.floor((key * this.#buckets) / 2 ** 32) * WAYS
  }
}

function mix(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x7feb_352d)
  h ^= h >>> 15
  h = Math.imul(h, 0x846c_a68b)
  return (h ^ (h >>> 16)) >>> 0
}

function fingerprint(key: number): number {
  return Math.imul(key, 0x9e37_79b1) >>> 16 || 1
}
