/**
 * Does invalidations: the tags and what depends on them, in order, in every cache, and again when that fails.
 *
 * Always true: the first attempt begins within the call, and where all caches answer at once it is over when the call returns.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { HitpathError } from '../../errors.js'
import type { DependencyGraph } from './dependency-graph.js'
import type { Invalidation } from './invalidation-queue.js'
import type { Happening, Targets } from './targets.js'

export interface ExecutorOptions {
  readonly graph: DependencyGraph
  readonly retries: number
  readonly retryDelayMs: number
}

const NONE: readonly string[] = []

export class Executor {
  readonly #targets: Targets
  readonly #options: ExecutorOptions
  /** Attempts made again. */
  retried = 0

  constructor(targets: Targets, options: ExecutorOptions) {
    this.#targets = targets
    this.#options = options
  }

  /** One after the other: what is made anew between two of them is made of what the first let in. */
  invalidate({ tags, patterns }: Invalidation): Happening {
    const order = this.#options.graph.closure(tags)
    const globs = patterns.size === 0 ? NONE : [...patterns]
    return this.#persist(() => this.#inTurn(order, globs, 0))
  }

  clear(): Happening {
    return this.#persist(() => this.#targets.clear())
  }

  /** The tags and then the globs from the step `from` on, each once the one before has happened. */
  #inTurn(tags: readonly string[], globs: readonly string[], from: number): Happening {
    const steps = tags.length + globs.length
    for (let i = from; i < steps; i++) {
      const step =
        i < tags.length
          ? this.#targets.tag(tags[i] as string)
          : this.#targets.pattern(globs[i - tags.length] as string)
      if (step !== undefined)
        return i + 1 === steps ? step : step.then(() => this.#inTurn(tags, globs, i + 1))
    }
    return undefined
  }

  #persist(act: () => Happening): Happening {
    try {
      return act()?.catch((error: unknown) => this.#again(act, error))
    } catch (error) {
      return this.#again(act, error)
    }
  }

  async #again(act: () => Happening, first: unknown): Promise<void> {
    const { retries, retryDelayMs } = this.#options
    let failure = first
    for (let retry = 0; retry < retries && !isClosed(failure); retry++) {
      this.retried++
      await delay(retryDelayMs * 2 ** retry)
      try {
        return await act()
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }
}

/** A closed cache serves nothing, and will not answer another time either. */
function isClosed(error: unknown): boolean {
  return error instanceof HitpathError && error.code === 'CLOSED'
}
