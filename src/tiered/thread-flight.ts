/**
 * Single flight between the threads that share a SharedCache: one word a claim, in shared memory behind the generations.
 *
 * A thread that is about to compute takes the word of the name by compare-and-swap; the others wait for it to be given back, look
 * again, and then take it themselves if they must. Always true: a claim holds for its time at most, so a thread that was
 * terminated holds up the others no longer than that. Names share words: the cost of that is a wait too many, never a wrong value.
 */
const CLAIMS = 1024
const WORDS = 2

/** What a claim was given as; hand it back. */
export interface Claim {
  readonly word: number
  readonly id: number
}

interface WaitAsync {
  waitAsync(
    words: Int32Array,
    index: number,
    value: number,
    timeoutMs: number,
  ): { readonly async: boolean; readonly value: Promise<string> | string }
}

export class Claims {
  static readonly BYTES: number = CLAIMS * WORDS * Int32Array.BYTES_PER_ELEMENT
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer, offset: number) {
    this.#words = new Int32Array(buffer, offset, CLAIMS * WORDS)
  }

  /**
   * The claim on a name, or a promise that ends when it is worth another look: the claim was given back, or its time is over.
   * @param nowMs monotonic, the same clock in all threads
   */
  take(name: string, nowMs: number, holdMs: number): Claim | Promise<void> {
    const word = wordOf(name)
    const seen = Atomics.load(this.#words, word)
    const left = seen === 0 ? 0 : this.#left(word, nowMs)
    if (left <= 0) {
      const id = 1 + Math.floor(Math.random() * 0x7fff_fffe)
      // The time first: a claim is never seen with that of the one before. Who loses has prolonged the winner's a little.
      Atomics.store(this.#words, word + 1, deadline(nowMs + holdMs))
      if (Atomics.compareExchange(this.#words, word, seen, id) === seen) return { word, id }
      return this.#wait(word, Atomics.load(this.#words, word), 10)
    }
    return this.#wait(word, seen, left)
  }

  /** Prolongs a claim that is still held. */
  renew({ word, id }: Claim, nowMs: number, holdMs: number): void {
    if (Atomics.load(this.#words, word) === id) Atomics.store(this.#words, word + 1, deadline(nowMs + holdMs))
  }

  /** Only the holder's word is cleared: one whose time was over may be another's by now. */
  give({ word, id }: Claim): void {
    if (Atomics.compareExchange(this.#words, word, id, 0) === id) Atomics.notify(this.#words, word)
  }

  #left(word: number, nowMs: number): number {
    // Modular, as the word is: 24 days each way.
    return (Atomics.load(this.#words, word + 1) - deadline(nowMs)) | 0
  }

  async #wait(word: number, seen: number, timeoutMs: number): Promise<void> {
    if (seen === 0) return
    const waiting = (Atomics as unknown as WaitAsync).waitAsync(this.#words, word, seen, timeoutMs)
    if (!waiting.async) return
    // The promise alone does not keep the event loop alive.
    const alive = setTimeout(() => {}, timeoutMs + 50)
    await waiting.value
    clearTimeout(alive)
  }
}

function deadline(ms: number): number {
  return Math.floor(ms) | 0
}

function wordOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return ((hash ^ (hash >>> 15)) & (CLAIMS - 1)) * WORDS
}
