/** What an EventInvalidator counts. */
export interface EventInvalidatorStats {
  /** Events that came, whatever became of them. */
  readonly received: number
  /** Invalidations that happened, a clear among them. */
  readonly invalidated: number
  /** Events that joined an invalidation which had not begun. */
  readonly coalesced: number
  /** Events whose sequence is below the last of their key. */
  readonly late: number
  /** Events whose sequence is the last of their key. */
  readonly duplicates: number
  /** Events that concern nothing here. */
  readonly unknown: number
  /** Events that made no sense. */
  readonly malformed: number
  /** Invalidations that were given up. */
  readonly failed: number
  /** Attempts that failed and were made again. */
  readonly retried: number
  /** How often more keys waited than may. */
  readonly overflows: number
  /** How often a source may have missed events. */
  readonly gaps: number
  /** Keys that wait now. */
  readonly waiting: number
  /** Sources that are read, and those of them that are heard now. */
  readonly sources: number
  readonly linked: number
  /** Milliseconds from an event to the end of its invalidation; undefined before the first. */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number } | undefined
}
