/**
 * The keys that come most often, of a stream of keys, in fixed memory.
 *
 * SpaceSaving: A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams",
 * ICDT 2005. Always true: a key that made more than 1 / capacity of the stream is here; `count` is never below the truth, and
 * `count - error` never above it. Every `halveAfter` keys all counts are halved, so that what was hot yesterday cools down.
 * A key that is here costs one look into a Map; another one besides a walk over 64 numbers.
 */
export interface HeavyHitter {
  readonly key: string
  readonly count: number
  /** By how much the count may be too high. */
  readonly error: number
  /** Of all keys that were seen, at least. */
  readonly share: number
}

export class HeavyHitters {
  readonly #halveAfter: number
  /** Where a key's numbers stand. */
  readonly #places = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #counts: Float64Array
  readonly #errors: Float64Array
  #total = 0

  constructor(capacity = 64, halveAfter = 16_384) {
    this.#halveAfter = halveAfter
    this.#counts = new Float64Array(capacity)
    this.#errors = new Float64Array(capacity)
  }

  /** Keys seen, older ones counted less. */
  get total(): number {
    return this.#total
  }

  add(key: string): void {
    this.#total++
    const place = this.#places.get(key) ?? this.#placeFor(key)
    this.#counts[place] = (this.#counts[place] as number) + 1
    if (this.#total >= this.#halveAfter) this.#halve()
  }

  /** The most frequent first. */
  top(n: number): HeavyHitter[] {
    return this.#keys
      .map((key, place) => {
        const count = this.#counts[place] as number
        const error = this.#errors[place] as number
        return { key, count, error, share: (count - error) / this.#total }
      })
      .sort((a, b) => b.share - a.share)
      .slice(0, n)
  }

  /** A place of its own while there is one, else that of the least, whose count it takes over as an error. */
  #placeFor(key: string): number {
    const counts = this.#counts
    let place = this.#keys.length
    if (place === counts.length) {
      place = 0
      for (let i = 1; i < counts.length; i++) if ((counts[i] as number) < (counts[place] as number)) place = i
      this.#places.delete(this.#keys[place] as string)
    }
    this.#errors[place] = counts[place] as number
    this.#keys[place] = key
    this.#places.set(key, place)
    return place
  }

  #halve(): void {
    this.#total /= 2
    for (let i = 0; i < this.#counts.length; i++) {
      this.#counts[i] = (this.#counts[i] as number) / 2
      this.#errors[i] = (this.#errors[i] as number) / 2
    }
  }
}
