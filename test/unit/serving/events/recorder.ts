/** A cache that notes what it is asked, and answers when and how the test says. */
import type { InvalidatedCache } from '../../../../src/serving/events/targets.js'

export class Recorder implements InvalidatedCache {
  readonly asked: string[] = []
  /** Answers still owed, while `held`. */
  readonly #owed: (() => void)[] = []
  held = false
  /** How many of the next calls fail. */
  failures = 0

  invalidateTag(tag: string): Promise<void> {
    return this.#ask(tag)
  }

  invalidatePattern(glob: string): Promise<void> {
    return this.#ask(`pattern ${glob}`)
  }

  clear(): Promise<void> {
    return this.#ask('clear')
  }

  /** Lets every call that is held answer, until nothing more is asked. */
  async release(): Promise<void> {
    this.held = false
    for (const answer of this.#owed.splice(0)) answer()
    await turn()
  }

  /** Answers the calls held now and holds those that come of it. */
  async step(): Promise<void> {
    for (const answer of this.#owed.splice(0)) answer()
    await turn()
  }

  async #ask(what: string): Promise<void> {
    this.asked.push(what)
    if (this.failures > 0) {
      this.failures--
      throw new Error(`refused ${what}`)
    }
    if (this.held) await new Promise<void>((resolve) => this.#owed.push(resolve))
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Whether a promise has settled by the next turn. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = (): void => {
    settled = true
  }
  promise.then(note, note)
  await turn()
  return settled
}
