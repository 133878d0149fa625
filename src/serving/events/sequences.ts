/** The last sequence of each key, of as many keys as are remembered; the least recently changed goes first. */
export class Sequences {
  readonly #last = new Map<string, number | bigint>()
  readonly #maxKeys: number

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  /** How a sequence stands to the last of its key; it is the last from now on if it is newer. */
  take(key: string, sequence: number | bigint): 'newer' | 'same' | 'late' {
    const last = this.#last.get(key)
    if (last !== undefined && sequence < last) return 'late'
    if (last !== undefined && !(sequence > last)) return 'same'
    this.#last.delete(key)
    this.#last.set(key, sequence)
    if (this.#last.size > this.#maxKeys) {
      for (const oldest of this.#last.keys()) {
        this.#last.delete(oldest)
        break
      }
    }
    return 'newer'
  }

  forget(key: string): void {
    this.#last.delete(key)
  }

  forgetAll(): void {
    this.#last.clear()
  }
}
