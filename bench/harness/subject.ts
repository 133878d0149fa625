/**
 * What the benches are made of. A suite is one file; it holds subjects; a subject is one setting ("a hit by a string
 * built for the call, a million entries"), measured as a whole, contenders in turn; it answers for one figure or
 * several, each a row of the results.
 */
import type { Curve, Latency } from './results.js'

export type Form = 'full' | 'ci'

/** Chooses between the size of the full form and that of the CI form. */
export function sized<T>(form: Form, full: T, ci: T): T {
  return form === 'full' ? full : ci
}

/** What a subject is told about the run it is part of. */
export interface Run {
  readonly form: Form
  /** Timed rounds of each contender. */
  readonly rounds: number
  /** How long one contender is timed in one round. */
  readonly roundMs: number
  /** The contenders wanted, or undefined for all: the CI form asks only for those that a gate names. */
  readonly contenders: ReadonlySet<string> | undefined
  /** The folder of recorded traces. */
  readonly tracesDir: string
  /** Only the small traces. */
  readonly quick: boolean
  /** One line for the person who waits. */
  readonly progress: (line: string) => void
}

/** A row of the results: one quantity that contenders are compared by. */
export interface Figure {
  readonly id: string
  readonly title: string
  /** The unit of every round; lower is better unless a target sets a minimum. */
  readonly unit: string
}

/** Aligned rounds by contender. */
export type Rounds = Readonly<Record<string, readonly number[]>>

/** A peer that a figure does not have, and why. */
export interface LeftOut {
  readonly name: string
  readonly reason: string
}

export interface Measured {
  readonly contenders: Rounds
  /** The first contender timed twice in each round, second time divided by first: what noise alone does. */
  readonly noise?: readonly number[]
  /** By contender: single operations timed alone, where a figure asks for them. */
  readonly latency?: Readonly<Record<string, Latency>>
  readonly leftOut?: readonly LeftOut[]
}

/** The answer to a subject. */
export interface Answer {
  /** By figure. */
  readonly figures: Readonly<Record<string, Measured>>
  readonly curves?: readonly Curve[]
  /** What belongs beside the figures, printed as it is. */
  readonly notes?: readonly string[]
  /** Why nothing was measured: what it needs is not here. */
  readonly skipped?: string
}

/** One setting that is measured as a whole and answers for one figure or several. */
export interface Subject {
  readonly id: string
  readonly figures: readonly Figure[]
  measure(run: Run): Promise<Answer>
}

export interface Suite {
  readonly id: string
  readonly title: string
  readonly subjects: readonly Subject[]
}
