/** What the program and the contenders, which are processes of their own, say to one another. */

/** Sizes of the comparison. */
export interface Setting {
  readonly entries: number
  readonly keyLength: number
  /** Float64 elements of a window of market data. */
  readonly windowElements: number
}

export const CASES = ['hit-built', 'hit-kept', 'set-evict', 'array'] as const

export type Case = (typeof CASES)[number]

export interface Ask {
  readonly which: Case
  readonly ms: number
}

/** Nanoseconds an operation; undefined where the contender has no such thing. Or what went wrong. */
export type Reply = { readonly ns: number | undefined } | { readonly error: string }
