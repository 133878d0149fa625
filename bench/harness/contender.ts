/**
 * A contender: one way to answer a timed subject.
 *
 * A batch is a loop over many operations, so that tinybench's own cost of some tens of nanoseconds a call is spread
 * over a thousand of them, and it counts its right answers while it is timed: a cache that is fast because it
 * misses is found out. Contenders of different classes may share the source of a loop, because each has a process
 * of its own: V8 compiles the loop for the one class that it meets there.
 */
export interface Contender {
  /** Operations in one batch; times are divided by it. */
  readonly operations: number
  /** Does one batch and returns how many answers were right; anything but `operations` fails the run. */
  batch(): number | Promise<number>
  /** Does the next operation alone and returns 1 when its answer is right: contenders that have it are timed one by one as well. */
  one?(): number | Promise<number>
  /** Share of its reads that hit so far, 0 to 1, where that is part of the answer. */
  hitRatio?(): number
  /** Untimed, before each batch. */
  before?(): void
  /** Untimed, after each batch: throws when what the batch left behind is wrong. */
  after?(): void
}
