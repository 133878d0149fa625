/**
 * How long the calling thread stood in the kernel's run queue, ready and not running.
 *
 * On a busy machine another process takes the core for milliseconds, which no cache can help. Linux counts that time
 * for each thread (second word of `schedstat`); taken off a delay it leaves what the thread itself was the cause
 * of. Where the kernel does not tell, it is zero and delays are what the clock says.
 */
import { closeSync, openSync, readSync } from 'node:fs'

const NS_PER_MS = 1e6

export class RunQueue {
  readonly #fd: number | undefined
  readonly #text = Buffer.alloc(96)

  /** Belongs to the thread that makes it. */
  constructor() {
    try {
      this.#fd = openSync('/proc/thread-self/schedstat', 'r')
    } catch {
      this.#fd = undefined
    }
  }

  /** Milliseconds waited since the thread began. Costs some 4 microseconds. */
  waitedMs(): number {
    if (this.#fd === undefined) return 0
    const length = readSync(this.#fd, this.#text, 0, this.#text.length, 0)
    return Number(this.#text.toString('latin1', 0, length).split(' ')[1]) / NS_PER_MS
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
